//! One time-stamp: for one record, or for many over a hash tree (wire.md 4.2).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use bytes::Bytes;
use protocol_pki::digest::Digest;
use protocol_pki::tsp::{Imprint, TimeStampToken};
use protocol_signature::document::SignatureDocument;
use protocol_signature::time_stamp::{self, ALGORITHM, Batch};
use storage::message_log::{MarkError, MessageLog, PendingRecord, RecordId, SharedTimeStamp, SignatureRef};
use time::OffsetDateTime;

use super::error::TimeStampError;
use super::provider::Provider;
use crate::process::Process;
use crate::settings::MessageLogSettings;
use crate::snapshot::Snapshot;

/// Records whose hash chains are written at once. Messages that are being logged wait for a write at most this large:
/// a chain has some kilobytes.
const STEP: usize = 500;

/// Stamps records and keeps the result in the log.
#[derive(Debug)]
pub struct Stamper {
    provider: Provider,
}

impl Stamper {
    /// Without connections yet.
    #[must_use]
    pub fn new(settings: &MessageLogSettings) -> Self {
        Self {
            provider: Provider::new(
                settings.timestamper_client_connect_timeout,
                settings.timestamper_client_read_timeout,
            ),
        }
    }

    /// Of these records: those that wait for a time-stamp, and those that do not exist. The others have theirs.
    ///
    /// # Errors
    /// [`TimeStampError::Read`]
    pub fn waiting(
        &self,
        log: &MessageLog,
        records: &[RecordId],
    ) -> Result<(Vec<PendingRecord>, Vec<RecordId>), TimeStampError> {
        let (mut waiting, mut unknown) = (Vec::new(), Vec::new());
        for id in records {
            match log.records().get(*id)? {
                None => unknown.push(*id),
                Some(record) if log.records().is_pending(*id)? => {
                    waiting.push(PendingRecord {
                        id: *id,
                        signature: record.signature,
                    });
                }
                Some(_) => {}
            }
        }
        waiting.sort_by_key(|record| record.id);
        waiting.dedup_by_key(|record| record.id);
        Ok((waiting, unknown))
    }

    /// Obtains one time-stamp for all the records and keeps it.
    ///
    /// # Errors
    /// [`TimeStampError`]; those of the records that were not stamped still wait then.
    pub fn stamp(&self, process: &Process, records: &[PendingRecord]) -> Result<(), TimeStampError> {
        match records {
            [] => Ok(()),
            [record] => self.stamp_single(process, record),
            records => self.stamp_batch(process, records),
        }
    }

    /// The token goes into the signature document. A document that takes none, because the other party's came with a
    /// time-stamp of its own, is stamped as a batch: a record that can't be stamped would stop the server.
    fn stamp_single(&self, process: &Process, record: &PendingRecord) -> Result<(), TimeStampError> {
        let signature = process.log.records().signature(record.signature)?.signature;
        let Ok(document) = SignatureDocument::parse(&signature) else {
            return self.stamp_batch(process, &[*record]);
        };
        if document.time_stamp().is_some() {
            return self.stamp_batch(process, &[*record]);
        }
        let imprint = Imprint {
            algorithm: ALGORITHM,
            digest: time_stamp::single_imprint(&document),
        };
        let token = self.obtain(process, &imprint)?;
        let Ok(stamped) = time_stamp::embed(&signature, token.as_der()) else {
            return self.stamp_batch(process, &[*record]);
        };
        match process.log.mark_time_stamped(record.id, stamped) {
            Err(MarkError::NotPending { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The token stays beside the documents. Documents that records share are one leaf of the tree.
    fn stamp_batch(&self, process: &Process, records: &[PendingRecord]) -> Result<(), TimeStampError> {
        let Leaves { digests, of } = Leaves::read(&process.log, records)?;
        let batch = Batch::build(&digests)?;
        let token = self.obtain(
            process,
            &Imprint {
                algorithm: ALGORITHM,
                digest: batch.imprint(),
            },
        )?;
        // Records of one leaf have one chain, and are neighbours mostly.
        let mut written = HashMap::new();
        let mut chain = |record: &PendingRecord| {
            let leaf = *of.get(&record.signature)?;
            let chain = match written.entry(leaf) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(Bytes::from(batch.chain_xml(leaf)?)),
            };
            Some((record.id, chain.clone()))
        };
        let now = OffsetDateTime::now_utc();
        for step in records.chunks(STEP) {
            process.log.mark_batch_time_stamped(SharedTimeStamp {
                now,
                token: token.as_der().to_vec(),
                hash_chain_result: batch.result_xml().to_vec(),
                records: step.iter().filter_map(&mut chain).collect(),
            })?;
        }
        Ok(())
    }

    /// Asks the configured services one after the other until one gives a time-stamp that holds.
    fn obtain(&self, process: &Process, imprint: &Imprint) -> Result<TimeStampToken, TimeStampError> {
        let snapshot = process.current.take();
        let token = self.ask_all(&snapshot, imprint)?;
        process.metrics.time_stamps.inc();
        let now = OffsetDateTime::now_utc();
        process.metrics.last_time_stamp.set(now.unix_timestamp() as f64);
        Ok(token)
    }

    fn ask_all(&self, snapshot: &Snapshot, imprint: &Imprint) -> Result<TimeStampToken, TimeStampError> {
        let services = &snapshot.server.time_stamping_services;
        if services.is_empty() {
            return Err(TimeStampError::NoProvider);
        }
        let globalconf = snapshot.valid_globalconf(OffsetDateTime::now_utc());
        let globalconf = globalconf.map_err(|error| TimeStampError::Outdated(error.into()))?;
        let authorities: Vec<_> = globalconf.tsa_certs().cloned().collect();
        let mut errors = Vec::new();
        for service in services {
            match self.provider.time_stamp(&service.url, imprint, &authorities) {
                Ok(token) => return Ok(token),
                Err(error) => {
                    let (url, code) = (&service.url, error.fault_code());
                    tracing::warn!(url, code, %error, "time-stamping service gave no time-stamp");
                    errors.push((service.url.clone(), error));
                }
            }
        }
        Err(TimeStampError::NoneGave(errors.into()))
    }
}

/// The leaves of the tree: one for each signature document.
struct Leaves {
    digests: Vec<Digest>,
    of: HashMap<SignatureRef, usize>,
}

impl Leaves {
    /// Reads one document after the other and keeps digests only. A lone document is its own neighbour, as a tree has
    /// two leaves at least.
    fn read(log: &MessageLog, records: &[PendingRecord]) -> Result<Self, TimeStampError> {
        let mut leaves = Self {
            digests: Vec::new(),
            of: HashMap::new(),
        };
        for record in records {
            if leaves.of.contains_key(&record.signature) {
                continue;
            }
            let document = log.records().signature(record.signature)?.signature;
            leaves.of.insert(record.signature, leaves.digests.len());
            leaves.digests.push(ALGORITHM.digest(&document));
        }
        if let [only] = leaves.digests[..] {
            leaves.digests.push(only);
        }
        Ok(leaves)
    }
}
