//! AES-256-GCM over small secrets.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// A 256-bit key, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct SecretKey([u8; KEY_BYTES]);

/// A sealed secret.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Sealed {
    pub(super) nonce: [u8; NONCE_LEN],
    /// Ciphertext and tag.
    pub(super) text: Vec<u8>,
}

impl SecretKey {
    pub(super) fn random() -> Result<Self, Unspecified> {
        let mut key = Self([0; KEY_BYTES]);
        aws_lc_rs::rand::fill(&mut key.0)?;
        Ok(key)
    }

    pub(super) fn zero() -> Self {
        Self([0; KEY_BYTES])
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Seals a secret with a fresh nonce; `context` must be the same when it is opened.
    pub(super) fn seal(&self, context: &[u8], secret: &[u8]) -> Result<Sealed, Unspecified> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.0)?;
        // Room for the tag: a reallocation would leave the secret behind.
        let mut text = Zeroizing::new(Vec::with_capacity(secret.len() + AES_256_GCM.tag_len()));
        text.extend_from_slice(secret);
        let nonce = key.seal_in_place_append_tag(Aad::from(context), &mut *text)?;
        Ok(Sealed {
            nonce: *nonce.as_ref(),
            text: text.to_vec(),
        })
    }

    /// Opens what [`SecretKey::seal`] sealed; fails if the key, the context or any bit differs.
    pub(super) fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Unspecified> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.0)?;
        let mut text = Zeroizing::new(sealed.text.clone());
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let length = key.open_in_place(nonce, Aad::from(context), &mut text)?.len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_with_the_same_key_and_context_only() {
        let key = SecretKey::random().unwrap();
        let sealed = key.seal(b"context", b"secret").unwrap();
        assert_eq!(*key.open(b"context", &sealed).unwrap(), b"secret");
        assert!(key.open(b"contest", &sealed).is_err());
        assert!(SecretKey::random().unwrap().open(b"context", &sealed).is_err());
        for index in 0..sealed.text.len() {
            let mut changed = sealed.clone();
            changed.text[index] ^= 1;
            assert!(key.open(b"context", &changed).is_err());
        }
    }

    #[test]
    fn never_uses_a_nonce_twice() {
        let key = SecretKey::random().unwrap();
        assert_ne!(
            key.seal(b"", b"x").unwrap().nonce,
            key.seal(b"", b"x").unwrap().nonce
        );
    }
}
