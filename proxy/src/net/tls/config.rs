//! TLS configurations for the ports of wire.md 1.1: protocol versions 1.3 and 1.2, no ALPN.

use std::sync::Arc;

use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Error, ServerConfig, SignatureScheme};

use super::TlsIdentity;
use super::session_cache::SessionCache;
use super::verifier::{AcceptAll, PeerVerifier, Verifier};

/// How many servers a client remembers sessions for.
const REMEMBERED_SERVERS: usize = 1024;

/// What a server asks of its clients.
#[derive(Debug, Clone)]
pub enum ClientAuthentication {
    /// No certificate.
    None,
    /// A certificate if the client has one; any is accepted, its key is proven, the handler decides (8443, 4443).
    Optional,
    /// A certificate that this verifier accepts (5500).
    Required(Arc<dyn PeerVerifier>),
}

/// A server's configuration. Build a new one when the identity or the verifier changes; sessions of the old one
/// are not resumed then. Our order of cipher suites decides.
pub fn server_config(
    provider: Arc<CryptoProvider>,
    identity: &TlsIdentity,
    clients: ClientAuthentication,
) -> Result<Arc<ServerConfig>, Error> {
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
    let builder = match clients {
        ClientAuthentication::None => builder.with_no_client_auth(),
        ClientAuthentication::Optional => {
            builder.with_client_cert_verifier(Arc::new(Verifier::new(Arc::new(AcceptAll), provider, false)))
        }
        ClientAuthentication::Required(verifier) => {
            builder.with_client_cert_verifier(Arc::new(Verifier::new(verifier, provider, true)))
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(OneIdentity(identity.certified_key())));
    config.ignore_client_order = true;
    config.session_storage = Arc::new(SessionCache::default());
    Ok(Arc::new(config))
}

/// A server's configuration without session resumption, otherwise as [`server_config`].
pub fn without_resumption(config: &ServerConfig) -> Arc<ServerConfig> {
    let mut config = config.clone();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

/// A client's configuration. Sessions are resumed among the connections of one configuration: build a new one when
/// the identity changes. On a resumed session the verifier is not asked again; look at
/// [`super::TlsPeer::certificates`].
pub fn client_config(
    provider: Arc<CryptoProvider>,
    identity: Option<&TlsIdentity>,
    verifier: Arc<dyn PeerVerifier>,
) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(verifier, provider, true)));
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(OneIdentity(identity.certified_key()))),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::in_memory_sessions(REMEMBERED_SERVERS);
    Ok(Arc::new(config))
}

/// Presents one identity to everybody, whatever names and issuers they ask for.
#[derive(Debug)]
struct OneIdentity(Arc<CertifiedKey>);

impl ResolvesServerCert for OneIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for OneIdentity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
