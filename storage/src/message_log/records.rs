//! Reading the log: by id, by query id, by time, and everything that a container needs.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol_message::identifier::ClientId;
use rocksdb::{DB, IteratorMode, ReadOptions};
use time::OffsetDateTime;

use super::codec::{self, CodecError, Stamp};
use super::columns::Column;
use super::encryption::{Content, LogKeys, Seal, ValueKey};
use super::record::{
    BatchTimeStamp, ContainerParts, LoggedBody, LoggedRecord, PendingRecord, SignatureEvidence, SignatureRef,
    TimeStampEvidence,
};
use super::{ReadError, RecordId};

/// A view of the log. Cheap to clone; sees every record for which a receipt was given (in the writing process), or
/// every record up to the moment of opening (in a reader).
#[derive(Clone)]
pub struct Records {
    pub(super) db: Arc<DB>,
    pub(super) keys: Option<Arc<LogKeys>>,
    /// No record before this id waits for its time-stamp: what was removed from the head of that queue lies there as
    /// tombstones for a while, and nobody need step over them.
    pub(super) oldest_pending: Arc<AtomicU64>,
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("directory", &self.db.path())
            .finish()
    }
}

impl Records {
    /// The record of an id.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn get(&self, id: RecordId) -> Result<Option<LoggedRecord>, ReadError> {
        let value = self.db.get_pinned_cf(Column::Record.of(&self.db)?, id.to_key())?;
        let record = value.map(|value| decoded(id, &value).and_then(|record| self.opened(record)));
        record.transpose()
    }

    /// The ids of a client's records of an exchange, oldest first. Several exchanges may have the same query id:
    /// information systems choose it.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn find(&self, client: &ClientId, query_id: &str) -> Result<Vec<RecordId>, ReadError> {
        let mut found = self.candidates(codec::index_digest(client, query_id, &mut Vec::new()))?;
        let mut failed = None;
        found.retain(|id| {
            self.is_of(*id, client, query_id)
                .unwrap_or_else(|error| failed.replace(error).is_some())
        });
        failed.map_or(Ok(found), Err)
    }

    /// The records with a digest in the index, oldest first: looks once into each bucket that is not empty.
    fn candidates(&self, digest: [u8; 8]) -> Result<Vec<RecordId>, ReadError> {
        let column = Column::Index;
        let mut found = Vec::new();
        let mut entries = self.db.raw_iterator_cf(column.of(&self.db)?);
        let mut prefix = codec::index_start(0, digest);
        entries.seek(prefix);
        while let Some(key) = entries.key() {
            let (bucket, id) = codec::index_entry(key).ok_or_else(|| ReadError::Key {
                column: column.name(),
            })?;
            if key.starts_with(&prefix) {
                found.push(id);
                entries.next();
                continue;
            }
            // Either the first entry of a later bucket, or one behind the place in this bucket.
            let behind = key > prefix.as_slice() && key.starts_with(&bucket_of(&prefix));
            prefix = codec::index_start(if behind { bucket.saturating_add(1) } else { bucket }, digest);
            entries.seek(prefix);
        }
        entries.status()?;
        Ok(found)
    }

    /// Whether it is what the digest in the index promised; an entry may also outlive its record for a moment.
    fn is_of(&self, id: RecordId, client: &ClientId, query_id: &str) -> Result<bool, ReadError> {
        let value = self.db.get_pinned_cf(Column::Record.of(&self.db)?, id.to_key())?;
        let record = value.map(|value| decoded(id, &value)).transpose()?;
        Ok(record.is_some_and(|record| record.client == *client && record.query_id == query_id))
    }

    /// The records logged from `from` (included) to `to` (excluded), oldest first, by the time of their ids.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read; each item may be one as well.
    pub fn list(
        &self,
        from: OffsetDateTime,
        to: OffsetDateTime,
    ) -> Result<impl Iterator<Item = Result<LoggedRecord, ReadError>> + '_, ReadError> {
        self.range(RecordId::first_at(from), RecordId::first_at(to))
    }

    /// The records whose ids are from `from` (included) to `to` (excluded), in order.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read; each item may be one as well.
    pub fn range(
        &self,
        from: RecordId,
        to: RecordId,
    ) -> Result<impl Iterator<Item = Result<LoggedRecord, ReadError>> + '_, ReadError> {
        let sealed = self.range_sealed(from, to)?;
        Ok(sealed.map(|record| record.and_then(|record| self.opened(record))))
    }

    /// As [`Records::range`], with messages as they are stored: needs no key.
    pub(super) fn range_sealed(
        &self,
        from: RecordId,
        to: RecordId,
    ) -> Result<impl Iterator<Item = Result<LoggedRecord, ReadError>> + '_, ReadError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from.to_key());
        options.set_iterate_upper_bound(to.to_key());
        let column = Column::Record.of(&self.db)?;
        Ok(self
            .db
            .iterator_cf_opt(column, options, IteratorMode::Start)
            .map(|entry| {
                let (key, value) = entry?;
                let id = RecordId::from_key(&key).ok_or_else(|| ReadError::Key {
                    column: Column::Record.name(),
                })?;
                decoded(id, &value)
            }))
    }

    /// Up to `limit` records without a time-stamp, oldest first.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn pending(&self, limit: usize) -> Result<Vec<PendingRecord>, ReadError> {
        self.pending_entries()?.take(limit).collect()
    }

    /// Whether a record waits for its time-stamp.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read.
    pub fn is_pending(&self, id: RecordId) -> Result<bool, ReadError> {
        Ok(self.waits_with(id)?.is_some())
    }

    /// The signature document with which a record waits for its time-stamp.
    pub(super) fn waits_with(&self, id: RecordId) -> Result<Option<SignatureRef>, ReadError> {
        let column = Column::Pending;
        let value = self.db.get_pinned_cf(column.of(&self.db)?, id.to_key())?;
        let reference = |value: rocksdb::DBPinnableSlice<'_>| {
            let signature = RecordId::from_key(&value).map(SignatureRef);
            signature.ok_or_else(|| ReadError::Key {
                column: column.name(),
            })
        };
        value.map(reference).transpose()
    }

    /// Those of these records that wait for a time-stamp, each with its signature document. One pass over the queue
    /// where the records are neighbours in it, as those of a round are.
    pub(super) fn waiting_among<T>(
        &self,
        records: Vec<(RecordId, T)>,
    ) -> Result<Vec<(RecordId, SignatureRef, T)>, ReadError> {
        let column = Column::Pending;
        let mut entries = self.db.raw_iterator_cf(column.of(&self.db)?);
        let mut waiting = Vec::with_capacity(records.len());
        for (id, more) in records {
            let wanted = id.to_key();
            if entries.valid() {
                entries.next();
            }
            if entries.key() != Some(wanted.as_slice()) {
                entries.seek(wanted);
            }
            if let Some((_, value)) = entries.item().filter(|(key, _)| **key == wanted) {
                let signature = RecordId::from_key(value).ok_or_else(|| ReadError::Key {
                    column: column.name(),
                })?;
                waiting.push((id, SignatureRef(signature), more));
            }
        }
        entries.status()?;
        Ok(waiting)
    }

    pub(super) fn pending_entries(
        &self,
    ) -> Result<impl Iterator<Item = Result<PendingRecord, ReadError>> + '_, ReadError> {
        let column = Column::Pending;
        let mut options = ReadOptions::default();
        let from = RecordId::new(self.oldest_pending.load(Ordering::Relaxed));
        options.set_iterate_lower_bound(from.to_key());
        let mut first = true;
        Ok(self
            .db
            .iterator_cf_opt(column.of(&self.db)?, options, IteratorMode::Start)
            .map(move |entry| {
                let (key, value) = entry?;
                let ids = RecordId::from_key(&key).zip(RecordId::from_key(&value));
                let (id, signature) = ids.ok_or_else(|| ReadError::Key {
                    column: column.name(),
                })?;
                if std::mem::take(&mut first) {
                    self.oldest_pending.fetch_max(id.get(), Ordering::Relaxed);
                }
                Ok(PendingRecord {
                    id,
                    signature: SignatureRef(signature),
                })
            }))
    }

    /// The signature document and hash chain result that a record refers to, as they were logged.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn signature(&self, of: SignatureRef) -> Result<SignatureEvidence, ReadError> {
        let SignatureRef(id) = of;
        self.part(
            Column::Signature,
            id,
            "the signature document",
            codec::decode_signature,
        )
    }

    /// The time-stamp of a record; `None` while it waits for one.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read or is damaged.
    pub fn time_stamp(&self, id: RecordId) -> Result<Option<TimeStampEvidence>, ReadError> {
        let Some(stamp) = self.optional_part(Column::Stamp, id, "the time-stamp", Stamp::decode)? else {
            return Ok(None);
        };
        Ok(Some(match stamp {
            Stamp::Single(signature) => TimeStampEvidence::Single { signature },
            Stamp::Batch(shared, hash_chain) => self.shared_time_stamp(shared, hash_chain)?,
            Stamp::Shared(shared, number) => {
                let hash_chain = self.chain(id, shared, number)?;
                self.shared_time_stamp(shared, hash_chain)?
            }
        }))
    }

    fn shared_time_stamp(
        &self,
        shared: RecordId,
        hash_chain: Vec<u8>,
    ) -> Result<TimeStampEvidence, ReadError> {
        let (token, hash_chain_result) = self.part(
            Column::TimeStamp,
            shared,
            "the shared time-stamp",
            codec::decode_time_stamp,
        )?;
        Ok(TimeStampEvidence::Batch {
            token,
            hash_chain_result,
            hash_chain,
        })
    }

    /// The hash chain that records of one signature document share.
    fn chain(&self, id: RecordId, shared: RecordId, number: u32) -> Result<Vec<u8>, ReadError> {
        const WHAT: &str = "the hash chain of the time-stamp";
        let column = Column::TimeStamp.of(&self.db)?;
        let value = self.db.get_pinned_cf(column, codec::chain_key(shared, number))?;
        let value = value.ok_or(ReadError::Missing { what: WHAT, id })?;
        codec::decode_chain(&value).map_err(|problem| ReadError::Damaged {
            what: WHAT,
            id,
            problem,
        })
    }

    /// The chunks of a record's body in order. Ends with an error if one is missing.
    ///
    /// # Errors
    /// Each item may be a [`ReadError`].
    pub fn body(&self, record: &LoggedRecord) -> impl Iterator<Item = Result<Vec<u8>, ReadError>> + use<'_> {
        const WHAT: &str = "a part of the body";
        let id = record.id;
        let (body, chunks) = record
            .body
            .map_or((0, 0), |LoggedBody { id, chunks, .. }| (id, chunks));
        let seal = record.body_seal.clone();
        let mut key = None;
        (0..chunks).map(move |chunk| {
            let value = self
                .db
                .get_cf(Column::Body.of(&self.db)?, codec::chunk_key(body, chunk))?;
            let value = value.ok_or(ReadError::Missing { what: WHAT, id })?;
            let Some(seal) = &seal else { return Ok(value) };
            let key = match &mut key {
                Some(key) => key,
                none => none.insert(self.value_key(WHAT, id, seal.clone())?),
            };
            open(key, (WHAT, id), Content::Chunk(chunk), value)
        })
    }

    /// The record with its message decrypted, if it is encrypted.
    fn opened(&self, mut record: LoggedRecord) -> Result<LoggedRecord, ReadError> {
        const WHAT: &str = "the message";
        if let Some(seal) = record.message_seal.take() {
            let key = self.value_key(WHAT, record.id, seal)?;
            record.message = open(&key, (WHAT, record.id), Content::Message, record.message)?;
        }
        Ok(record)
    }

    fn value_key(&self, what: &'static str, id: RecordId, seal: Seal) -> Result<ValueKey, ReadError> {
        let key = seal.key.clone();
        let secret = self.keys.as_deref().and_then(|keys| keys.get(&key));
        let secret = secret.ok_or_else(|| ReadError::Locked {
            what,
            id,
            key: key.clone(),
        })?;
        ValueKey::derive(seal, secret).map_err(|_| ReadError::NotDecrypted { what, id, key })
    }

    /// The body of a record as a stream, for bodies that shall not be held in memory. What cannot be read is an error
    /// of kind [`io::ErrorKind::InvalidData`] with the [`ReadError`] in it.
    #[must_use]
    pub fn body_reader<'a>(&'a self, record: &LoggedRecord) -> Box<dyn Read + 'a> {
        Box::new(BodyReader {
            chunks: Box::new(self.body(record)),
            rest: io::Cursor::default(),
        })
    }

    /// Everything that the container of a record holds; `None`: no such record.
    ///
    /// # Errors
    /// [`ReadError::BodyTooLarge`] if the body is larger than `max_body` bytes; else if the log cannot be read or is
    /// damaged.
    pub fn container(&self, id: RecordId, max_body: u64) -> Result<Option<ContainerParts>, ReadError> {
        self.get(id)?
            .map(|record| self.container_of(record, max_body))
            .transpose()
    }

    /// As [`Records::container`], of a record already read.
    ///
    /// # Errors
    /// As [`Records::container`].
    pub fn container_of(&self, record: LoggedRecord, max_body: u64) -> Result<ContainerParts, ReadError> {
        let (evidence, time_stamp) = self.evidence_of(&record)?;
        let attachment = self.whole_body(&record, max_body)?;
        Ok(ContainerParts {
            message: record.message,
            signature: evidence.signature,
            hash_chain_result: evidence.hash_chain_result,
            hash_chain: record.hash_chain,
            time_stamp,
            attachment,
        })
    }

    /// The signature as it is evidence: with its time-stamp in it, or with the one that it shares.
    pub(super) fn evidence_of(
        &self,
        record: &LoggedRecord,
    ) -> Result<(SignatureEvidence, Option<BatchTimeStamp>), ReadError> {
        let mut evidence = self.signature(record.signature)?;
        let shared = match self.time_stamp(record.id)? {
            None => None,
            Some(TimeStampEvidence::Single { signature }) => {
                evidence.signature = signature;
                None
            }
            Some(TimeStampEvidence::Batch {
                token,
                hash_chain_result,
                hash_chain,
            }) => Some(BatchTimeStamp {
                token,
                hash_chain_result,
                hash_chain,
            }),
        };
        Ok((evidence, shared))
    }

    fn whole_body(&self, record: &LoggedRecord, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(LoggedBody { length, .. }) = record.body else {
            return Ok(None);
        };
        let id = record.id;
        if length > limit {
            return Err(ReadError::BodyTooLarge { id, length, limit });
        }
        let mut whole = Vec::new();
        for chunk in self.body(record) {
            whole.extend_from_slice(&chunk?);
        }
        let complete = u64::try_from(whole.len()).is_ok_and(|read| read == length);
        if complete {
            Ok(Some(whole))
        } else {
            Err(ReadError::Missing {
                what: "a part of the body",
                id,
            })
        }
    }

    fn part<T>(
        &self,
        column: Column,
        id: RecordId,
        what: &'static str,
        decode: impl FnOnce(&[u8]) -> Result<T, CodecError>,
    ) -> Result<T, ReadError> {
        self.optional_part(column, id, what, decode)?
            .ok_or(ReadError::Missing { what, id })
    }

    fn optional_part<T>(
        &self,
        column: Column,
        id: RecordId,
        what: &'static str,
        decode: impl FnOnce(&[u8]) -> Result<T, CodecError>,
    ) -> Result<Option<T>, ReadError> {
        let value = self.db.get_pinned_cf(column.of(&self.db)?, id.to_key())?;
        value
            .map(|value| decode(&value).map_err(|problem| ReadError::Damaged { what, id, problem }))
            .transpose()
    }
}

fn open(
    key: &ValueKey,
    (what, id): (&'static str, RecordId),
    content: Content,
    sealed: Vec<u8>,
) -> Result<Vec<u8>, ReadError> {
    key.open(content, sealed).map_err(|_| ReadError::NotDecrypted {
        what,
        id,
        key: key.seal_of().key.clone(),
    })
}

struct BodyReader<'a> {
    chunks: Box<dyn Iterator<Item = Result<Vec<u8>, ReadError>> + 'a>,
    rest: io::Cursor<Vec<u8>>,
}

impl Read for BodyReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.rest.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(chunk) = self.chunks.next() else {
                return Ok(0);
            };
            self.rest =
                io::Cursor::new(chunk.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?);
        }
    }
}

/// The bucket's part of a key.
fn bucket_of(prefix: &[u8; 12]) -> [u8; 4] {
    let [a, b, c, d, ..] = *prefix;
    [a, b, c, d]
}

fn decoded(id: RecordId, value: &[u8]) -> Result<LoggedRecord, ReadError> {
    codec::decode_record(id, value).map_err(|problem| ReadError::Damaged {
        what: "the record",
        id,
        problem,
    })
}
