//! The authority on disk.
//!
//! | File | Contents |
//! |---|---|
//! | `trust.json` | `{"instance": "..."}` |
//! | `ca.pem`, `ocsp.pem`, `tsa.pem` | certificates |
//! | `ca.key.pem`, `ocsp.key.pem`, `tsa.key.pem` | PKCS#8 private keys, mode 0600 |
//! | `ledger.json` | issued and revoked certificates, see [`crate::ledger`] |

use protocol_pki::certificate::{Certificate, CertificateError};
use protocol_pki::key::{KeyError, SoftwareKey};
use protocol_pki::pem;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

use crate::authority::{Authority, Identity};

const SETTINGS: &str = "trust.json";

#[derive(Debug, Deserialize, Serialize)]
struct Settings {
    instance: String,
}

/// The directory could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is an authority already.
    #[error("{0} already holds an authority")]
    Exists(PathBuf),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A certificate file is malformed.
    #[error("{path}: {source}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: CertificateError,
    },
    /// A key file is malformed.
    #[error("{path}: {source}")]
    Key {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// A JSON file is malformed.
    #[error("{path}: {source}")]
    Json {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// Writes a new authority into a directory, which is made if missing.
///
/// # Errors
/// [`DirectoryError`]; an authority that is there already is never overwritten.
pub fn save(authority: &Authority, directory: &Path) -> Result<(), DirectoryError> {
    fs::create_dir_all(directory).map_err(file_error(directory))?;
    let settings = directory.join(SETTINGS);
    if settings.exists() {
        return Err(DirectoryError::Exists(directory.to_owned()));
    }
    save_identity(authority.root(), directory, "ca")?;
    save_identity(authority.ocsp_responder(), directory, "ocsp")?;
    save_identity(authority.time_stamping(), directory, "tsa")?;
    let text = to_json(
        &Settings {
            instance: authority.instance().to_owned(),
        },
        &settings,
    )?;
    write_new(&settings, text.as_bytes(), 0o644)
}

/// Reads the authority of a directory.
///
/// # Errors
/// [`DirectoryError`]
pub fn load(directory: &Path) -> Result<Authority, DirectoryError> {
    let settings: Settings = read_json(&directory.join(SETTINGS))?;
    Ok(Authority::of(
        settings.instance,
        load_identity(directory, "ca")?,
        load_identity(directory, "ocsp")?,
        load_identity(directory, "tsa")?,
    ))
}

fn save_identity(identity: &Identity, directory: &Path, name: &str) -> Result<(), DirectoryError> {
    let key_path = directory.join(format!("{name}.key.pem"));
    let key = identity.key.to_pkcs8().map_err(|source| DirectoryError::Key {
        path: key_path.clone(),
        source,
    })?;
    let text = Zeroizing::new(pem::encode("PRIVATE KEY", &key));
    write_new(&key_path, text.as_bytes(), 0o600)?;
    write_new(
        &directory.join(format!("{name}.pem")),
        identity.certificate.to_pem().as_bytes(),
        0o644,
    )
}

fn load_identity(directory: &Path, name: &str) -> Result<Identity, DirectoryError> {
    let path = directory.join(format!("{name}.pem"));
    let bytes = fs::read(&path).map_err(file_error(&path))?;
    let certificate = Certificate::from_der_or_pem(&bytes)
        .map_err(|source| DirectoryError::Certificate { path, source })?;
    let path = directory.join(format!("{name}.key.pem"));
    let text = Zeroizing::new(fs::read_to_string(&path).map_err(file_error(&path))?);
    let der = Zeroizing::new(pem::decode("PRIVATE KEY", &text).unwrap_or_default());
    let key = SoftwareKey::from_pkcs8(&der).map_err(|source| DirectoryError::Key { path, source })?;
    Ok(Identity { certificate, key })
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DirectoryError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(file_error(path))
}

/// Replaces a file so that after a crash there is the old one or the new one, whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), DirectoryError> {
    let write = || {
        let temporary = path.with_extension("new");
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        path.parent()
            .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
    };
    write().map_err(file_error(path))
}

pub(crate) fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T, DirectoryError> {
    let bytes = fs::read(path).map_err(file_error(path))?;
    serde_json::from_slice(&bytes).map_err(|source| DirectoryError::Json {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn to_json<T: Serialize>(value: &T, path: &Path) -> Result<String, DirectoryError> {
    serde_json::to_string_pretty(value).map_err(|source| DirectoryError::Json {
        path: path.to_owned(),
        source,
    })
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> DirectoryError {
    let path = path.to_owned();
    move |source| DirectoryError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_pki::key::KeySpec;
    use std::os::unix::fs::PermissionsExt as _;
    use time::macros::datetime;

    #[test]
    fn an_authority_is_written_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("trust");
        let authority = Authority::create("TEST", KeySpec::P256, datetime!(2026-06-01 00:00:00 UTC)).unwrap();
        save(&authority, &directory).unwrap();
        let mode = fs::metadata(directory.join("ca.key.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let loaded = load(&directory).unwrap();
        assert_eq!(loaded.instance(), "TEST");
        assert_eq!(loaded.root().certificate, authority.root().certificate);
        assert_eq!(
            loaded.time_stamping().key.spki_der(),
            authority.time_stamping().key.spki_der()
        );
        assert!(matches!(
            save(&authority, &directory),
            Err(DirectoryError::Exists(_))
        ));
    }
}
