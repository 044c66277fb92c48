//! Whether an information system may speak for a client of this server (wire.md 1.3).

use protocol_message::identifier::ClientId;
use storage::server_configuration::{Authentication, Client};
use time::OffsetDateTime;

use crate::net::Peer;
use crate::settings::ProxySettings;
use crate::snapshot::Snapshot;

/// Why the information system may not.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The sender is not a registered client of this server.
    #[error("Client '{0}' not found")]
    NotRegistered(ClientId),
    /// The client's mode asks for TLS and the request came without.
    #[error("Client ({0}) specifies HTTPS NO AUTH but client made plaintext connection")]
    Plaintext(ClientId),
    /// The client's mode asks for a certificate and none came.
    #[error("Client ({0}) specifies HTTPS but did not supply TLS certificate")]
    NoCertificate(ClientId),
    /// The client has no certificates that could match.
    #[error("Client ({0}) has no IS certificates")]
    NothingRegistered(ClientId),
    /// The certificate is none of the client's.
    #[error("Client ({0}) TLS certificate does not match any IS certificates")]
    UnknownCertificate(ClientId),
    /// The certificate is outside its validity and that is enforced.
    #[error("Client ({0}) TLS certificate is expired or not yet valid")]
    Expired(ClientId),
}

impl AuthenticateError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::NotRegistered(_) => "unknown_member",
            _ => "ssl_authentication_failed",
        }
    }
}

/// Checks that the sender is a registered client and that the information system satisfies its connection mode.
///
/// # Errors
/// [`AuthenticateError`] names the client.
pub fn authenticate(
    snapshot: &Snapshot,
    settings: &ProxySettings,
    id: &ClientId,
    peer: &Peer,
    at: OffsetDateTime,
) -> Result<(), AuthenticateError> {
    let registered = snapshot.server.client(id).filter(|client| client.is_registered());
    let client = registered.ok_or_else(|| AuthenticateError::NotRegistered(id.clone()))?;
    if !settings.verify_client_cert {
        return Ok(());
    }
    if settings.log_client_cert {
        tell_certificate(id, peer);
    }
    match client.authentication {
        Authentication::NoSsl => Ok(()),
        Authentication::SslNoAuth if peer.tls.is_some() => Ok(()),
        Authentication::SslNoAuth => Err(AuthenticateError::Plaintext(id.clone())),
        Authentication::SslAuth => by_certificate(snapshot, settings, (id, client), peer, at),
    }
}

/// `log-client-cert`
fn tell_certificate(id: &ClientId, peer: &Peer) {
    let shown = peer.tls.as_ref().and_then(|tls| tls.certificates.first());
    let certificate = shown.and_then(|der| protocol_pki::certificate::Certificate::from_der(der).ok());
    match certificate {
        Some(certificate) => {
            tracing::info!(client = %id, subject = certificate.subject().readable(), "certificate of the information system");
        }
        None => tracing::info!(client = %id, "the information system shows no certificate"),
    }
}

/// The certificate must be one of the client's, or the server's own internal one.
fn by_certificate(
    snapshot: &Snapshot,
    settings: &ProxySettings,
    (id, client): (&ClientId, &Client),
    peer: &Peer,
    at: OffsetDateTime,
) -> Result<(), AuthenticateError> {
    let presented = peer.tls.as_ref().and_then(|tls| tls.certificates.first());
    let presented = presented.ok_or_else(|| AuthenticateError::NoCertificate(id.clone()))?;
    if snapshot.tls.internal_certificate() == Some(presented.as_ref()) {
        return Ok(());
    }
    if client.certificates.is_empty() {
        return Err(AuthenticateError::NothingRegistered(id.clone()));
    }
    if !client.certificates.contains(presented.as_ref()) {
        return Err(AuthenticateError::UnknownCertificate(id.clone()));
    }
    let valid = protocol_pki::certificate::Certificate::from_der(presented)
        .is_ok_and(|certificate| certificate.is_valid_at(at));
    if !valid {
        tracing::warn!(client = %id, "certificate of the information system is outside its validity");
    }
    if !valid && settings.enforce_client_is_cert_validity_period_check {
        return Err(AuthenticateError::Expired(id.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::sync::Arc;

    use base64::Engine as _;
    use rustls::pki_types::CertificateDer;
    use rustls::{CipherSuite, ProtocolVersion};

    use super::*;
    use crate::message_log::time_stamping::tests::support::{server_configuration, trust};
    use crate::net::tls::TlsPeer;
    use crate::settings::Settings;

    fn snapshot() -> Snapshot {
        let known = base64::engine::general_purpose::STANDARD.encode(known());
        let client = |name: &str, rest: &str| format!("[[client]]\nid = 'TEST/GOV/123/{name}'\n{rest}\n");
        let toml = [
            client("open", "authentication = 'NOSSL'"),
            client("tls", "authentication = 'SSLNOAUTH'"),
            client(
                "mutual",
                &format!("authentication = 'SSLAUTH'\ncertificates = ['{known}']"),
            ),
            client(
                "planned",
                "authentication = 'NOSSL'\nstatus = 'registration in progress'",
            ),
        ];
        Snapshot {
            server: Arc::new(server_configuration(&toml.concat())),
            ..Snapshot::default()
        }
    }

    /// The certificate that the client has.
    fn known() -> &'static [u8] {
        trust().1.certificate.as_der()
    }

    fn plain() -> Peer {
        let address = "127.0.0.1:1".parse().unwrap();
        Peer {
            address,
            local_address: address,
            tls: None,
        }
    }

    fn tls(certificate: Option<&[u8]>) -> Peer {
        let certificates = certificate.map(|der| CertificateDer::from(der.to_vec()));
        let tls = TlsPeer {
            certificates: certificates.into_iter().collect(),
            version: ProtocolVersion::TLSv1_3,
            cipher_suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
            resumed: false,
        };
        Peer {
            tls: Some(Rc::new(tls)),
            ..plain()
        }
    }

    fn settings(toml: &str) -> ProxySettings {
        Settings::from_text(&format!("[proxy]\n{toml}"), None)
            .unwrap()
            .proxy
    }

    fn ask(name: &str, settings: &ProxySettings, peer: &Peer, at: OffsetDateTime) -> &'static str {
        let id = ClientId::parse_encoded(&format!("TEST/GOV/123/{name}")).unwrap();
        match authenticate(&snapshot(), settings, &id, peer, at) {
            Ok(()) => "",
            Err(error) => error.fault_code(),
        }
    }

    #[test]
    fn each_connection_mode_accepts_what_it_says() {
        let (settings, now) = (settings(""), OffsetDateTime::now_utc());
        let stranger = trust().0.root().certificate.as_der();
        let peers = [plain(), tls(None), tls(Some(stranger)), tls(Some(known()))];
        let failed = "ssl_authentication_failed";
        for (name, expected) in [
            ("open", ["", "", "", ""]),
            ("tls", [failed, "", "", ""]),
            ("mutual", [failed, failed, failed, ""]),
            ("planned", ["unknown_member"; 4]),
            ("stranger", ["unknown_member"; 4]),
        ] {
            let found = peers.each_ref().map(|peer| ask(name, &settings, peer, now));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn an_operator_may_leave_the_modes_unchecked_but_not_the_registration() {
        let (settings, now) = (settings("verify-client-cert = false"), OffsetDateTime::now_utc());
        assert_eq!(ask("mutual", &settings, &plain(), now), "");
        assert_eq!(ask("planned", &settings, &plain(), now), "unknown_member");
    }

    #[test]
    fn an_expired_certificate_is_refused_only_where_that_is_enforced() {
        let late = trust().1.certificate.not_after() + time::Duration::seconds(1);
        let peer = tls(Some(known()));
        assert_eq!(ask("mutual", &settings(""), &peer, late), "");
        let strict = settings("enforce-client-is-cert-validity-period-check = true");
        assert_eq!(ask("mutual", &strict, &peer, late), "ssl_authentication_failed");
        assert_eq!(ask("mutual", &strict, &peer, OffsetDateTime::now_utc()), "");
    }
}
