//! Protecting records (RFC 5246 section 6.2.3.2): a random IV, then text, MAC and padding, encrypted.

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, KeyBlockShape, MessageDecrypter, MessageEncrypter,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls12AeadAlgorithm,
    UnsupportedOperationError, make_tls12_aad,
};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion};

use crate::aead::{AAD_LEN, BLOCK_LEN, MAC_LEN, Opener, Sealer};
use crate::prf::SHAPE;

/// Longest plaintext of a record in bytes (RFC 5246 section 6.2.1).
const MAX_PLAINTEXT: usize = 16_384;
/// Shortest encrypted part of a record in bytes: the MAC and a block of padding.
const MIN_ENCRYPTED: usize = MAC_LEN + BLOCK_LEN;
/// Most that MAC and our own padding add to a text, in bytes.
const MAX_TAG: usize = MAC_LEN + BLOCK_LEN;

/// AES-256-CBC with HMAC-SHA384, as rustls wants an algorithm.
pub(crate) struct Aes256CbcSha384;

impl Tls12AeadAlgorithm for Aes256CbcSha384 {
    fn encrypter(&self, key: AeadKey, iv: &[u8], _: &[u8]) -> Box<dyn MessageEncrypter> {
        Box::new(Encrypter(Sealer::new(iv, key.as_ref())))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Decrypter(Opener::new(iv, key.as_ref())))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        SHAPE
    }

    /// The kernel's TLS does not know these suites.
    fn extract_keys(
        &self,
        _: AeadKey,
        _: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

/// Without a sealer, for want of memory, nothing is encrypted and the connection fails.
struct Encrypter(Option<Sealer>);

impl MessageEncrypter for Encrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let sealer = self.0.as_mut().ok_or(Error::EncryptError)?;
        let aad = additional_data(seq, message.typ, message.version);
        let text_len = message.payload.len();
        let mut iv = [0; BLOCK_LEN];
        aws_lc_rs::rand::fill(&mut iv).map_err(|_| Error::FailedToGetRandomBytes)?;

        let mut payload = PrefixedPayload::with_capacity(record_len(text_len));
        payload.extend_from_slice(&iv);
        payload.extend_from_chunks(&message.payload);
        payload.extend_from_slice(&[0; MAX_TAG]);
        payload.truncate(record_len(text_len));

        let (_, text) = split_iv(payload.as_mut()).ok_or(Error::EncryptError)?;
        let (text, tag) = text.split_at_mut_checked(text_len).ok_or(Error::EncryptError)?;
        sealer
            .seal(&iv, &aad, text, tag)
            .map_err(|_| Error::EncryptError)?;
        Ok(OutboundOpaqueMessage::new(message.typ, message.version, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        record_len(payload_len)
    }
}

/// Without an opener, for want of memory, nothing is decrypted and the connection fails.
struct Decrypter(Option<Opener>);

impl MessageDecrypter for Decrypter {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let opener = self.0.as_mut().ok_or(Error::DecryptError)?;
        let aad = additional_data(seq, message.typ, message.version);
        let (iv, text) = split_iv(&mut message.payload).ok_or(Error::DecryptError)?;
        // Everybody sees a record's length: it may be refused before the keys are used.
        if text.len() < MIN_ENCRYPTED || !text.len().is_multiple_of(BLOCK_LEN) {
            return Err(Error::DecryptError);
        }
        let iv = *iv;
        let len = opener.open(&iv, &aad, text).map_err(|_| Error::DecryptError)?;
        // The text is authentic here: an honest peer's mistake, not an oracle.
        if len > MAX_PLAINTEXT {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok(message.into_plain_message_range(BLOCK_LEN..BLOCK_LEN + len))
    }
}

/// Length of a record's payload in bytes: IV, text, MAC, and padding up to the next block.
const fn record_len(text_len: usize) -> usize {
    BLOCK_LEN + (text_len + MAC_LEN) / BLOCK_LEN * BLOCK_LEN + BLOCK_LEN
}

fn split_iv(payload: &mut [u8]) -> Option<(&mut [u8; BLOCK_LEN], &mut [u8])> {
    payload.split_first_chunk_mut::<BLOCK_LEN>()
}

/// What the MAC covers besides the text, without the text's length, which follows once the padding is off.
fn additional_data(seq: u64, typ: ContentType, version: ProtocolVersion) -> [u8; AAD_LEN] {
    let mut aad = [0; AAD_LEN];
    let with_length = make_tls12_aad(seq, typ, version, 0);
    aad.iter_mut().zip(with_length).for_each(|(to, from)| *to = from);
    aad
}
