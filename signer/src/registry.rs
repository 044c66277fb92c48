//! Keys with their certificates and certificate signing requests: what the tokens do not know, on disk.
//!
//! `keys.json`, format 1:
//!
//! ```json
//! { "format": "kiirtee-signer-keys", "version": 1, "keys": [
//!   { "id": "...", "token": "0", "label": "...", "usage": "signing", "algorithm": "rsa3072", "public_key": "base64",
//!     "certificates": [ { "certificate": "base64", "status": "registered", "active": true, "client": "EE/GOV/1" } ],
//!     "csrs": [ { "id": "...", "subject": "CN=...", "client": "EE/GOV/1" } ] } ],
//!   "token_names": { "0": "..." } }
//! ```
//!
//! `token_names` may be absent.
//!
//! Every change rewrites the file atomically and keeps the state before it as `keys.json.previous`.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use signer_client::{CertificateSha256, CertificateStatus, KeyAlgorithm, KeyUsage, SignerError};

use crate::{
    atomic_file::{self, History},
    base64_text,
    token::{Token, TokenKey},
};

const FORMAT: &str = "kiirtee-signer-keys";
const VERSION: u32 = 1;
const MAX_REGISTRY_BYTES: u64 = 64 * 1024 * 1024;

/// Most certificates of a key, and most certificate signing requests.
pub const MAX_PER_KEY: usize = 64;

/// Why the registry cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file system failed.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a registry. Its state before the last change is beside it.
    #[error("{path} is malformed; the state before the last change is in {path}.previous")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// It was written by a newer signer, or is another kind of file.
    #[error("{path} has the unknown format {format} {version}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What it says to be.
        format: String,
        /// Which version.
        version: u32,
    },
}

/// A key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRecord {
    /// Its id.
    pub id: String,
    /// Its token's id.
    pub token: String,
    /// A name for people.
    pub label: String,
    /// What it is for.
    pub usage: KeyUsage,
    /// What it is.
    pub algorithm: KeyAlgorithm,
    /// SubjectPublicKeyInfo, DER.
    #[serde(with = "base64_text")]
    pub public_key: Vec<u8>,
    /// Its certificates.
    pub certificates: Vec<CertificateRecord>,
    /// Its certificate signing requests without a certificate.
    pub csrs: Vec<CsrRecord>,
}

impl KeyRecord {
    /// The record of a key that was just made.
    #[must_use]
    pub fn new(token: &str, key: TokenKey) -> Self {
        let TokenKey {
            id,
            label,
            algorithm,
            usage,
            public_key,
        } = key;
        let token = token.to_owned();
        Self {
            id,
            token,
            label,
            usage,
            algorithm,
            public_key,
            certificates: Vec::new(),
            csrs: Vec::new(),
        }
    }
}

/// A certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRecord {
    /// DER.
    #[serde(with = "base64_text", rename = "certificate")]
    pub der: Vec<u8>,
    /// Where it is in its registration.
    pub status: CertificateStatus,
    /// Whether it may be used.
    pub active: bool,
    /// The security server client that it speaks for.
    pub client: Option<String>,
}

impl CertificateRecord {
    /// How it is named in requests.
    #[must_use]
    pub fn sha256(&self) -> CertificateSha256 {
        sha256(&self.der)
    }
}

/// How a certificate is named in requests.
#[must_use]
pub fn sha256(der: &[u8]) -> CertificateSha256 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    CertificateSha256(hash)
}

/// A certificate signing request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsrRecord {
    /// Its id.
    pub id: String,
    /// Its subject.
    pub subject: String,
    /// The security server client that the certificate shall speak for.
    pub client: Option<String>,
}

/// Every key, by id, and names of tokens.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Registry {
    /// Every key, by id.
    pub keys: BTreeMap<String, KeyRecord>,
    /// Names that people gave to tokens, by the tokens' ids.
    pub token_names: BTreeMap<String, String>,
}

impl Registry {
    /// A key.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn key(&self, id: &str) -> Result<&KeyRecord, SignerError> {
        self.keys
            .get(id)
            .ok_or_else(|| SignerError::KeyNotFound(id.to_owned()))
    }

    /// What people call the token: the name that they gave it, or its own.
    #[must_use]
    pub fn token_name<'a>(&'a self, token: &'a dyn Token) -> &'a str {
        self.token_names
            .get(token.id())
            .map_or_else(|| token.name(), String::as_str)
    }

    /// A key, to be changed.
    ///
    /// # Errors
    /// `KeyNotFound`.
    pub fn key_mut(&mut self, id: &str) -> Result<&mut KeyRecord, SignerError> {
        self.keys
            .get_mut(id)
            .ok_or_else(|| SignerError::KeyNotFound(id.to_owned()))
    }

    /// A certificate, to be changed.
    ///
    /// # Errors
    /// `CertificateNotFound`.
    pub fn certificate_mut(
        &mut self,
        name: CertificateSha256,
    ) -> Result<&mut CertificateRecord, SignerError> {
        let mut certificates = self.keys.values_mut().flat_map(|key| &mut key.certificates);
        certificates
            .find(|certificate| certificate.sha256() == name)
            .ok_or_else(|| SignerError::CertificateNotFound(name.to_string()))
    }

    /// Adds the keys that a token holds and the registry does not know: their record was lost in a crash.
    /// Returns how many.
    pub fn adopt(&mut self, token: &str, keys: Vec<TokenKey>) -> usize {
        let unknown: Vec<_> = keys
            .into_iter()
            .filter(|key| !self.keys.contains_key(&key.id))
            .collect();
        let count = unknown.len();
        self.keys.extend(
            unknown
                .into_iter()
                .map(|key| (key.id.clone(), KeyRecord::new(token, key))),
        );
        count
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    version: u32,
    keys: Vec<KeyRecord>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    token_names: BTreeMap<String, String>,
}

/// The registry on disk, and the state that everybody reads.
#[derive(Debug)]
pub struct RegistryFile {
    path: PathBuf,
    current: RwLock<Arc<Registry>>,
    changing: Mutex<()>,
}

impl RegistryFile {
    /// Reads the registry; it is empty if the file does not exist.
    ///
    /// # Errors
    /// See [`RegistryError`].
    pub fn load(path: &Path) -> Result<Self, RegistryError> {
        let registry = read(path)?;
        Ok(Self {
            path: path.to_owned(),
            current: RwLock::new(Arc::new(registry)),
            changing: Mutex::new(()),
        })
    }

    /// The state now.
    #[must_use]
    pub fn current(&self) -> Arc<Registry> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the registry: when this returns, the change is durable and visible. If `change` fails, nothing changes.
    ///
    /// # Errors
    /// What `change` says, or `Internal` if the file cannot be written.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut Registry) -> Result<T, SignerError>,
    ) -> Result<T, SignerError> {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut registry = Registry::clone(&self.current());
        let result = change(&mut registry)?;
        write(&self.path, &registry).map_err(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the registry cannot be written"
            );
            SignerError::Internal("the key registry cannot be written".to_owned())
        })?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
        Ok(result)
    }
}

fn read(path: &Path) -> Result<Registry, RegistryError> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
        version: u32,
    }
    let text = atomic_file::read(path, MAX_REGISTRY_BYTES);
    let Some(text) = text.map_err(|source| RegistryError::Io {
        path: path.to_owned(),
        source,
    })?
    else {
        return Ok(Registry::default());
    };
    let malformed = |source| RegistryError::Malformed {
        path: path.to_owned(),
        source,
    };
    let Head { format, version } = serde_json::from_slice(&text).map_err(malformed)?;
    if format != FORMAT || version != VERSION {
        return Err(RegistryError::Format {
            path: path.to_owned(),
            format,
            version,
        });
    }
    let file: File = serde_json::from_slice(&text).map_err(malformed)?;
    Ok(Registry {
        keys: file.keys.into_iter().map(|key| (key.id.clone(), key)).collect(),
        token_names: file.token_names,
    })
}

fn write(path: &Path, registry: &Registry) -> Result<(), RegistryError> {
    let keys = registry.keys.values().cloned().collect();
    let file = File {
        format: FORMAT.to_owned(),
        version: VERSION,
        keys,
        token_names: registry.token_names.clone(),
    };
    let text = serde_json::to_vec_pretty(&file).map_err(|source| RegistryError::Malformed {
        path: path.to_owned(),
        source,
    })?;
    atomic_file::write(path, &text, History::KeepPrevious).map_err(|source| RegistryError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> TokenKey {
        TokenKey {
            id: id.to_owned(),
            label: String::new(),
            algorithm: KeyAlgorithm::EcP256,
            usage: KeyUsage::Signing,
            public_key: vec![1, 2, 3],
        }
    }

    fn add(id: &'static str) -> impl FnOnce(&mut Registry) -> Result<(), SignerError> {
        move |registry| {
            registry.adopt("0", vec![key(id)]);
            Ok(())
        }
    }

    #[test]
    fn changes_survive_and_failed_ones_leave_no_trace() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        let file = RegistryFile::load(&path).unwrap();
        file.change(add("a")).unwrap();
        let failed = file.change(|registry| {
            registry.keys.clear();
            Err::<(), _>(SignerError::PinIncorrect)
        });
        assert_eq!(failed, Err(SignerError::PinIncorrect));
        file.change(add("b")).unwrap();
        let again = RegistryFile::load(&path).unwrap();
        assert_eq!(again.current(), file.current());
        assert_eq!(again.current().keys.len(), 2);
        let previous = RegistryFile::load(&directory.path().join("keys.json.previous")).unwrap();
        assert_eq!(previous.current().keys.keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn adopts_only_unknown_keys() {
        let mut registry = Registry::default();
        assert_eq!(registry.adopt("0", vec![key("a")]), 1);
        assert_eq!(registry.adopt("0", vec![key("a"), key("b")]), 1);
        registry.key("b").unwrap();
        assert!(registry.key("c").is_err());
    }

    #[test]
    fn a_damaged_registry_is_refused_and_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.json");
        std::fs::write(
            &path,
            "{\"format\": \"kiirtee-signer-keys\", \"version\": 1, \"ke",
        )
        .unwrap();
        assert!(matches!(
            RegistryFile::load(&path),
            Err(RegistryError::Malformed { .. })
        ));
        std::fs::write(&path, "{\"format\": \"kiirtee-signer-keys\", \"version\": 9}").unwrap();
        assert!(matches!(
            RegistryFile::load(&path),
            Err(RegistryError::Format { version: 9, .. })
        ));
    }
}
