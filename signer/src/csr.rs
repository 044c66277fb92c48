//! Certificate signing requests (PKCS #10, RFC 2986).

use protocol_pki::{
    algorithm::SignatureAlgorithm as PkiAlgorithm,
    csr,
    key::{Signer, SignerFailure},
    name::DistinguishedName,
    pem,
};
use signer_client::{CsrFormat, DigestAlgorithm, NameAttribute, SignatureAlgorithm, SignerError};

use crate::{
    registry::{CsrRecord, KeyRecord, MAX_PER_KEY, Registry, sha256},
    token::Token,
};

const MAX_ATTRIBUTES: usize = 32;
const MAX_VALUE_BYTES: usize = 1024;
const MAX_DNS_NAMES: usize = 32;
const MAX_DNS_NAME_BYTES: usize = 253;

/// A certificate signing request that was made.
#[derive(Debug)]
pub(crate) struct Csr {
    /// The first bytes of its SHA-256.
    pub(crate) id: String,
    /// For people.
    pub(crate) subject: String,
    /// PEM or DER.
    pub(crate) encoded: Vec<u8>,
}

/// Makes a request for the key, signed by its token with a digest (features.md 1.2, K4).
pub(crate) fn make(
    (key, token, digest): (&KeyRecord, &dyn Token, DigestAlgorithm),
    subject: &[NameAttribute],
    dns_names: &[String],
    format: CsrFormat,
) -> Result<Csr, SignerError> {
    let subject = build_name(subject)?;
    check_dns_names(dns_names)?;
    let der = csr::build(&subject, dns_names, &TokenSigner { key, token, digest }).map_err(from_failure)?;
    let id: String = sha256(&der).to_string().chars().take(40).collect();
    let encoded = match format {
        CsrFormat::Der => der,
        CsrFormat::Pem => pem::encode("CERTIFICATE REQUEST", &der).into_bytes(),
    };
    Ok(Csr {
        id,
        subject: subject.readable(),
        encoded,
    })
}

fn build_name(attributes: &[NameAttribute]) -> Result<DistinguishedName, SignerError> {
    let acceptable = |attribute: &NameAttribute| (1..=MAX_VALUE_BYTES).contains(&attribute.value.len());
    if attributes.is_empty() || attributes.len() > MAX_ATTRIBUTES || !attributes.iter().all(acceptable) {
        return Err(failed(
            "the subject must have 1 to 32 attributes of 1 to 1024 bytes",
        ));
    }
    let pairs: Vec<_> = attributes
        .iter()
        .map(|attribute| (attribute.kind.as_str(), attribute.value.as_str()))
        .collect();
    DistinguishedName::build(&pairs).map_err(|error| failed(&error.to_string()))
}

fn check_dns_names(names: &[String]) -> Result<(), SignerError> {
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'*');
    let acceptable =
        |name: &String| (1..=MAX_DNS_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_host_byte);
    if names.len() > MAX_DNS_NAMES || !names.iter().all(acceptable) {
        return Err(failed("a DNS name is malformed, or there are too many"));
    }
    Ok(())
}

fn failed(reason: &str) -> SignerError {
    SignerError::FailedToGenerateCertificateRequest(reason.to_owned())
}

/// What the token said (not logged in, ...), if it was the token.
fn from_failure(failure: SignerFailure) -> SignerError {
    match failure.downcast::<SignerError>() {
        Ok(error) => *error,
        Err(other) => failed(&other.to_string()),
    }
}

/// A key of a token, for the request builder.
struct TokenSigner<'a> {
    key: &'a KeyRecord,
    token: &'a dyn Token,
    digest: DigestAlgorithm,
}

impl TokenSigner<'_> {
    fn algorithm_name(&self) -> SignatureAlgorithm {
        self.token.message_signature(self.key.algorithm, self.digest)
    }
}

impl Signer for TokenSigner<'_> {
    fn algorithm(&self) -> PkiAlgorithm {
        self.algorithm_name().into()
    }

    fn public_key_spki(&self) -> &[u8] {
        &self.key.public_key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFailure> {
        let digest = self.algorithm().digest().digest(message);
        Ok(self
            .token
            .sign_digest(&self.key.id, self.algorithm_name(), &digest)?)
    }
}

/// Remembers a request with its key.
pub(crate) fn remember(registry: &mut Registry, key: &str, csr: CsrRecord) -> Result<(), SignerError> {
    let key = registry.key_mut(key)?;
    if key.csrs.len() >= MAX_PER_KEY {
        return Err(failed("the key has too many requests"));
    }
    key.csrs.push(csr);
    Ok(())
}

/// Forgets a request.
pub(crate) fn forget(registry: &mut Registry, id: &str) -> Result<(), SignerError> {
    let mut found = false;
    for key in registry.keys.values_mut() {
        key.csrs
            .retain(|csr| csr.id != id || std::mem::replace(&mut found, true));
    }
    if found {
        Ok(())
    } else {
        Err(SignerError::CsrNotFound(id.to_owned()))
    }
}
