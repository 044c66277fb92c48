//! The global configuration: what everybody in an instance agrees on (features.md 2).
//!
//! | Module | Subject |
//! |---|---|
//! | [`anchor`] | where to download from, and which certificates vouch for it |
//! | [`signed_directory`] | the signed list of files: parse, verify, write |
//! | [`shared_params`], [`private_params`] | the parameters themselves, versions 2 to 6, read and written |
//! | [`optional_parts`] | OCSP fetch interval, next-update rule, monitoring client |
//! | [`metadata`], [`layout`] | how the files lie on disk |
//! | [`directory`] | [`GlobalConf`]: the loaded, immutable, indexed snapshot that answers look-ups |
//! | [`material`] | what verifying a signature, an OCSP response or a time-stamp needs from it |
//!
//! Nothing here does I/O or reads the clock: bytes come through [`directory::Files`], times are arguments.

pub mod anchor;
pub mod directory;
pub mod layout;
pub mod material;
pub mod metadata;
pub mod optional_parts;
pub mod private_params;
pub mod shared_params;
pub mod signed_directory;
pub mod version;

mod xml;

pub use directory::{Files, GlobalConf, GlobalConfError};
pub use private_params::PrivateParams;
pub use shared_params::SharedParams;
pub use version::Version;
pub use xml::XmlError;
