//! The records of the load.

use bytes::Bytes;
use protocol_message::identifier::{ClientId, ServiceId};
use storage::message_log::{Direction, LogError, MessageKind, MessageLog, Record};
use time::OffsetDateTime;

/// Largest message that is logged as one; the rest of a larger one is a body, as of REST messages.
const LARGEST_MESSAGE: usize = 32 << 10;
/// Bytes of a signature document with certificate and OCSP response.
const SIGNATURE: usize = 6000;
/// Bytes of a hash chain in a batch of 64.
const CHAIN: usize = 1300;

/// Texts that compress about as messages and signature documents do: half of them digits of chance.
#[derive(Debug)]
pub(crate) struct Maker {
    text: Bytes,
    /// Records that share a signature document.
    batch: u64,
}

impl Maker {
    /// `batch`: records that share a signature document.
    pub(crate) fn new(batch: u64) -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut text = Vec::with_capacity(1 << 20);
        while text.len() < 1 << 20 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.extend_from_slice(
                format!("<ds:element>{:016x}</ds:element>", state ^ (state >> 29)).as_bytes(),
            );
        }
        Self {
            text: Bytes::from(text),
            batch,
        }
    }

    /// The record of a number: same number, same content but for its time.
    pub(crate) fn record(&self, log: &MessageLog, number: u64, bytes: usize) -> Result<Record, LogError> {
        let message = bytes.min(LARGEST_MESSAGE);
        let body = match bytes - message {
            0 => None,
            rest => {
                let mut body = log.body_writer();
                body.append_blocking(self.piece(number, rest))?;
                Some(body.finish()?)
            }
        };
        let document = number / self.batch;
        let mut signature = Vec::with_capacity(SIGNATURE);
        signature.extend_from_slice(format!("{document:020}").as_bytes());
        signature.extend_from_slice(&self.piece(document, SIGNATURE - 20));
        Ok(Record {
            time: OffsetDateTime::now_utc(),
            query_id: query_id(number),
            request_id: Some(format!("00000000-0000-0000-0000-{number:012}")),
            direction: Direction::Request,
            client_side: true,
            client: client(),
            service: Some(ServiceId {
                provider: ClientId::subsystem("EE", "GOV", "70000002", "registry"),
                service_code: "document".into(),
                service_version: Some("v1".into()),
            }),
            kind: MessageKind::Rest,
            message: self.piece(number, message),
            signature: Bytes::from(signature),
            hash_chain_result: Some(Bytes::from_static(
                b"<HashChainResult>0123456789</HashChainResult>",
            )),
            hash_chain: Some(self.piece(number + 7, CHAIN)),
            body,
            truncated: false,
        })
    }

    /// Bytes that depend on a number; nothing is copied.
    pub(crate) fn piece(&self, number: u64, length: usize) -> Bytes {
        let room = self.text.len().saturating_sub(length).max(1);
        let start = usize::try_from(number.wrapping_mul(7919)).unwrap_or(0) % room;
        self.text.slice(start..(start + length).min(self.text.len()))
    }
}

/// Query ids are of chance, as information systems choose them: here a permutation of numbers.
pub(crate) fn query_id(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{mixed:016x}-0000-4000-8000-{number:012}")
}

/// Whose records they are.
pub(crate) fn client() -> ClientId {
    ClientId::subsystem("EE", "GOV", "70000001", "consumer")
}
