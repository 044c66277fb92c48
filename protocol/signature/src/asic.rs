//! ASiC-E containers: one message with its signature and time-stamp, in a zip file (wire.md 4.1, 4.5).

mod manifest;
mod read;
mod verify;
mod write;

pub use read::{AsicError, Attachment, Container, Limits, read};
pub use verify::{VerifiedContainer, VerifyContainerError, verify};
pub use write::{Contents, Writer};

/// Content of the `mimetype` entry, and media type of a container.
pub const MIME_TYPE: &str = "application/vnd.etsi.asic-e+zip";

pub(crate) const ENTRY_MIME_TYPE: &str = "mimetype";
pub(crate) const ENTRY_MANIFEST: &str = "META-INF/manifest.xml";
pub(crate) const ENTRY_ASIC_MANIFEST: &str = "META-INF/ASiCManifest.xml";
pub(crate) const ENTRY_TIME_STAMP: &str = "META-INF/timestamp.tst";

/// The parts of a batch time-stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchTimeStamp<'a> {
    /// `ts-hashchainresult.xml`: what was stamped.
    pub result: &'a [u8],
    /// `ts-hashchain.xml`: leads from the result to this signature document.
    pub chain: &'a [u8],
    /// DER of the time-stamp token.
    pub token: &'a [u8],
}
