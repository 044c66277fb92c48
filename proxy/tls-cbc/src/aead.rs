//! AES-256-CBC with HMAC-SHA384 as AWS-LC implements it for TLS: MAC, pad, encrypt; and back in constant time.
//!
//! The only module of the workspace with `unsafe` code: calls of AWS-LC's C functions, whose contracts are in
//! `openssl/aead.h`. Every pointer comes from a slice or array that outlives the call, next to its length.
#![allow(unsafe_code, reason = "AWS-LC's TLS AEADs have no safe interface")]

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::null;

use aws_lc_sys as ffi;

/// Length of the MAC key and of the MAC, in bytes.
pub(crate) const MAC_LEN: usize = 48;
/// Length of the AES key, in bytes.
pub(crate) const KEY_LEN: usize = 32;
/// Length of an AES block and of the explicit IV of a record, in bytes.
pub(crate) const BLOCK_LEN: usize = 16;
/// Length of the additional data: sequence number, content type and version, without the length of the plaintext,
/// which AWS-LC finds out itself.
pub(crate) const AAD_LEN: usize = 11;

/// AWS-LC refused: a record that is not authentic, or memory that ran out. Deliberately says no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// Keys of one direction of a connection, for encrypting.
#[derive(Debug)]
pub(crate) struct Sealer(Context);

/// Keys of one direction of a connection, for decrypting.
#[derive(Debug)]
pub(crate) struct Opener(Context);

impl Sealer {
    /// A sealer with these keys, or none when memory ran out or a length is wrong.
    pub(crate) fn new(mac_key: &[u8], key: &[u8]) -> Option<Self> {
        Context::new(mac_key, key, ffi::evp_aead_direction_t_evp_aead_seal).map(Self)
    }

    /// Encrypts `text` in place and writes encrypted MAC and padding into `tag`, which has exactly the room for it.
    pub(crate) fn seal(
        &mut self,
        iv: &[u8; BLOCK_LEN],
        aad: &[u8; AAD_LEN],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Refused> {
        let mut tag_len = 0;
        let Context(context) = &mut self.0;
        let text_pointer = text.as_mut_ptr();
        // SAFETY: the context was initialised for sealing and is ours alone. `text` is read and written in place, which the
        // contract allows because both pointers are equal; `tag` does not overlap it, as both are exclusive borrows;
        // no more than `tag.len()` bytes are written there. There is no extra input: null with length 0.
        let ok = unsafe {
            ffi::EVP_AEAD_CTX_seal_scatter(
                &raw const **context,
                text_pointer,
                tag.as_mut_ptr(),
                &raw mut tag_len,
                tag.len(),
                iv.as_ptr(),
                iv.len(),
                text_pointer,
                text.len(),
                null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        finish(ok)?;
        if tag_len == tag.len() {
            Ok(())
        } else {
            Err(Refused)
        }
    }
}

impl Opener {
    /// An opener with these keys, or none when memory ran out or a length is wrong.
    pub(crate) fn new(mac_key: &[u8], key: &[u8]) -> Option<Self> {
        Context::new(mac_key, key, ffi::evp_aead_direction_t_evp_aead_open).map(Self)
    }

    /// Decrypts in place; returns how many bytes at the beginning of `text` are plaintext. Wrong padding and wrong MAC
    /// take the same time and look the same.
    pub(crate) fn open(
        &mut self,
        iv: &[u8; BLOCK_LEN],
        aad: &[u8; AAD_LEN],
        text: &mut [u8],
    ) -> Result<usize, Refused> {
        let mut plain_len = 0;
        let Context(context) = &mut self.0;
        let text_pointer = text.as_mut_ptr();
        // SAFETY: the context was initialised for opening and is ours alone. `text` is read and written in place, which the
        // contract allows because both pointers are equal; no more than `text.len()` bytes are written there.
        let ok = unsafe {
            ffi::EVP_AEAD_CTX_open(
                &raw const **context,
                text_pointer,
                &raw mut plain_len,
                text.len(),
                iv.as_ptr(),
                iv.len(),
                text_pointer,
                text.len(),
                aad.as_ptr(),
                aad.len(),
            )
        };
        finish(ok)?;
        if plain_len <= text.len() {
            Ok(plain_len)
        } else {
            Err(Refused)
        }
    }
}

/// An initialised `EVP_AEAD_CTX`; boxed, because C code may keep pointers into it.
struct Context(Box<ffi::EVP_AEAD_CTX>);

// SAFETY: the context owns what it points to, and AWS-LC ties none of it to a thread.
unsafe impl Send for Context {}
// SAFETY: nothing can be done with a shared reference: sealing and opening take exclusive ones.
unsafe impl Sync for Context {}

impl Context {
    fn new(mac_key: &[u8], key: &[u8], direction: ffi::evp_aead_direction_t) -> Option<Self> {
        let mut keys = [0; MAC_LEN + KEY_LEN];
        let (mac_part, key_part) = keys.split_at_mut(MAC_LEN);
        if mac_key.len() != MAC_LEN || key.len() != KEY_LEN {
            return None;
        }
        mac_part.copy_from_slice(mac_key);
        key_part.copy_from_slice(key);
        let context = Self::with_keys(&keys, direction);
        // SAFETY: `keys` is a live array of this length; it is overwritten.
        unsafe { ffi::OPENSSL_cleanse(keys.as_mut_ptr().cast(), keys.len()) };
        context
    }

    fn with_keys(keys: &[u8; MAC_LEN + KEY_LEN], direction: ffi::evp_aead_direction_t) -> Option<Self> {
        let mut context = Box::new(MaybeUninit::<ffi::EVP_AEAD_CTX>::zeroed());
        // SAFETY: the memory is zeroed, as `EVP_AEAD_CTX_zero` would leave it, and large enough, as its type is that of the
        // header; `keys` has its length beside it; tag length 0 asks for the default. TLS AEADs need a direction.
        let ok = unsafe {
            ffi::EVP_AEAD_CTX_init_with_direction(
                context.as_mut_ptr(),
                ffi::EVP_aead_aes_256_cbc_sha384_tls(),
                keys.as_ptr(),
                keys.len(),
                0,
                direction,
            )
        };
        finish(ok).ok()?;
        // SAFETY: initialised just now; and all-zero bytes are a value of this plain C structure.
        Some(Self(unsafe { context.assume_init() }))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: initialised in `with_keys`, dropped once. AWS-LC overwrites the keys when it frees them.
        unsafe { ffi::EVP_AEAD_CTX_cleanup(&raw mut *self.0) };
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// AWS-LC answers 1 for success, and otherwise leaves a reason in a queue of this thread, which nobody may find later.
fn finish(ok: std::os::raw::c_int) -> Result<(), Refused> {
    if ok == 1 {
        return Ok(());
    }
    // SAFETY: touches a queue of this thread only.
    unsafe { ffi::ERR_clear_error() };
    Err(Refused)
}
