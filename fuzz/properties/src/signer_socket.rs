//! The signer's socket: frames cut out of a stream, greetings, requests and answers.

use std::fmt::Debug;

use signer_client::frame::{self, ClientFrame, FrameReader, MAX_FRAME, ServerFrame};

/// What the reader may hold: a frame, its length and one read.
const MOST_BUFFERED: usize = MAX_FRAME + 4 + 64 * 1024;

/// Acceptable is a stream of whole frames that the signer or its client understands.
pub fn check(data: &[u8]) -> bool {
    let whole = payloads(data, data.len().max(1));
    for size in crate::chunk_sizes(data) {
        assert_eq!(payloads(data, size), whole, "in chunks of {size}");
    }
    let Ok(payloads) = whole else {
        return false;
    };
    let understood = payloads.iter().map(|payload| {
        let to_signer = understood::<ClientFrame>(payload);
        let from_signer = understood::<ServerFrame>(payload);
        to_signer || from_signer
    });
    // All of them are looked at, whatever the first ones were.
    understood.filter(|understood| *understood).count() == payloads.len() && !payloads.is_empty()
}

/// The payloads of all frames of a stream that comes in chunks of `size`.
fn payloads(data: &[u8], size: usize) -> Result<Vec<Vec<u8>>, String> {
    let (mut frames, mut found) = (FrameReader::default(), Vec::new());
    for mut chunk in data.chunks(size) {
        while !chunk.is_empty() {
            frames.fill(&mut chunk).map_err(|error| error.to_string())?;
            assert!(frames.buffered() <= MOST_BUFFERED);
            while let Some(payload) = frames.next_payload().map_err(|error| error.to_string())? {
                found.push(payload.to_vec());
            }
        }
    }
    match frames.buffered() {
        0 => Ok(found),
        _ => Err("a frame is cut".to_owned()),
    }
}

/// Whether the payload is one frame. If it is, it is the same after it was written and read again.
fn understood<T: serde::Serialize + serde::de::DeserializeOwned + Debug>(payload: &[u8]) -> bool {
    let Ok(value) = frame::decode::<T>(payload) else {
        return false;
    };
    let write = |value: &T| {
        let mut out = Vec::new();
        frame::encode(value, &mut out).ok().map(|()| out.split_off(4))
    };
    let written = write(&value);
    let again = written
        .as_deref()
        .and_then(|written| frame::decode::<T>(written).ok());
    assert_eq!(again.as_ref().and_then(write), written);
    true
}
