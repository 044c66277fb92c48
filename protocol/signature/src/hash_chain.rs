//! Hash trees over a batch of messages, and the chain of each message in the tree (wire.md 3.4).
//!
//! A batch gives one *hash chain result*, which is signed or time-stamped, and one *hash chain* for each message.
//! A chain starts at the root (`STEP0`) and goes down to the message; each step names its sibling by value and its
//! own side by reference. The last step of a message with several parts lists them all.
//!
//! Both documents are bytes: what is signed is the result's bytes, never a re-serialised form.

mod build;
mod digest_list;
mod parse;
mod plain;
mod steps;
mod verify;

pub use build::{Batch, BuildError};
pub(crate) use steps::ChainResult;
pub use verify::{Chain, HashChainError, Parts, Verified, verify};
pub(crate) use verify::{follow, read_result};
#[doc(hidden)]
pub use verify::{is_plain, readers_agree};

use std::borrow::Cow;

use protocol_pki::digest::{Digest, DigestAlgorithm};

/// Namespace of hash chain documents.
pub(crate) const NAMESPACE: &str = "http://cyber.ee/hashchain";

/// Largest hash chain or hash chain result that is read, in bytes. A part takes about 200 bytes of a chain.
pub const MAX_HASH_CHAIN_BYTES: usize = 4 * 1024 * 1024;

/// Most steps of a chain. A tree over a million messages needs 21.
pub const MAX_STEPS: usize = 64;

/// The digest of one part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartDigest {
    /// Name with leading slash: `/message.xml`, `/attachment1`, ... ([`crate::file_name`]).
    pub name: Cow<'static, str>,
    /// Algorithm of `digest`.
    pub algorithm: DigestAlgorithm,
    /// Digest of the part's raw bytes.
    pub digest: Digest,
}

impl PartDigest {
    /// A part whose digest is already known.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, algorithm: DigestAlgorithm, digest: Digest) -> Self {
        Self {
            name: name.into(),
            algorithm,
            digest,
        }
    }

    /// Computes the digest of a part that is in memory.
    #[must_use]
    pub fn of(name: impl Into<Cow<'static, str>>, algorithm: DigestAlgorithm, data: &[u8]) -> Self {
        Self::new(name, algorithm, algorithm.digest(data))
    }
}

/// Digest algorithms that verification accepts. The reference would also follow SHA-1 (wire.md 3.5); it never writes it.
#[must_use]
pub(crate) fn is_strong(algorithm: DigestAlgorithm) -> bool {
    matches!(
        algorithm,
        DigestAlgorithm::Sha256 | DigestAlgorithm::Sha384 | DigestAlgorithm::Sha512
    )
}
