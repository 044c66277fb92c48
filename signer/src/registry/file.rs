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
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use serde::{Deserialize, Serialize};
use signer_client::SignerError;

use super::{KeyRecord, Registry};
use crate::{
    atomic_file::History,
    versioned_file::{FileKind, VersionedFileError},
};

const KIND: FileKind = FileKind {
    format: "kiirtee-signer-keys",
    version: 1,
    max_bytes: 64 * 1024 * 1024,
    history: History::KeepPrevious,
};

/// The registry cannot be read. Its state before the last change is beside it.
#[derive(Debug, thiserror::Error)]
#[error("the registry of keys; its state before the last change is in {path}.previous")]
pub struct RegistryError {
    path: PathBuf,
    source: VersionedFileError,
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
        let registry = read(path).map_err(|source| RegistryError {
            path: path.to_owned(),
            source,
        })?;
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

fn read(path: &Path) -> Result<Registry, VersionedFileError> {
    let Some(file) = KIND.read::<File>(path)? else {
        return Ok(Registry::default());
    };
    Ok(Registry {
        keys: file.keys.into_iter().map(|key| (key.id.clone(), key)).collect(),
        token_names: file.token_names,
    })
}

fn write(path: &Path, registry: &Registry) -> Result<(), VersionedFileError> {
    let file = File {
        format: KIND.format.to_owned(),
        version: KIND.version,
        keys: registry.keys.values().cloned().collect(),
        token_names: registry.token_names.clone(),
    };
    KIND.write(path, &file)
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
        assert!(matches!(read(&path), Err(VersionedFileError::Malformed { .. })));
        let refused = RegistryFile::load(&path).unwrap_err().to_string();
        assert!(refused.ends_with("keys.json.previous"), "{refused}");
        std::fs::write(&path, "{\"format\": \"kiirtee-signer-keys\", \"version\": 9}").unwrap();
        assert!(matches!(
            read(&path),
            Err(VersionedFileError::Format { version: 9, .. })
        ));
    }
}
