//! What the log knows of archives: which records wait for one, the end of each chain, and the archive under way.
//!
//! An archive is finished in three durable steps, so that a process killed between any two of them neither loses a
//! record nor breaks a chain: the file is complete on the disk under a temporary name; the log notes it with its records
//! ([`MessageLog::prepare_archive`]); the file gets its name; the log marks the records as archived and moves the end
//! of the chain in one write ([`MessageLog::finish_archive`]). After a crash [`Records::prepared_archives`] tells what
//! is to be finished.

use rocksdb::{DB, Direction, IteratorMode, WriteBatch};

use super::codec::{self, ToArchive};
use super::columns::Column;
use super::writer::Change;
use super::{DatabaseError, LogError, MessageLog, ReadError, RecordId, Records};

/// Key in `default`, before the group: the last archive of the group.
const HEAD: &str = "archive/";
/// Key in `default`, before the group: the archive that is being finished.
const PREPARED: &str = "archiving/";

/// An archive file as the next one of its group refers to it (wire.md 4.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveLink {
    /// Last digest of the chain, hexadecimal; empty before the first archive.
    pub digest: String,
    /// Name of the file; empty before the first archive.
    pub file: String,
}

/// An archive file that is complete on the disk, under its temporary name or, after a crash, perhaps its final one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedArchive {
    /// Group of records whose chain it continues; empty: no grouping.
    pub group: String,
    /// Name of the temporary file in the archive folder.
    pub temporary: String,
    /// Its final name and last digest.
    pub link: ArchiveLink,
    /// The records in it.
    pub records: Vec<RecordId>,
}

impl PreparedArchive {
    pub(super) fn put_prepared(&self, db: &DB, batch: &mut WriteBatch) -> Result<(), DatabaseError> {
        let key = key(PREPARED, &self.group);
        batch.put_cf(Column::Meta.of(db)?, key, codec::encode_prepared(self));
        Ok(())
    }

    pub(super) fn put_finished(&self, db: &DB, batch: &mut WriteBatch) -> Result<(), DatabaseError> {
        for id in &self.records {
            batch.delete_cf(Column::ToArchive.of(db)?, id.to_key());
        }
        let meta = Column::Meta.of(db)?;
        batch.put_cf(meta, key(HEAD, &self.group), codec::encode_link(&self.link));
        batch.delete_cf(meta, key(PREPARED, &self.group));
        Ok(())
    }
}

pub(super) fn put_forgotten(db: &DB, batch: &mut WriteBatch, group: &str) -> Result<(), DatabaseError> {
    batch.delete_cf(Column::Meta.of(db)?, key(PREPARED, group));
    Ok(())
}

fn key(prefix: &str, group: &str) -> Vec<u8> {
    format!("{prefix}{group}").into_bytes()
}

impl MessageLog {
    /// Notes an archive file that is complete and synced under its temporary name. Blocks until that is durable.
    ///
    /// # Errors
    /// [`LogError`] if it cannot be written.
    pub fn prepare_archive(&self, archive: PreparedArchive) -> Result<(), LogError> {
        self.change(Change::PrepareArchive(Box::new(archive)))
    }

    /// The file has its final name: its records are archived, the chain of its group goes on from it. Blocks until that
    /// is durable.
    ///
    /// # Errors
    /// [`LogError`] if it cannot be written.
    pub fn finish_archive(&self, archive: PreparedArchive) -> Result<(), LogError> {
        self.change(Change::FinishArchive(Box::new(archive)))
    }

    /// A noted archive file was lost before it got its name: its records wait as before. Blocks until that is durable.
    ///
    /// # Errors
    /// [`LogError`] if it cannot be written.
    pub fn forget_archive(&self, group: &str) -> Result<(), LogError> {
        let group = group.to_owned();
        self.change(Change::ForgetArchive { group })
    }
}

impl Records {
    /// Up to `limit` time-stamped records that are in no archive, oldest first.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn to_archive(&self, limit: usize) -> Result<Vec<RecordId>, ReadError> {
        let ids = self.to_archive_entries()?.take(limit);
        ids.map(|entry| entry.map(|(id, _)| id)).collect()
    }

    /// How many time-stamped records are in no archive. Reads an entry for each of them.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn count_to_archive(&self) -> Result<u64, ReadError> {
        let mut count = 0;
        for entry in self.to_archive_entries()? {
            entry?;
            count += 1;
        }
        Ok(count)
    }

    pub(super) fn to_archive_entries(
        &self,
    ) -> Result<impl Iterator<Item = Result<(RecordId, ToArchive), ReadError>> + '_, ReadError> {
        let column = Column::ToArchive;
        let entries = self.db.iterator_cf(column.of(&self.db)?, IteratorMode::Start);
        Ok(entries.map(move |entry| {
            let (key, value) = entry?;
            let name = column.name();
            let id = RecordId::from_key(&key).ok_or(ReadError::Key { column: name })?;
            let damaged = |problem| ReadError::Damaged {
                what: "the entry for the archive",
                id,
                problem,
            };
            Ok((id, ToArchive::decode(&value).map_err(damaged)?))
        }))
    }

    /// The last archive of a group; empty before the first.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn last_archive(&self, group: &str) -> Result<ArchiveLink, ReadError> {
        let value = self.db.get_cf(Column::Meta.of(&self.db)?, key(HEAD, group))?;
        let link =
            value.map(|value| codec::decode_link(&value).map_err(|problem| damaged_meta(group, problem)));
        Ok(link.transpose()?.unwrap_or_default())
    }

    /// The archives that were being finished when the last run ended; at most one a group.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn prepared_archives(&self) -> Result<Vec<PreparedArchive>, ReadError> {
        let mut prepared = Vec::new();
        let from = IteratorMode::From(PREPARED.as_bytes(), Direction::Forward);
        for entry in self.db.iterator_cf(Column::Meta.of(&self.db)?, from) {
            let (key, value) = entry?;
            let Some(group) = key.strip_prefix(PREPARED.as_bytes()) else {
                break;
            };
            let group = String::from_utf8_lossy(group);
            let archive = codec::decode_prepared(&group, &value);
            prepared.push(archive.map_err(|problem| damaged_meta(&group, problem))?);
        }
        Ok(prepared)
    }
}

fn damaged_meta(group: &str, problem: codec::CodecError) -> ReadError {
    ReadError::DamagedArchive {
        group: group.to_owned(),
        problem,
    }
}
