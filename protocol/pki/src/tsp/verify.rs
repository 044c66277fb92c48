//! Whether a trusted authority made a token for this data (wire.md 4.5; RFC 5652 5.4 and 5.6).
//!
//! As in the reference, validity, revocation and extended key usage of the authority's certificate are not asked: the global
//! configuration lists the certificates to trust.

use super::cms::{SignedData, SignerInfo};
use super::{Imprint, TimeStampToken, TspError};
use crate::algorithm::{SignatureAlgorithm, read_digest_identifier};
use crate::asn1::{self, Asn1Error, Element};
use crate::certificate::Certificate;
use crate::digest::{Digest, DigestAlgorithm};
use crate::name::DistinguishedName;
use crate::oid;

impl TimeStampToken {
    /// Verifies that one of the authorities made this token for the stamped digest, which must have been computed with the
    /// algorithm of [`Self::imprint`]. Returns the authority's certificate.
    ///
    /// # Errors
    /// [`TspError`]
    pub fn verify(&self, stamped: &Digest, authorities: &[Certificate]) -> Result<Certificate, TspError> {
        if self.imprint().digest != *stamped {
            return Err(TspError::ImprintMismatch);
        }
        self.verify_signer(authorities)
    }

    /// As [`Self::verify`], from the stamped data itself.
    ///
    /// # Errors
    /// [`TspError`]
    pub fn verify_data(&self, data: &[u8], authorities: &[Certificate]) -> Result<Certificate, TspError> {
        self.verify(&self.imprint().algorithm.digest(data), authorities)
    }

    /// Verifies a token that came in answer to a request for this imprint, without nonce.
    ///
    /// # Errors
    /// [`TspError`]; another digest algorithm is [`TspError::ImprintMismatch`].
    pub fn verify_answer(
        &self,
        requested: &Imprint,
        authorities: &[Certificate],
    ) -> Result<Certificate, TspError> {
        if self.imprint() != requested {
            return Err(TspError::ImprintMismatch);
        }
        self.verify_signer(authorities)
    }

    /// Verifies who made the token, not what for.
    ///
    /// # Errors
    /// [`TspError`]
    pub fn verify_signer(&self, authorities: &[Certificate]) -> Result<Certificate, TspError> {
        if authorities.is_empty() {
            return Err(TspError::NoAuthorities);
        }
        let data = SignedData::read(self.as_der())?;
        let signer = data.signer()?;
        let mut nearest = TspError::UnknownAuthority;
        for authority in authorities {
            if !identifies(&signer.identifier, authority)? {
                continue;
            }
            match verify_with(&data, &signer, authority) {
                Ok(()) => return Ok(authority.clone()),
                Err(error) => nearest = error,
            }
        }
        Err(nearest)
    }
}

/// Whether a `SignerIdentifier` names this certificate.
fn identifies(identifier: &Element<'_>, certificate: &Certificate) -> Result<bool, TspError> {
    match identifier.tag {
        asn1::SEQUENCE => {
            let mut parts = identifier.inside();
            let issuer = DistinguishedName::from_der(parts.expect(asn1::SEQUENCE)?.whole)?;
            let serial = parts.expect(asn1::INTEGER)?.contents;
            Ok(certificate.serial_bytes() == serial && *certificate.issuer() == issuer)
        }
        tag if tag == asn1::primitive(0) => {
            // Certificates without the extension are named by SHA-1 of their key (RFC 5280 4.2.1.2 method 1).
            let computed = DigestAlgorithm::Sha1.digest(certificate.public_key().bits());
            Ok(certificate.subject_key_identifier().unwrap_or(&computed) == identifier.contents)
        }
        found => Err(Asn1Error::UnexpectedTag {
            expected: asn1::SEQUENCE,
            found,
        }
        .into()),
    }
}

fn verify_with(
    data: &SignedData<'_>,
    signer: &SignerInfo<'_>,
    authority: &Certificate,
) -> Result<(), TspError> {
    let digest = read_digest_identifier(&signer.digest_algorithm)?.ok_or(TspError::UnsupportedAlgorithm)?;
    let attributes = signer
        .signed_attributes
        .ok_or(TspError::SignedAttributes("none"))?;
    check_attributes(&attributes, data.content, digest, authority)?;
    let algorithm = signature_algorithm(&signer.signature_algorithm, digest)?;
    // What is signed is the attributes as a SET OF, not with the tag that they have here (RFC 5652 5.4).
    let signed = asn1::element(asn1::SET, attributes.contents);
    Ok(authority.verify(algorithm, &signed, signer.signature)?)
}

/// Some signers name only the kind of key and leave the digest to the digest algorithm.
fn signature_algorithm(
    identifier: &Element<'_>,
    digest: DigestAlgorithm,
) -> Result<SignatureAlgorithm, TspError> {
    if let Some(algorithm) = SignatureAlgorithm::from_identifier(identifier)? {
        return Ok(algorithm);
    }
    match identifier.inside().expect(asn1::OBJECT_IDENTIFIER)?.contents {
        oid::RSA_ENCRYPTION => Ok(SignatureAlgorithm::RsaPkcs1(digest)),
        oid::EC_PUBLIC_KEY => Ok(SignatureAlgorithm::Ecdsa(digest)),
        _ => Err(TspError::UnsupportedAlgorithm),
    }
}

fn check_attributes(
    attributes: &Element<'_>,
    content: &[u8],
    digest: DigestAlgorithm,
    authority: &Certificate,
) -> Result<(), TspError> {
    let content_type =
        attribute(attributes, oid::CONTENT_TYPE)?.ok_or(TspError::SignedAttributes("no content type"))?;
    if content_type.tag != asn1::OBJECT_IDENTIFIER || content_type.contents != oid::TST_INFO {
        return Err(TspError::SignedAttributes("content type"));
    }
    let stated =
        attribute(attributes, oid::MESSAGE_DIGEST)?.ok_or(TspError::SignedAttributes("no message digest"))?;
    if stated.tag != asn1::OCTET_STRING || digest.digest(content) != *stated.contents {
        return Err(TspError::SignedAttributes("message digest"));
    }
    if let Some(signing_time) = attribute(attributes, oid::SIGNING_TIME)? {
        let signing_time = signing_time.time()?;
        if !authority.is_valid_at(signing_time) {
            return Err(TspError::SigningTime(signing_time));
        }
    }
    check_signing_certificate(attributes, authority)
}

/// Where the token tells the digest of the signer's certificate (RFC 5035), it must be this one.
fn check_signing_certificate(attributes: &Element<'_>, authority: &Certificate) -> Result<(), TspError> {
    let (digest, first) = if let Some(value) = attribute(attributes, oid::SIGNING_CERTIFICATE_V2)? {
        let first = value
            .inside()
            .expect(asn1::SEQUENCE)?
            .inside()
            .expect(asn1::SEQUENCE)?;
        let stated = first.inside().optional(asn1::SEQUENCE)?;
        let digest = stated.map_or(Ok(Some(DigestAlgorithm::Sha256)), |stated| {
            read_digest_identifier(&stated)
        })?;
        (digest.ok_or(TspError::UnsupportedAlgorithm)?, first)
    } else if let Some(value) = attribute(attributes, oid::SIGNING_CERTIFICATE)? {
        let first = value
            .inside()
            .expect(asn1::SEQUENCE)?
            .inside()
            .expect(asn1::SEQUENCE)?;
        (DigestAlgorithm::Sha1, first)
    } else {
        return Ok(());
    };
    let mut parts = first.inside();
    parts.optional(asn1::SEQUENCE)?;
    if digest.digest(authority.as_der()) == *parts.expect(asn1::OCTET_STRING)?.contents {
        Ok(())
    } else {
        Err(TspError::SignedAttributes("signing certificate"))
    }
}

/// The single value of an attribute; an attribute that occurs twice or has several values is an error (RFC 5652 11).
fn attribute<'a>(attributes: &Element<'a>, kind: &[u8]) -> Result<Option<Element<'a>>, TspError> {
    let mut found = None;
    let mut reader = attributes.inside();
    while !reader.is_empty() {
        let mut parts = reader.expect(asn1::SEQUENCE)?.inside();
        if parts.expect(asn1::OBJECT_IDENTIFIER)?.contents != kind {
            continue;
        }
        let mut values = parts.expect(asn1::SET)?.inside();
        let value = values.next()?;
        values.end()?;
        if found.replace(value).is_some() {
            return Err(TspError::SignedAttributes("repeated attribute"));
        }
    }
    Ok(found)
}
