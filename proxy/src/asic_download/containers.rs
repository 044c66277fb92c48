//! Containers of logged messages, alone or in a zip file (wire.md 4.1, 4.4).

use std::io::{self, Write};

use protocol_signature::asic;
use protocol_signature::zip_stream::{Level, ZipStream};
use storage::message_log::{Direction, ReadError, RecordId, Records, container_name, escape};
use time::OffsetDateTime;
use zip::DateTime;

use super::DownloadError;
use super::query::{AsicQuery, QueryError};
use super::stream::{Output, Start};
use crate::process::Process;

/// Media type of a zip file.
pub(super) const ZIP: &str = "application/zip";

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
    write_one(log, *first, out)
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

fn write_one(log: &Records, id: RecordId, out: Output) -> Result<(), DownloadError> {
    let record = log.get(id)?.ok_or(DownloadError::NotFound)?;
    let name = container_name(&record);
    let start = Start {
        media_type: asic::MIME_TYPE,
        disposition: format!("attachment; filename=\"{name}\""),
    };
    out.send(start, |mut writer| {
        log.write_container(&record, &mut writer)?;
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
        let mut zip = ZipStream::new(writer);
        for id in records {
            add(&mut zip, log, *id)?;
        }
        zip.finish("")
    });
}

/// Containers are compressed inside, so the zip file about them is not (deflate at level 0, as the reference's).
fn add<W: Write>(zip: &mut ZipStream<W>, log: &Records, id: RecordId) -> io::Result<()> {
    // Cleaned meanwhile: not an error of the others.
    let Some(record) = log.get(id).map_err(io::Error::other)? else {
        return Ok(());
    };
    let mut entry = zip.entry(&container_name(&record), record.time, Level::Zero)?;
    log.write_container(&record, &mut entry)?;
    entry.finish()
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
