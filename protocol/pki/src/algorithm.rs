//! Signature algorithms: their identifiers in XML and in ASN.1.

use crate::asn1::{self, Asn1Error, Element, Reader};
use crate::digest::DigestAlgorithm;
use crate::oid;

/// How a signature value was made from the bytes signed (wire.md 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 8.2).
    RsaPkcs1(DigestAlgorithm),
    /// RSASSA-PSS, MGF1 with the same digest, salt as long as the digest (RFC 8017 8.1).
    RsaPss(DigestAlgorithm),
    /// ECDSA on the curve of the key. The value is DER in certificates, OCSP responses, time-stamps and signed
    /// directories, r and s concatenated in XML signatures.
    Ecdsa(DigestAlgorithm),
}

impl SignatureAlgorithm {
    /// Every algorithm that has an XML identifier here.
    const ALL: [Self; 15] = {
        use DigestAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        [
            Self::RsaPkcs1(Sha1),
            Self::RsaPkcs1(Sha224),
            Self::RsaPkcs1(Sha256),
            Self::RsaPkcs1(Sha384),
            Self::RsaPkcs1(Sha512),
            Self::RsaPss(Sha1),
            Self::RsaPss(Sha224),
            Self::RsaPss(Sha256),
            Self::RsaPss(Sha384),
            Self::RsaPss(Sha512),
            Self::Ecdsa(Sha1),
            Self::Ecdsa(Sha224),
            Self::Ecdsa(Sha256),
            Self::Ecdsa(Sha384),
            Self::Ecdsa(Sha512),
        ]
    };

    /// The identifier in XML signatures and signed directories (RFC 9231 2.3).
    pub const fn uri(self) -> &'static str {
        use DigestAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        match self {
            Self::RsaPkcs1(Sha1) => "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            Self::RsaPkcs1(Sha224) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224",
            Self::RsaPkcs1(Sha256) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::RsaPkcs1(Sha384) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            Self::RsaPkcs1(Sha512) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            Self::RsaPss(Sha1) => "http://www.w3.org/2007/05/xmldsig-more#sha1-rsa-MGF1",
            Self::RsaPss(Sha224) => "http://www.w3.org/2007/05/xmldsig-more#sha224-rsa-MGF1",
            Self::RsaPss(Sha256) => "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
            Self::RsaPss(Sha384) => "http://www.w3.org/2007/05/xmldsig-more#sha384-rsa-MGF1",
            Self::RsaPss(Sha512) => "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1",
            Self::Ecdsa(Sha1) => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
            Self::Ecdsa(Sha224) => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha224",
            Self::Ecdsa(Sha256) => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
            Self::Ecdsa(Sha384) => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
            Self::Ecdsa(Sha512) => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
        }
    }

    /// The algorithm with this XML identifier, exact match.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.uri() == uri)
    }

    /// The digest that is signed.
    pub const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::RsaPkcs1(digest) | Self::RsaPss(digest) | Self::Ecdsa(digest) => digest,
        }
    }

    /// DER of the `AlgorithmIdentifier` (RFC 4055, RFC 5758).
    pub fn identifier_der(self) -> Vec<u8> {
        let null = asn1::element(asn1::NULL, &[]);
        match self {
            Self::RsaPkcs1(digest) => {
                asn1::sequence(&[&asn1::object_identifier(rsa_pkcs1_oid(digest)), &null])
            }
            Self::RsaPss(digest) => {
                asn1::sequence(&[&asn1::object_identifier(oid::RSASSA_PSS), &pss_parameters(digest)])
            }
            Self::Ecdsa(digest) => asn1::sequence(&[&asn1::object_identifier(ecdsa_oid(digest))]),
        }
    }

    /// Reads an `AlgorithmIdentifier`; `None` for an algorithm that is not supported.
    pub(crate) fn from_identifier(identifier: &Element<'_>) -> Result<Option<Self>, Asn1Error> {
        let mut parts = identifier.inside();
        let algorithm = parts.expect(asn1::OBJECT_IDENTIFIER)?.contents;
        if algorithm == oid::RSASSA_PSS {
            return Ok(read_pss(parts)?.map(Self::RsaPss));
        }
        let known = DigestAlgorithm::ALL.into_iter().find_map(|digest| {
            if algorithm == rsa_pkcs1_oid(digest) {
                Some(Self::RsaPkcs1(digest))
            } else if algorithm == ecdsa_oid(digest) {
                Some(Self::Ecdsa(digest))
            } else {
                None
            }
        });
        Ok(known)
    }
}

/// DER of the `AlgorithmIdentifier` of a digest, with NULL parameters as time-stamping requests of the reference have.
pub(crate) fn digest_identifier_der(digest: DigestAlgorithm) -> Vec<u8> {
    let null = asn1::element(asn1::NULL, &[]);
    asn1::sequence(&[&asn1::object_identifier(digest.oid()), &null])
}

/// Reads the `AlgorithmIdentifier` of a digest; `None` for one that is not supported.
pub(crate) fn read_digest_identifier(identifier: &Element<'_>) -> Result<Option<DigestAlgorithm>, Asn1Error> {
    let oid = identifier.inside().expect(asn1::OBJECT_IDENTIFIER)?;
    Ok(DigestAlgorithm::from_oid(oid.contents))
}

const fn rsa_pkcs1_oid(digest: DigestAlgorithm) -> &'static [u8] {
    match digest {
        DigestAlgorithm::Sha1 => oid::SHA1_WITH_RSA,
        DigestAlgorithm::Sha224 => oid::SHA224_WITH_RSA,
        DigestAlgorithm::Sha256 => oid::SHA256_WITH_RSA,
        DigestAlgorithm::Sha384 => oid::SHA384_WITH_RSA,
        DigestAlgorithm::Sha512 => oid::SHA512_WITH_RSA,
    }
}

const fn ecdsa_oid(digest: DigestAlgorithm) -> &'static [u8] {
    match digest {
        DigestAlgorithm::Sha1 => oid::ECDSA_SHA1,
        DigestAlgorithm::Sha224 => oid::ECDSA_SHA224,
        DigestAlgorithm::Sha256 => oid::ECDSA_SHA256,
        DigestAlgorithm::Sha384 => oid::ECDSA_SHA384,
        DigestAlgorithm::Sha512 => oid::ECDSA_SHA512,
    }
}

/// `RSASSA-PSS-params` (RFC 4055 3.1).
fn pss_parameters(digest: DigestAlgorithm) -> Vec<u8> {
    let hash = digest_identifier_der(digest);
    let mask = asn1::sequence(&[&asn1::object_identifier(oid::MGF1), &hash]);
    let salt = asn1::unsigned_integer(&digest.output_len().to_be_bytes());
    asn1::sequence(&[
        &asn1::element(asn1::constructed(0), &hash),
        &asn1::element(asn1::constructed(1), &mask),
        &asn1::element(asn1::constructed(2), &salt),
    ])
}

/// The digest of PSS parameters, when mask and salt are those that [`SignatureAlgorithm::RsaPss`] stands for.
fn read_pss(mut identifier: Reader<'_>) -> Result<Option<DigestAlgorithm>, Asn1Error> {
    let Some(parameters) = identifier.optional(asn1::SEQUENCE)? else {
        return Ok(None);
    };
    let mut parts = parameters.inside();
    let Some(hash) = parts.optional(asn1::constructed(0))? else {
        return Ok(None); // The default is SHA-1, which PSS is not supported with.
    };
    let Some(digest) = read_digest_identifier(&hash.inside().expect(asn1::SEQUENCE)?)? else {
        return Ok(None);
    };
    let Some(mask) = parts.optional(asn1::constructed(1))? else {
        return Ok(None);
    };
    let mut mask = mask.inside().expect(asn1::SEQUENCE)?.inside();
    let same_mask = mask.expect(asn1::OBJECT_IDENTIFIER)?.contents == oid::MGF1
        && read_digest_identifier(&mask.expect(asn1::SEQUENCE)?)? == Some(digest);
    let Some(salt) = parts.optional(asn1::constructed(2))? else {
        return Ok(None);
    };
    let salt = salt.inside().expect(asn1::INTEGER)?.small_number()?;
    let same_salt = usize::try_from(salt) == Ok(digest.output_len());
    Ok((same_mask && same_salt).then_some(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_round_trip() {
        for algorithm in SignatureAlgorithm::ALL {
            assert_eq!(SignatureAlgorithm::from_uri(algorithm.uri()), Some(algorithm));
            let der = algorithm.identifier_der();
            let element = asn1::only(&der, asn1::SEQUENCE).unwrap();
            assert_eq!(SignatureAlgorithm::from_identifier(&element), Ok(Some(algorithm)));
        }
        assert_eq!(
            SignatureAlgorithm::from_uri("http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
            None
        );
    }

    #[test]
    fn pss_with_another_salt_is_not_supported() {
        let mut der = SignatureAlgorithm::RsaPss(DigestAlgorithm::Sha256).identifier_der();
        *der.last_mut().unwrap() = 20;
        let element = asn1::only(&der, asn1::SEQUENCE).unwrap();
        assert_eq!(SignatureAlgorithm::from_identifier(&element), Ok(None));
    }
}
