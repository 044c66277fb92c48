//! Certificate requests (PKCS#10, RFC 2986).

use crate::algorithm::SignatureAlgorithm;
use crate::asn1::{self, Asn1Error, Element};
use crate::certificate::read_dns_names;
use crate::issue::{Extension, extension_list};
use crate::key::{Signer, SignerFailure};
use crate::name::DistinguishedName;
use crate::oid;
use crate::pem;
use crate::public_key::{PublicKey, SignatureError};

/// Longest request taken, in bytes.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Why bytes are not an acceptable certificate request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More than [`MAX_REQUEST_BYTES`].
    #[error("certificate request of {0} bytes is too long")]
    TooLong(usize),
    /// Not the ASN.1 of a certificate request.
    #[error("malformed certificate request: {0}")]
    Malformed(#[from] Asn1Error),
    /// Neither DER nor PEM text.
    #[error("not a certificate request in DER or PEM")]
    UnknownEncoding,
    /// The signature is not made with the key in the request.
    #[error("signature on certificate request: {0}")]
    Signature(#[from] SignatureError),
    /// The signature algorithm is not known.
    #[error("signature algorithm of certificate request is not supported")]
    UnsupportedAlgorithm,
}

/// A certificate request whose signature holds, so that its sender has the private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    subject: DistinguishedName,
    public_key: PublicKey,
    dns_names: Vec<String>,
}

/// Makes a request in DER for the signer's key.
///
/// # Errors
/// Whatever kept the key from signing.
pub fn build(
    subject: &DistinguishedName,
    dns_names: &[String],
    signer: &dyn Signer,
) -> Result<Vec<u8>, SignerFailure> {
    let attributes = if dns_names.is_empty() {
        Vec::new()
    } else {
        extension_request(dns_names)
    };
    let info = asn1::sequence(&[
        &asn1::unsigned_integer(&[0]),
        subject.as_der(),
        signer.public_key_spki(),
        &asn1::element(asn1::constructed(0), &attributes),
    ]);
    let signature = asn1::bit_string(&signer.sign(&info)?);
    Ok(asn1::sequence(&[
        &info,
        &signer.algorithm().identifier_der(),
        &signature,
    ]))
}

impl CertificateRequest {
    /// Reads DER and verifies the signature.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_REQUEST_BYTES {
            return Err(RequestError::TooLong(der.len()));
        }
        let mut parts = asn1::only(der, asn1::SEQUENCE)?.inside();
        let info = parts.expect(asn1::SEQUENCE)?;
        let algorithm = SignatureAlgorithm::from_identifier(&parts.expect(asn1::SEQUENCE)?)?;
        let signature = parts.expect(asn1::BIT_STRING)?.octet_aligned_bits()?;
        parts.end()?;
        let request = Self::read_info(&info)?;
        let algorithm = algorithm.ok_or(RequestError::UnsupportedAlgorithm)?;
        request.public_key.verify(algorithm, info.whole, signature)?;
        Ok(request)
    }

    /// Reads DER or PEM text and verifies the signature.
    ///
    /// # Errors
    /// [`RequestError`]
    pub fn from_der_or_pem(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > 2 * MAX_REQUEST_BYTES {
            return Err(RequestError::TooLong(bytes.len()));
        }
        if bytes.first() == Some(&asn1::SEQUENCE) {
            return Self::from_der(bytes);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RequestError::UnknownEncoding)?;
        Self::from_der(&pem::decode("CERTIFICATE REQUEST", text).ok_or(RequestError::UnknownEncoding)?)
    }

    /// The subject asked for.
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The key to certify.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// DNS names of the requested subject alternative name extension.
    pub fn dns_names(&self) -> &[String] {
        &self.dns_names
    }

    fn read_info(info: &Element<'_>) -> Result<Self, RequestError> {
        let mut fields = info.inside();
        fields.expect(asn1::INTEGER)?;
        let subject = DistinguishedName::from_der(fields.expect(asn1::SEQUENCE)?.whole)?;
        let public_key = PublicKey::from_spki(fields.expect(asn1::SEQUENCE)?.whole)?;
        let attributes = fields.optional(asn1::constructed(0))?;
        fields.end()?;
        let dns_names = attributes.map_or(Ok(Vec::new()), |attributes| requested_dns_names(&attributes))?;
        Ok(Self {
            subject,
            public_key,
            dns_names,
        })
    }
}

fn extension_request(dns_names: &[String]) -> Vec<u8> {
    let list = extension_list(&[Extension::dns_names(dns_names)]);
    asn1::sequence(&[
        &asn1::object_identifier(oid::EXTENSION_REQUEST),
        &asn1::element(asn1::SET, &list),
    ])
}

fn requested_dns_names(attributes: &Element<'_>) -> Result<Vec<String>, Asn1Error> {
    let mut reader = attributes.inside();
    while !reader.is_empty() {
        let mut attribute = reader.expect(asn1::SEQUENCE)?.inside();
        if attribute.expect(asn1::OBJECT_IDENTIFIER)?.contents != oid::EXTENSION_REQUEST {
            continue;
        }
        let mut extensions = attribute
            .expect(asn1::SET)?
            .inside()
            .expect(asn1::SEQUENCE)?
            .inside();
        while !extensions.is_empty() {
            let mut parts = extensions.expect(asn1::SEQUENCE)?.inside();
            let id = parts.expect(asn1::OBJECT_IDENTIFIER)?.contents;
            parts.optional(asn1::BOOLEAN)?;
            let value = parts.expect(asn1::OCTET_STRING)?.contents;
            if id == oid::SUBJECT_ALT_NAME {
                return read_dns_names(value);
            }
        }
    }
    Ok(Vec::new())
}
