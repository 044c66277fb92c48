//! Certificates of keys.

use protocol_pki::certificate::Certificate;
use signer_client::{CertificateSha256, CertificateStatus, ImportCertificate, KeyUsage, SignerError};

use crate::{
    registry::{self, CertificateRecord, KeyRecord, MAX_PER_KEY, Registry},
    token::TokenCertificate,
};

/// Most bytes of a certificate and of a client identifier.
const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;
const MAX_CLIENT_BYTES: usize = 1024;

/// Keeps a certificate with the key that has its public key, and forgets the requests that it answers.
pub(crate) fn import(
    registry: &mut Registry,
    import: &ImportCertificate,
) -> Result<CertificateRecord, SignerError> {
    let failed = |reason: &str| SignerError::CertificateImportFailed(reason.to_owned());
    if import.certificate.len() > MAX_CERTIFICATE_BYTES
        || import
            .client
            .as_ref()
            .is_some_and(|client| client.len() > MAX_CLIENT_BYTES)
    {
        return Err(failed("it is too long"));
    }
    let certificate =
        Certificate::from_der_or_pem(&import.certificate).map_err(|error| failed(&error.to_string()))?;
    let der = certificate.as_der();
    let name = registry::sha256(der);
    if let Ok(known) = registry.certificate_mut(name) {
        // One that was found on a hardware token is still to be imported.
        let is_imported = known.status != CertificateStatus::Saved || known.active || known.client.is_some();
        if is_imported || import.client.is_none() {
            return Err(SignerError::CertificateExists(name.to_string()));
        }
        delete(registry, name)?;
    }
    let same_key = |record: &&mut KeyRecord| record.public_key == certificate.spki_der();
    let key = registry.keys.values_mut().find(same_key);
    let key = key.ok_or_else(|| SignerError::KeyNotFound(format!("of the certificate {name}")))?;
    check_usage(key.usage, &certificate)?;
    if key.certificates.len() >= MAX_PER_KEY {
        return Err(failed("the key has too many certificates"));
    }
    let (status, client) = (import.status, import.client.clone());
    let record = CertificateRecord {
        der: der.to_vec(),
        status,
        active: status == CertificateStatus::Registered,
        client,
    };
    key.csrs.retain(|csr| csr.client != record.client);
    key.certificates.push(record.clone());
    Ok(record)
}

/// A CA that issues for both uses must not make a signing key authenticate, or the other way round (wire.md 2.7, 3.5).
fn check_usage(usage: KeyUsage, certificate: &Certificate) -> Result<(), SignerError> {
    let wrong = |reason: &str| Err(SignerError::WrongCertificateUsage(reason.to_owned()));
    match usage {
        KeyUsage::Signing if certificate.key_usage().is_some() && !certificate.may_sign_messages() => {
            wrong("an authentication certificate for a signing key")
        }
        KeyUsage::Authentication if certificate.may_sign_messages() => {
            wrong("a signing certificate for an authentication key")
        }
        _ => Ok(()),
    }
}

/// Keeps the certificates that are on a token with its keys: saved, not active, for nobody yet. Returns how many are
/// new.
pub(crate) fn adopt(registry: &mut Registry, token: &str, certificates: Vec<TokenCertificate>) -> usize {
    let mut count = 0;
    for TokenCertificate { key, der } in certificates {
        let Some(record) = registry.keys.get_mut(&key).filter(|record| record.token == token) else {
            continue;
        };
        let fits = der.len() <= MAX_CERTIFICATE_BYTES
            && Certificate::from_der(&der)
                .is_ok_and(|certificate| record.public_key == certificate.spki_der());
        let is_new = record.certificates.iter().all(|known| known.der != der);
        if fits && is_new && record.certificates.len() < MAX_PER_KEY {
            count += 1;
            record.certificates.push(CertificateRecord {
                der,
                status: CertificateStatus::Saved,
                active: false,
                client: None,
            });
        }
    }
    count
}

/// Forgets a certificate.
pub(crate) fn delete(registry: &mut Registry, name: CertificateSha256) -> Result<(), SignerError> {
    registry.certificate_mut(name)?;
    for key in registry.keys.values_mut() {
        key.certificates
            .retain(|certificate| certificate.sha256() != name);
    }
    Ok(())
}
