//! Whether an information system may speak for a client of this server (wire.md 1.3).

use protocol_message::identifier::ClientId;
use storage::server_configuration::{Authentication, Client};
use time::OffsetDateTime;

use crate::net::Peer;
use crate::settings::ClientSettings;
use crate::snapshot::Snapshot;

/// Why the information system may not.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The sender is not a registered client of this server.
    #[error("Client '{0}' not found")]
    NotRegistered(ClientId),
    /// The client's mode asks for TLS and the request came without.
    #[error("Client ({0}) specifies HTTPS but did not supply TLS certificate")]
    Plaintext(ClientId),
    /// The client's mode asks for a certificate and none came.
    #[error("Client ({0}) specifies HTTPS but did not supply TLS certificate")]
    NoCertificate(ClientId),
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
    settings: &ClientSettings,
    id: &ClientId,
    peer: &Peer,
    at: OffsetDateTime,
) -> Result<(), AuthenticateError> {
    let registered = snapshot.server.client(id).filter(|client| client.is_registered());
    let client = registered.ok_or_else(|| AuthenticateError::NotRegistered(id.clone()))?;
    if !settings.verify_client_cert {
        return Ok(());
    }
    match client.authentication {
        Authentication::NoSsl => Ok(()),
        Authentication::SslNoAuth if peer.tls.is_some() => Ok(()),
        Authentication::SslNoAuth => Err(AuthenticateError::Plaintext(id.clone())),
        Authentication::SslAuth => by_certificate(snapshot, settings, (id, client), peer, at),
    }
}

/// The certificate must be one of the client's, or the server's own internal one.
fn by_certificate(
    snapshot: &Snapshot,
    settings: &ClientSettings,
    (id, client): (&ClientId, &Client),
    peer: &Peer,
    at: OffsetDateTime,
) -> Result<(), AuthenticateError> {
    let presented = peer.tls.as_ref().and_then(|tls| tls.certificates.first());
    let presented = presented.ok_or_else(|| AuthenticateError::NoCertificate(id.clone()))?;
    if snapshot.tls.internal_certificate() == Some(presented.as_ref()) {
        return Ok(());
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
