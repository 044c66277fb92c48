//! Why a configuration could not be downloaded.

use std::io;
use std::path::PathBuf;

use protocol_globalconf::anchor::AnchorError;
use protocol_globalconf::private_params::PrivateParamsError;
use protocol_globalconf::signed_directory::DirectoryError;
use protocol_globalconf::version::UnknownVersion;
use protocol_globalconf::{GlobalConfError, XmlError};

use crate::http::HttpError;

/// Exit code of the one-shot download: the anchor does not exist.
pub const EXIT_ANCHOR_NOT_FOUND: u8 = 115;
/// Exit code of the one-shot download: the anchor is malformed.
pub const EXIT_MALFORMED_ANCHOR: u8 = 116;
/// Exit code of the one-shot download: the source has no private parameters.
pub const EXIT_NO_PRIVATE_PARAMS: u8 = 121;
/// Exit code of the one-shot download: no source can be reached.
pub const EXIT_CANNOT_DOWNLOAD: u8 = 122;
/// Exit code of the one-shot download: the configuration expired.
pub const EXIT_EXPIRED: u8 = 123;
/// Exit code of the one-shot download: the signature is not valid.
pub const EXIT_INVALID_SIGNATURE: u8 = 124;
/// Exit code of the one-shot download: anything else.
pub const EXIT_INTERNAL: u8 = 125;

/// Why a round, or one location of it, failed.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// There is no anchor.
    #[error("configuration anchor {0} does not exist")]
    NoAnchor(PathBuf),
    /// The anchor cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The anchor is malformed.
    #[error("malformed configuration anchor {path}")]
    Anchor {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: AnchorError,
    },
    /// No location of the source is an `http` or `https` URL.
    #[error("the source of instance {0} has no usable location")]
    NoLocation(String),
    /// The directory cannot be downloaded.
    #[error("cannot download the signed directory")]
    Directory(#[source] HttpError),
    /// The source has no version that we read.
    #[error("the source has no supported version of the configuration")]
    NoVersion,
    /// The directory cannot be trusted or understood.
    #[error("signed directory is refused")]
    Refused(#[from] DirectoryError),
    /// The directory's version is unknown.
    #[error("signed directory has an unsupported version")]
    Version(#[from] UnknownVersion),
    /// The directory describes another instance than its source may.
    #[error("source of instance {source_instance} offers {identifier} of instance {instance}")]
    ForeignInstance {
        /// Whose source it is.
        source_instance: String,
        /// What it offers.
        identifier: String,
        /// Of which instance.
        instance: String,
    },
    /// The directory names the same file twice.
    #[error("signed directory names {0} more than once")]
    RepeatedPart(String),
    /// A mandatory file is not in the directory.
    #[error("signed directory has no {0}")]
    MissingPart(&'static str),
    /// The name under which a file is to be stored is not a file name.
    #[error("part {0} has no usable file name")]
    BadFileName(String),
    /// The location of a file is not a URL or path.
    #[error("location {0:?} of a file is not usable")]
    BadLocation(String),
    /// A file cannot be downloaded.
    #[error("cannot download {location}")]
    Part {
        /// Which file.
        location: String,
        /// Why.
        source: HttpError,
    },
    /// A file is not the one that the directory names.
    #[error("hash of {0} is not that of the signed directory")]
    Integrity(String),
    /// The shared parameters are malformed.
    #[error("malformed shared parameters")]
    SharedParams(#[source] XmlError),
    /// The private parameters are malformed.
    #[error("malformed private parameters")]
    PrivateParams(#[source] PrivateParamsError),
    /// A file describes another instance than the directory says.
    #[error("{file} of instance {expected} describes instance {found}")]
    WrongInstance {
        /// Which file.
        file: String,
        /// The instance that the directory says.
        expected: String,
        /// The instance that the file says.
        found: String,
    },
    /// A file cannot be stored.
    #[error("cannot store {path}")]
    Store {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The instance identifier cannot be stored.
    #[error("cannot store the instance identifier")]
    StoreInstanceIdentifier(#[source] io::Error),
    /// What was stored cannot be loaded.
    #[error("the stored configuration cannot be loaded")]
    Load(#[from] GlobalConfError),
}

impl DownloadError {
    /// Fault code (wire.md 1.8).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::NoAnchor(_) => "anchor_file_not_found",
            Self::Anchor { source, .. } => source.fault_code(),
            Self::Read { .. } => "io_error",
            Self::NoLocation(_) | Self::Directory(_) => "global_conf_download_url_connection_failure",
            Self::NoVersion | Self::Version(_) => "global_conf_get_version_failed",
            Self::Refused(refused) => refused.fault_code(),
            Self::ForeignInstance { .. } | Self::WrongInstance { .. } => {
                "global_conf_part_invalid_instance_identifier"
            }
            Self::RepeatedPart(_) | Self::MissingPart(_) | Self::BadFileName(_) | Self::BadLocation(_) => {
                "global_conf_parsing_downloaded_conf_directory_failure"
            }
            Self::Part { .. } => "global_conf_part_download_failure",
            Self::Integrity(_) => "global_conf_part_downloaded_file_integrity_failure",
            Self::SharedParams(_) | Self::PrivateParams(_) => "malformed_global_conf",
            Self::Store { .. } => "global_conf_part_file_save_failure",
            Self::StoreInstanceIdentifier(_) => "failed_to_save_instance_identifier",
            Self::Load(failed) => failed.fault_code(),
        }
    }

    /// Exit code of the one-shot download, as the reference's (features.md 2.4).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoAnchor(_) => EXIT_ANCHOR_NOT_FOUND,
            Self::Anchor { .. } => EXIT_MALFORMED_ANCHOR,
            Self::MissingPart(_) => EXIT_NO_PRIVATE_PARAMS,
            Self::NoLocation(_) | Self::Directory(_) | Self::NoVersion | Self::Part { .. } => {
                EXIT_CANNOT_DOWNLOAD
            }
            Self::Refused(DirectoryError::Expired(_)) => EXIT_EXPIRED,
            Self::Refused(refused) => match refused.fault_code() {
                "global_conf_signature_verification_failure"
                | "global_conf_missing_verification_cert"
                | "global_conf_signature_decode_failure" => EXIT_INVALID_SIGNATURE,
                _ => EXIT_INTERNAL,
            },
            _ => EXIT_INTERNAL,
        }
    }
}

/// An error with all its causes on one line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
