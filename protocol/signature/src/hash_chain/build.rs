//! Builds the tree of a batch and writes its result and its chains.

use std::borrow::Cow;
use std::fmt::Write as _;

use protocol_pki::digest::{Digest, DigestAlgorithm};

use super::PartDigest;
use super::digest_list::DigestLists;
use crate::file_name;
use crate::xml::{append_base64, encode_base64};

/// Why a batch cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// There is nothing to chain: no message, or a message without parts.
    #[error("a hash chain needs messages, and each message needs parts")]
    Empty,
    /// A lone message of one part is signed directly (wire.md 3.3).
    #[error("a lone message of one part has no hash chain")]
    Single,
    /// A part's digest has another algorithm than the tree.
    #[error("the digests of all parts must have the algorithm of the tree")]
    MixedAlgorithms,
}

/// The hash tree over a batch of messages.
///
/// The tree is filled from the left: neighbours are digested in pairs, level by level, and a node without neighbour
/// rises as it is (wire.md 3.4, "Building").
#[derive(Debug, Clone)]
pub struct Batch {
    algorithm: DigestAlgorithm,
    messages: Vec<Vec<PartDigest>>,
    /// Level 0 holds the leaves, the last level the root alone.
    levels: Vec<Vec<Digest>>,
    result: Vec<u8>,
}

impl Batch {
    /// Builds the tree over `messages` for a batch signature. Each message lists its parts in the order
    /// `/message.xml`, `/attachment1`, `/attachment2`, ...
    ///
    /// # Errors
    /// See [`BuildError`].
    pub fn build(algorithm: DigestAlgorithm, messages: Vec<Vec<PartDigest>>) -> Result<Self, BuildError> {
        Self::build_for(algorithm, messages, file_name::SIG_HASH_CHAIN)
    }

    /// As [`Batch::build`], for chains that are in the file `chain_name`.
    pub(crate) fn build_for(
        algorithm: DigestAlgorithm,
        messages: Vec<Vec<PartDigest>>,
        chain_name: &str,
    ) -> Result<Self, BuildError> {
        check(algorithm, &messages)?;
        let mut lists = DigestLists::new();
        let leaves = messages.iter().map(|parts| leaf(&mut lists, algorithm, parts));
        let leaves = leaves.collect();
        let levels = grow(&mut lists, algorithm, leaves);
        let root = levels
            .last()
            .and_then(|level| level.first())
            .ok_or(BuildError::Empty)?;
        let result = write_result(algorithm, chain_name, root);
        Ok(Self {
            algorithm,
            messages,
            levels,
            result,
        })
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> &[u8] {
        self.levels
            .last()
            .and_then(|level| level.first())
            .map_or(&[], |root| root)
    }

    /// How many messages the tree covers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether the tree covers no message; never true for a built batch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The hash chain result: what the one signature of the batch signs.
    #[must_use]
    pub fn result_xml(&self) -> &[u8] {
        &self.result
    }

    /// The hash chain of message `index`, or `None` when the batch has no such message.
    #[must_use]
    pub fn chain_xml(&self, index: usize) -> Option<Vec<u8>> {
        let parts = self.messages.get(index)?;
        let path = self.path(index);
        let mut chain = ChainWriter::new(self.algorithm, path.len(), parts.len());
        for (depth, (side, sibling)) in path.iter().enumerate() {
            match parts.as_slice() {
                [part] if depth + 1 == path.len() => chain.last_step(*side, sibling, part),
                _ => chain.step(*side, sibling),
            }
        }
        if parts.len() > 1 {
            chain.parts(parts);
        }
        Some(chain.finish())
    }

    /// The siblings of leaf `index` from the root downwards, with the side that the leaf is on.
    fn path(&self, index: usize) -> Vec<(Side, &[u8])> {
        let mut path = Vec::with_capacity(self.levels.len());
        let mut position = index;
        for level in &self.levels {
            let side = if position.is_multiple_of(2) {
                Side::Left
            } else {
                Side::Right
            };
            if let Some(sibling) = level.get(position ^ 1) {
                path.push((side, sibling.as_ref()));
            }
            position /= 2;
        }
        path.reverse();
        path
    }
}

fn check(algorithm: DigestAlgorithm, messages: &[Vec<PartDigest>]) -> Result<(), BuildError> {
    if messages.is_empty() || messages.iter().any(Vec::is_empty) {
        return Err(BuildError::Empty);
    }
    if messages.iter().flatten().any(|part| part.algorithm != algorithm) {
        return Err(BuildError::MixedAlgorithms);
    }
    if let [parts] = messages
        && parts.len() == 1
    {
        return Err(BuildError::Single);
    }
    Ok(())
}

/// A single part is its own leaf; several parts are digested as one step.
fn leaf(lists: &mut DigestLists, algorithm: DigestAlgorithm, parts: &[PartDigest]) -> Digest {
    match parts {
        [part] => part.digest,
        parts => lists.digest(algorithm, parts.iter().map(|part| &*part.digest)),
    }
}

fn grow(lists: &mut DigestLists, algorithm: DigestAlgorithm, leaves: Vec<Digest>) -> Vec<Vec<Digest>> {
    let mut levels = Vec::new();
    let mut level = leaves;
    while level.len() > 1 {
        let pairs = level.chunks(2);
        let parents = pairs.map(|pair| parent(lists, algorithm, pair)).collect();
        levels.push(std::mem::replace(&mut level, parents));
    }
    levels.push(level);
    levels
}

fn parent(lists: &mut DigestLists, algorithm: DigestAlgorithm, pair: &[Digest]) -> Digest {
    match pair {
        [alone] => *alone,
        pair => lists.digest(algorithm, pair.iter().map(|digest| &**digest)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Bytes of a chain besides its steps and parts.
const FRAME_BYTES: usize = 320;
/// Bytes of a step of a chain with a SHA-512 digest, and at most of a part.
const STEP_BYTES: usize = 320;

const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";
const NAMESPACES: &str =
    "xmlns=\"http://www.w3.org/2000/09/xmldsig#\" xmlns:ns2=\"http://cyber.ee/hashchain\"";

fn write_result(algorithm: DigestAlgorithm, chain_name: &str, root: &[u8]) -> Vec<u8> {
    let uri = algorithm.uri();
    let digest = encode_base64(root);
    format!(
        "{HEADER}<ns2:HashChainResult URI=\"{chain_name}#STEP0\" {NAMESPACES}>\n    \
         <DigestMethod Algorithm=\"{uri}\"/>\n    <DigestValue>{digest}</DigestValue>\n</ns2:HashChainResult>\n"
    )
    .into_bytes()
}

/// Writes one chain, from the root downwards.
struct ChainWriter {
    xml: String,
    steps: usize,
}

impl ChainWriter {
    fn new(algorithm: DigestAlgorithm, steps: usize, parts: usize) -> Self {
        let room = STEP_BYTES.saturating_mul(steps.saturating_add(parts));
        let mut chain = Self {
            xml: String::with_capacity(room.saturating_add(FRAME_BYTES)),
            steps: 0,
        };
        let uri = algorithm.uri();
        // A string takes everything: nothing that is written to one fails.
        let _infallible = writeln!(
            chain.xml,
            "{HEADER}<ns2:HashChain {NAMESPACES}>\n    <ns2:DefaultDigestMethod Algorithm=\"{uri}\"/>"
        );
        chain
    }

    /// A step whose own side is the next step.
    fn step(&mut self, side: Side, sibling: &[u8]) {
        self.in_order(side, sibling, Self::step_ref);
    }

    /// The step whose own side is the message's only part.
    fn last_step(&mut self, side: Side, sibling: &[u8], part: &PartDigest) {
        self.in_order(side, sibling, |chain| chain.data_ref(part));
    }

    /// The extra step that lists the parts of a message.
    fn parts(&mut self, parts: &[PartDigest]) {
        self.open();
        for part in parts {
            self.data_ref(part);
        }
        self.close();
    }

    fn in_order(&mut self, side: Side, sibling: &[u8], own: impl FnOnce(&mut Self)) {
        self.open();
        match side {
            Side::Left => {
                own(self);
                self.hash_value(sibling);
            }
            Side::Right => {
                self.hash_value(sibling);
                own(self);
            }
        }
        self.close();
    }

    fn finish(mut self) -> Vec<u8> {
        self.xml.push_str("</ns2:HashChain>\n");
        self.xml.into_bytes()
    }

    fn open(&mut self) {
        let _infallible = writeln!(self.xml, "    <ns2:HashStep id=\"STEP{}\">", self.steps);
        self.steps += 1;
    }

    fn close(&mut self) {
        self.xml.push_str("    </ns2:HashStep>\n");
    }

    fn hash_value(&mut self, digest: &[u8]) {
        self.xml.push_str("        <ns2:HashValue>\n");
        self.digest_value(digest);
        self.xml.push_str("        </ns2:HashValue>\n");
    }

    fn step_ref(&mut self) {
        let _infallible = writeln!(self.xml, "        <ns2:StepRef URI=\"#STEP{}\"/>", self.steps);
    }

    fn data_ref(&mut self, part: &PartDigest) {
        self.xml.push_str("        <ns2:DataRef URI=\"");
        self.xml.push_str(&escape_attribute(&part.name));
        self.xml.push_str("\">\n");
        self.digest_value(&part.digest);
        self.xml.push_str("        </ns2:DataRef>\n");
    }

    fn digest_value(&mut self, digest: &[u8]) {
        self.xml.push_str("            <DigestValue>");
        append_base64(digest, &mut self.xml);
        self.xml.push_str("</DigestValue>\n");
    }
}

fn escape_attribute(value: &str) -> Cow<'_, str> {
    if !value.contains(['&', '<', '"']) {
        return value.into();
    }
    let escaped = value.replace('&', "&amp;").replace('<', "&lt;");
    escaped.replace('"', "&quot;").into()
}
