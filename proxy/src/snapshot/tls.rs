//! TLS configurations, made when a key or certificate changes and shared by all workers.

use std::sync::{Arc, Weak};

use protocol_message::identifier::SecurityServerId;
use protocol_pki::certificate::Certificate;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};
use signer_client::{Client, DigestAlgorithm, KeyAlgorithm, KeySelector, SignatureAlgorithm, Status};

use super::{AuthenticationKey, Current};
use crate::net::tls::{
    AcceptAll, CallbackKey, ClientAuthentication, KeyKind, PeerRefused, PeerVerifier, Providers, SignFailed,
    TlsIdentity, client_config, server_config,
};

/// The configurations of one moment. What is absent can't be offered, because its key is not usable.
#[derive(Debug, Default, Clone)]
pub struct TlsConfigs {
    /// Towards peers, absent while there is no authentication key.
    pub peers: Option<Arc<PeerTls>>,
    /// Towards information systems, absent while the internal key is not usable.
    pub internal: Option<Arc<InternalTls>>,
}

/// How this server meets other security servers.
#[derive(Debug)]
pub struct PeerTls {
    /// Differs between any two: connections of another generation are not used again.
    pub generation: u64,
    /// On 5500: a client certificate is required and must be registered (wire.md 2.5).
    pub server: Arc<ServerConfig>,
    /// Calling 5500 of others; whom we reached is verified after the handshake (wire.md 2.7).
    pub client: Arc<ClientConfig>,
    chain: Vec<Certificate>,
    issuer_names: Vec<Vec<u8>>,
}

impl PeerTls {
    /// Whether this is what the key and the accepted issuers, in order, would give again.
    fn is_for(&self, key: &AuthenticationKey, issuer_names: &[Vec<u8>]) -> bool {
        self.chain == key.chain && self.issuer_names == issuer_names
    }
}

/// How this server meets information systems.
#[derive(Debug)]
pub struct InternalTls {
    /// Differs between any two: connections of another generation are not used again.
    pub generation: u64,
    /// DER of the internal certificate.
    pub certificate: Vec<u8>,
    /// On 8443: client certificates are taken, the connection mode decides (wire.md 1.3).
    pub server: Arc<ServerConfig>,
    /// Calling HTTPS services with the internal certificate; the service's is checked afterwards (wire.md 6.3).
    pub client: Arc<ClientConfig>,
}

impl TlsConfigs {
    /// DER of the internal certificate.
    #[must_use]
    pub fn internal_certificate(&self) -> Option<&[u8]> {
        self.internal.as_ref().map(|internal| &internal.certificate[..])
    }
}

/// Makes TLS configurations whose private keys stay in the signer.
#[derive(Debug)]
pub struct TlsFactory {
    signer: Client,
    providers: Providers,
    current: Weak<Current>,
    generation: u64,
}

impl TlsFactory {
    /// A factory whose configurations judge peers by the then current snapshot.
    #[must_use]
    pub fn new(signer: Client, providers: Providers, current: Weak<Current>) -> Self {
        Self {
            signer,
            providers,
            current,
            generation: 0,
        }
    }

    /// Configurations for the authentication key: the ones at hand if it is still the same key, else new ones.
    ///
    /// # Errors
    /// When rustls refuses the certificate or key.
    pub fn peers(
        &mut self,
        at_hand: Option<&Arc<PeerTls>>,
        key: &AuthenticationKey,
        issuer_names: Vec<Vec<u8>>,
    ) -> Result<Arc<PeerTls>, rustls::Error> {
        if let Some(same) = at_hand.filter(|peers| peers.is_for(key, &issuer_names)) {
            return Ok(Arc::clone(same));
        }
        let chain = key
            .chain
            .iter()
            .map(|certificate| der(certificate.as_der()))
            .collect();
        let selector = KeySelector::Certificate(key.certificate);
        let identity = TlsIdentity {
            certificate_chain: chain,
            key: Arc::new(self.key(key.algorithm, selector)),
        };
        let verifier = Arc::new(RegisteredServers {
            current: self.current.clone(),
            issuer_names: issuer_names.clone(),
        });
        self.generation += 1;
        Ok(Arc::new(PeerTls {
            generation: self.generation,
            server: server_config(
                Arc::clone(&self.providers.peers),
                &identity,
                ClientAuthentication::Required(verifier),
            )?,
            client: client_config(
                Arc::clone(&self.providers.peers),
                Some(&identity),
                Arc::new(AcceptAll),
            )?,
            chain: key.chain.clone(),
            issuer_names,
        }))
    }

    /// Configurations for the internal certificate, whose key is found in the signer by its public key.
    ///
    /// # Errors
    /// When rustls refuses the certificate or key.
    pub fn internal(
        &mut self,
        certificate: &Certificate,
        status: &Status,
    ) -> Result<Option<Arc<InternalTls>>, rustls::Error> {
        let key = status
            .keys()
            .find(|key| key.available && *key.public_key == *certificate.spki_der());
        let Some(key) = key else { return Ok(None) };
        let callback = self.key(key.algorithm, KeySelector::Key(key.id.clone()));
        let identity = TlsIdentity {
            certificate_chain: vec![der(certificate.as_der())],
            key: Arc::new(callback),
        };
        self.generation += 1;
        Ok(Some(Arc::new(InternalTls {
            generation: self.generation,
            certificate: certificate.as_der().to_vec(),
            server: server_config(
                Arc::clone(&self.providers.information_systems),
                &identity,
                ClientAuthentication::Optional,
            )?,
            client: client_config(
                Arc::clone(&self.providers.information_systems),
                Some(&identity),
                Arc::new(AcceptAll),
            )?,
        })))
    }

    /// A key in the signer, as rustls wants it.
    fn key(&self, algorithm: KeyAlgorithm, selector: KeySelector) -> CallbackKey {
        let kind = match algorithm {
            KeyAlgorithm::EcP256 => KeyKind::EcdsaP256,
            KeyAlgorithm::EcP384 => KeyKind::EcdsaP384,
            KeyAlgorithm::EcP521 => KeyKind::EcdsaP521,
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => KeyKind::Rsa,
        };
        let signer = self.signer.clone();
        CallbackKey::new(kind, move |scheme, message| {
            let algorithm = signature_algorithm(scheme).ok_or_else(|| SignFailed(format!("{scheme:?}")))?;
            let signature = signer.sign_data(selector.clone(), algorithm, message);
            signature
                .map(|blob| blob.to_vec())
                .map_err(|error| SignFailed(error.to_string()))
        })
    }
}

/// Accepts authentication certificates of registered servers, and no others (wire.md 2.5). Whether a certificate is
/// still good is decided for each message (2.7).
#[derive(Debug)]
struct RegisteredServers {
    current: Weak<Current>,
    issuer_names: Vec<Vec<u8>>,
}

impl RegisteredServers {
    fn server_of(&self, leaf: &CertificateDer<'_>) -> Option<SecurityServerId> {
        let certificate = Certificate::from_der(leaf).ok()?;
        let snapshot = self.current.upgrade()?.take();
        Some(
            snapshot
                .globalconf
                .as_ref()?
                .server_by_auth_cert(&certificate)?
                .id
                .clone(),
        )
    }
}

impl PeerVerifier for RegisteredServers {
    fn verify(&self, leaf: &CertificateDer<'_>, _: &[CertificateDer<'_>]) -> Result<(), PeerRefused> {
        let refused = || PeerRefused("certificate is not registered for any security server".to_owned());
        self.server_of(leaf).map(drop).ok_or_else(refused)
    }

    fn issuer_names(&self) -> Vec<Vec<u8>> {
        self.issuer_names.clone()
    }
}

fn der(bytes: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from(bytes.to_vec())
}

fn signature_algorithm(scheme: SignatureScheme) -> Option<SignatureAlgorithm> {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
    Some(match scheme {
        SignatureScheme::RSA_PKCS1_SHA256 => RsaPkcs1(Sha256),
        SignatureScheme::RSA_PKCS1_SHA384 => RsaPkcs1(Sha384),
        SignatureScheme::RSA_PKCS1_SHA512 => RsaPkcs1(Sha512),
        SignatureScheme::RSA_PSS_SHA256 => RsaPss(Sha256),
        SignatureScheme::RSA_PSS_SHA384 => RsaPss(Sha384),
        SignatureScheme::RSA_PSS_SHA512 => RsaPss(Sha512),
        SignatureScheme::ECDSA_NISTP256_SHA256 => Ecdsa(Sha256),
        SignatureScheme::ECDSA_NISTP384_SHA384 => Ecdsa(Sha384),
        _ => return None,
    })
}
