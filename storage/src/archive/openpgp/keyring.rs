//! The public keys of a folder, and whose archives are encrypted for which of them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pgp::composed::{PublicOrSecret, SignedPublicKey};
use pgp::types::KeyDetails;
use protocol_message::identifier::ClientId;

use super::mapping::{self, Mapping};
use super::{EncryptionKey, MAX_KEY_FILE, OpenPgpError, Recipients};

/// Files of a key folder that are read.
const EXTENSIONS: [&str; 4] = ["asc", "gpg", "pgp", "pub"];
/// Shortest key id: 4 bytes, in hexadecimal.
const MIN_KEY_ID: usize = 8;

/// Where keys are and who gets what.
#[derive(Debug, Clone)]
pub struct KeyringSettings {
    /// Folder of public keys, armored or binary: `*.asc`, `*.gpg`, `*.pgp`, `*.pub`.
    pub folder: PathBuf,
    /// The key of archives without a key of their own (`archive-default-encryption-key`); absent: the only key there is.
    pub default_key: Option<String>,
    /// Keys of members (`archive-encryption-keys-config`), for archives that are grouped.
    pub mapping: Option<PathBuf>,
}

/// Public keys, read once.
#[derive(Debug)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
    default_key: Option<String>,
    mapping: Mapping,
}

impl Keyring {
    /// Reads the keys and the mapping, and makes sure that every name in them leads to a key that can be used now.
    ///
    /// # Errors
    /// [`OpenPgpError`] names the file or key.
    pub fn load(settings: &KeyringSettings) -> Result<Self, OpenPgpError> {
        let keyring = Self {
            keys: read_folder(&settings.folder)?,
            default_key: settings.default_key.clone(),
            mapping: match &settings.mapping {
                Some(path) => mapping::parse(&String::from_utf8_lossy(&read(path)?)),
                None => Mapping::new(),
            },
        };
        keyring.recipients(None)?;
        for name in keyring.mapping.values().flatten() {
            keyring.usable(name)?;
        }
        Ok(keyring)
    }

    /// For whom the archives of a client are encrypted; `None`: archives of all.
    ///
    /// # Errors
    /// [`OpenPgpError`] when a key has expired meanwhile, for one.
    pub fn recipients(&self, client: Option<&ClientId>) -> Result<Recipients, OpenPgpError> {
        let mapped = client.and_then(|client| self.mapping.get(&client.member().to_string()));
        if let Some(names) = mapped {
            let keys = names.iter().map(|name| self.usable(name));
            return keys.collect::<Result<_, _>>().map(Recipients);
        }
        let key = match (&self.default_key, &self.keys[..]) {
            (Some(name), _) => self.usable(name)?,
            (None, [only]) => EncryptionKey::of(only, now())?,
            (None, several) => {
                return Err(OpenPgpError::NoDefault { count: several.len() });
            }
        };
        Ok(Recipients(vec![key]))
    }

    fn usable(&self, name: &str) -> Result<EncryptionKey, OpenPgpError> {
        let mut found = self.keys.iter().filter(|key| is_named(key, name));
        let name = || name.to_owned();
        let key = found
            .next()
            .ok_or_else(|| OpenPgpError::Unknown { name: name() })?;
        if found.next().is_some() {
            return Err(OpenPgpError::Ambiguous { name: name() });
        }
        EncryptionKey::of(key, now())
    }
}

/// By fingerprint or its end, of the key or one of its subkeys, or by a part of a user id.
fn is_named(key: &SignedPublicKey, name: &str) -> bool {
    let id: String = name
        .chars()
        .filter(|c| *c != ' ')
        .collect::<String>()
        .to_lowercase();
    let id = id.strip_prefix("0x").unwrap_or(&id);
    if id.len() >= MIN_KEY_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let subkeys = key.public_subkeys.iter().map(|subkey| subkey.key.fingerprint());
        let mut all = std::iter::once(key.fingerprint()).chain(subkeys);
        return all.any(|fingerprint| fingerprint.to_string().to_lowercase().ends_with(id));
    }
    let name = name.trim().to_lowercase();
    key.details.users.iter().any(|user| {
        let id = String::from_utf8_lossy(user.id.id()).to_lowercase();
        match name.strip_prefix('=') {
            Some(whole) => id == whole,
            None => id.contains(&name),
        }
    })
}

fn read_folder(folder: &Path) -> Result<Vec<SignedPublicKey>, OpenPgpError> {
    let failed = |source| OpenPgpError::File {
        path: folder.to_owned(),
        source,
    };
    let mut keys: Vec<SignedPublicKey> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) {
            for key in read_public_keys(&path)? {
                if !keys.iter().any(|known| known.fingerprint() == key.fingerprint()) {
                    keys.push(key);
                }
            }
        }
    }
    if keys.is_empty() {
        return Err(OpenPgpError::NoKeys {
            path: folder.to_owned(),
        });
    }
    Ok(keys)
}

fn read_public_keys(path: &Path) -> Result<Vec<SignedPublicKey>, OpenPgpError> {
    read_keys(path, |key| match key {
        PublicOrSecret::Public(key) => Ok(Some(key)),
        PublicOrSecret::Secret(_) => Err(OpenPgpError::Private {
            path: path.to_owned(),
        }),
    })
}

/// The keys of a file that `take` takes.
pub(super) fn read_keys<K>(
    path: &Path,
    take: impl Fn(PublicOrSecret) -> Result<Option<K>, OpenPgpError>,
) -> Result<Vec<K>, OpenPgpError> {
    let bytes = read(path)?;
    let failed = |source| OpenPgpError::Key {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let (keys, _) = PublicOrSecret::from_reader_many(bytes.as_slice()).map_err(failed)?;
    keys.map(|key| take(key.map_err(failed)?))
        .filter_map(Result::transpose)
        .collect()
}

/// The whole of a file that is no larger than a key file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, OpenPgpError> {
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(MAX_KEY_FILE).read_to_end(&mut bytes));
    file.map_err(|source| OpenPgpError::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
