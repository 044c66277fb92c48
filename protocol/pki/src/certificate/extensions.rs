//! The extensions that matter here (RFC 5280 4.2).

use super::CertificateError;
use crate::asn1::{self, Asn1Error, Element, Reader};
use crate::oid;

/// Most values of one extension taken; more is an error.
const MAX_VALUES: usize = 256;

/// The bits of the key usage extension (RFC 5280 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(u8);

impl KeyUsage {
    /// digitalSignature alone.
    pub const DIGITAL_SIGNATURE: Self = Self(0x80);
    /// nonRepudiation alone.
    pub const NON_REPUDIATION: Self = Self(0x40);
    /// keyEncipherment alone.
    pub const KEY_ENCIPHERMENT: Self = Self(0x20);
    /// dataEncipherment alone.
    pub const DATA_ENCIPHERMENT: Self = Self(0x10);
    /// keyAgreement alone.
    pub const KEY_AGREEMENT: Self = Self(0x08);
    /// keyCertSign alone.
    pub const KEY_CERT_SIGN: Self = Self(0x04);
    /// cRLSign alone.
    pub const CRL_SIGN: Self = Self(0x02);

    /// These usages and those.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// DER of the BIT STRING, without trailing zero bits (X.690 11.2.2).
    pub(crate) fn to_der(self) -> Vec<u8> {
        let unused = u8::try_from(self.0.trailing_zeros().min(8)).unwrap_or_default();
        if unused == 8 {
            return asn1::element(asn1::BIT_STRING, &[0]);
        }
        asn1::element(asn1::BIT_STRING, &[unused, self.0])
    }

    const fn has(self, bit: u8) -> bool {
        self.0 & (0x80 >> bit) != 0
    }

    /// digitalSignature.
    pub const fn digital_signature(self) -> bool {
        self.has(0)
    }

    /// nonRepudiation (contentCommitment).
    pub const fn non_repudiation(self) -> bool {
        self.has(1)
    }

    /// keyEncipherment.
    pub const fn key_encipherment(self) -> bool {
        self.has(2)
    }

    /// dataEncipherment.
    pub const fn data_encipherment(self) -> bool {
        self.has(3)
    }

    /// keyAgreement.
    pub const fn key_agreement(self) -> bool {
        self.has(4)
    }

    /// keyCertSign.
    pub const fn key_cert_sign(self) -> bool {
        self.has(5)
    }

    /// cRLSign.
    pub const fn crl_sign(self) -> bool {
        self.has(6)
    }
}

#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) extended_key_usage: Vec<Box<[u8]>>,
    pub(super) is_ca: bool,
    pub(super) path_length: Option<u32>,
    pub(super) ocsp_urls: Vec<String>,
    pub(super) dns_names: Vec<String>,
    pub(super) subject_key_identifier: Option<Box<[u8]>>,
    pub(super) authority_key_identifier: Option<Box<[u8]>>,
    pub(super) unknown_critical: bool,
}

impl Extensions {
    /// Reads the contents of `[3] EXPLICIT Extensions`.
    pub(super) fn read(list: &Element<'_>) -> Result<Self, CertificateError> {
        let mut extensions = Self::default();
        let mut seen = Vec::new();
        let mut reader = list.inside();
        while !reader.is_empty() {
            let mut parts = reader.expect(asn1::SEQUENCE)?.inside();
            let id = parts.expect(asn1::OBJECT_IDENTIFIER)?.contents;
            let critical = parts
                .optional(asn1::BOOLEAN)?
                .map_or(Ok(false), |flag| flag.boolean())?;
            let value = parts.expect(asn1::OCTET_STRING)?.contents;
            parts.end()?;
            if seen.contains(&id) {
                return Err(CertificateError::RepeatedExtension);
            }
            if seen.len() == MAX_VALUES {
                return Err(Asn1Error::Limit("extensions").into());
            }
            seen.push(id);
            extensions.take(id, critical, value)?;
        }
        Ok(extensions)
    }

    fn take(&mut self, id: &[u8], critical: bool, value: &[u8]) -> Result<(), Asn1Error> {
        match id {
            oid::KEY_USAGE => self.key_usage = Some(read_key_usage(value)?),
            oid::EXTENDED_KEY_USAGE => self.extended_key_usage = read_purposes(value)?,
            oid::BASIC_CONSTRAINTS => (self.is_ca, self.path_length) = read_basic_constraints(value)?,
            oid::AUTHORITY_INFO_ACCESS => self.ocsp_urls = read_ocsp_urls(value)?,
            oid::SUBJECT_ALT_NAME => self.dns_names = read_dns_names(value)?,
            oid::SUBJECT_KEY_IDENTIFIER => {
                self.subject_key_identifier = Some(asn1::only(value, asn1::OCTET_STRING)?.contents.into());
            }
            oid::AUTHORITY_KEY_IDENTIFIER => {
                let mut parts = asn1::only(value, asn1::SEQUENCE)?.inside();
                self.authority_key_identifier =
                    parts.optional(asn1::primitive(0))?.map(|id| id.contents.into());
            }
            // Policies restrict nothing unless a verifier asks for one, and none is asked for.
            oid::CERTIFICATE_POLICIES
            | oid::POLICY_MAPPINGS
            | oid::POLICY_CONSTRAINTS
            | oid::INHIBIT_ANY_POLICY => {}
            _ => self.unknown_critical |= critical,
        }
        Ok(())
    }
}

fn read_key_usage(value: &[u8]) -> Result<KeyUsage, Asn1Error> {
    match asn1::only(value, asn1::BIT_STRING)?.contents {
        [0..=7, first, ..] => Ok(KeyUsage(*first)),
        [0] => Ok(KeyUsage(0)),
        _ => Err(Asn1Error::Value("key usage")),
    }
}

fn read_purposes(value: &[u8]) -> Result<Vec<Box<[u8]>>, Asn1Error> {
    collect(asn1::only(value, asn1::SEQUENCE)?.inside(), |element| {
        Ok((element.tag == asn1::OBJECT_IDENTIFIER).then(|| element.contents.into()))
    })
}

fn read_basic_constraints(value: &[u8]) -> Result<(bool, Option<u32>), Asn1Error> {
    let mut parts = asn1::only(value, asn1::SEQUENCE)?.inside();
    let is_ca = parts
        .optional(asn1::BOOLEAN)?
        .map_or(Ok(false), |flag| flag.boolean())?;
    let path_length = parts
        .optional(asn1::INTEGER)?
        .map(|number| number.small_number())
        .transpose()?;
    parts.end()?;
    Ok((is_ca, path_length))
}

fn read_ocsp_urls(value: &[u8]) -> Result<Vec<String>, Asn1Error> {
    collect(asn1::only(value, asn1::SEQUENCE)?.inside(), |description| {
        let mut parts = description.inside();
        let method = parts.expect(asn1::OBJECT_IDENTIFIER)?;
        let location = parts.next()?;
        let is_url = method.contents == oid::ACCESS_OCSP && location.tag == asn1::primitive(6);
        Ok(is_url.then(|| String::from_utf8_lossy(location.contents).into_owned()))
    })
}

pub(crate) fn read_dns_names(value: &[u8]) -> Result<Vec<String>, Asn1Error> {
    collect(asn1::only(value, asn1::SEQUENCE)?.inside(), |name| {
        Ok((name.tag == asn1::primitive(2)).then(|| String::from_utf8_lossy(name.contents).into_owned()))
    })
}

fn collect<'a, T>(
    mut reader: Reader<'a>,
    read: impl Fn(Element<'a>) -> Result<Option<T>, Asn1Error>,
) -> Result<Vec<T>, Asn1Error> {
    let mut values = Vec::new();
    for _ in 0..MAX_VALUES {
        if reader.is_empty() {
            return Ok(values);
        }
        values.extend(read(reader.next()?)?);
    }
    reader.end().map(|()| values)
}
