//! What the operator hands over: a few files, from the medium, from credentials, or kept from before.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use protocol_globalconf::anchor::{Anchor, AnchorError};
use protocol_pki::certificate::{Certificate, CertificateError};
use storage::server_configuration::{ConfigurationError, ServerConfiguration};

use super::generation::Files;
use crate::disk;
use crate::document::{self, Document, DocumentError};
use crate::log::chain;

/// `appliance.toml`.
pub const DOCUMENT: &str = "appliance.toml";
/// The configuration anchor as it is kept; on the medium it is [`ANCHOR_ON_MEDIUM`].
pub const ANCHOR: &str = "configuration-anchor.xml";
/// The configuration anchor on the medium.
pub const ANCHOR_ON_MEDIUM: &str = "anchor.xml";
/// The server configuration, as `kiirtee config apply` takes it.
pub const SERVER: &str = "server.toml";
/// The devices of hardware tokens.
pub const DEVICES: &str = "devices.toml";
/// Folder of certificates.
pub const CERTIFICATES: &str = "certificates";

/// The files by their names: where they are kept, on the medium, as a credential, and the most bytes.
const NAMES: [(&str, &str, &str, usize); 4] = [
    (DOCUMENT, DOCUMENT, "kiirtee.appliance", document::MAX_BYTES),
    (ANCHOR, ANCHOR_ON_MEDIUM, "kiirtee.anchor", 1024 * 1024),
    (SERVER, SERVER, "kiirtee.server", 4 * 1024 * 1024),
    (DEVICES, DEVICES, "kiirtee.devices", 256 * 1024),
];
/// The most certificates and bytes of each.
const MAX_CERTIFICATES: usize = 64;
const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;
/// Endings of the names of certificates.
const CERTIFICATE_ENDINGS: [&str; 4] = ["pem", "der", "crt", "cer"];

/// Why what was handed over cannot be used. The former settings stay.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is longer than such files are.
    #[error("{} is too long: expected at most {most} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The bound.
        most: usize,
    },
    /// A file that has to be there and was never handed over.
    #[error("{0} is missing: expected it on the configuration medium")]
    Missing(&'static str),
    /// `appliance.toml`.
    #[error("{DOCUMENT}: {0}")]
    Document(#[from] DocumentError),
    /// The anchor.
    #[error("{ANCHOR_ON_MEDIUM}: {}: expected the configuration anchor of the instance", chain(.0))]
    Anchor(AnchorError),
    /// The server configuration.
    #[error("{SERVER}: {}", chain(.0))]
    Server(ConfigurationError),
    /// The devices.
    #[error("{DEVICES}: {0}")]
    Devices(Box<toml::de::Error>),
    /// A file that is not text.
    #[error("{0} is not UTF-8 text")]
    NotText(&'static str),
    /// A certificate.
    #[error("{CERTIFICATES}/{name}: {source}: expected a certificate, PEM or DER")]
    Certificate {
        /// The file.
        name: String,
        /// Why not.
        source: CertificateError,
    },
    /// Too many certificates.
    #[error(
        "{CERTIFICATES} has more than {MAX_CERTIFICATES} files: expected the certificates of this appliance"
    )]
    TooManyCertificates,
}

/// What is in a folder, none of it checked yet.
///
/// # Errors
/// When something is there and cannot be read.
pub fn from_medium(folder: &Path) -> Result<Files, InputError> {
    let mut files = Files::new();
    for (kept, name, _, most) in NAMES {
        let path = folder.join(name);
        let content = read(path, most)?;
        files.extend(content.map(|content| (kept.to_owned(), content)));
    }
    files.extend(certificates(&folder.join(CERTIFICATES))?);
    Ok(files)
}

/// What systemd hands over.
///
/// # Errors
/// When something is there and cannot be read.
pub fn from_credentials(folder: &Path) -> Result<Files, InputError> {
    let mut files = Files::new();
    for (kept, _, name, most) in NAMES {
        let path = folder.join(name);
        let content = read(path, most)?;
        files.extend(content.map(|content| (kept.to_owned(), content)));
    }
    Ok(files)
}

fn read(path: PathBuf, most: usize) -> Result<Option<Vec<u8>>, InputError> {
    disk::read(&path, most).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => InputError::TooLong { path, most },
        _ => InputError::Unreadable { path, source },
    })
}

/// Certificates under the names of their digests, so that the same one twice is one.
fn certificates(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, InputError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        |source| InputError::Unreadable { path, source }
    };
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.map_err(unreadable(folder))?,
    };
    let mut kept = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(unreadable(folder))?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_one = ending.is_some_and(|ending| {
            CERTIFICATE_ENDINGS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(ending))
        });
        if !is_one {
            continue;
        }
        let bytes = read(path.clone(), MAX_CERTIFICATE_BYTES)?;
        let certificate = Certificate::from_der_or_pem(&bytes.unwrap_or_default());
        let certificate = certificate.map_err(|source| InputError::Certificate {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            source,
        })?;
        let name = format!("{CERTIFICATES}/{}.pem", certificate.sha256().to_hex());
        kept.insert(name, certificate.to_pem().into_bytes());
        if kept.len() > MAX_CERTIFICATES {
            return Err(InputError::TooManyCertificates);
        }
    }
    Ok(kept)
}

/// The inputs among the files of a kept set.
#[must_use]
pub fn kept(files: &Files) -> Files {
    let is_input =
        |name: &str| name.starts_with(CERTIFICATES) || NAMES.iter().any(|(kept, ..)| *kept == name);
    let inputs = files.iter().filter(|(name, _)| is_input(name));
    inputs
        .map(|(name, content)| (name.clone(), content.clone()))
        .collect()
}

/// What is kept, changed by what is new: a new file takes the place of the old one, new certificates that of all old ones.
#[must_use]
pub fn merged(kept: Files, new: Files) -> Files {
    let is_certificate = |name: &String| name.starts_with(CERTIFICATES);
    let has_certificates = new.keys().any(is_certificate);
    let mut merged = kept;
    merged.retain(|name, _| !(has_certificates && is_certificate(name)));
    merged.extend(new);
    merged
}

/// Checks all of them, and reads the document.
///
/// # Errors
/// [`InputError`] says what is wrong where, and what was expected.
pub fn check(files: &Files) -> Result<Document, InputError> {
    let document = files.get(DOCUMENT).ok_or(InputError::Missing(DOCUMENT))?;
    let document = Document::read(document)?;
    let anchor = files.get(ANCHOR).ok_or(InputError::Missing(ANCHOR_ON_MEDIUM))?;
    Anchor::parse(anchor).map_err(InputError::Anchor)?;
    check_server(files.get(SERVER).ok_or(InputError::Missing(SERVER))?)?;
    if let Some(devices) = files.get(DEVICES) {
        let parsed = toml::from_str::<toml::Table>(text(DEVICES, devices)?);
        parsed.map_err(|error| InputError::Devices(Box::new(error)))?;
    }
    Ok(document)
}

/// Applied to an empty configuration, a file meets every check that the real one makes.
fn check_server(bytes: &[u8]) -> Result<(), InputError> {
    let text = text(SERVER, bytes)?;
    let mut empty = ServerConfiguration::open(Path::new(":memory:")).map_err(InputError::Server)?;
    empty.apply_toml(text).map_err(InputError::Server).map(drop)
}

fn text<'b>(name: &'static str, bytes: &'b [u8]) -> Result<&'b str, InputError> {
    std::str::from_utf8(bytes).map_err(|_| InputError::NotText(name))
}
