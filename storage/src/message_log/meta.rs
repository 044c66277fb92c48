//! The few facts about the log as a whole, in the column family `default`.

use std::path::Path;

use rocksdb::{DB, Direction, IteratorMode, WriteOptions};

use super::codec;
use super::columns::Column;
use super::id::RecordId;
use super::{DatabaseError, FORMAT_VERSION, OpenError, upgrade};

const FORMAT: &[u8] = b"format";
pub(super) const LAST_ID: &[u8] = b"last_id";
pub(super) const FAILING_SINCE: &[u8] = b"failing_since";

/// Refuses a log of another format; `create`: a log of an older format is made one of this format, and a log without any
/// record or version is new and gets this one.
pub(super) fn check_format(db: &DB, directory: &Path, create: bool) -> Result<(), OpenError> {
    let refuse = |found: String| OpenError::Format {
        directory: directory.into(),
        found,
        known: FORMAT_VERSION,
    };
    let damaged = |source| OpenError::Damaged {
        directory: directory.into(),
        source,
    };
    match get(db, FORMAT).map_err(|source| database(directory, source))? {
        Some(value) => match <[u8; 4]>::try_from(value.as_slice()).map(u32::from_le_bytes) {
            Ok(FORMAT_VERSION) => Ok(()),
            Ok(1) if create => upgrade::from_1(db).map_err(damaged),
            Ok(2) if create => upgrade::from_2(db).map_err(damaged),
            Ok(other) => Err(refuse(other.to_string())),
            Err(_) => Err(refuse(format!("of {} bytes", value.len()))),
        },
        None if create && is_new(db).map_err(|source| database(directory, source))? => {
            write_format(db).map_err(|source| database(directory, source))
        }
        None => Err(refuse("missing".into())),
    }
}

fn is_new(db: &DB) -> Result<bool, DatabaseError> {
    Ok(last_key(db, Column::Record)?.is_none())
}

pub(super) fn write_format(db: &DB) -> Result<(), DatabaseError> {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    db.put_cf_opt(
        Column::Meta.of(db)?,
        FORMAT,
        FORMAT_VERSION.to_le_bytes(),
        &options,
    )?;
    Ok(())
}

pub(super) fn database(directory: &Path, source: DatabaseError) -> OpenError {
    OpenError::Database {
        directory: directory.into(),
        source,
    }
}

/// No id up to this one may be given again.
pub(super) fn last_id(db: &DB) -> Result<RecordId, DatabaseError> {
    let noted = get_u64(db, LAST_ID)?.unwrap_or(0);
    let mut last = RecordId::new(noted);
    for column in [Column::Record, Column::TimeStamp] {
        let key = last_key(db, column)?;
        last = last.max(
            // Under a time-stamp's id lie its hash chains, with longer keys.
            key.and_then(|key| RecordId::from_key(key.get(..8)?))
                .unwrap_or(RecordId::MIN),
        );
    }
    Ok(last)
}

/// The id of the next body.
pub(super) fn next_body(db: &DB) -> Result<u64, DatabaseError> {
    let last = last_key(db, Column::Body)?;
    let id = last.and_then(|key| key.first_chunk().map(|id| u64::from_be_bytes(*id)));
    Ok(id.map_or(0, |id| id.saturating_add(1)))
}

/// Microseconds since which time-stamping has been failing.
pub(super) fn failing_since(db: &DB) -> Result<Option<i64>, DatabaseError> {
    Ok(get_u64(db, FAILING_SINCE)?.map(u64::cast_signed))
}

/// Bodies that were being written when the last run of the server ended.
pub(super) fn open_bodies(db: &DB) -> Result<Vec<u64>, DatabaseError> {
    let mut bodies = Vec::new();
    let first = codec::open_body_key(0);
    for entry in db.iterator_cf(
        Column::Meta.of(db)?,
        IteratorMode::From(&first, Direction::Forward),
    ) {
        let (key, _) = entry?;
        let Some(body) = codec::open_body(&key) else { break };
        bodies.push(body);
    }
    Ok(bodies)
}

fn get(db: &DB, key: &[u8]) -> Result<Option<Vec<u8>>, DatabaseError> {
    Ok(db.get_cf(Column::Meta.of(db)?, key)?)
}

fn get_u64(db: &DB, key: &[u8]) -> Result<Option<u64>, DatabaseError> {
    let value = get(db, key)?;
    Ok(value
        .and_then(|value| value.as_slice().try_into().ok())
        .map(u64::from_le_bytes))
}

fn last_key(db: &DB, column: Column) -> Result<Option<Box<[u8]>>, DatabaseError> {
    let last = db.iterator_cf(column.of(db)?, IteratorMode::End).next();
    Ok(last.transpose()?.map(|(key, _)| key))
}
