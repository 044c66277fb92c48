//! Requests to the signer, their answers, and the client that carries them.
//!
//! The signer (`kiirtee-signer`) is the only process that touches a private key. Every other process speaks to it
//! through this crate, over a Unix stream socket, with the protocol below. There is no network form of it.
//!
//! # Protocol, version 2
//!
//! ```text
//! frame  = length: u32 little-endian, payload: length bytes          1 <= length <= MAX_FRAME (4 MiB)
//! payload = postcard encoding of ClientFrame (to the signer) or ServerFrame (from the signer)
//!
//! client -> signer   Hello { magic "KSGN", version, peer name }          first frame, once
//! signer -> client   Hello { version }  or  Refused { reason } + close
//! client -> signer   Request { id, body }                                any number, answers come in any order
//! signer -> client   Reply { id, Ok(Response) | Err(SignerError) }
//! ```
//!
//! * Request ids are chosen by the client and are unique among its requests that wait for an answer.
//! * Every request gets exactly one answer, as long as the connection lives.
//! * Messages travel by the dozen, in both directions: what they share (certificates, OCSP responses, the signature
//!   document of a batch) travels once, and in memory all of them refer to the same bytes ([`Blob`]).
//! * Bounds: [`frame::MAX_FRAME`] bytes a frame, [`MAX_IN_FLIGHT`] unanswered requests a connection,
//!   [`MAX_MESSAGES`] messages and [`MAX_PARTS`] parts a request. What exceeds one gets an error, never a silent drop; a frame that is too long or
//!   cannot be decoded ends the connection.
//! * postcard writes enum variants by their index: new variants are added at the end only, and any other change
//!   raises [`PROTOCOL_VERSION`].
//!
//! # Use
//!
//! [`Client`] multiplexes any number of threads over one connection and reconnects by itself. [`Client::submit`] is
//! cheap (one encoding and one queue push) and its receiver can be awaited; [`Client::call`] blocks with a time limit.

pub mod algorithm;
pub mod blob;
mod calls;
mod client;
pub mod error;
#[cfg(feature = "test-util")]
pub mod fake;
pub mod figures;
pub mod frame;
mod link;
mod remote_key;
pub mod request;
pub mod response;

pub use algorithm::{DigestAlgorithm, KeyAlgorithm, KeyChoice, SignatureAlgorithm};
pub use blob::{Blob, Pin};
pub use client::{Client, DEFAULT_TIMEOUT, Settings};
pub use error::SignerError;
pub use figures::{Counters, Failures, KeyFigures};
pub use remote_key::RemoteKey;
pub use request::{
    CertificateSha256, CertificateStatus, CsrFormat, ImportCertificate, KeySelector, KeyUsage, NameAttribute,
    PartDigests, Request, SignMessages,
};
pub use response::{
    CertificateInfo, CsrInfo, DeviceInfo, GeneratedCsr, HardwareInfo, KeyInfo, PinState, Response,
    SignedBatch, SignedMessage, SignedMessages, SlotInfo, Status, TokenInfo, TokenKind, TokenStatus,
};

/// What a request is answered with.
pub type Outcome = Result<Response, SignerError>;

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u16 = 2;

/// Requests that may wait for an answer on one connection.
pub const MAX_IN_FLIGHT: usize = 16_384;

/// Messages that one request may have signed.
pub const MAX_MESSAGES: usize = 256;

/// Parts that the messages of one request may have together: one message and its attachments have 10 001 at most.
pub const MAX_PARTS: usize = 10_001;
