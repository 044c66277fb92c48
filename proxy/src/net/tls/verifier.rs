//! Peer verification by a decision of ours, with the handshake's signatures always checked by rustls.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

use super::any_certificate::{verify_tls12, verify_tls13};

/// Why a peer's certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PeerRefused(pub String);

/// Decides whether a peer may connect, from the chain it presents. Runs on a handshake thread; that the peer has the
/// certificate's private key is checked besides.
pub trait PeerVerifier: fmt::Debug + Send + Sync {
    /// Accepts or refuses a presented chain: the leaf, then the others as sent.
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<(), PeerRefused>;

    /// Names of issuers (DER) that a server tells its clients it accepts. Empty: any.
    fn issuer_names(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }
}

/// Accepts every certificate; the decision follows elsewhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct AcceptAll;

impl PeerVerifier for AcceptAll {
    fn verify(&self, _: &CertificateDer<'_>, _: &[CertificateDer<'_>]) -> Result<(), PeerRefused> {
        Ok(())
    }
}

/// A [`PeerVerifier`] as rustls wants it, for either side.
#[derive(Debug)]
pub(crate) struct Verifier {
    decide: Arc<dyn PeerVerifier>,
    provider: Arc<CryptoProvider>,
    mandatory: bool,
    issuer_names: Vec<DistinguishedName>,
}

impl Verifier {
    pub(crate) fn new(decide: Arc<dyn PeerVerifier>, provider: Arc<CryptoProvider>, mandatory: bool) -> Self {
        let issuer_names = decide
            .issuer_names()
            .into_iter()
            .map(DistinguishedName::from)
            .collect();
        Self {
            decide,
            provider,
            mandatory,
            issuer_names,
        }
    }

    fn decide(&self, leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), Error> {
        self.decide.verify(leaf, intermediates).map_err(|refused| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))))
        })
    }

    fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms().supported_schemes()
    }
}

/// What both roles of TLS ask of a verifier about the peer's signature over the handshake.
macro_rules! handshake_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12(message, cert, dss, self.algorithms())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13(message, cert, dss, self.algorithms())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.schemes()
        }
    };
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.decide(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    handshake_signatures!();
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.issuer_names
    }

    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.decide(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    handshake_signatures!();
}
