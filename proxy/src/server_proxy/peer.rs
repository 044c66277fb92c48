//! Whether the calling security server may speak for the service client, decided as soon as the message part is there
//! (wire.md 6.2: provider registered → signing possible → TLS certificate, OCSP, sender's server).

use bytes::Bytes;
use protocol_message::identifier::{ClientId, SecurityServerId};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::peer_certificate::{CertificateRejected, Judge};
use crate::snapshot::{LoadedGlobalConf, Snapshot};

/// Why it may not.
#[derive(Debug, thiserror::Error)]
pub enum PeerRejected {
    /// The message names another server than this one.
    #[error("Invalid security server identifier '{found}' expected '{own}'")]
    OtherServer {
        /// What the message says.
        found: SecurityServerId,
        /// This server.
        own: String,
    },
    /// The provider is not a registered client of this server.
    #[error("Client '{0}' not found")]
    UnknownProvider(ClientId),
    /// The request brought no OCSP responses.
    #[error("Cannot verify TLS certificate, corresponding OCSP response is missing")]
    NoOcspResponses,
    /// The certificate is not one of the client's server.
    #[error("{0}")]
    Certificate(#[from] CertificateRejected),
}

impl PeerRejected {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::OtherServer { .. } => "invalid_security_server",
            Self::UnknownProvider(_) => "unknown_member",
            // The reference reads them as they come: what cannot be read is a failure of reading.
            Self::Certificate(CertificateRejected::OcspMalformed(_)) => "io_error",
            Self::NoOcspResponses | Self::Certificate(_) => "ssl_authentication_failed",
        }
    }
}

/// The calling server as TLS showed it.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// The presented chain, leaf first.
    pub certificates: &'a [CertificateDer<'static>],
    /// OCSP responses that the request brought.
    pub ocsp_responses: &'a [Bytes],
}

/// The server that a SOAP message names must be this one; a REST message is not asked (wire.md 1.4).
///
/// # Errors
/// [`PeerRejected::OtherServer`]
pub fn check_server(snapshot: &Snapshot, named: Option<&SecurityServerId>) -> Result<(), PeerRejected> {
    let own = snapshot.server.server.as_ref();
    match named {
        Some(found) if own != Some(found) => {
            let own = own.map(ToString::to_string).unwrap_or_default();
            Err(PeerRejected::OtherServer {
                found: found.clone(),
                own,
            })
        }
        _ => Ok(()),
    }
}

/// The provider must be a registered client of this server.
///
/// # Errors
/// [`PeerRejected::UnknownProvider`]
pub fn check_provider(snapshot: &Snapshot, provider: &ClientId) -> Result<(), PeerRejected> {
    let registered = snapshot
        .server
        .client(provider)
        .is_some_and(|client| client.is_registered());
    if registered {
        Ok(())
    } else {
        Err(PeerRejected::UnknownProvider(provider.clone()))
    }
}

/// The certificate of the TLS connection must be good and belong to a server of the service client.
///
/// # Errors
/// [`PeerRejected::NoOcspResponses`] and [`PeerRejected::Certificate`]
pub fn check_caller(
    judge: &Judge,
    caller: Caller<'_>,
    client: &ClientId,
    globalconf: &LoadedGlobalConf,
    at: OffsetDateTime,
) -> Result<(), PeerRejected> {
    if caller.ocsp_responses.is_empty() {
        return Err(PeerRejected::NoOcspResponses);
    }
    Ok(judge.judge(caller.certificates, caller.ocsp_responses, client, globalconf, at)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol_globalconf::shared_params::{SecurityServer, Subsystem};
    use protocol_pki::key::KeySpec;
    use protocol_pki::ocsp::CertificateStatus;
    use time::Duration;

    use super::*;
    use crate::message_log::time_stamping::tests::support::{
        client, globalconf_with, server_configuration, trust,
    };

    fn snapshot() -> Snapshot {
        let toml = "server = 'TEST/GOV/123/ss1'\n[[client]]\nid = 'TEST/GOV/123/sub'\nauthentication = 'NOSSL'\n\
                    [[client]]\nid = 'TEST/GOV/123/planned'\nauthentication = 'NOSSL'\nstatus = 'saved'\n";
        Snapshot {
            server: Arc::new(server_configuration(toml)),
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_message_for_another_server_is_refused() {
        let snapshot = snapshot();
        let (own, other) = ("TEST/GOV/123/ss1".parse(), "TEST/GOV/123/ss2".parse());
        assert!(check_server(&snapshot, None).is_ok());
        assert!(check_server(&snapshot, Some(&own.unwrap())).is_ok());
        let refused = check_server(&snapshot, Some(&other.unwrap())).unwrap_err();
        assert_eq!(refused.fault_code(), "invalid_security_server");
    }

    #[test]
    fn the_provider_must_be_registered_here() {
        let snapshot = snapshot();
        assert!(check_provider(&snapshot, &client()).is_ok());
        for unknown in ["TEST/GOV/123/planned", "TEST/GOV/123/none", "TEST/GOV/123"] {
            let refused = check_provider(&snapshot, &ClientId::parse_encoded(unknown).unwrap()).unwrap_err();
            assert_eq!(refused.fault_code(), "unknown_member", "{unknown}");
        }
    }

    #[test]
    fn the_caller_is_whom_the_global_configuration_and_ocsp_say() {
        let now = OffsetDateTime::now_utc();
        let authority = &trust().0;
        let server = authority.server("ss9", KeySpec::P256, now).unwrap();
        let globalconf = globalconf_with(|shared| {
            let id = client();
            shared.members[0].subsystems.push(Subsystem { id, name: None });
            shared.security_servers.push(SecurityServer {
                owner: client().member(),
                server_code: "ss9".into(),
                address: None,
                auth_cert_hashes: vec![server.certificate.sha256().to_vec()],
                clients: vec![client()],
                maintenance_mode: None,
            });
        });
        let respond = |status, at| {
            authority
                .ocsp_response(&server.certificate, status, at, None)
                .map(Bytes::from)
                .unwrap()
        };
        let good = respond(CertificateStatus::Good, now);
        let stale = respond(CertificateStatus::Good, now - Duration::hours(2));
        let revoked = respond(CertificateStatus::Revoked { at: now }, now);
        let judge = Judge::default();
        let own = [CertificateDer::from(server.certificate.as_der().to_vec())];
        let signing = [CertificateDer::from(trust().1.certificate.as_der().to_vec())];
        let stranger = ClientId::parse_encoded("TEST/GOV/9/sub").unwrap();
        let member = client();
        type Case<'a> = (&'a [CertificateDer<'static>], &'a [Bytes], &'a ClientId, bool);
        let cases: [Case<'_>; 8] = [
            (&own, std::slice::from_ref(&good), &member, true),
            (&own, std::slice::from_ref(&good), &member, true),
            (&own, &[], &member, false),
            (&own, &[stale], &member, false),
            (&own, &[revoked], &member, false),
            (&own, std::slice::from_ref(&good), &stranger, false),
            (&[], std::slice::from_ref(&good), &member, false),
            (&signing, std::slice::from_ref(&good), &member, false),
        ];
        for (number, (certificates, ocsp_responses, client, accepted)) in cases.into_iter().enumerate() {
            let caller = Caller {
                certificates,
                ocsp_responses,
            };
            let checked = check_caller(&judge, caller, client, &globalconf, now);
            assert_eq!(checked.is_ok(), accepted, "case {number}: {checked:?}");
            if let Err(refused) = checked {
                assert_eq!(refused.fault_code(), "ssl_authentication_failed", "case {number}");
            }
        }
        // What was remembered does not outlive the response.
        let caller = Caller {
            certificates: &own,
            ocsp_responses: &[good],
        };
        let late = check_caller(&judge, caller, &member, &globalconf, now + Duration::hours(2));
        assert!(late.is_err());
    }
}
