//! HTTPS: whom we trust and who we are.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::plan::LoadOptions;

/// How HTTPS is spoken.
///
/// # Errors
/// What is missing, or which file cannot be used.
pub(crate) fn client_config(options: &LoadOptions) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = verifier(options, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    match (&options.cert, &options.key) {
        (None, None) => Ok(config.with_no_client_auth()),
        (Some(cert), Some(key)) => {
            let private = PrivateKeyDer::from_pem_file(key);
            let private =
                private.map_err(|error| format!("key {}: {error}; expected a PEM key", key.display()))?;
            config
                .with_client_auth_cert(certificates("cert", cert)?, private)
                .map_err(|error| format!("cert {}, key {}: {error}", cert.display(), key.display()))
        }
        _ => Err("cert, key: expected both or neither".to_owned()),
    }
}

/// Takes the certificates that it is given, what they issued, or anything.
#[derive(Debug)]
struct Verifier {
    /// Certificates taken as they are, as security servers hand out their internal one.
    given: Vec<CertificateDer<'static>>,
    /// `None`: anything is taken.
    issuers: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

fn verifier(options: &LoadOptions, provider: &Arc<CryptoProvider>) -> Result<Verifier, String> {
    let (given, issuers) = match &options.ca {
        _ if options.insecure => (Vec::new(), None),
        None => return Err("ca: expected the certificates to trust for HTTPS, or insecure".to_owned()),
        Some(path) => {
            let given = certificates("ca", path)?;
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(given.iter().cloned());
            let built =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
            (
                given,
                Some(built.map_err(|error| format!("ca {}: {error}", path.display()))?),
            )
        }
    };
    Ok(Verifier {
        given,
        issuers,
        provider: Arc::clone(provider),
    })
}

fn certificates(name: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unusable = |error: String| format!("{name} {}: {error}; expected PEM certificates", path.display());
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(error.to_string()))?;
    let read: Result<Vec<_>, _> = read.collect();
    let read = read.map_err(|error| unusable(error.to_string()))?;
    if read.is_empty() {
        return Err(unusable("no certificate in it".to_owned()));
    }
    Ok(read)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.issuers {
            Some(issuers) if !self.given.contains(end_entity) => {
                issuers.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
