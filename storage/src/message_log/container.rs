//! Containers of logged messages: their names and their bytes (wire.md 4.1, 4.4).

use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol_signature::asic::{self, Contents, Writer};

use super::{Direction, LoggedRecord, Records};

/// Characters of the query id in the name of a container.
const MAX_QUERY_ID: usize = 226;
/// What `java.net.URLEncoder` leaves as it is; it writes a space as `+`.
const UNESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'*')
    .remove(b'_')
    .remove(b' ');

impl Records {
    /// Writes the container of a record; its body streams.
    ///
    /// # Errors
    /// Errors of `out`; what of the log cannot be read, as a [`super::ReadError`] in an [`io::Error`].
    pub fn write_container(&self, record: &LoggedRecord, out: impl Write) -> io::Result<()> {
        let (evidence, time_stamp) = self.evidence_of(record).map_err(io::Error::other)?;
        let hash_chain = evidence
            .hash_chain_result
            .as_deref()
            .zip(record.hash_chain.as_deref());
        let contents = Contents {
            message: &record.message,
            signature: &evidence.signature,
            hash_chain,
            time_stamp: time_stamp.as_ref().map(|stamp| asic::BatchTimeStamp {
                result: &stamp.hash_chain_result,
                chain: &stamp.hash_chain,
                token: &stamp.token,
            }),
            attachments: usize::from(record.body.is_some()),
        };
        let mut writer = Writer::new(out, &contents, record.time)?;
        if record.body.is_some() {
            writer.attachment(&mut self.body_reader(record))?;
        }
        writer.finish()?;
        Ok(())
    }
}

/// The name of a record's container: `<query id, escaped>-request|response-<record id in base 32>.asice`.
#[must_use]
pub fn container_name(record: &LoggedRecord) -> String {
    let escaped = escape(&record.query_id);
    let query_id = escaped.get(..MAX_QUERY_ID).unwrap_or(&escaped);
    let direction = match record.direction {
        Direction::Request => "request",
        Direction::Response => "response",
    };
    format!("{query_id}-{direction}-{}.asice", base32(record.id.get()))
}

/// As `application/x-www-form-urlencoded` has it; ASCII, without quotes, slashes and spaces.
#[must_use]
pub fn escape(text: &str) -> String {
    utf8_percent_encode(text, UNESCAPED).to_string().replace(' ', "+")
}

/// Digits `0` to `9`, `a` to `v`, without leading zeros.
fn base32(number: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let length = number.checked_ilog2().map_or(1, |bits| bits / 5 + 1);
    let digit = |place: u32| {
        DIGITS
            .get(usize::try_from(number >> (place * 5) & 31).unwrap_or(0))
            .copied()
    };
    (0..length).rev().filter_map(digit).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_reference() {
        assert_eq!(base32(0), "0");
        assert_eq!(base32(31), "v");
        assert_eq!(base32(32), "10");
        assert_eq!(base32(u64::MAX), "fvvvvvvvvvvvv");
        assert_eq!(escape("a b/c\"*-_.ä"), "a+b%2Fc%22*-_.%C3%A4");
    }
}
