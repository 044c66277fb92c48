//! Words of the message protocol: everything between bytes and types that two security servers, or an
//! information system and a security server, say to each other.
//!
//! | module | subject | wire.md |
//! |---|---|---|
//! | [`identifier`] | clients, services, security servers, groups | 1.4, 1.6 |
//! | [`fault`] | fault codes, SOAP faults, REST error bodies | 1.5, 1.7, 1.8 |
//! | [`metadata`] | lists of clients and services, descriptions of services | 1.2 (features.md 5) |
//! | [`rest`] | request and response parts, request hash, endpoint matching | 1.4, 6.1, 6.2 |
//! | [`soap`] | header reading by streaming, request hash insertion | 1.6, 1.7 |
//! | [`transport`] | the multipart message between servers, and multipart/related beside it | 2.2, 2.3 |
//!
//! No I/O, no clock, no randomness: bytes come in as slices, random bytes as arguments. Every parser bounds what it
//! keeps by a named constant. Where a failure has a fault code of the reference, its error type says which
//! (`fault_code()`), without the prefixes that depend on the side ([`fault::FaultCode::with_prefix`]).

pub mod fault;
pub mod identifier;
pub mod metadata;
pub mod rest;
pub mod soap;
mod text;
pub mod transport;
