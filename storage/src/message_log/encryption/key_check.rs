//! Does the operator give the log the keys that it was written with? Told when it is opened, not when a record is read.
//!
//! The log notes each key that it is written with: a check value derived from the key, and, once another key takes its
//! place, the last record id before. A key whose records are all gone is forgotten.

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use rocksdb::{DB, Direction, IteratorMode, WriteBatch, WriteOptions};

use super::keys::{LogKeys, Secret};
use crate::message_log::columns::Column;
use crate::message_log::{DatabaseError, RecordId};

/// Key in `default`, before the id.
const KEY: &str = "key/";
/// What the check value is derived for.
const CHECK: &[u8] = b"kiirtee message log key check";
/// Bytes of a check value.
const LENGTH: usize = 16;

/// Why the keys given do not fit the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMismatch {
    /// The log has records of a key that was not given.
    #[error("records are encrypted with the key {id:?}, which is not among the keys given")]
    Missing {
        /// Id of the key.
        id: String,
    },
    /// The key given is not the one that the log was written with.
    #[error("the key {id:?} is not the one that records are encrypted with")]
    Wrong {
        /// Id of the key.
        id: String,
    },
}

struct Noted {
    id: String,
    check: [u8; LENGTH],
    /// Last record before another key took its place; `MAX`: it is in use.
    last: RecordId,
}

/// Compares the keys with those that the log was written with, and notes the current one.
pub(in crate::message_log) fn check(
    db: &DB,
    keys: Option<&LogKeys>,
    last_id: RecordId,
) -> Result<Result<(), KeyMismatch>, DatabaseError> {
    let current = keys.and_then(LogKeys::current);
    let mut batch = WriteBatch::default();
    let meta = Column::Meta.of(db)?;
    for mut noted in noted(db)? {
        let given = keys.and_then(|keys| keys.get(&noted.id));
        match given.map(|secret| check_value(secret) == noted.check) {
            Some(true) => {}
            Some(false) => return Ok(Err(KeyMismatch::Wrong { id: noted.id })),
            None if oldest(db)?.is_none_or(|oldest| oldest > noted.last) => {
                batch.delete_cf(meta, meta_key(&noted.id));
                continue;
            }
            None => return Ok(Err(KeyMismatch::Missing { id: noted.id })),
        }
        let in_use = current.is_some_and(|(id, _)| id == noted.id);
        if !in_use && noted.last == RecordId::MAX {
            noted.last = last_id;
            batch.put_cf(meta, meta_key(&noted.id), noted.value());
        }
    }
    if let Some((id, secret)) = current {
        let noted = Noted {
            id: id.to_owned(),
            check: check_value(secret),
            last: RecordId::MAX,
        };
        batch.put_cf(meta, meta_key(id), noted.value());
    }
    if !batch.is_empty() {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        db.write_opt(batch, &options)?;
    }
    Ok(Ok(()))
}

fn noted(db: &DB) -> Result<Vec<Noted>, DatabaseError> {
    let mut all = Vec::new();
    let from = IteratorMode::From(KEY.as_bytes(), Direction::Forward);
    for entry in db.iterator_cf(Column::Meta.of(db)?, from) {
        let (key, value) = entry?;
        let Some(id) = key.strip_prefix(KEY.as_bytes()) else {
            break;
        };
        let id = String::from_utf8_lossy(id).into_owned();
        // A damaged note counts as one of another key.
        let (check, last) = value.split_first_chunk().unwrap_or((&[0; LENGTH], &[]));
        all.push(Noted {
            id,
            check: *check,
            last: RecordId::from_key(last).unwrap_or(RecordId::MAX),
        });
    }
    Ok(all)
}

fn oldest(db: &DB) -> Result<Option<RecordId>, DatabaseError> {
    let first = db.iterator_cf(Column::Record.of(db)?, IteratorMode::Start).next();
    Ok(first.transpose()?.and_then(|(key, _)| RecordId::from_key(&key)))
}

impl Noted {
    fn value(&self) -> Vec<u8> {
        [&self.check[..], &self.last.to_key()[..]].concat()
    }
}

fn meta_key(id: &str) -> Vec<u8> {
    format!("{KEY}{id}").into_bytes()
}

struct CheckLength;

impl KeyType for CheckLength {
    fn len(&self) -> usize {
        LENGTH
    }
}

/// Tells nothing of the key. All zeros, which no key has, if the library refuses.
fn check_value(secret: &Secret) -> [u8; LENGTH] {
    let mut check = [0; LENGTH];
    let extracted = Salt::new(HKDF_SHA256, &[]).extract(secret.bytes());
    let _ = extracted
        .expand(&[CHECK], CheckLength)
        .and_then(|expanded| expanded.fill(&mut check));
    check
}
