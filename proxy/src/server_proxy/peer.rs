//! Whether the calling security server may speak for the service client, decided as soon as the message part is there
//! (wire.md 6.2: provider registered → signing possible → TLS certificate, OCSP, sender's server).

use protocol_message::identifier::{ClientId, SecurityServerId};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::peer_certificate::{CertificateRejected, Judge, Presented};
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
    pub ocsp_responses: &'a [Vec<u8>],
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
    let presented = Presented::read(caller.certificates)?;
    Ok(judge.judge(&presented, caller.ocsp_responses, client, globalconf, at)?)
}
