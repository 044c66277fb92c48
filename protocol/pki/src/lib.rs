//! Certificates, certificate profiles, OCSP responses and time-stamps: parsed, built and verified.
//!
//! Everything here is a function of its arguments: bytes are slices, the instant of verification is an argument, and
//! nothing does I/O, reads a clock or draws random numbers (software keys in [`key`] excepted, which need randomness
//! to be made and to sign).
//!
//! The ASN.1 is read by this crate's own small reader ([`asn1`]) because evidence must be hashed exactly as it came:
//! nothing is ever decoded and encoded again in order to be verified. Real time-stamping authorities also send what
//! the usual decoders refuse: indefinite lengths, policy identifiers of two bytes, fractions of seconds.
//!
//! | Subject | Module |
//! |---|---|
//! | digests and their names | [`digest`] |
//! | signature algorithms, public keys | [`algorithm`], [`public_key`] |
//! | certificates, names, chains | [`certificate`], [`name`], [`chain`] |
//! | who a certificate speaks for | [`profile`] |
//! | certificate status | [`ocsp`] |
//! | time-stamps | [`tsp`] |
//! | making keys, requests and certificates | [`key`], [`csr`], [`issue`] |

pub mod algorithm;
pub mod asn1;
pub mod certificate;
pub mod chain;
pub mod csr;
pub mod digest;
pub mod issue;
pub mod key;
pub mod material;
pub mod name;
pub mod ocsp;
mod oid;
pub mod pem;
pub mod profile;
pub mod public_key;
pub mod tsp;
