//! Makes a log of an older format one of this format, when the process that writes opens it.

use rocksdb::{DB, IteratorMode, WriteBatch};

use super::codec::{self, Stamp, ToArchive};
use super::columns::Column;
use super::{ReadError, RecordId, meta};

/// Entries written together.
const STEP: usize = 1000;

/// Format 1 kept no account of what is archived, and archived nothing: every time-stamped record waits. May be repeated
/// after a crash, since the version is written last.
pub(super) fn from_1(db: &DB) -> Result<(), ReadError> {
    tracing::info!("the message log is brought from format 1 to format 2");
    let mut batch = WriteBatch::default();
    for entry in db.iterator_cf(Column::Stamp.of(db)?, IteratorMode::Start) {
        let (key, value) = entry?;
        let name = Column::Stamp.name();
        let id = RecordId::from_key(&key).ok_or(ReadError::Key { column: name })?;
        if let Some(waits) = waits(db, id, &value)? {
            batch.put_cf(Column::ToArchive.of(db)?, &key, waits.encode());
        }
        if batch.len() >= STEP {
            db.write(std::mem::take(&mut batch))?;
        }
    }
    db.write(batch)?;
    meta::write_format(db)?;
    Ok(())
}

fn waits(db: &DB, id: RecordId, stamp: &[u8]) -> Result<Option<ToArchive>, ReadError> {
    let damaged = |what| move |problem| ReadError::Damaged { what, id, problem };
    let stamp = Stamp::decode(stamp).map_err(damaged("the time-stamp"))?;
    let Some(value) = db.get_pinned_cf(Column::Record.of(db)?, id.to_key())? else {
        return Ok(None);
    };
    let record = codec::decode_record(id, &value).map_err(damaged("the record"))?;
    Ok(Some(ToArchive::new(record.signature, &stamp)))
}
