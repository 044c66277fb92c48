//! Encryption of messages and bodies at rest (features.md 7.1, 7.5).
//!
//! Every message and every body has a key of its own, derived with HKDF-SHA-256 from an operator's key and 32 random
//! bytes that stand beside the value, and is sealed with AES-256-GCM. So no nonce repeats, whatever the number of
//! records, and what was changed on the disk cannot be read. Identifiers, times, signatures and hash chains stay
//! readable: the log is looked up by them, and they hold digests only.
//!
//! Values tell the id of the operator's key, so keys can be changed: new records take the current key, and old keys stay
//! with the log as long as it has records sealed with them ([`key_check`]).

pub(super) mod key_check;
mod keys;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use bytes::Bytes;

use keys::Secret;
pub use keys::{KeyError, LogKeys, MAX_KEY_ID};

/// What a derived key is for.
const VALUE: &[u8] = b"kiirtee message log value";
/// Bytes that AES-GCM adds.
const TAG: usize = 16;

/// How a value was sealed; stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Id of the operator's key.
    pub(super) key: String,
    /// Random; the value's own key is derived with it.
    pub(super) salt: [u8; 32],
}

/// What a sealed value is, so that none can take the place of another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// The message of a record.
    Message,
    /// A chunk of a body, by its number.
    Chunk(u32),
}

impl Content {
    fn nonce(self) -> Nonce {
        let (kind, number) = match self {
            Self::Message => (0_u64, 0),
            Self::Chunk(number) => (1, number),
        };
        let mut nonce = [0; 12];
        let (head, tail) = nonce.split_at_mut(8);
        head.copy_from_slice(&kind.to_be_bytes());
        tail.copy_from_slice(&number.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The library refused to encrypt, or the value is not what was sealed with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be encrypted or decrypted with this key")]
pub struct SealError;

/// The key of one value.
pub(super) struct ValueKey {
    key: LessSafeKey,
    seal: Seal,
}

impl std::fmt::Debug for ValueKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValueKey")
            .field("seal", &self.seal)
            .finish_non_exhaustive()
    }
}

impl ValueKey {
    /// A new one, to seal with.
    pub(super) fn new(id: &str, secret: &Secret) -> Result<Self, SealError> {
        let mut salt = [0; 32];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| SealError)?;
        let key = id.to_owned();
        Self::derive(Seal { key, salt }, secret)
    }

    pub(super) fn derive(seal: Seal, secret: &Secret) -> Result<Self, SealError> {
        let extracted = Salt::new(HKDF_SHA256, &seal.salt).extract(secret.bytes());
        let expanded = extracted.expand(&[VALUE], &AES_256_GCM).map_err(|_| SealError)?;
        Ok(Self {
            key: LessSafeKey::new(UnboundKey::from(expanded)),
            seal,
        })
    }

    pub(super) const fn seal_of(&self) -> &Seal {
        &self.seal
    }

    pub(super) fn seal(&self, content: Content, plain: &[u8]) -> Result<Bytes, SealError> {
        let mut value = Vec::with_capacity(plain.len() + TAG);
        value.extend_from_slice(plain);
        let sealed = self
            .key
            .seal_in_place_append_tag(content.nonce(), Aad::empty(), &mut value);
        sealed.map_err(|_| SealError)?;
        Ok(value.into())
    }

    pub(super) fn open(&self, content: Content, mut sealed: Vec<u8>) -> Result<Vec<u8>, SealError> {
        let opened = self.key.open_in_place(content.nonce(), Aad::empty(), &mut sealed);
        let length = opened.map_err(|_| SealError)?.len();
        sealed.truncate(length);
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_with_its_key_and_place_only() {
        let secret = Secret::for_tests(1);
        let key = ValueKey::new("k1", &secret).unwrap();
        let sealed = key.seal(Content::Chunk(3), b"salary").unwrap().to_vec();
        assert!(!sealed.windows(6).any(|window| window == b"salary"));
        let again = ValueKey::derive(key.seal_of().clone(), &secret).unwrap();
        assert_eq!(again.open(Content::Chunk(3), sealed.clone()).unwrap(), b"salary");
        assert!(again.open(Content::Chunk(4), sealed.clone()).is_err());
        assert!(again.open(Content::Message, sealed.clone()).is_err());
        let other = ValueKey::derive(key.seal_of().clone(), &Secret::for_tests(2)).unwrap();
        assert!(other.open(Content::Chunk(3), sealed.clone()).is_err());
        let mut changed = sealed;
        changed[0] ^= 1;
        assert!(again.open(Content::Chunk(3), changed).is_err());
    }

    #[test]
    fn no_two_values_are_sealed_alike() {
        let secret = Secret::for_tests(1);
        let seal = || {
            ValueKey::new("k1", &secret)
                .unwrap()
                .seal(Content::Message, b"same")
                .unwrap()
        };
        assert_ne!(seal(), seal());
    }
}
