//! What a time-stamp covers, and where its token is kept (wire.md 4.2).
//!
//! One record alone: the stamp is over the signature value, and the token goes into the signature document. Several
//! records: the stamp is over the hash chain result of a tree of signature documents, and the token stays beside them.

use protocol_pki::digest::{Digest, DigestAlgorithm};

use crate::document::{DocumentError, SignatureDocument};
use crate::file_name::{SIGNATURE, TS_HASH_CHAIN};
use crate::hash_chain::{self, BuildError, PartDigest};
use crate::xml::encode_base64;

/// Digest algorithm of time-stamps and their trees.
pub const ALGORITHM: DigestAlgorithm = DigestAlgorithm::Sha512;

const START: &[u8] = b"<xades:UnsignedSignatureProperties>";

/// Why a token cannot be put into a signature document.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The document cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The document has a time-stamp.
    #[error("the signature document has a time-stamp already")]
    Stamped,
    /// The document has no place for a time-stamp, or not in the usual notation.
    #[error("the signature document has no xades:UnsignedSignatureProperties")]
    NoPlace,
}

/// The imprint for a time-stamp of one document: over its decoded signature value.
#[must_use]
pub fn single_imprint(document: &SignatureDocument) -> Digest {
    ALGORITHM.digest(document.signature_value())
}

/// Puts the DER of a time-stamp token into a signature document, as first of the unsigned signature properties. All
/// other bytes stay as they are.
///
/// # Errors
/// See [`EmbedError`].
pub fn embed(document: &[u8], token: &[u8]) -> Result<Vec<u8>, EmbedError> {
    if SignatureDocument::parse(document)?.time_stamp().is_some() {
        return Err(EmbedError::Stamped);
    }
    let position = document
        .windows(START.len())
        .position(|window| window == START)
        .ok_or(EmbedError::NoPlace)?;
    let (head, tail) = document
        .split_at_checked(position + START.len())
        .ok_or(EmbedError::NoPlace)?;
    let mut stamped = Vec::with_capacity(document.len() + token.len() * 4 / 3 + 128);
    stamped.extend_from_slice(head);
    stamped.extend_from_slice(b"<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>");
    stamped.extend_from_slice(encode_base64(token).as_bytes());
    stamped.extend_from_slice(b"</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>");
    stamped.extend_from_slice(tail);
    // The place may have been found in a comment: what was written must be what is read.
    if SignatureDocument::parse(&stamped)?.time_stamp() == Some(token) {
        Ok(stamped)
    } else {
        Err(EmbedError::NoPlace)
    }
}

/// A tree over signature documents that are time-stamped together.
#[derive(Debug, Clone)]
pub struct Batch(hash_chain::Batch);

impl Batch {
    /// Builds the tree over the digests of signature documents: [`ALGORITHM`] over their bytes as they were logged.
    ///
    /// # Errors
    /// [`BuildError::Single`] for one document, which is stamped by itself; [`BuildError::Empty`] for none.
    pub fn build(document_digests: &[Digest]) -> Result<Self, BuildError> {
        let leaves = document_digests
            .iter()
            .map(|digest| vec![PartDigest::new(SIGNATURE, ALGORITHM, *digest)])
            .collect();
        hash_chain::Batch::build_for(ALGORITHM, leaves, TS_HASH_CHAIN).map(Self)
    }

    /// The imprint to be time-stamped: over [`Batch::result_xml`].
    #[must_use]
    pub fn imprint(&self) -> Digest {
        ALGORITHM.digest(self.result_xml())
    }

    /// `ts-hashchainresult.xml`, the same for all documents of the batch.
    #[must_use]
    pub fn result_xml(&self) -> &[u8] {
        self.0.result_xml()
    }

    /// `ts-hashchain.xml` of document `index`, or `None` when the batch has no such document.
    #[must_use]
    pub fn chain_xml(&self, index: usize) -> Option<Vec<u8>> {
        self.0.chain_xml(index)
    }

    /// How many documents the tree covers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the tree covers no document; never true for a built batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
