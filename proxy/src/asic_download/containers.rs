//! Containers of logged messages, alone or in a zip file (wire.md 4.1, 4.4).

use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol_signature::asic::{self, Contents, Writer};
use storage::message_log::{Direction, LoggedRecord, ReadError, RecordId, Records, TimeStampEvidence};
use time::OffsetDateTime;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::DownloadError;
use super::query::{AsicQuery, QueryError};
use super::stream::{Output, Start};
use crate::process::Process;

/// Media type of a zip file.
pub(super) const ZIP: &str = "application/zip";
/// Characters of the query id in the name of a container.
const MAX_QUERY_ID: usize = 226;
/// What `java.net.URLEncoder` leaves as it is; it writes a space as `+`.
const UNESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'*')
    .remove(b'_')
    .remove(b' ');

/// Finds what is asked for, has it time-stamped if need be, and writes it.
///
/// # Errors
/// [`DownloadError`] while nothing is written; afterwards the download breaks off.
pub fn write(process: &Process, query: &AsicQuery, out: Output) -> Result<(), DownloadError> {
    let log = process.log.records();
    let records = find(log, query)?;
    let waiting = waiting(log, &records)?;
    if !waiting.is_empty() && !query.force {
        return Err(DownloadError::NotTimeStamped);
    }
    if !waiting.is_empty() {
        process.time_stamper.stamp_now_blocking(waiting)?;
    }
    if !query.unique {
        write_zip(log, query, &records, out);
        return Ok(());
    }
    // As in the reference: found and time-stamped first, refused then; and of several the first is the one.
    if query.direction.is_none() {
        return Err(QueryError::UniqueWithoutDirection.into());
    }
    let first = records.first().ok_or(DownloadError::NotFound)?;
    write_one(log, query, *first, out)
}

/// The records of the exchange, oldest first; at least one.
fn find(log: &Records, query: &AsicQuery) -> Result<Vec<RecordId>, DownloadError> {
    let mut found = Vec::new();
    for id in log.find(&query.client, &query.query_id)? {
        let record = log.get(id)?;
        if record.is_some_and(|record| {
            query
                .direction
                .is_none_or(|direction| record.direction == direction)
        }) {
            found.push(id);
        }
    }
    if found.is_empty() {
        Err(DownloadError::NotFound)
    } else {
        Ok(found)
    }
}

fn waiting(log: &Records, records: &[RecordId]) -> Result<Vec<RecordId>, ReadError> {
    let mut waiting = Vec::new();
    for id in records {
        if log.is_pending(*id)? {
            waiting.push(*id);
        }
    }
    Ok(waiting)
}

fn write_one(log: &Records, query: &AsicQuery, id: RecordId, out: Output) -> Result<(), DownloadError> {
    let record = log.get(id)?.ok_or(DownloadError::NotFound)?;
    let name = container_name(query, &record);
    let start = Start {
        media_type: asic::MIME_TYPE,
        disposition: format!("attachment; filename=\"{name}\""),
    };
    out.send(start, |mut writer| {
        write_container(log, &record, &mut writer)?;
        Ok(writer)
    });
    Ok(())
}

fn write_zip(log: &Records, query: &AsicQuery, records: &[RecordId], out: Output) {
    let direction = query.direction.map_or("", |direction| match direction {
        Direction::Request => "-request",
        Direction::Response => "-response",
    });
    let name = format!("{}{direction}.zip", escape(&query.query_id));
    let start = Start {
        media_type: ZIP,
        disposition: format!("attachment; filename=\"{name}\""),
    };
    out.send(start, |writer| {
        let mut zip = ZipWriter::new_stream(writer);
        for id in records {
            add(&mut zip, log, query, *id)?;
        }
        Ok(zip.finish()?.into_inner())
    });
}

/// Containers are compressed inside, so the zip file about them hardly is: deflate at its lowest level, which readers
/// of streams understand where they do not understand stored entries of unknown length. (The reference deflates at level
/// 0, which the library does not offer; nobody can tell from the content.)
fn add<W: Write>(
    zip: &mut ZipWriter<StreamWriter<W>>,
    log: &Records,
    query: &AsicQuery,
    id: RecordId,
) -> io::Result<()> {
    // Cleaned meanwhile: not an error of the others.
    let Some(record) = log.get(id).map_err(io::Error::other)? else {
        return Ok(());
    };
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(1))
        .last_modified_time(zip_time(record.time));
    zip.start_file(container_name(query, &record), options)?;
    write_container(log, &record, zip)
}

/// Writes the container of a record; its body streams.
fn write_container(log: &Records, record: &LoggedRecord, out: impl Write) -> io::Result<()> {
    let evidence = log.signature(record.signature).map_err(io::Error::other)?;
    let stamp = log.time_stamp(record.id).map_err(io::Error::other)?;
    let (signature, time_stamp) = match &stamp {
        Some(TimeStampEvidence::Single { signature }) => (signature, None),
        Some(TimeStampEvidence::Batch {
            token,
            hash_chain_result,
            hash_chain,
        }) => {
            let stamp = asic::BatchTimeStamp {
                result: hash_chain_result,
                chain: hash_chain,
                token,
            };
            (&evidence.signature, Some(stamp))
        }
        None => (&evidence.signature, None),
    };
    let hash_chain = evidence
        .hash_chain_result
        .as_deref()
        .zip(record.hash_chain.as_deref());
    let contents = Contents {
        message: &record.message,
        signature,
        hash_chain,
        time_stamp,
        attachments: usize::from(record.body.is_some()),
    };
    let mut writer = Writer::new(out, &contents, record.time)?;
    if record.body.is_some() {
        writer.attachment(&mut log.body_reader(record))?;
    }
    writer.finish()?;
    Ok(())
}

fn container_name(query: &AsicQuery, record: &LoggedRecord) -> String {
    let escaped = escape(&query.query_id);
    let query_id = escaped.get(..MAX_QUERY_ID).unwrap_or(&escaped);
    let direction = match record.direction {
        Direction::Request => "request",
        Direction::Response => "response",
    };
    format!("{query_id}-{direction}-{}.asice", base32(record.id.get()))
}

/// As `application/x-www-form-urlencoded` has it; ASCII, without quotes and slashes.
pub(super) fn escape(text: &str) -> String {
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

pub(super) fn zip_time(at: OffsetDateTime) -> DateTime {
    let year = u16::try_from(at.year()).unwrap_or(0);
    DateTime::from_date_and_time(
        year,
        at.month().into(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
    )
    .unwrap_or_default()
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
