//! Containers of logged messages, alone or in a zip file (wire.md 4.1, 4.4).

use std::io::{self, Write};

use protocol_message::identifier::ClientId;
use protocol_signature::asic;
use protocol_signature::zip_stream::{Level, ZipStream};
use storage::archive::openpgp::Recipients;
use storage::archive::{Grouping, Sink};
use storage::message_log::{Direction, LoggedRecord, ReadError, RecordId, Records, container_name, escape};
use time::OffsetDateTime;
use zip::DateTime;

use super::DownloadError;
use super::query::{AsicQuery, QueryError};
use super::stream::{Output, PieceWriter, Start};
use crate::message_log::archiving;
use crate::process::Process;

/// Media type of a zip file.
pub(super) const ZIP: &str = "application/zip";
/// Media type of what is encrypted.
const ENCRYPTED: &str = "application/octet-stream";

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
    // As in the reference: found and time-stamped first, refused then; and of several the first is the one.
    if query.unique && query.direction.is_none() {
        return Err(QueryError::UniqueWithoutDirection.into());
    }
    let delivery = Delivery::new(process, &query.client, out)?;
    if !query.unique {
        delivery.zip(log, query, &records);
        return Ok(());
    }
    let first = records.first().ok_or(DownloadError::NotFound)?;
    let first = log.get(*first)?.ok_or(DownloadError::NotFound)?;
    delivery.one(log, &first);
    Ok(())
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

/// How a download is sent: as it is or, like archives, encrypted (features.md 7.6).
struct Delivery {
    out: Output,
    recipients: Option<Recipients>,
}

impl Delivery {
    /// For whoever can read the archives that have the client's records: the keys of its member if archives are
    /// grouped, else the server's.
    fn new(process: &Process, client: &ClientId, out: Output) -> Result<Self, DownloadError> {
        let settings = &process.settings.message_log;
        let client = (settings.archive_grouping != Grouping::None).then_some(client);
        let keyring = archiving::keyring(settings)?;
        let recipients = keyring.map(|keyring| keyring.recipients(client)).transpose()?;
        Ok(Self { out, recipients })
    }

    fn one(self, log: &Records, record: &LoggedRecord) {
        self.send(asic::MIME_TYPE, &container_name(record), |out| {
            log.write_container(record, out)
        });
    }

    fn zip(self, log: &Records, query: &AsicQuery, records: &[RecordId]) {
        let direction = query.direction.map_or("", |direction| match direction {
            Direction::Request => "-request",
            Direction::Response => "-response",
        });
        let name = format!("{}{direction}.zip", escape(&query.query_id));
        self.send(ZIP, &name, |out| {
            let mut zip = ZipStream::new(out);
            for id in records {
                add(&mut zip, log, *id)?;
            }
            zip.finish("").map(drop)
        });
    }

    /// Sends what `content` writes.
    fn send(
        self,
        media_type: &'static str,
        name: &str,
        content: impl FnOnce(&mut Sink<PieceWriter>) -> io::Result<()>,
    ) {
        let (media_type, ending) = match self.recipients {
            None => (media_type, ""),
            Some(_) => (ENCRYPTED, ".gpg"),
        };
        let start = Start {
            media_type,
            disposition: format!("attachment; filename=\"{name}{ending}\""),
        };
        self.out.send(start, |writer| {
            let mut sink = Sink::new(writer, self.recipients)?;
            content(&mut sink)?;
            sink.finish()
        });
    }
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
