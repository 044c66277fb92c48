//! Follows a chain from the root to the parts of a message.

use std::collections::HashMap;

use protocol_pki::digest::{Digest, DigestAlgorithm};

use super::digest_list::DigestLists;
use super::steps::{ChainResult, Entry, Steps, Value};
use super::{MAX_STEPS, PartDigest, parse, plain};
use crate::xml::XmlError;

/// Why a hash chain does not prove the parts of a message.
#[derive(Debug, thiserror::Error)]
pub enum HashChainError {
    /// The chain or the result is not the XML document that it should be.
    #[error("hash chain: {0}")]
    Xml(#[from] XmlError),
    /// The chain or the result breaks the schema or the bounds of hash chains.
    #[error("malformed hash chain: {0}")]
    Malformed(&'static str),
    /// A reference leads to a step that the chain does not have.
    #[error("invalid hash step URI: {0}")]
    Step(String),
    /// A digest algorithm that is unknown or too weak.
    #[error("digest algorithm {0} is not accepted in a hash chain")]
    Algorithm(String),
    /// The chain names a file or part that is not there.
    #[error("cannot resolve URI: {0}")]
    Unresolved(String),
    /// A part of a container does not have the digest that the chain gives.
    #[error("invalid digest value in hash chain reference to {0}")]
    Digest(String),
    /// The chain does not lead to the result.
    #[error("hash chain result does not match hash chain calculation")]
    Result,
    /// Parts of the message that the chain does not cover.
    #[error("some inputs were not referenced by hash chain: {0}")]
    Unused(String),
}

impl HashChainError {
    /// The fault code (wire.md 1.8, 3.5).
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::Xml(_) | Self::Malformed(_) | Self::Step(_) => "malformed_hash_chain",
            Self::Algorithm(_) => "unsupported_algorithm",
            Self::Unresolved(_) => "invalid_reference",
            Self::Digest(_) => "invalid_hash_chain_ref",
            Self::Result => "invalid_hash_chain",
            Self::Unused(_) => "hashchain_unused_inputs",
        }
    }
}

/// A hash chain with the name of its file, which the result refers to.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a> {
    /// `/sig-hashchain.xml` or `/ts-hashchain.xml`.
    pub name: &'a str,
    /// The file's bytes.
    pub xml: &'a [u8],
}

/// The parts that a chain must cover, and what is done about other names in the chain.
#[derive(Debug, Clone, Copy)]
pub enum Parts<'a> {
    /// A message as received: all its parts are here, the chain names no other, and the digest values that the chain
    /// repeats are not looked at.
    Received(&'a [PartDigest]),
    /// A container: attachments may be missing. Present parts must have the digest that the chain repeats; the digest
    /// of a missing one is taken from the chain and reported.
    Contained(&'a [PartDigest]),
}

impl<'a> Parts<'a> {
    const fn all(self) -> &'a [PartDigest] {
        match self {
            Self::Received(parts) | Self::Contained(parts) => parts,
        }
    }
}

/// What a hash chain proved.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Parts that the chain names and the container lacks, with the digests that were signed.
    pub absent: Vec<PartDigest>,
}

/// Verifies that `chain` leads from `result` to every one of `parts` (wire.md 3.5).
///
/// A chain is followed for at most [`MAX_STEPS`] steps, and each step once.
///
/// # Errors
/// See [`HashChainError`]; in all cases nothing is proven.
pub fn verify(result: &[u8], chain: Chain<'_>, parts: Parts<'_>) -> Result<Verified, HashChainError> {
    follow(&read_result(result)?, chain, parts)
}

/// Reads a hash chain result.
///
/// # Errors
/// See [`HashChainError`].
pub(crate) fn read_result(bytes: &[u8]) -> Result<ChainResult<'_>, HashChainError> {
    plain::result(bytes).map_or_else(|| parse::result(bytes), Ok)
}

fn read_chain(bytes: &[u8]) -> Result<Steps<'_>, HashChainError> {
    plain::chain(bytes).map_or_else(|| parse::chain(bytes), Ok)
}

/// As [`verify`], with a result that was read already.
pub(crate) fn follow(
    result: &ChainResult<'_>,
    chain: Chain<'_>,
    parts: Parts<'_>,
) -> Result<Verified, HashChainError> {
    let steps = read_chain(chain.xml)?;
    let root = step_id(&result.uri, chain.name).ok_or_else(|| unresolved_or_malformed(&result.uri))?;
    let mut walk = Walk::new(&steps, chain.name, parts);
    let digest = walk.step(root, result.algorithm, 0)?;
    if *digest != *result.digest.as_bytes() {
        return Err(HashChainError::Result);
    }
    walk.finish()
}

/// Whether the reader of the usual shape and the reader of any XML agree about a chain and about a result with these
/// bytes: what the first reads, the second reads the same. For tests and fuzzing.
#[doc(hidden)]
#[must_use]
pub fn readers_agree(bytes: &[u8]) -> bool {
    let chains =
        plain::chain(bytes).is_none_or(|steps| parse::chain(bytes).is_ok_and(|general| general == steps));
    let results =
        plain::result(bytes).is_none_or(|result| parse::result(bytes).is_ok_and(|general| general == result));
    chains && results
}

/// Whether these bytes are a chain or a result in the usual shape. For tests.
#[doc(hidden)]
#[must_use]
pub fn is_plain(bytes: &[u8]) -> bool {
    plain::chain(bytes).is_some() || plain::result(bytes).is_some()
}

/// The step that `uri` names, when it is in the file `chain_name` or, without a file, in the same document.
fn step_id<'u>(uri: &'u str, chain_name: &str) -> Option<&'u str> {
    let (file, id) = uri.split_once('#')?;
    (!id.is_empty() && (file.is_empty() || file == chain_name)).then_some(id)
}

fn unresolved_or_malformed(uri: &str) -> HashChainError {
    match uri.split_once('#') {
        Some((file, id)) if !file.is_empty() && !id.is_empty() => HashChainError::Unresolved(file.to_owned()),
        _ => HashChainError::Step(uri.to_owned()),
    }
}

/// Parts up to which a name is found by looking at each.
const FEW_PARTS: usize = 8;

/// Finds parts by their names; of several with one name, the last.
enum Names<'a> {
    Few(&'a [PartDigest]),
    Many(HashMap<&'a str, usize>),
}

impl<'a> Names<'a> {
    fn of(parts: &'a [PartDigest]) -> Self {
        if parts.len() <= FEW_PARTS {
            return Self::Few(parts);
        }
        let names = parts.iter().enumerate();
        Self::Many(names.map(|(index, part)| (&*part.name, index)).collect())
    }

    fn find(&self, name: &str) -> Option<usize> {
        match self {
            Self::Few(parts) => parts.iter().rposition(|part| part.name == name),
            Self::Many(names) => names.get(name).copied(),
        }
    }
}

struct Walk<'a> {
    steps: &'a Steps<'a>,
    chain_name: &'a str,
    parts: Parts<'a>,
    names: Names<'a>,
    /// A bit for each step.
    visited: u64,
    used: Vec<bool>,
    absent: Vec<PartDigest>,
    lists: DigestLists,
}

// A bit for each step must be enough.
const _: () = assert!(MAX_STEPS <= 64, "visited steps do not fit their bits");

impl<'a> Walk<'a> {
    fn new(steps: &'a Steps<'a>, chain_name: &'a str, parts: Parts<'a>) -> Self {
        Self {
            steps,
            chain_name,
            parts,
            names: Names::of(parts.all()),
            visited: 0,
            used: vec![false; parts.all().len()],
            absent: Vec::new(),
            lists: DigestLists::new(),
        }
    }

    /// The digest of step `id`.
    fn step(&mut self, id: &str, algorithm: DigestAlgorithm, depth: usize) -> Result<Digest, HashChainError> {
        let entries = self.visit(id, depth)?;
        let list = self.lists.begin();
        for entry in entries {
            self.entry(entry, depth)?;
        }
        Ok(self.lists.finish(list, algorithm))
    }

    /// Finds the entries of step `id`, once.
    fn visit(&mut self, id: &str, depth: usize) -> Result<&'a [Entry<'a>], HashChainError> {
        if depth >= MAX_STEPS {
            return Err(HashChainError::Malformed("too many steps"));
        }
        let (number, entries) = self
            .steps
            .find(id)
            .ok_or_else(|| HashChainError::Step(format!("#{id}")))?;
        let bit = u32::try_from(number)
            .ok()
            .and_then(|number| 1_u64.checked_shl(number));
        match bit {
            Some(bit) if self.visited & bit == 0 => self.visited |= bit,
            _ => return Err(HashChainError::Malformed("step referenced twice")),
        }
        Ok(entries)
    }

    /// Adds the digest of an entry to the list of its step.
    fn entry(&mut self, entry: &'a Entry<'a>, depth: usize) -> Result<(), HashChainError> {
        let algorithm = entry.algorithm;
        match &entry.value {
            Value::Hash(digest) => self.lists.push(algorithm, digest.as_bytes()),
            Value::Step(uri) => {
                let id = step_id(uri, self.chain_name).ok_or_else(|| unresolved_or_malformed(uri))?;
                let digest = self.step(id, algorithm, depth + 1)?;
                self.lists.push(algorithm, &digest);
            }
            Value::Data { uri, digest } => {
                let digest = self.data(uri, algorithm, digest.as_bytes())?;
                self.lists.push(algorithm, digest);
            }
        }
        Ok(())
    }

    fn data(
        &mut self,
        uri: &str,
        algorithm: DigestAlgorithm,
        claimed: &'a [u8],
    ) -> Result<&'a [u8], HashChainError> {
        let found = self
            .names
            .find(uri)
            .and_then(|index| Some((index, self.parts.all().get(index)?)));
        match (found, self.parts) {
            (Some((index, part)), _) => self.present(index, part, algorithm, claimed),
            (None, Parts::Contained(_)) => {
                // What is longer than any digest is the digest of nothing.
                let digest = Digest::from_slice(claimed);
                let digest = digest.ok_or_else(|| HashChainError::Digest(uri.to_owned()))?;
                self.absent
                    .push(PartDigest::new(uri.to_owned(), algorithm, digest));
                Ok(claimed)
            }
            (None, Parts::Received(_)) => Err(HashChainError::Unresolved(uri.to_owned())),
        }
    }

    fn present(
        &mut self,
        index: usize,
        part: &'a PartDigest,
        algorithm: DigestAlgorithm,
        claimed: &[u8],
    ) -> Result<&'a [u8], HashChainError> {
        if part.algorithm != algorithm {
            return Err(HashChainError::Unresolved(part.name.to_string()));
        }
        if matches!(self.parts, Parts::Contained(_)) && *part.digest != *claimed {
            return Err(HashChainError::Digest(part.name.to_string()));
        }
        if let Some(used) = self.used.get_mut(index) {
            *used = true;
        }
        Ok(&part.digest)
    }

    /// Every part must have been used.
    fn finish(self) -> Result<Verified, HashChainError> {
        let unused: Vec<&str> = (self.parts.all().iter().zip(&self.used))
            .filter(|(_, used)| !**used)
            .map(|(part, _)| &*part.name)
            .collect();
        if unused.is_empty() {
            Ok(Verified { absent: self.absent })
        } else {
            Err(HashChainError::Unused(unused.join(", ")))
        }
    }
}
