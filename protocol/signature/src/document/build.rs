//! Writes signature documents.

use protocol_pki::algorithm::SignatureAlgorithm;
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::{Digest, DigestAlgorithm};
use time::OffsetDateTime;

use super::MAX_VALUES;
use super::template::{self, Form, SignedInfo, SignedProperties};
use crate::file_name;
use crate::hash_chain::{PartDigest, is_strong};
use crate::xml::encode_base64;

/// Why a signature document cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The issuer's name has characters that XML cannot carry.
    #[error("the issuer's name cannot be written in XML")]
    IssuerName,
    /// The signature algorithm digests with an algorithm that no verifier should accept.
    #[error("the signature algorithm's digest is too weak")]
    WeakAlgorithm,
    /// The message was digested with another algorithm than the signature's.
    #[error("the message's digest must have the signature's digest algorithm")]
    DigestAlgorithm,
    /// A lone part is signed directly, and it is the message.
    #[error("only the message itself is signed without a hash chain")]
    NotTheMessage,
    /// Too many intermediate certificates or OCSP responses.
    #[error("at most {MAX_VALUES} intermediate certificates and {MAX_VALUES} OCSP responses fit a document")]
    TooMany,
    /// An ECDSA signature that is not `r||s`, each half as long as the other.
    #[error("an ECDSA signature must be r||s")]
    NotRaw,
}

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub enum Signed<'a> {
    /// One message of one part: its digest in the signature's digest algorithm.
    Message(&'a PartDigest),
    /// A batch, or a message of several parts: the bytes of its hash chain result.
    HashChainResult(&'a [u8]),
}

/// Everything that a signature document is made from.
#[derive(Debug, Clone, Copy)]
pub struct Builder<'a> {
    /// Certificate of the signing key.
    pub certificate: &'a Certificate,
    /// Certificates between it and the trust anchor, if any.
    pub intermediates: &'a [Certificate],
    /// DER of OCSP responses: the signing certificate's first, then those of the intermediates.
    pub ocsp_responses: &'a [Vec<u8>],
    /// When the signature is made.
    pub signing_time: OffsetDateTime,
    /// Algorithm of the signature; its digest is used for every reference as well.
    pub algorithm: SignatureAlgorithm,
    /// What is signed.
    pub signed: Signed<'a>,
}

impl Builder<'_> {
    /// Writes all but the signature value.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(&self) -> Result<Unsigned, BuildError> {
        let digest_algorithm = self.check()?;
        let issuer = template::escape_text(&self.certificate.issuer_rfc2253())?;
        let (data_uri, mime_type, data_digest) = self.data(digest_algorithm)?;
        let properties = SignedProperties {
            signing_time: &template::date_time(self.signing_time),
            digest_algorithm,
            certificate: self.certificate,
            issuer: &issuer,
            mime_type,
        };
        let mut canonical = String::with_capacity(2048);
        properties.write(Form::Canonical, &mut canonical);
        let info = SignedInfo {
            signature_algorithm: self.algorithm.uri(),
            digest_algorithm,
            data_uri,
            data_digest: &data_digest,
            properties_digest: &digest_algorithm.digest(canonical.as_bytes()),
        };
        self.assemble(digest_algorithm, &info, &properties)
    }

    fn check(&self) -> Result<DigestAlgorithm, BuildError> {
        let digest_algorithm = self.algorithm.digest();
        if !is_strong(digest_algorithm) {
            return Err(BuildError::WeakAlgorithm);
        }
        if self.intermediates.len() > MAX_VALUES || self.ocsp_responses.len() > MAX_VALUES {
            return Err(BuildError::TooMany);
        }
        Ok(digest_algorithm)
    }

    fn data(&self, algorithm: DigestAlgorithm) -> Result<(&'static str, &'static str, Vec<u8>), BuildError> {
        match self.signed {
            Signed::Message(part) if part.name != file_name::MESSAGE => Err(BuildError::NotTheMessage),
            Signed::Message(part) if part.algorithm != algorithm => Err(BuildError::DigestAlgorithm),
            Signed::Message(part) => Ok((file_name::MESSAGE, "text/xml", part.digest.to_vec())),
            Signed::HashChainResult(result) => Ok((
                file_name::SIG_HASH_CHAIN_RESULT,
                "application/hash-chain-result",
                algorithm.digest(result).to_vec(),
            )),
        }
    }

    fn assemble(
        &self,
        digest_algorithm: DigestAlgorithm,
        info: &SignedInfo<'_>,
        properties: &SignedProperties<'_>,
    ) -> Result<Unsigned, BuildError> {
        let mut signed_info = String::with_capacity(1536);
        info.write(Form::Canonical, &mut signed_info);

        let mut head = String::with_capacity(2048);
        head.push_str(template::HEADER);
        head.push_str(&format!("<{}{}>", template::ROOT, template::NAMESPACES));
        head.push_str("<ds:Signature Id=\"signature\">\n");
        info.write(Form::Document, &mut head);
        head.push_str("\n<ds:SignatureValue Id=\"signature-value\">\n");

        let mut tail = String::with_capacity(16 * 1024);
        tail.push_str("\n</ds:SignatureValue>\n");
        template::key_info(&mut tail, self.certificate);
        tail.push_str("<ds:Object><xades:QualifyingProperties Target=\"#signature\">");
        properties.write(Form::Document, &mut tail);
        template::unsigned_properties(
            &mut tail,
            digest_algorithm,
            self.intermediates,
            self.ocsp_responses,
        )?;
        tail.push_str("</xades:QualifyingProperties></ds:Object>\n</ds:Signature>");
        tail.push_str(&format!("</{}>", template::ROOT));
        Ok(Unsigned {
            algorithm: self.algorithm,
            signed_info,
            head,
            tail,
        })
    }
}

/// A signature document that lacks its signature value.
#[derive(Debug, Clone)]
pub struct Unsigned {
    algorithm: SignatureAlgorithm,
    signed_info: String,
    head: String,
    tail: String,
}

impl Unsigned {
    /// The canonical `ds:SignedInfo`: the bytes that the signature algorithm signs.
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        self.signed_info.as_bytes()
    }

    /// The digest of [`Unsigned::to_be_signed`], for keys that sign digests.
    #[must_use]
    pub fn to_be_signed_digest(&self) -> Digest {
        self.algorithm.digest().digest(self.to_be_signed())
    }

    /// The algorithm to sign with.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Completes the document. An ECDSA signature is `r||s` of fixed width (wire.md 3.2); see
    /// [`protocol_pki::public_key::ecdsa_der_to_xml`].
    ///
    /// # Errors
    /// [`BuildError::NotRaw`] when an ECDSA signature has not an even length.
    pub fn finish(self, signature_value: &[u8]) -> Result<Vec<u8>, BuildError> {
        if matches!(self.algorithm, SignatureAlgorithm::Ecdsa(_)) && !signature_value.len().is_multiple_of(2)
        {
            return Err(BuildError::NotRaw);
        }
        let mut document = self.head;
        document.reserve(self.tail.len() + signature_value.len() * 4 / 3 + 4);
        document.push_str(&encode_base64(signature_value));
        document.push_str(&self.tail);
        Ok(document.into_bytes())
    }
}
