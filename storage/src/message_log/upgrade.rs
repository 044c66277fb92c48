//! Makes a log of an older format one of this format, when the process that writes opens it.

use rocksdb::{DB, IteratorMode, WriteBatch};

use super::codec::{self, Stamp, ToArchive};
use super::columns::Column;
use super::record::LoggedRecord;
use super::{DatabaseError, ReadError, RecordId, meta};

/// Entries written together.
const STEP: usize = 1000;
/// Records after which the server's log tells how far it is.
const TOLD: u64 = 1_000_000;

/// Format 1 kept no account of what is archived, and archived nothing: every time-stamped record waits. May be repeated
/// after a crash, since the version is written last.
pub(super) fn from_1(db: &DB) -> Result<(), ReadError> {
    tracing::info!("the message log is brought from format 1 to format 3");
    let mut batch = WriteBatch::default();
    for entry in db.iterator_cf(Column::Stamp.of(db)?, IteratorMode::Start) {
        let (key, value) = entry?;
        let name = Column::Stamp.name();
        let id = RecordId::from_key(&key).ok_or(ReadError::Key { column: name })?;
        if let Some(waits) = waits(db, id, &value)? {
            batch.put_cf(Column::ToArchive.of(db)?, &key, waits.encode());
        }
        write_full(db, &mut batch)?;
    }
    db.write(batch)?;
    from_2(db)
}

/// Formats 1 and 2 had the client's name and the query id in the keys of the index: it is made anew, which reads each
/// record once. May be repeated after a crash.
pub(super) fn from_2(db: &DB) -> Result<(), ReadError> {
    tracing::info!("the index of the message log is made anew; this takes about a minute for 10 GB");
    let index = Column::Index.of(db)?;
    let mut batch = WriteBatch::default();
    // No key of either form lies outside: one began with the length of a text, the other begins with a small number.
    batch.delete_range_cf(index, [0; 4], [0xff; 4]);
    let (mut buffer, mut count) = (Vec::new(), 0_u64);
    for entry in db.iterator_cf(Column::Record.of(db)?, IteratorMode::Start) {
        let (key, value) = entry?;
        let record = decode(&key, &value)?;
        let digest = codec::index_digest(&record.client, &record.query_id, &mut buffer);
        batch.put_cf(index, codec::index_key(digest, record.id), []);
        write_full(db, &mut batch)?;
        count += 1;
        if count.is_multiple_of(TOLD) {
            tracing::info!(records = count, "indexed");
        }
    }
    db.write(batch)?;
    meta::write_format(db)?;
    Ok(())
}

fn write_full(db: &DB, batch: &mut WriteBatch) -> Result<(), DatabaseError> {
    if batch.len() >= STEP {
        db.write(std::mem::take(batch))?;
    }
    Ok(())
}

fn decode(key: &[u8], value: &[u8]) -> Result<LoggedRecord, ReadError> {
    let id = RecordId::from_key(key).ok_or(ReadError::Key {
        column: Column::Record.name(),
    })?;
    codec::decode_record(id, value).map_err(|problem| ReadError::Damaged {
        what: "the record",
        id,
        problem,
    })
}

fn waits(db: &DB, id: RecordId, stamp: &[u8]) -> Result<Option<ToArchive>, ReadError> {
    let stamp = Stamp::decode(stamp).map_err(|problem| ReadError::Damaged {
        what: "the time-stamp",
        id,
        problem,
    })?;
    let Some(value) = db.get_pinned_cf(Column::Record.of(db)?, id.to_key())? else {
        return Ok(None);
    };
    let record = decode(&id.to_key(), &value)?;
    Ok(Some(ToArchive::new(record.signature, &stamp)))
}
