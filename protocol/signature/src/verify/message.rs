//! The cheap half: do the signed digests cover every part of this message?

use std::sync::OnceLock;

use crate::document::{Reference, Target};
use crate::file_name::{MESSAGE, SIG_HASH_CHAIN, SIG_HASH_CHAIN_RESULT};
use crate::hash_chain::{self, Chain, ChainResult, PartDigest, Parts};

use super::{VerifiedDocument, VerifyError};

/// What a message or container brings beside the signature document.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The hash chain result part, if one came.
    pub hash_chain_result: Option<&'a [u8]>,
    /// The hash chain part, if one came.
    pub hash_chain: Option<&'a [u8]>,
    /// The raw bytes of `/message.xml`. Needed only when a signature that names the message directly digests it with
    /// another algorithm than its part digest has (wire.md 3.2, `message-sign-digest-name`).
    pub message: Option<&'a [u8]>,
    /// The parts of the message.
    pub parts: Parts<'a>,
}

/// Longest hash chain result that is remembered, in bytes. Ours and the reference's have about 400.
const MAX_KNOWN_RESULT_BYTES: usize = 4096;

/// The hash chain result whose digest the signature holds, once it was seen: it has the same bytes in each message of the
/// batch.
#[derive(Debug, Default)]
pub(super) struct KnownResult(OnceLock<(Box<[u8]>, ChainResult<'static>)>);

impl KnownResult {
    fn get(&self, bytes: &[u8]) -> Option<&ChainResult<'static>> {
        let (known, result) = self.0.get()?;
        (**known == *bytes).then_some(result)
    }

    fn remember(&self, bytes: &[u8], result: ChainResult<'_>) {
        if bytes.len() <= MAX_KNOWN_RESULT_BYTES {
            // Another thread may have been first, with the same.
            let _ = self.0.set((bytes.into(), result.into_owned()));
        }
    }
}

/// How the parts of a message are covered: all that are there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    pub(super) absent: Vec<PartDigest>,
    pub(super) unsigned_hash_chain: bool,
}

impl Coverage {
    /// Whether hash chain parts came that the signature does not refer to. They prove nothing and were not looked at;
    /// they must not be kept as evidence.
    #[must_use]
    pub const fn has_unsigned_hash_chain(&self) -> bool {
        self.unsigned_hash_chain
    }
}

/// A message whose every part is covered by a verified signature.
#[derive(Debug, Clone)]
pub struct VerifiedSignature {
    pub(super) document: VerifiedDocument,
    pub(super) covered: Vec<PartDigest>,
    pub(super) coverage: Coverage,
}

impl VerifiedSignature {
    /// The verified signature document: signer, certificate, validity.
    #[must_use]
    pub fn document(&self) -> &VerifiedDocument {
        &self.document
    }

    /// The parts that are there and signed.
    #[must_use]
    pub fn covered(&self) -> &[PartDigest] {
        &self.covered
    }

    /// Parts that were signed and are not in the container, so that nobody can tell whether they are genuine. Always
    /// empty for messages.
    #[must_use]
    pub fn absent(&self) -> &[PartDigest] {
        &self.coverage.absent
    }

    /// See [`Coverage::has_unsigned_hash_chain`].
    #[must_use]
    pub fn has_unsigned_hash_chain(&self) -> bool {
        self.coverage.unsigned_hash_chain
    }
}

/// Checks that every part is covered, by a reference or by the hash chain, and that every reference holds.
pub(super) fn check(
    references: &[Reference],
    evidence: &Evidence<'_>,
    known: &KnownResult,
) -> Result<Coverage, VerifyError> {
    match file(references, SIG_HASH_CHAIN_RESULT) {
        Some(reference) => by_hash_chain(references, reference, evidence, known),
        None => by_references(references, evidence),
    }
}

fn by_hash_chain(
    references: &[Reference],
    reference: &Reference,
    evidence: &Evidence<'_>,
    known: &KnownResult,
) -> Result<Coverage, VerifyError> {
    let result = evidence
        .hash_chain_result
        .ok_or(VerifyError::HashChainMissing(SIG_HASH_CHAIN_RESULT))?;
    let xml = evidence
        .hash_chain
        .ok_or(VerifyError::HashChainMissing(SIG_HASH_CHAIN))?;
    let chain = Chain {
        name: SIG_HASH_CHAIN,
        xml,
    };
    let verified = match known.get(result) {
        Some(result) => hash_chain::follow(result, chain, evidence.parts)?,
        None => {
            let read = hash_chain::read_result(result)?;
            let verified = hash_chain::follow(&read, chain, evidence.parts)?;
            if reference.algorithm.digest(result).as_ref() != reference.digest.as_slice() {
                return Err(VerifyError::Reference(SIG_HASH_CHAIN_RESULT.to_owned()));
            }
            known.remember(result, read);
            verified
        }
    };
    // A signature that also names parts directly must be right about them.
    check_files(references, evidence)?;
    Ok(Coverage {
        absent: verified.absent,
        unsigned_hash_chain: false,
    })
}

fn by_references(references: &[Reference], evidence: &Evidence<'_>) -> Result<Coverage, VerifyError> {
    let parts = all(evidence.parts);
    if let Some(part) = parts.iter().find(|part| file(references, &part.name).is_none()) {
        return Err(VerifyError::NotCovered(part.name.to_string()));
    }
    check_files(references, evidence)?;
    Ok(Coverage {
        absent: Vec::new(),
        unsigned_hash_chain: evidence.hash_chain.is_some() || evidence.hash_chain_result.is_some(),
    })
}

/// Every file that is referenced must be there once, with the digest that was signed.
fn check_files(references: &[Reference], evidence: &Evidence<'_>) -> Result<(), VerifyError> {
    for (name, reference) in files(references).filter(|(name, _)| *name != SIG_HASH_CHAIN_RESULT) {
        let mut parts = all(evidence.parts).iter().filter(|part| part.name == name);
        let (Some(part), None) = (parts.next(), parts.next()) else {
            return Err(VerifyError::Unresolved(name.to_owned()));
        };
        if !has_digest(part, reference, evidence.message) {
            return Err(VerifyError::Reference(name.to_owned()));
        }
    }
    Ok(())
}

fn has_digest(part: &PartDigest, reference: &Reference, message: Option<&[u8]>) -> bool {
    if part.algorithm == reference.algorithm {
        return *part.digest == *reference.digest;
    }
    match message {
        Some(message) if part.name == MESSAGE => *reference.algorithm.digest(message) == *reference.digest,
        _ => false,
    }
}

pub(super) const fn all(parts: Parts<'_>) -> &[PartDigest] {
    match parts {
        Parts::Received(parts) | Parts::Contained(parts) => parts,
    }
}

fn file<'r>(references: &'r [Reference], name: &str) -> Option<&'r Reference> {
    files(references)
        .find(|(file, _)| *file == name)
        .map(|(_, reference)| reference)
}

fn files(references: &[Reference]) -> impl Iterator<Item = (&str, &Reference)> {
    references.iter().filter_map(|reference| match &reference.target {
        Target::File(name) => Some((name.as_str(), reference)),
        _ => None,
    })
}
