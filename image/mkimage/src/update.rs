//! The update set: the new slot's files and a signed manifest that names them. `kiirtee-appliance update` reads it
//! (docs/appliance.md); nothing of it is used before the signature and the digests were found to be right.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{self, SHA256};
use serde::Serialize;

use crate::disk::esp::{self, EspFile};
use crate::failure::{At, Failure};
use crate::tool::OPENSSL;

/// Label of the volume by which the appliance knows an update.
const LABEL: [u8; 11] = *b"KIIRTEE-UPD";
/// What the volume has beside the files.
const ROOM: u64 = 16 << 20;
/// The smallest FAT32 that every firmware and kernel takes for one.
const LEAST: u64 = 64 << 20;

/// What the manifest says.
#[derive(Debug, Serialize)]
struct Manifest<'a> {
    /// The format of this file.
    format: u8,
    image: &'a str,
    version: &'a str,
    /// The oldest version that may be installed once this one was good.
    floor: &'a str,
    files: Vec<ManifestFile>,
}

#[derive(Debug, Serialize)]
struct ManifestFile {
    name: String,
    size: u64,
    sha256: String,
}

/// What an update is made of.
#[derive(Debug)]
pub struct Update<'a> {
    /// The image's name.
    pub image: &'a str,
    /// The version that it brings.
    pub version: &'a str,
    /// The oldest version that may be installed once this one was good.
    pub floor: &'a str,
    /// Names that the files shall have, and where they are.
    pub files: Vec<(String, PathBuf)>,
}

/// Writes the set into `folder` and as a volume into `image`, signed with the Ed25519 key.
///
/// # Errors
/// When something cannot be written or signed.
pub fn write(update: &Update<'_>, key: &Path, folder: &Path, image: &Path) -> Result<(), Failure> {
    if folder.exists() {
        fs::remove_dir_all(folder).at(folder)?;
    }
    fs::create_dir_all(folder).at(folder)?;
    let mut files = Vec::new();
    for (name, source) in &update.files {
        let place = folder.join(name);
        fs::copy(source, &place).at(source)?;
        files.push(describe(name, &place)?);
    }
    let manifest = Manifest {
        format: 1,
        image: update.image,
        version: update.version,
        floor: update.floor,
        files,
    };
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| Failure::unusable("manifest.json", error.to_string()))?;
    let path = folder.join("manifest.json");
    fs::write(&path, text).at(&path)?;
    sign(key, &path, &folder.join("manifest.sig"))?;
    volume(folder, image)
}

fn describe(name: &str, path: &Path) -> Result<ManifestFile, Failure> {
    Ok(ManifestFile {
        name: name.to_owned(),
        size: path.metadata().at(path)?.len(),
        sha256: sha256(path)?,
    })
}

/// SHA-256 of a file in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).at(path)?;
    Ok(hex(digest::digest(&SHA256, &bytes).as_ref()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sign(key: &Path, message: &Path, signature: &Path) -> Result<(), Failure> {
    let arguments = [
        "pkeyutl".as_ref(),
        "-sign".as_ref(),
        "-rawin".as_ref(),
        "-inkey".as_ref(),
        key.as_os_str(),
        "-in".as_ref(),
        message.as_os_str(),
        "-out".as_ref(),
        signature.as_os_str(),
    ];
    OPENSSL.run(arguments).map(drop)
}

fn volume(folder: &Path, image: &Path) -> Result<(), Failure> {
    let mut files = Vec::new();
    let mut size = ROOM;
    for entry in fs::read_dir(folder).at(folder)? {
        let entry = entry.at(folder)?;
        size = size.saturating_add(entry.metadata().at(folder)?.len());
        files.push(EspFile {
            path: entry.file_name().to_string_lossy().into_owned(),
            source: entry.path(),
        });
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    esp::make(image, size.next_multiple_of(1 << 20).max(LEAST), LABEL, &files)
}
