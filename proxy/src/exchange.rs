//! The two movements of which every exchange is made, the same for both halves of the server.
//!
//! *Outgoing*: stream and hash ([`outgoing`]) → sign ([`sign`]) → log ([`log`]) → finish ([`Outgoing::finish`]).
//! *Incoming*: receive and hash ([`incoming`]) → verify ([`verify`]) → log ([`log`]).
//!
//! **Invariant:** the function that writes the signature part takes a [`LogReceipt`](storage::message_log::LogReceipt),
//! so nothing leaves without a record; what forwards a received message takes a [`Verified`], which only [`verify`]
//! makes.

pub mod doubtful;
pub mod error;
pub mod incoming;
pub mod log;
pub mod outgoing;
pub mod party;
pub mod sign;
pub mod soap_content;
pub mod soap_source;
pub mod verify;

use std::borrow::Cow;

use bytes::Bytes;
use protocol_pki::digest::{Digest, DigestAlgorithm};
use protocol_signature::file_name;
use protocol_signature::hash_chain::PartDigest;

pub use error::ExchangeError;
pub use incoming::{Attachment, Received};
pub use outgoing::Outgoing;
pub use party::Party;
pub use verify::Verified;

/// The digest of every part that we send, and of requests in responses (wire.md 2.1, 2.3).
pub const DIGEST: DigestAlgorithm = DigestAlgorithm::Sha512;

/// Parts that nearly every message has at most: the message and a body.
const USUAL_PARTS: usize = 2;

/// A signature as it travels and as it is logged.
#[derive(Debug, Clone)]
pub struct SignatureParts {
    /// The signature document.
    pub document: Bytes,
    /// The hash chain result, of a batch signature.
    pub hash_chain_result: Option<Bytes>,
    /// This message's hash chain, of a batch signature.
    pub hash_chain: Option<Bytes>,
}

/// Digests of the parts of one message, in the order in which they are signed: the message, then its attachments.
#[derive(Debug, Default)]
pub struct PartDigests(Vec<PartDigest>);

impl PartDigests {
    /// Adds the message itself.
    pub fn message(&mut self, algorithm: DigestAlgorithm, digest: Digest) {
        self.push(file_name::MESSAGE.into(), algorithm, digest);
    }

    /// Adds the attachment with this number, from 1; a REST body is attachment 1.
    pub fn attachment(&mut self, number: usize, algorithm: DigestAlgorithm, digest: Digest) {
        self.push(file_name::attachment(number), algorithm, digest);
    }

    fn push(&mut self, name: Cow<'static, str>, algorithm: DigestAlgorithm, digest: Digest) {
        if self.0.is_empty() {
            self.0.reserve_exact(USUAL_PARTS);
        }
        self.0.push(PartDigest::new(name, algorithm, digest));
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[PartDigest] {
        &self.0
    }

    /// The digest of the first attachment: of a REST message's body.
    #[must_use]
    pub fn body(&self) -> Option<&Digest> {
        self.0.get(1).map(|part| &part.digest)
    }
}
