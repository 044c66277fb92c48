//! The operator's keys: files that nobody else can read, in one folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{SealError, ValueKey};

/// Bytes of the id of a key at most.
pub const MAX_KEY_ID: usize = 100;
/// End of the names of key files; before it is the id.
const EXTENSION: &str = "key";
/// Size of a key file at most: 64 hexadecimal digits and a line end.
const MAX_FILE: u64 = 100;

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file or the folder cannot be read.
    #[error("message log key {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner may read a key.
    #[error("message log key {}: others may read it (mode {mode:o}); expected mode 600", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A key file is not one.
    #[error("message log key {}: expected 64 hexadecimal digits, and an id of 1 to 100 characters as its name", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// The current key is not in the folder.
    #[error("message log key {id:?} is not in {}; expected a file {id}.key", folder.display())]
    NoCurrent {
        /// Id of the key.
        id: String,
        /// The folder.
        folder: PathBuf,
    },
}

/// 32 random bytes from which keys are derived; wiped when it goes.
pub(in super::super) struct Secret(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let mut bytes = Zeroizing::new([0; 32]);
        if text.len() != 64 {
            return None;
        }
        for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let [high, low] = digits else { return None };
            *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
        }
        Some(Self(bytes))
    }

    #[cfg(test)]
    pub(in super::super) fn for_tests(byte: u8) -> Self {
        Self(Zeroizing::new([byte; 32]))
    }
}

fn digit(character: u8) -> Option<u32> {
    char::from(character).to_digit(16)
}

/// The keys of a log by id, and the one that new records are sealed with. Says nothing of them but their ids.
#[derive(Debug)]
pub struct LogKeys {
    keys: BTreeMap<String, Secret>,
    current: Option<String>,
}

impl LogKeys {
    /// Reads the files `<id>.key` of a folder. `current` seals new records; `None` only reads.
    ///
    /// # Errors
    /// [`KeyError`] names the file.
    pub fn read(folder: &Path, current: Option<&str>) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io {
            path: folder.to_owned(),
            source,
        };
        let mut keys = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION) {
                let (id, secret) = read_key(&path)?;
                keys.insert(id, secret);
            }
        }
        if let Some(id) = current.filter(|id| !keys.contains_key(*id)) {
            return Err(KeyError::NoCurrent {
                id: id.to_owned(),
                folder: folder.to_owned(),
            });
        }
        Ok(Self {
            keys,
            current: current.map(str::to_owned),
        })
    }

    /// The key of an id.
    pub(in super::super) fn get(&self, id: &str) -> Option<&Secret> {
        self.keys.get(id)
    }

    /// The key for new records and its id.
    pub(in super::super) fn current(&self) -> Option<(&str, &Secret)> {
        let (id, secret) = self.keys.get_key_value(self.current.as_deref()?)?;
        Some((id, secret))
    }

    /// A key for a new value; `None`: new values are not sealed.
    pub(in super::super) fn new_value(&self) -> Option<Result<ValueKey, SealError>> {
        let (id, secret) = self.current()?;
        Some(ValueKey::new(id, secret))
    }

    #[cfg(test)]
    pub(in super::super) fn for_tests(keys: &[(&str, u8)], current: Option<&str>) -> Self {
        let keys = keys
            .iter()
            .map(|(id, byte)| ((*id).to_owned(), Secret::for_tests(*byte)));
        Self {
            keys: keys.collect(),
            current: current.map(str::to_owned),
        }
    }
}

fn read_key(path: &Path) -> Result<(String, Secret), KeyError> {
    let failed = |source| KeyError::Io {
        path: path.to_owned(),
        source,
    };
    let malformed = || KeyError::Malformed {
        path: path.to_owned(),
    };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let id = path
        .file_stem()
        .and_then(|id| id.to_str())
        .ok_or_else(malformed)?;
    if id.is_empty() || id.len() > MAX_KEY_ID {
        return Err(malformed());
    }
    let mut text = Zeroizing::new(Vec::with_capacity(128));
    file.take(MAX_FILE).read_to_end(&mut text).map_err(failed)?;
    let secret = Secret::parse(&text).ok_or_else(malformed)?;
    Ok((id.to_owned(), secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str, mode: u32) {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn keys_are_read_by_their_names_and_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "k1.key", &format!("{}\n", "ab".repeat(32)), 0o600);
        write(folder.path(), "k2.key", &"CD".repeat(32), 0o400);
        write(folder.path(), "readme.txt", "no key", 0o644);
        let keys = LogKeys::read(folder.path(), Some("k2")).unwrap();
        assert_eq!(keys.get("k1").unwrap().bytes(), [0xab; 32]);
        assert_eq!(keys.current().unwrap().0, "k2");
        let shown = format!("{keys:?}");
        assert!(!shown.contains("171") && !shown.contains("ab"), "{shown}");
    }

    #[test]
    fn what_others_may_read_and_what_is_no_key_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let read = |current| LogKeys::read(folder.path(), current).map(|_| ());
        assert!(matches!(read(Some("k1")), Err(KeyError::NoCurrent { .. })));
        write(folder.path(), "k1.key", &"ab".repeat(32), 0o640);
        let error = read(None).unwrap_err().to_string();
        assert!(error.contains("k1.key") && error.contains("640"), "{error}");
        write(folder.path(), "k1.key", "short", 0o600);
        assert!(matches!(read(None), Err(KeyError::Malformed { .. })));
        write(folder.path(), "k1.key", &"zz".repeat(32), 0o600);
        assert!(matches!(read(None), Err(KeyError::Malformed { .. })));
    }
}
