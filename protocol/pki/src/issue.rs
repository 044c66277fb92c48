//! Making certificates (RFC 5280 4), with a key that may be elsewhere.

use time::OffsetDateTime;

use crate::asn1;
use crate::certificate::{Certificate, CertificateError, KeyUsage};
use crate::digest::DigestAlgorithm;
use crate::key::{Signer, SignerFailure};
use crate::name::DistinguishedName;
use crate::oid;

/// What to put into a certificate. The issuer's key signs it, see [`Template::sign`].
#[derive(Clone, Debug)]
pub struct Template<'a> {
    /// Serial number, big-endian, positive; at most 20 bytes by RFC 5280.
    pub serial: &'a [u8],
    /// Issuer name.
    pub issuer: &'a DistinguishedName,
    /// Subject name.
    pub subject: &'a DistinguishedName,
    /// First instant of validity, to the second.
    pub not_before: OffsetDateTime,
    /// Last instant of validity, to the second.
    pub not_after: OffsetDateTime,
    /// DER of the subject's `SubjectPublicKeyInfo`.
    pub spki: &'a [u8],
    /// Extensions, in this order.
    pub extensions: Vec<Extension>,
}

/// One extension, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    id: &'static [u8],
    critical: bool,
    value: Vec<u8>,
}

/// A purpose of the extended key usage extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// TLS server.
    ServerAuth,
    /// TLS client.
    ClientAuth,
    /// OCSP responder.
    OcspSigning,
    /// Time-stamping authority.
    TimeStamping,
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The key did not sign.
    #[error("certificate could not be signed: {0}")]
    Sign(#[source] SignerFailure),
    /// What was put in does not make a certificate.
    #[error("made an unreadable certificate: {0}")]
    Unreadable(#[from] CertificateError),
}

impl Template<'_> {
    /// Signs the certificate with the issuer's key.
    ///
    /// # Errors
    /// [`IssueError`]
    pub fn sign(&self, issuer_key: &dyn Signer) -> Result<Certificate, IssueError> {
        let algorithm = issuer_key.algorithm().identifier_der();
        let tbs = self.tbs(&algorithm);
        let signature = issuer_key.sign(&tbs).map_err(IssueError::Sign)?;
        let der = asn1::sequence(&[&tbs, &algorithm, &asn1::bit_string(&signature)]);
        Ok(Certificate::from_der(&der)?)
    }

    fn tbs(&self, algorithm: &[u8]) -> Vec<u8> {
        let version = asn1::element(asn1::constructed(0), &asn1::unsigned_integer(&[2]));
        let validity = [
            asn1::certificate_time(self.not_before),
            asn1::certificate_time(self.not_after),
        ]
        .concat();
        asn1::sequence(&[
            &version,
            &asn1::unsigned_integer(self.serial),
            algorithm,
            self.issuer.as_der(),
            &asn1::element(asn1::SEQUENCE, &validity),
            self.subject.as_der(),
            self.spki,
            &self.extensions_der(),
        ])
    }

    fn extensions_der(&self) -> Vec<u8> {
        if self.extensions.is_empty() {
            return Vec::new();
        }
        asn1::element(asn1::constructed(3), &extension_list(&self.extensions))
    }
}

impl Extension {
    /// Basic constraints, critical: an authority, with at most this many intermediates below it.
    pub fn authority(path_length: Option<u8>) -> Self {
        let length = path_length
            .map(|length| asn1::unsigned_integer(&[length]))
            .unwrap_or_default();
        let value = asn1::sequence(&[&asn1::element(asn1::BOOLEAN, &[0xff]), &length]);
        Self {
            id: oid::BASIC_CONSTRAINTS,
            critical: true,
            value,
        }
    }

    /// Basic constraints: not an authority.
    pub fn end_entity() -> Self {
        Self {
            id: oid::BASIC_CONSTRAINTS,
            critical: false,
            value: asn1::sequence(&[]),
        }
    }

    /// Key usage, critical.
    pub fn key_usage(usage: KeyUsage) -> Self {
        Self {
            id: oid::KEY_USAGE,
            critical: true,
            value: usage.to_der(),
        }
    }

    /// Extended key usage.
    pub fn extended_key_usage(purposes: &[Purpose], critical: bool) -> Self {
        let list: Vec<u8> = purposes
            .iter()
            .flat_map(|purpose| asn1::object_identifier(purpose.oid()))
            .collect();
        Self {
            id: oid::EXTENDED_KEY_USAGE,
            critical,
            value: asn1::element(asn1::SEQUENCE, &list),
        }
    }

    /// Authority information access with one responder address.
    pub fn ocsp_url(url: &str) -> Self {
        let location = asn1::element(asn1::primitive(6), url.as_bytes());
        let description = asn1::sequence(&[&asn1::object_identifier(oid::ACCESS_OCSP), &location]);
        Self {
            id: oid::AUTHORITY_INFO_ACCESS,
            critical: false,
            value: asn1::sequence(&[&description]),
        }
    }

    /// Subject alternative names.
    pub fn dns_names(names: &[String]) -> Self {
        Self {
            id: oid::SUBJECT_ALT_NAME,
            critical: false,
            value: dns_names_der(names),
        }
    }

    /// Subject key identifier: SHA-1 of the key (RFC 5280 4.2.1.2 method 1).
    pub fn subject_key_identifier(key_bits: &[u8]) -> Self {
        let value = asn1::octet_string(&DigestAlgorithm::Sha1.digest(key_bits));
        Self {
            id: oid::SUBJECT_KEY_IDENTIFIER,
            critical: false,
            value,
        }
    }

    /// Authority key identifier: that of the issuer's key.
    pub fn authority_key_identifier(issuer_key_bits: &[u8]) -> Self {
        let identifier = DigestAlgorithm::Sha1.digest(issuer_key_bits);
        let value = asn1::sequence(&[&asn1::element(asn1::primitive(0), &identifier)]);
        Self {
            id: oid::AUTHORITY_KEY_IDENTIFIER,
            critical: false,
            value,
        }
    }

    /// The responder's certificate needs no status of its own (RFC 6960 4.2.2.2.1).
    pub fn ocsp_no_check() -> Self {
        Self {
            id: oid::OCSP_NO_CHECK,
            critical: false,
            value: asn1::element(asn1::NULL, &[]),
        }
    }

    fn to_der(&self) -> Vec<u8> {
        let critical = if self.critical {
            asn1::element(asn1::BOOLEAN, &[0xff])
        } else {
            Vec::new()
        };
        asn1::sequence(&[
            &asn1::object_identifier(self.id),
            &critical,
            &asn1::octet_string(&self.value),
        ])
    }
}

impl Purpose {
    const fn oid(self) -> &'static [u8] {
        match self {
            Self::ServerAuth => oid::SERVER_AUTH,
            Self::ClientAuth => oid::CLIENT_AUTH,
            Self::OcspSigning => oid::OCSP_SIGNING,
            Self::TimeStamping => oid::TIME_STAMPING,
        }
    }
}

/// `Extensions`.
pub(crate) fn extension_list(extensions: &[Extension]) -> Vec<u8> {
    let list: Vec<u8> = extensions.iter().flat_map(Extension::to_der).collect();
    asn1::element(asn1::SEQUENCE, &list)
}

fn dns_names_der(names: &[String]) -> Vec<u8> {
    let list: Vec<u8> = names
        .iter()
        .flat_map(|name| asn1::element(asn1::primitive(2), name.as_bytes()))
        .collect();
    asn1::element(asn1::SEQUENCE, &list)
}
