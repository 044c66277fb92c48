//! Encrypting archives for those who may read them, as OpenPGP messages that GnuPG decrypts (features.md 7.5).
//!
//! The server holds public keys only: what it has archived it cannot read again. Messages are encrypted with AES-256 and
//! an integrity check (SEIPD version 1), without compression, which every OpenPGP program of today reads.
//!
//! - [`Keyring`]: the public keys of a folder, and who gets which archive
//! - [`SecretKeys`]: decrypting, for `kiirtee archive verify`

mod decrypt;
mod keyring;
mod mapping;
mod usable;

use std::io::{self, Read, Write};
use std::path::PathBuf;

use pgp::composed::MessageBuilder;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use rand_core_0_6::OsRng;

pub use decrypt::{SecretKeys, is_encrypted};
pub use keyring::{Keyring, KeyringSettings};
use usable::EncryptionKey;

/// Size of a key file at most.
pub(super) const MAX_KEY_FILE: u64 = 4 << 20;

/// What goes wrong with keys and messages.
#[derive(Debug, thiserror::Error)]
pub enum OpenPgpError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key file is not one.
    #[error("{}: no OpenPGP key can be read: {source}", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<pgp::errors::Error>,
    },
    /// A folder of public keys holds a private one.
    #[error("{}: this is a private key; a server that archives needs public keys only", path.display())]
    Private {
        /// Which file.
        path: PathBuf,
    },
    /// No key is in the folder.
    #[error("{}: no OpenPGP public key in this folder", path.display())]
    NoKeys {
        /// Which folder.
        path: PathBuf,
    },
    /// No default key is set, and the folder does not hold exactly one.
    #[error(
        "no default encryption key is set, and there are {count} keys to choose from; set archive-default-encryption-key"
    )]
    NoDefault {
        /// How many keys there are.
        count: usize,
    },
    /// A name leads to no key.
    #[error(
        "no key for {name:?}; expected a fingerprint, a key id or a part of a user id of a key in the folder"
    )]
    Unknown {
        /// What was looked for.
        name: String,
    },
    /// A name leads to several keys.
    #[error("{name:?} means several keys; use a fingerprint")]
    Ambiguous {
        /// What was looked for.
        name: String,
    },
    /// A key exists, but nothing may be encrypted for it now.
    #[error("the key {fingerprint} cannot be encrypted for: it is expired, revoked or not for encryption")]
    Unusable {
        /// Which key.
        fingerprint: String,
    },
    /// None of the private keys given decrypts the message.
    #[error("none of the keys given decrypts it")]
    NotForUs,
    /// A message cannot be made or read.
    #[error("OpenPGP: {0}")]
    Message(#[from] Box<pgp::errors::Error>),
    /// Bytes cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<pgp::errors::Error> for OpenPgpError {
    fn from(error: pgp::errors::Error) -> Self {
        Self::Message(Box::new(error))
    }
}

/// Those who can decrypt a message; at least one key.
#[derive(Debug, Clone)]
pub struct Recipients(Vec<EncryptionKey>);

impl Recipients {
    /// Encrypts a stream for all of them.
    ///
    /// # Errors
    /// [`OpenPgpError`]; what was written is of no use then.
    pub fn encrypt(&self, plain: impl Read, out: &mut impl Write) -> Result<(), OpenPgpError> {
        let message = MessageBuilder::from_reader("", plain);
        let mut message = message.seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
        for key in &self.0 {
            key.add_to(&mut message)?;
        }
        message.to_writer(OsRng, &mut *out)?;
        Ok(out.flush()?)
    }
}
