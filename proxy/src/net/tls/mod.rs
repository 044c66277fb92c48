//! TLS over rustls with an own driver: handshakes on their own threads, records on the workers.
//!
//! Which suites are offered to whom is in [`providers`].

mod any_certificate;
pub mod config;
pub mod handshake;
pub mod providers;
pub(crate) mod session;
pub mod session_cache;
pub mod signing_key;
pub mod verifier;

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{CipherSuite, ProtocolVersion};

pub use config::{ClientAuthentication, client_config, server_config};
pub use handshake::{HandshakeError, HandshakePool, accept, connect};
pub use providers::Providers;
pub use signing_key::{CallbackKey, KeyKind, SignFailed};
pub use verifier::{AcceptAll, PeerRefused, PeerVerifier};

/// What we authenticate with: a certificate chain, leaf first and without the trust anchor, and its key.
#[derive(Clone)]
pub struct TlsIdentity {
    /// Leaf first, then its issuers, without the trust anchor.
    pub certificate_chain: Vec<CertificateDer<'static>>,
    /// The leaf's key, such as a [`CallbackKey`].
    pub key: Arc<dyn SigningKey>,
}

impl TlsIdentity {
    pub(crate) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::new(
            self.certificate_chain.clone(),
            Arc::clone(&self.key),
        ))
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("certificates", &self.certificate_chain.len())
            .finish_non_exhaustive()
    }
}

/// What a handshake told about the peer and the connection.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    /// The presented chain, leaf first; empty when the peer presented none. On a resumed session the chain of the
    /// original handshake.
    pub certificates: Vec<CertificateDer<'static>>,
    /// Protocol version.
    pub version: ProtocolVersion,
    /// Cipher suite.
    pub cipher_suite: CipherSuite,
    /// Whether an earlier session was resumed: then no signature was made and no verifier asked.
    pub resumed: bool,
}
