//! The software token's files, format 1. All are JSON with base64 for bytes; unknown members are refused.
//!
//! `token.json` holds the random token key, sealed with AES-256-GCM under a key that Argon2id (RFC 9106) derives from
//! the PIN:
//!
//! ```json
//! { "format": "kiirtee-software-token", "version": 1,
//!   "kdf": { "name": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 1, "salt": "16 bytes" },
//!   "nonce": "12 bytes", "sealed_token_key": "48 bytes" }
//! ```
//!
//! `keys/<id>.json` holds a private key (PKCS #8), sealed with AES-256-GCM under the token key. Everything else in the
//! file is bound to it as associated data (the label excepted), so a public key cannot be exchanged unnoticed:
//!
//! ```json
//! { "format": "kiirtee-software-key", "version": 1, "id": "40 hexadecimal digits", "label": "...",
//!   "usage": "signing", "algorithm": "rsa3072", "public_key": "SubjectPublicKeyInfo",
//!   "nonce": "12 bytes", "sealed_private_key": "..." }
//! ```

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use signer_client::{KeyAlgorithm, KeyUsage, Pin, SignerError};
use zeroize::Zeroizing;

use super::{
    MAX_KEYS,
    seal::{Sealed, SecretKey},
};
use crate::{
    atomic_file::{self, History},
    base64_text,
    settings::SoftwareTokenSettings,
    token::TokenKey,
    versioned_file::{FileKind, VersionedFileError},
};

const TOKEN: FileKind = kind("kiirtee-software-token");
const KEY: FileKind = kind("kiirtee-software-key");
const SALT_BYTES: usize = 16;
/// What a file may ask of this process: 1 GiB, 64 passes, 8 lanes.
const MAX_KDF: (u32, u32, u32) = (1 << 20, 64, 8);

const fn kind(format: &'static str) -> FileKind {
    FileKind {
        format,
        version: 1,
        max_bytes: 64 * 1024,
        history: History::Forget,
    }
}

/// Why a file of the token cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] VersionedFileError),
    /// A directory cannot be made or listed, or a file not deleted.
    #[error("{path}")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file's name is not the id inside.
    #[error("{0} holds the key of another name")]
    Name(PathBuf),
    /// There are more keys than allowed.
    #[error("more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// The content was sealed by another token key, or changed.
    #[error("a key was sealed by another token, or was changed")]
    Sealed,
    /// What was sealed is not the key that the file describes.
    #[error("the sealed key is not the described one")]
    WrongKey,
    /// The cryptographic library failed.
    #[error("the key cannot be sealed")]
    Seal,
}

/// Makes the token's directories.
pub(super) fn prepare(directory: &Path) -> Result<(), FileError> {
    let keys = directory.join("keys");
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&keys);
    made.map_err(|source| FileError::Io { path: keys, source })
}

fn key_path(directory: &Path, id: &str) -> PathBuf {
    directory.join("keys").join(format!("{id}.json"))
}

/// Deletes a key's file.
pub(super) fn remove_key(directory: &Path, id: &str) -> Result<(), FileError> {
    let path = key_path(directory, id);
    atomic_file::remove(&path).map_err(|source| FileError::Io { path, source })
}

/// `token.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenFile {
    format: String,
    version: u32,
    kdf: Kdf,
    #[serde(with = "base64_text::array")]
    nonce: [u8; 12],
    #[serde(with = "base64_text")]
    sealed_token_key: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "base64_text::array")]
    salt: [u8; SALT_BYTES],
}

impl Kdf {
    fn new(cost: SoftwareTokenSettings) -> Result<Self, FileError> {
        let mut salt = [0; SALT_BYTES];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| FileError::Seal)?;
        let (memory_kib, passes) = (cost.kdf_memory_kib, cost.kdf_passes);
        Ok(Self {
            name: "argon2id".to_owned(),
            memory_kib,
            passes,
            lanes: 1,
            salt,
        })
    }

    fn derive(&self, pin: &Pin) -> Option<SecretKey> {
        let (memory, passes, lanes) = MAX_KDF;
        let acceptable = self.memory_kib <= memory && self.passes <= passes && self.lanes <= lanes;
        if self.name != "argon2id" || !acceptable {
            return None;
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None).ok()?;
        let mut blocks = Zeroizing::new(vec![argon2::Block::default(); params.block_count()]);
        let mut key = SecretKey::zero();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                pin.reveal().as_bytes(),
                &self.salt,
                key.as_mut(),
                blocks.as_mut_slice(),
            )
            .ok()?;
        Some(key)
    }
}

impl TokenFile {
    const CONTEXT: &[u8] = b"kiirtee-software-token/1";

    pub(super) fn read(directory: &Path) -> Result<Option<Self>, FileError> {
        Ok(TOKEN.read(&directory.join("token.json"))?)
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), FileError> {
        Ok(TOKEN.write(&directory.join("token.json"), self)?)
    }

    pub(super) fn seal(
        token_key: &SecretKey,
        pin: &Pin,
        cost: SoftwareTokenSettings,
    ) -> Result<Self, FileError> {
        let kdf = Kdf::new(cost)?;
        let sealing_key = kdf.derive(pin).ok_or(FileError::Seal)?;
        let sealed = sealing_key
            .seal(Self::CONTEXT, token_key.as_bytes())
            .map_err(|_| FileError::Seal)?;
        let (nonce, sealed_token_key) = (sealed.nonce, sealed.text);
        Ok(Self {
            format: TOKEN.format.to_owned(),
            version: TOKEN.version,
            kdf,
            nonce,
            sealed_token_key,
        })
    }

    /// The token key. A wrong PIN and a changed file cannot be told apart.
    pub(super) fn open(&self, pin: &Pin) -> Result<SecretKey, SignerError> {
        let failed = || SignerError::LoginFailed("the token file's key derivation cannot be done".to_owned());
        let opening_key = self.kdf.derive(pin).ok_or_else(failed)?;
        let sealed = Sealed {
            nonce: self.nonce,
            text: self.sealed_token_key.clone(),
        };
        let opened = opening_key
            .open(Self::CONTEXT, &sealed)
            .map_err(|_| SignerError::PinIncorrect)?;
        SecretKey::from_slice(&opened).ok_or_else(failed)
    }
}

/// `keys/<id>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFile {
    format: String,
    version: u32,
    pub(super) id: String,
    label: String,
    pub(super) usage: KeyUsage,
    pub(super) algorithm: KeyAlgorithm,
    #[serde(with = "base64_text")]
    pub(super) public_key: Vec<u8>,
    #[serde(with = "base64_text::array")]
    nonce: [u8; 12],
    #[serde(with = "base64_text")]
    sealed_private_key: Vec<u8>,
}

impl KeyFile {
    /// Every key of the token. What is not named like a key is left alone.
    pub(super) fn read_all(directory: &Path) -> Result<BTreeMap<String, Self>, FileError> {
        let folder = directory.join("keys");
        let failed = |source| FileError::Io {
            path: folder.clone(),
            source,
        };
        let mut keys = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(key) = Self::read(&path)?
            {
                keys.insert(key.id.clone(), key);
            }
            if keys.len() > MAX_KEYS {
                return Err(FileError::TooManyKeys);
            }
        }
        Ok(keys)
    }

    fn read(path: &Path) -> Result<Option<Self>, FileError> {
        let key: Option<Self> = KEY.read(path)?;
        match &key {
            Some(key) if path.file_stem().is_none_or(|stem| stem != key.id.as_str()) => {
                Err(FileError::Name(path.to_owned()))
            }
            _ => Ok(key),
        }
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), FileError> {
        Ok(KEY.write(&key_path(directory, &self.id), self)?)
    }

    pub(super) fn seal(key: &TokenKey, pkcs8: &[u8], token_key: &SecretKey) -> Result<Self, FileError> {
        let mut file = Self {
            format: KEY.format.to_owned(),
            version: KEY.version,
            id: key.id.clone(),
            label: key.label.clone(),
            usage: key.usage,
            algorithm: key.algorithm,
            public_key: key.public_key.clone(),
            nonce: [0; 12],
            sealed_private_key: Vec::new(),
        };
        let sealed = token_key
            .seal(&file.context(), pkcs8)
            .map_err(|_| FileError::Seal)?;
        (file.nonce, file.sealed_private_key) = (sealed.nonce, sealed.text);
        Ok(file)
    }

    /// The private key, PKCS #8.
    pub(super) fn open(&self, token_key: &SecretKey) -> Result<Zeroizing<Vec<u8>>, FileError> {
        let sealed = Sealed {
            nonce: self.nonce,
            text: self.sealed_private_key.clone(),
        };
        token_key
            .open(&self.context(), &sealed)
            .map_err(|_| FileError::Sealed)
    }

    fn context(&self) -> Vec<u8> {
        let mut context = format!(
            "kiirtee-software-key/1\n{}\n{:?}\n{:?}\n",
            self.id, self.usage, self.algorithm
        )
        .into_bytes();
        context.extend_from_slice(&self.public_key);
        context
    }

    pub(super) fn describe(&self) -> TokenKey {
        TokenKey {
            id: self.id.clone(),
            label: self.label.clone(),
            algorithm: self.algorithm,
            usage: self.usage,
            public_key: self.public_key.clone(),
        }
    }
}
