//! The manifest of an update and its signature.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use semver::Version;
use serde::Deserialize;

use crate::disk;

/// Most bytes of a manifest.
const MAX_MANIFEST: usize = 64 * 1024;
/// Most files of an update.
const MAX_FILES: usize = 8;
/// Most bytes of one of its files: what a slot holds (systemd/repart.d/20-root-a.conf).
const MAX_FILE: u64 = 64 << 20;
/// Bytes of an Ed25519 signature and of a public key (RFC 8032).
const SIGNATURE: usize = 64;
/// What precedes the key in its SubjectPublicKeyInfo (RFC 8410, 4).
const SPKI_PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// The format that is understood.
const FORMAT: u8 = 1;

/// Why a manifest is not used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It or its signature cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that must be there is not.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    /// The image has no usable key.
    #[error("the image's key for updates is no Ed25519 public key in PEM")]
    Key,
    /// The signature is not that of this manifest by that key.
    #[error("manifest.json is not signed by the key of this image")]
    Signature,
    /// The text is no manifest.
    #[error("manifest.json: {0}")]
    Form(String),
}

/// The key whose updates this image takes.
#[derive(Debug)]
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// Reads a key in PEM.
    ///
    /// # Errors
    /// [`ManifestError::Key`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, ManifestError> {
        let text = std::str::from_utf8(pem).map_err(|_| ManifestError::Key)?;
        let lines = text.lines().filter(|line| !line.starts_with("-----"));
        let der = BASE64_STANDARD
            .decode(lines.collect::<String>())
            .map_err(|_| ManifestError::Key)?;
        let key = der.strip_prefix(&SPKI_PREFIX).filter(|key| key.len() == 32);
        key.map(|key| Self(key.to_vec())).ok_or(ManifestError::Key)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ManifestError> {
        let key = UnparsedPublicKey::new(&ED25519, &self.0);
        key.verify(message, signature)
            .map_err(|_| ManifestError::Signature)
    }
}

/// What an update says of itself. It is read only after its signature was found to be right.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    format: u8,
    /// Which product it is for.
    pub image: String,
    /// The version that it brings.
    pub version: Version,
    /// The oldest version that may be installed once this one was good.
    pub floor: Version,
    /// Its files.
    pub files: Vec<ManifestFile>,
}

/// A file of an update.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its name, without folders.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 in hexadecimal, small letters.
    pub sha256: String,
}

impl Manifest {
    /// Reads `manifest.json` of a folder, whose signature by this key is in `manifest.sig`.
    ///
    /// # Errors
    /// See [`ManifestError`].
    pub fn read(folder: &Path, key: &PublicKey) -> Result<Self, ManifestError> {
        let text = read(&folder.join("manifest.json"), MAX_MANIFEST)?;
        let signature = read(&folder.join("manifest.sig"), SIGNATURE)?;
        key.verify(&text, &signature)?;
        Self::parse(&text)
    }

    /// Understands a manifest.
    ///
    /// # Errors
    /// [`ManifestError::Form`].
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let manifest: Self =
            serde_json::from_slice(text).map_err(|error| ManifestError::Form(error.to_string()))?;
        manifest.check().map_err(ManifestError::Form)?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format {}: expected {FORMAT}", self.format));
        }
        if self.floor > self.version {
            return Err(format!(
                "the floor {} is above the version {}",
                self.floor, self.version
            ));
        }
        if self.files.is_empty() || self.files.len() > MAX_FILES {
            return Err(format!("{} files: expected 1 to {MAX_FILES}", self.files.len()));
        }
        let names: BTreeSet<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        if names.len() != self.files.len() {
            return Err("a file is named twice".to_owned());
        }
        self.files
            .iter()
            .try_for_each(|file| file.check(&self.image, &self.version))
    }
}

impl ManifestFile {
    /// Names are those that systemd-sysupdate looks for: nothing that is not of this version.
    fn check(&self, image: &str, version: &Version) -> Result<(), String> {
        let name = &self.name;
        let is_plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte));
        let rest = name.strip_prefix(&format!("{image}_{version}"));
        let is_ours = rest.is_some_and(|rest| rest.starts_with(['_', '.']));
        if !is_plain || !is_ours {
            return Err(format!(
                "the file `{name}`: expected a name that begins with {image}_{version}"
            ));
        }
        if self.size == 0 || self.size > MAX_FILE {
            return Err(format!(
                "the file {name} with {} bytes: expected 1 to {MAX_FILE}",
                self.size
            ));
        }
        let is_digest = self.sha256.len() == 64 && self.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_digest {
            Ok(())
        } else {
            Err(format!("the file {name}: its sha256 is no SHA-256"))
        }
    }
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, ManifestError> {
    let read = disk::read(path, most).map_err(|source| ManifestError::Io {
        path: path.to_owned(),
        source,
    })?;
    read.ok_or_else(|| ManifestError::Missing(path.to_owned()))
}
