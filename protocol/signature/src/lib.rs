//! The evidence of an exchange: signature document (XAdES), hash chain, time-stamp, ASiC container.
//!
//! | Module | What it does | Specification |
//! |---|---|---|
//! | [`hash_chain`] | one hash tree for a batch of messages, and the chain of each message in it | wire.md 3.4 |
//! | [`document`] | writes and reads the signature document | wire.md 3.1, 3.2 |
//! | [`verify`] | the signature document against the global configuration, the message against the document | wire.md 3.5 |
//! | [`time_stamp`] | what a time-stamp covers, one record at a time or in a batch | wire.md 4.2 |
//! | [`asic`] | writes, reads and verifies containers | wire.md 4.1, 4.5 |
//!
//! Verification is split in two. [`verify::document`] does the public-key work and depends on the document, the
//! signer's instance and the moment only: a caller keeps its result ([`verify::VerifiedDocument`]) until
//! [`verify::VerifiedDocument::valid_until`]. [`verify::VerifiedDocument::verify_message`] costs a few digests and is
//! done for every message.
//!
//! Nothing here does I/O, reads a clock or draws randomness. Every document from outside is bounded before it is
//! parsed.

pub mod asic;
pub mod document;
pub mod file_name;
pub mod hash_chain;
pub mod time_stamp;
pub mod verify;
mod xml;
pub mod zip_stream;
