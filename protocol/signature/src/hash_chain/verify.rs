//! Follows a chain from the root to the parts of a message.

use std::collections::HashMap;

use protocol_pki::digest::DigestAlgorithm;

use super::parse::{self, Entry, Step, Steps, Value};
use super::{MAX_STEPS, PartDigest, digest_list};
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
    let result = parse::result(result)?;
    let steps = parse::chain(chain.xml)?;
    let root = step_id(&result.uri, chain.name).ok_or_else(|| unresolved_or_malformed(&result.uri))?;
    let mut walk = Walk::new(&steps, chain.name, parts);
    let digest = walk.step(root, result.algorithm, 0)?;
    if digest != result.digest {
        return Err(HashChainError::Result);
    }
    walk.finish()
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

struct Walk<'a> {
    steps: &'a Steps,
    chain_name: &'a str,
    parts: Parts<'a>,
    by_name: HashMap<&'a str, usize>,
    visited: Vec<bool>,
    used: Vec<bool>,
    absent: Vec<PartDigest>,
}

impl<'a> Walk<'a> {
    fn new(steps: &'a Steps, chain_name: &'a str, parts: Parts<'a>) -> Self {
        Self {
            steps,
            chain_name,
            parts,
            by_name: parts
                .all()
                .iter()
                .enumerate()
                .map(|(index, part)| (part.name.as_str(), index))
                .collect(),
            visited: vec![false; steps.steps.len()],
            used: vec![false; parts.all().len()],
            absent: Vec::new(),
        }
    }

    /// The digest of step `id`.
    fn step(
        &mut self,
        id: &str,
        algorithm: DigestAlgorithm,
        depth: usize,
    ) -> Result<Vec<u8>, HashChainError> {
        let step = self.visit(id, depth)?;
        let mut digests = Vec::with_capacity(step.entries.len());
        for entry in &step.entries {
            digests.push((entry.algorithm, self.entry(entry, depth)?));
        }
        let list = digest_list::encode(
            digests
                .iter()
                .map(|(algorithm, digest)| (*algorithm, digest.as_slice())),
        );
        Ok(algorithm.digest(&list).to_vec())
    }

    /// Finds step `id`, once.
    fn visit(&mut self, id: &str, depth: usize) -> Result<&'a Step, HashChainError> {
        if depth >= MAX_STEPS {
            return Err(HashChainError::Malformed("too many steps"));
        }
        let (index, step) = self
            .steps
            .find(id)
            .ok_or_else(|| HashChainError::Step(format!("#{id}")))?;
        match self.visited.get_mut(index) {
            Some(visited) if !*visited => *visited = true,
            _ => return Err(HashChainError::Malformed("step referenced twice")),
        }
        Ok(step)
    }

    fn entry(&mut self, entry: &Entry, depth: usize) -> Result<Vec<u8>, HashChainError> {
        match &entry.value {
            Value::Hash(digest) => Ok(digest.clone()),
            Value::Step(uri) => {
                let id = step_id(uri, self.chain_name).ok_or_else(|| unresolved_or_malformed(uri))?;
                self.step(id, entry.algorithm, depth + 1)
            }
            Value::Data { uri, digest } => self.data(uri, entry.algorithm, digest),
        }
    }

    fn data(
        &mut self,
        uri: &str,
        algorithm: DigestAlgorithm,
        claimed: &[u8],
    ) -> Result<Vec<u8>, HashChainError> {
        let found = self
            .by_name
            .get(uri)
            .and_then(|index| Some((*index, self.parts.all().get(*index)?)));
        match (found, self.parts) {
            (Some((index, part)), _) => self.present(index, part, algorithm, claimed),
            (None, Parts::Contained(_)) => {
                self.absent.push(PartDigest::new(uri, algorithm, claimed));
                Ok(claimed.to_vec())
            }
            (None, Parts::Received(_)) => Err(HashChainError::Unresolved(uri.to_owned())),
        }
    }

    fn present(
        &mut self,
        index: usize,
        part: &PartDigest,
        algorithm: DigestAlgorithm,
        claimed: &[u8],
    ) -> Result<Vec<u8>, HashChainError> {
        if part.algorithm != algorithm {
            return Err(HashChainError::Unresolved(part.name.clone()));
        }
        if matches!(self.parts, Parts::Contained(_)) && *part.digest != *claimed {
            return Err(HashChainError::Digest(part.name.clone()));
        }
        if let Some(used) = self.used.get_mut(index) {
            *used = true;
        }
        Ok(part.digest.to_vec())
    }

    /// Every part must have been used.
    fn finish(self) -> Result<Verified, HashChainError> {
        let unused: Vec<&str> = (self.parts.all().iter().zip(&self.used))
            .filter(|(_, used)| !**used)
            .map(|(part, _)| part.name.as_str())
            .collect();
        if unused.is_empty() {
            Ok(Verified { absent: self.absent })
        } else {
            Err(HashChainError::Unused(unused.join(", ")))
        }
    }
}
