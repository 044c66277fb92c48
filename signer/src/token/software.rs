//! The software token: keys in encrypted files, opened with a PIN.
//!
//! A random *token key* seals the private keys; the PIN seals the token key. So a change of the PIN rewrites one small
//! file, atomically, and never touches a private key. Private keys are in memory only while somebody is logged in.

pub mod files;
mod open_key;
mod pin;
mod seal;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use signer_client::{KeyAlgorithm, KeyUsage, Pin, SignatureAlgorithm, SignerError, TokenKind, TokenStatus};

use crate::{
    settings::{Settings, SoftwareTokenSettings},
    token::{Token, TokenKey, random_id},
};

use files::{FileError, KeyFile, TokenFile};
use open_key::OpenKey;
use seal::SecretKey;

/// The software token's id, as in the reference.
pub const SOFTWARE_TOKEN_ID: &str = "0";

/// Most keys of a token.
pub const MAX_KEYS: usize = 4_096;

/// Keys in encrypted files.
#[derive(Debug)]
pub struct SoftwareToken {
    directory: PathBuf,
    kdf: SoftwareTokenSettings,
    enforce_pin_policy: bool,
    batch_signing: bool,
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<TokenFile>,
    keys: BTreeMap<String, KeyFile>,
    open: Option<Open>,
}

/// What is in memory while somebody is logged in.
struct Open {
    token_key: SecretKey,
    keys: HashMap<String, Arc<OpenKey>>,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open")
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

/// How the token behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The cost of trying a new PIN.
    pub kdf: SoftwareTokenSettings,
    /// Whether new PINs must be strong.
    pub enforce_pin_policy: bool,
    /// Whether waiting messages may share a signature.
    pub batch_signing: bool,
}

impl SoftwareToken {
    /// The token of the signer with these settings.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn of(settings: &Settings) -> Result<Self, FileError> {
        let options = Options {
            kdf: settings.kiirtee.kdf(),
            enforce_pin_policy: settings.signer.enforce_token_pin_policy,
            batch_signing: settings.kiirtee.batch_signing,
        };
        Self::load(&settings.kiirtee.state_directory.join("token-0"), options)
    }

    /// Reads the token's files; the directory is made if it does not exist.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn load(directory: &Path, options: Options) -> Result<Self, FileError> {
        files::prepare(directory)?;
        let state = State {
            token: TokenFile::read(directory)?,
            keys: KeyFile::read_all(directory)?,
            open: None,
        };
        let Options {
            kdf,
            enforce_pin_policy,
            batch_signing,
        } = options;
        let directory = directory.to_owned();
        Ok(Self {
            directory,
            kdf,
            enforce_pin_policy,
            batch_signing,
            state: RwLock::new(state),
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        // A change of the state is one assignment: a panic leaves it whole.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_active(&self) -> SignerError {
        SignerError::TokenNotActive(self.id().to_owned())
    }

    fn token_file(&self) -> Result<TokenFile, SignerError> {
        self.read()
            .token
            .clone()
            .ok_or_else(|| SignerError::TokenNotInitialized(self.id().to_owned()))
    }

    /// Seals the token key under the PIN and writes it.
    fn store_token_key(&self, token_key: &SecretKey, pin: &Pin) -> Result<(), SignerError> {
        let file = TokenFile::seal(token_key, pin, self.kdf)
            .map_err(|error| SignerError::Internal(error.to_string()))?;
        file.write(&self.directory)
            .map_err(|error| self.not_available(&error))?;
        self.write().token = Some(file);
        Ok(())
    }

    fn not_available(&self, error: &FileError) -> SignerError {
        tracing::error!(
            token = self.id(),
            error = error as &dyn std::error::Error,
            "the token's files"
        );
        SignerError::TokenNotAvailable(self.id().to_owned())
    }

    fn open_with(&self, token_key: SecretKey) -> Open {
        let state = self.read();
        let keys = state
            .keys
            .values()
            .filter_map(|file| match open_key(file, &token_key) {
                Ok(key) => Some((file.id.clone(), Arc::new(key))),
                Err(error) => {
                    tracing::error!(
                        key = file.id,
                        error = &error as &dyn std::error::Error,
                        "a key cannot be opened"
                    );
                    None
                }
            });
        let keys = keys.collect();
        Open { token_key, keys }
    }

    fn open_token_key(&self) -> Result<SecretKey, SignerError> {
        let state = self.read();
        let open = state.open.as_ref().ok_or_else(|| self.not_active())?;
        Ok(open.token_key.clone())
    }
}

fn open_key(file: &KeyFile, token_key: &SecretKey) -> Result<OpenKey, FileError> {
    let pkcs8 = file.open(token_key)?;
    let key = OpenKey::from_pkcs8(file.usage, &pkcs8).map_err(|_| FileError::WrongKey)?;
    if key.public_key() == file.public_key {
        Ok(key)
    } else {
        Err(FileError::WrongKey)
    }
}

impl Token for SoftwareToken {
    fn id(&self) -> &str {
        SOFTWARE_TOKEN_ID
    }

    fn name(&self) -> &str {
        "softToken-0"
    }

    fn kind(&self) -> TokenKind {
        TokenKind::Software
    }

    fn batch_signing(&self) -> bool {
        self.batch_signing
    }

    fn status(&self) -> TokenStatus {
        match &*self.read() {
            State { open: Some(_), .. } => TokenStatus::LoggedIn,
            State { token: Some(_), .. } => TokenStatus::LoggedOut,
            _ => TokenStatus::NotInitialized,
        }
    }

    fn initialize(&self, pin: &Pin) -> Result<(), SignerError> {
        if self.status() != TokenStatus::NotInitialized {
            return Err(SignerError::TokenAlreadyInitialized(self.id().to_owned()));
        }
        pin::check(pin, self.enforce_pin_policy)?;
        let token_key = SecretKey::random().map_err(|error| SignerError::Internal(error.to_string()))?;
        self.store_token_key(&token_key, pin)?;
        let open = self.open_with(token_key);
        self.write().open = Some(open);
        Ok(())
    }

    fn login(&self, pin: &Pin) -> Result<(), SignerError> {
        let token_key = self.token_file()?.open(pin)?;
        let open = self.open_with(token_key);
        self.write().open = Some(open);
        Ok(())
    }

    fn logout(&self) -> Result<(), SignerError> {
        self.write().open = None;
        Ok(())
    }

    fn change_pin(&self, old: &Pin, new: &Pin) -> Result<(), SignerError> {
        let token_key = self.token_file()?.open(old)?;
        pin::check(new, self.enforce_pin_policy)?;
        self.store_token_key(&token_key, new)
    }

    fn keys(&self) -> Vec<TokenKey> {
        self.read().keys.values().map(KeyFile::describe).collect()
    }

    fn generate_key(
        &self,
        label: &str,
        algorithm: KeyAlgorithm,
        usage: KeyUsage,
    ) -> Result<TokenKey, SignerError> {
        let failed =
            |reason: &dyn std::fmt::Display| SignerError::FailedToGeneratePrivateKey(reason.to_string());
        let token_key = self.open_token_key()?;
        if self.read().keys.len() >= MAX_KEYS {
            return Err(failed(&format!("the token has {MAX_KEYS} keys already")));
        }
        let key = OpenKey::generate(algorithm, usage).map_err(|error| failed(&error))?;
        let pkcs8 = key.to_pkcs8().map_err(|error| failed(&error))?;
        let public_key = key.public_key().to_vec();
        let id = random_id().map_err(|error| failed(&error))?;
        let described = TokenKey {
            id: id.clone(),
            label: label.to_owned(),
            algorithm,
            usage,
            public_key,
        };
        let file = KeyFile::seal(&described, &pkcs8, &token_key).map_err(|error| failed(&error))?;
        file.write(&self.directory).map_err(|error| failed(&error))?;
        let mut state = self.write();
        state.keys.insert(id.clone(), file);
        if let Some(open) = &mut state.open {
            open.keys.insert(id, Arc::new(key));
        }
        Ok(described)
    }

    fn delete_key(&self, id: &str) -> Result<(), SignerError> {
        if self.read().keys.contains_key(id) {
            files::remove_key(&self.directory, id)
                .map_err(|error| SignerError::FailedToDeleteKey(error.to_string()))?;
        }
        let mut state = self.write();
        state.keys.remove(id);
        if let Some(open) = &mut state.open {
            open.keys.remove(id);
        }
        Ok(())
    }

    fn sign_digest(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, SignerError> {
        let open = {
            let state = self.read();
            let open = state.open.as_ref().ok_or_else(|| self.not_active())?;
            open.keys
                .get(key)
                .cloned()
                .ok_or_else(|| SignerError::KeyNotAvailable(key.to_owned()))?
        };
        open.sign_digest(algorithm, digest)
    }
}

#[cfg(test)]
mod tests;
