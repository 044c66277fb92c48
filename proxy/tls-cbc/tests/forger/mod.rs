//! Records of TLS 1.2 with AES-256-CBC and HMAC-SHA384 made by hand after RFC 5246, right ones and wrong ones.
//!
//! Shares no code with the crate: the block cipher one block at a time, CBC, MAC, padding and PRF written out.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests; each file uses a part of it"
)]

use aws_lc_rs::cipher::{AES_256, DecryptingKey, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;

pub const BLOCK: usize = 16;
pub const MAC: usize = 48;

/// Keys of one direction.
#[derive(Clone)]
pub struct Keys {
    pub mac: Vec<u8>,
    pub aes: Vec<u8>,
}

/// What a record's MAC covers besides its text: content type and sequence number, of TLS 1.2.
#[derive(Clone, Copy)]
pub struct Place {
    pub seq: u64,
    pub typ: u8,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// Nothing.
    None,
    /// As much padding as this, if 1 to 256 bytes make whole blocks: right, if unusual.
    Padded(usize),
    /// A wrong bit in the MAC.
    Mac,
    /// The last byte promises padding that is not there.
    PaddingByte,
    /// The last byte promises more padding than there are bytes.
    PaddingTooLong,
    /// Both are wrong.
    MacAndPadding,
}

impl Keys {
    /// The key block of RFC 5246 section 6.3: the keys that the client writes with, and the server's.
    pub fn of_connection(master_secret: &[u8], client_random: &[u8], server_random: &[u8]) -> (Self, Self) {
        let seed = [server_random, client_random].concat();
        let block = prf(master_secret, b"key expansion", &seed, 2 * (MAC + 32));
        let cut = |mac: usize, aes: usize| Self {
            mac: block[mac..mac + MAC].to_vec(),
            aes: block[aes..aes + 32].to_vec(),
        };
        (cut(0, 2 * MAC), cut(MAC, 2 * MAC + 32))
    }

    /// The payload of a record: IV, then text, MAC and padding, encrypted.
    pub fn seal(&self, place: Place, iv: [u8; BLOCK], text: &[u8], forgery: Forgery) -> Vec<u8> {
        let mut clear = [text, self.mac(place, text).as_ref()].concat();
        let least = BLOCK - clear.len() % BLOCK;
        let padding = match forgery {
            Forgery::Padded(padding) => padding,
            _ => least,
        };
        clear.extend(vec![u8::try_from(padding - 1).unwrap(); padding]);
        assert_eq!(clear.len() % BLOCK, 0, "padding makes whole blocks");
        let last = clear.len() - 1;
        if matches!(forgery, Forgery::Mac | Forgery::MacAndPadding) {
            clear[text.len() + MAC / 2] ^= 1;
        }
        match forgery {
            Forgery::PaddingByte | Forgery::MacAndPadding => clear[last] = clear[last].wrapping_add(1),
            Forgery::PaddingTooLong => clear[last] = 255,
            _ => {}
        }
        [iv.to_vec(), cbc_encrypt(&self.aes, iv, &clear)].concat()
    }

    /// The text of a record's payload, or why it is none.
    pub fn open(&self, place: Place, payload: &[u8]) -> Result<Vec<u8>, &'static str> {
        let clear = cbc_decrypt(&self.aes, payload);
        let padding = usize::from(*clear.last().ok_or("empty")?) + 1;
        let text = clear.len().checked_sub(MAC + padding).ok_or("too much padding")?;
        let (text, rest) = clear.split_at(text);
        let (mac, pad) = rest.split_at(MAC);
        if pad.iter().any(|byte| usize::from(*byte) + 1 != padding) {
            return Err("padding");
        }
        if mac == self.mac(place, text).as_ref() {
            Ok(text.to_vec())
        } else {
            Err("MAC")
        }
    }

    fn mac(&self, place: Place, text: &[u8]) -> hmac::Tag {
        let length = u16::try_from(text.len()).unwrap().to_be_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA384, &self.mac);
        let mut context = hmac::Context::with_key(&key);
        context.update(&place.seq.to_be_bytes());
        context.update(&[place.typ, 3, 3]);
        context.update(&length);
        context.update(text);
        context.sign()
    }
}

/// P_SHA384 of RFC 5246 section 5.
pub fn prf(secret: &[u8], label: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA384, secret);
    let seed = [label, seed].concat();
    let mut a = hmac::sign(&key, &seed);
    let mut output = Vec::new();
    while output.len() < length {
        output.extend_from_slice(hmac::sign(&key, &[a.as_ref(), &seed].concat()).as_ref());
        a = hmac::sign(&key, a.as_ref());
    }
    output.truncate(length);
    output
}

fn cbc_encrypt(key: &[u8], iv: [u8; BLOCK], clear: &[u8]) -> Vec<u8> {
    let key = EncryptingKey::ecb(UnboundCipherKey::new(&AES_256, key).unwrap()).unwrap();
    let (mut last, mut output) = (iv, Vec::with_capacity(clear.len()));
    for block in clear.chunks_exact(BLOCK) {
        last.iter_mut().zip(block).for_each(|(to, from)| *to ^= from);
        key.encrypt(&mut last).unwrap();
        output.extend_from_slice(&last);
    }
    output
}

/// Decrypts a payload, whose first block is the IV.
fn cbc_decrypt(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let key = DecryptingKey::ecb(UnboundCipherKey::new(&AES_256, key).unwrap()).unwrap();
    let blocks: Vec<&[u8]> = payload.chunks_exact(BLOCK).collect();
    let mut output = Vec::with_capacity(payload.len());
    for pair in blocks.windows(2) {
        let mut block = pair[1].to_vec();
        key.decrypt(&mut block, aws_lc_rs::cipher::DecryptionContext::None)
            .unwrap();
        output.extend(block.iter().zip(pair[0]).map(|(byte, before)| byte ^ before));
    }
    output
}
