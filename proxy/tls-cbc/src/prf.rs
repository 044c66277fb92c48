//! Keys for suites that have a MAC key, which rustls's cutting of the key block does not know.
//!
//! RFC 5246 section 6.3 lays the key block out as MAC keys of client and server, then their encryption keys. rustls cuts
//! it into encryption keys and then what it calls fixed IVs, of any length. Turned by the length of the MAC keys the
//! block has the order that rustls expects, and the "IV" of a direction is its MAC key.

use rustls::Error;
use rustls::crypto::ActiveKeyExchange;
use rustls::crypto::cipher::KeyBlockShape;
use rustls::crypto::tls12::Prf;

use crate::aead::{KEY_LEN, MAC_LEN};

/// The label of the key block (RFC 5246 section 6.3), which exporters must not use (RFC 5705 section 4).
const KEY_BLOCK_LABEL: &[u8] = b"key expansion";
/// Length of the key block in bytes: MAC key and encryption key for each direction.
const KEY_BLOCK_LEN: usize = 2 * (MAC_LEN + KEY_LEN);

/// How rustls cuts the turned block: encryption keys, then MAC keys where it expects IVs.
pub(crate) const SHAPE: KeyBlockShape = KeyBlockShape {
    enc_key_len: KEY_LEN,
    fixed_iv_len: MAC_LEN,
    explicit_nonce_len: 0,
};

/// A PRF of rustls that turns the key block.
pub(crate) struct TurnedKeyBlock(pub(crate) &'static dyn Prf);

impl Prf for TurnedKeyBlock {
    fn for_key_exchange(
        &self,
        output: &mut [u8; 48],
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
        label: &[u8],
        seed: &[u8],
    ) -> Result<(), Error> {
        self.0.for_key_exchange(output, kx, peer_pub_key, label, seed)
    }

    fn for_secret(&self, output: &mut [u8], secret: &[u8], label: &[u8], seed: &[u8]) {
        self.0.for_secret(output, secret, label, seed);
        if label == KEY_BLOCK_LABEL && output.len() == KEY_BLOCK_LEN {
            output.rotate_left(2 * MAC_LEN);
        }
    }
}
