//! The registry on disk.
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
use signer_client::SignerError;

use super::{KeyRecord, Registry};
use crate::atomic_file::{self, History};

const FORMAT: &str = "kiirtee-signer-keys";
const VERSION: u32 = 1;
const MAX_REGISTRY_BYTES: u64 = 64 * 1024 * 1024;

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
    use crate::registry::tests::key;

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
