//! Finds the key of a request without a search. Rebuilt at every change; queues of unchanged keys go on.

use std::{collections::HashMap, sync::Arc};

use protocol_pki::certificate::Certificate;
use signer_client::{CertificateSha256, CertificateStatus, KeyUsage, SignerError};

use crate::{
    counters::{Counters, KeyCounters},
    registry::{KeyRecord, Registry},
    signing::{Limits, Worker},
    token::Token,
};

/// A key and its queue.
#[derive(Debug)]
pub(super) struct KeyEntry {
    token: Arc<dyn Token>,
    pub(super) usage: KeyUsage,
    pub(super) worker: Worker,
}

/// A certificate and its key.
#[derive(Debug)]
pub(super) struct CertificateEntry {
    pub(super) certificate: Arc<Certificate>,
    pub(super) key: Arc<KeyEntry>,
    /// Registered and active.
    pub(super) usable: bool,
}

/// Keys by id, certificates by SHA-256.
#[derive(Debug, Default)]
pub(super) struct Index {
    keys: HashMap<String, Arc<KeyEntry>>,
    certificates: HashMap<CertificateSha256, CertificateEntry>,
}

fn new_key(
    record: &KeyRecord,
    (token, counters, limits): (Arc<dyn Token>, Arc<KeyCounters>, Limits),
) -> Arc<KeyEntry> {
    let worker = Worker::new(
        record.id.clone(),
        record.algorithm,
        Arc::clone(&token),
        counters,
        limits,
    );
    Arc::new(KeyEntry {
        token,
        usage: record.usage,
        worker,
    })
}

impl Index {
    /// The index of a registry. Keys that `previous` has are taken from it, as long as their token is the same:
    /// `token` tells it, and what queues need.
    pub(super) fn build<'a>(
        registry: &Registry,
        previous: &Self,
        token: impl Fn(&KeyRecord) -> (Arc<dyn Token>, &'a Arc<Counters>, Limits),
    ) -> Self {
        let mut index = Self::default();
        for record in registry.keys.values() {
            let (token, all, limits) = token(record);
            let known = previous.keys.get(&record.id);
            let key = match known {
                Some(key) if Arc::ptr_eq(&key.token, &token) => Arc::clone(key),
                Some(key) => new_key(record, (token, key.worker.counters(), limits)),
                None => new_key(record, (token, Arc::new(KeyCounters::new(all)), limits)),
            };
            index.add_certificates(record, &key);
            index.keys.insert(record.id.clone(), key);
        }
        index
    }

    fn add_certificates(&mut self, record: &KeyRecord, key: &Arc<KeyEntry>) {
        for found in &record.certificates {
            let Ok(certificate) = Certificate::from_der(&found.der) else {
                tracing::error!(key = record.id, certificate = %found.sha256(), "a certificate cannot be read");
                continue;
            };
            let usable = found.active && found.status == CertificateStatus::Registered;
            let entry = CertificateEntry {
                certificate: Arc::new(certificate),
                key: Arc::clone(key),
                usable,
            };
            self.certificates.insert(found.sha256(), entry);
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<KeyEntry>> {
        self.keys.values()
    }

    pub(super) fn key(&self, id: &str) -> Result<&Arc<KeyEntry>, SignerError> {
        self.keys
            .get(id)
            .ok_or_else(|| SignerError::KeyNotFound(id.to_owned()))
    }

    pub(super) fn certificate(&self, name: CertificateSha256) -> Result<&CertificateEntry, SignerError> {
        self.certificates
            .get(&name)
            .ok_or_else(|| SignerError::CertificateNotFound(name.to_string()))
    }
}
