//! One signature for one or many messages.

use std::sync::Arc;

use protocol_pki::{certificate::Certificate, digest, public_key::ecdsa_der_to_xml};
use protocol_signature::{
    document::{Builder, Signed, Unsigned},
    hash_chain::{Batch, PartDigest},
};
use signer_client::{Blob, DigestAlgorithm, KeyAlgorithm, SignatureAlgorithm, SignedBatch, SignerError};
use time::OffsetDateTime;

/// The digest of every message signature (wire.md 3.2).
pub(super) const DIGEST: DigestAlgorithm = DigestAlgorithm::Sha512;
const XML_DIGEST: digest::DigestAlgorithm = digest::DigestAlgorithm::Sha512;

/// What all messages of a batch share: that of the first (wire.md 3.3).
pub(super) struct Signing<'a> {
    pub(super) key: KeyAlgorithm,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) certificate: &'a Arc<Certificate>,
    pub(super) intermediates: &'a [Certificate],
    pub(super) ocsp_responses: Vec<Vec<u8>>,
    pub(super) at: OffsetDateTime,
}

impl Signing<'_> {
    /// Signs the messages; `sign` makes the signature value over a digest. A lone message of one part is signed plainly.
    pub(super) fn sign(
        &self,
        messages: Vec<Vec<PartDigest>>,
        sign: impl FnOnce(SignatureAlgorithm, &[u8]) -> Result<Vec<u8>, SignerError>,
    ) -> Result<SignedBatch, SignerError> {
        if let [parts] = messages.as_slice()
            && let [part] = parts.as_slice()
        {
            let signature_xml = self.document(Signed::Message(part), sign)?;
            return Ok(SignedBatch::Plain { signature_xml });
        }
        let count = messages.len();
        let batch = Batch::build(XML_DIGEST, messages).map_err(cannot_sign)?;
        let signature_xml = self.document(Signed::HashChainResult(batch.result_xml()), sign)?;
        let hash_chains: Option<_> = (0..count)
            .map(|index| batch.chain_xml(index).map(Blob::from))
            .collect();
        Ok(SignedBatch::Chained {
            signature_xml,
            hash_chain_result: batch.result_xml().into(),
            hash_chains: hash_chains.ok_or_else(|| cannot_sign("a message is missing in its batch"))?,
        })
    }

    fn document(
        &self,
        signed: Signed<'_>,
        sign: impl FnOnce(SignatureAlgorithm, &[u8]) -> Result<Vec<u8>, SignerError>,
    ) -> Result<Blob, SignerError> {
        let unsigned = self.unsigned(signed)?;
        let value = sign(self.algorithm, &unsigned.to_be_signed_digest())?;
        let value = self.for_xml(value)?;
        Ok(unsigned.finish(&value).map_err(cannot_sign)?.into())
    }

    fn unsigned(&self, signed: Signed<'_>) -> Result<Unsigned, SignerError> {
        let builder = Builder {
            certificate: self.certificate,
            intermediates: self.intermediates,
            ocsp_responses: &self.ocsp_responses,
            signing_time: self.at,
            algorithm: self.algorithm.into(),
            signed,
        };
        builder.build().map_err(cannot_sign)
    }

    /// XML signatures have ECDSA values as `r||s` (wire.md 3.2).
    fn for_xml(&self, value: Vec<u8>) -> Result<Vec<u8>, SignerError> {
        let field_bytes = match self.key {
            KeyAlgorithm::EcP256 => 32,
            KeyAlgorithm::EcP384 => 48,
            KeyAlgorithm::EcP521 => 66,
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => return Ok(value),
        };
        ecdsa_der_to_xml(&value, field_bytes).map_err(cannot_sign)
    }
}

fn cannot_sign(reason: impl std::fmt::Display) -> SignerError {
    SignerError::CannotSign(reason.to_string())
}
