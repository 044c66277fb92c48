//! Decrypting archives, on the machine of whoever has a private key.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use pgp::composed::{DecryptionOptions, Message, PublicOrSecret, SignedSecretKey, TheRing};
use pgp::types::{Password, Seipdv1ReadMode};

use super::OpenPgpError;
use super::keyring::read_keys;

/// Private keys and the pass phrases that open them.
#[derive(Debug, Default)]
pub struct SecretKeys {
    keys: Vec<SignedSecretKey>,
    passwords: Vec<Password>,
}

impl SecretKeys {
    /// Reads the private keys of the files, armored or binary. The pass phrase is for all that have one.
    ///
    /// # Errors
    /// [`OpenPgpError`] names the file.
    pub fn read<'a>(
        files: impl IntoIterator<Item = &'a Path>,
        pass_phrase: Option<&str>,
    ) -> Result<Self, OpenPgpError> {
        let mut keys = Vec::new();
        for path in files {
            keys.extend(read_secret_keys(path)?);
        }
        let passwords = std::iter::once(Password::empty()).chain(pass_phrase.map(Password::from));
        Ok(Self {
            keys,
            passwords: passwords.collect(),
        })
    }

    /// Decrypts a message into `plain`, whole, and then goes back to its beginning: a message that was changed is an
    /// error before anyone reads of it.
    ///
    /// # Errors
    /// [`OpenPgpError::NotForUs`] if no key fits; any other if the message is damaged.
    pub fn decrypt(
        &self,
        message: impl Read + Send + std::fmt::Debug,
        mut plain: File,
    ) -> Result<File, OpenPgpError> {
        let message = Message::from_bytes(BufReader::new(message))?;
        let options = DecryptionOptions::new()
            .enable_gnupg_aead()
            .set_seipdv1_read_mode(Seipdv1ReadMode::Streaming);
        let ring = TheRing {
            secret_keys: self.keys.iter().collect(),
            key_passwords: self.passwords.iter().collect(),
            decrypt_options: options,
            ..TheRing::default()
        };
        let decrypted = message.decrypt_the_ring(ring, true).map_err(|error| match error {
            pgp::errors::Error::MissingKey => OpenPgpError::NotForUs,
            other => other.into(),
        });
        let (mut message, _) = decrypted?;
        while message.is_compressed() {
            message = message.decompress()?;
        }
        io::copy(&mut message, &mut plain)?;
        plain.flush()?;
        plain.seek(SeekFrom::Start(0))?;
        Ok(plain)
    }
}

fn read_secret_keys(path: &Path) -> Result<Vec<SignedSecretKey>, OpenPgpError> {
    read_keys(path, |key| match key {
        PublicOrSecret::Secret(key) => Ok(Some(key)),
        PublicOrSecret::Public(_) => Ok(None),
    })
}

/// Whether a file begins as an OpenPGP message does and not as a zip file.
#[must_use]
pub fn is_encrypted(beginning: &[u8]) -> bool {
    !beginning.starts_with(b"PK") && beginning.first().is_some_and(|byte| byte & 0x80 != 0)
}
