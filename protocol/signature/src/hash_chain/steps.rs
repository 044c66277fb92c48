//! What hash chains and their results say, borrowed from their bytes where these are plain.

use std::borrow::Cow;
use std::ops::Range;

use protocol_pki::digest::{Digest, DigestAlgorithm};

use super::HashChainError;

/// What a hash chain result says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainResult<'a> {
    /// File and step of the root: `/sig-hashchain.xml#STEP0`.
    pub(super) uri: Cow<'a, str>,
    pub(super) algorithm: DigestAlgorithm,
    pub(super) digest: DigestValue,
}

/// The steps of a hash chain, in the document's order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Steps<'a> {
    steps: Vec<Step<'a>>,
    /// The entries of all steps, one after the other.
    entries: Vec<Entry<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
struct Step<'a> {
    id: Option<Cow<'a, str>>,
    entries: Range<usize>,
}

/// One digest that goes into a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) algorithm: DigestAlgorithm,
    pub(super) value: Value<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// The digest itself.
    Hash(DigestValue),
    /// The digest of another step: `#STEP1`.
    Step(Cow<'a, str>),
    /// The digest of a file, which the chain repeats.
    Data { uri: Cow<'a, str>, digest: DigestValue },
}

/// A digest as a document gives it. One that is longer than any digest can be written, and is digested like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DigestValue {
    InPlace(Digest),
    TooLong(Box<[u8]>),
}

impl From<Vec<u8>> for DigestValue {
    fn from(bytes: Vec<u8>) -> Self {
        Digest::from_slice(&bytes).map_or_else(|| Self::TooLong(bytes.into()), Self::InPlace)
    }
}

impl DigestValue {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::InPlace(digest) => digest,
            Self::TooLong(bytes) => bytes,
        }
    }
}

impl ChainResult<'_> {
    /// The same, kept beyond its bytes.
    pub(crate) fn into_owned(self) -> ChainResult<'static> {
        ChainResult {
            uri: Cow::Owned(self.uri.into_owned()),
            algorithm: self.algorithm,
            digest: self.digest,
        }
    }
}

impl<'a> Steps<'a> {
    /// No steps, with room for this many.
    pub(super) fn with_room_for(steps: usize) -> Self {
        Self {
            steps: Vec::with_capacity(steps),
            entries: Vec::with_capacity(2 * steps),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Begins another step.
    pub(super) fn begin(&mut self, id: Option<Cow<'a, str>>) {
        let end = self.entries.len();
        self.steps.push(Step {
            id,
            entries: end..end,
        });
    }

    /// Adds an entry to the step that was begun last.
    pub(super) fn push(&mut self, entry: Entry<'a>) {
        self.entries.push(entry);
        if let Some(step) = self.steps.last_mut() {
            step.entries.end = self.entries.len();
        }
    }

    /// The step with this id: its number and its entries.
    pub(super) fn find(&self, id: &str) -> Option<(usize, &[Entry<'a>])> {
        let same = |step: &Step<'_>| step.id.as_deref() == Some(id);
        let (number, step) = self.steps.iter().enumerate().find(|(_, step)| same(step))?;
        Some((number, self.entries.get(step.entries.clone())?))
    }

    /// No id may be there twice.
    pub(super) fn check_ids(&self) -> Result<(), HashChainError> {
        let ids = || self.steps.iter().filter_map(|step| step.id.as_deref());
        // There are few steps, `MAX_STEPS` at most.
        let twice = ids()
            .enumerate()
            .any(|(number, id)| ids().skip(number + 1).any(|other| other == id));
        if twice {
            Err(HashChainError::Malformed("step id used twice"))
        } else {
            Ok(())
        }
    }
}
