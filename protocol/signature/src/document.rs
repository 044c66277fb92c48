//! The signature document: XAdES in the one shape that security servers exchange (wire.md 3.1).
//!
//! [`Builder`] writes it from a template, byte for byte, and writes the canonical forms of `SignedProperties` and
//! `SignedInfo` beside it; no document tree is made. [`SignatureDocument`] reads ours and the older and newer layouts of
//! wire.md 3.1, canonicalised by a library.

mod build;
mod parse;
mod plain;
mod reference;
mod template;

pub use build::{BuildError, Builder, Signed, Unsigned};
pub use parse::{DocumentError, SignatureDocument, SigningCertificate};
#[doc(hidden)]
pub use parse::{is_plain, readers_agree};
pub use reference::{Reference, Target};

/// Namespace of XAdES 1.3.2.
pub(crate) const XADES: &str = "http://uri.etsi.org/01903/v1.3.2#";

/// Largest signature document that is read, in bytes. With an intermediate CA and a time-stamp it has about 30 KiB.
pub const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;

/// Most references of a signature, as in the reference (wire.md 3.5).
pub const MAX_REFERENCES: usize = 30;

/// Most certificates or OCSP responses that a document carries.
pub const MAX_VALUES: usize = 16;
