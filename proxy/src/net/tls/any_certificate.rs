//! Checking a handshake's signature with certificates that rustls itself does not read.
//!
//! Information systems come with version 1 certificates (what `openssl x509 -req` makes without extensions), which
//! the reference accepts and rustls does not parse. For such a certificate only the public key is taken from it; who
//! it belongs to is decided elsewhere anyway.

use protocol_pki::certificate::Certificate;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved};

/// Checks a signature of a TLS 1.2 handshake.
pub(crate) fn verify_tls12(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    if ParsedCertificate::try_from(certificate).is_ok() {
        return verify_tls12_signature(message, certificate, signature, algorithms);
    }
    let key = public_key(certificate)?;
    let key = webpki::RawPublicKeyEntity::try_from(&key).map_err(|_| unreadable())?;
    let candidates = algorithms
        .mapping
        .iter()
        .filter(|(scheme, _)| *scheme == signature.scheme);
    let mut candidates = candidates
        .flat_map(|(_, candidates)| candidates.iter())
        .peekable();
    if candidates.peek().is_none() {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    }
    if candidates.any(|algorithm| {
        key.verify_signature(*algorithm, message, signature.signature())
            .is_ok()
    }) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

/// Checks a signature of a TLS 1.3 handshake.
pub(crate) fn verify_tls13(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    if ParsedCertificate::try_from(certificate).is_ok() {
        return verify_tls13_signature(message, certificate, signature, algorithms);
    }
    verify_tls13_signature_with_raw_key(message, &public_key(certificate)?, signature, algorithms)
}

fn public_key(certificate: &CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'static>, Error> {
    let certificate = Certificate::from_der(certificate).map_err(|_| unreadable())?;
    Ok(certificate.spki_der().to_vec().into())
}

fn unreadable() -> Error {
    CertificateError::BadEncoding.into()
}
