//! The state of the signer as its clients see it.

use std::collections::HashSet;

use signer_client::{CertificateInfo, CsrInfo, KeyFigures, KeyInfo, Status, TokenInfo, TokenStatus};

use super::Service;
use crate::{
    registry::{CertificateRecord, CsrRecord, KeyRecord},
    token::Token,
};

impl Service {
    pub(super) fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            tokens: self
                .tokens
                .all(&self.registry.current())
                .iter()
                .map(|token| self.describe_token(token.as_ref()))
                .collect(),
            devices: self.tokens.devices(),
            counters: self.counters.read(),
            figures: self.figures(),
        }
    }

    fn figures(&self) -> Vec<KeyFigures> {
        let index = self.index();
        let mut figures: Vec<_> = index.keys().map(|key| key.worker.figures()).collect();
        figures.sort_by(|one, other| one.key.cmp(&other.key));
        figures
    }

    fn describe_token(&self, token: &dyn Token) -> TokenInfo {
        let status = token.status();
        let held: HashSet<String> = token.keys().into_iter().map(|key| key.id).collect();
        let registry = self.registry.current();
        let records = registry.keys.values().filter(|record| record.token == token.id());
        let is_open = status == TokenStatus::LoggedIn;
        TokenInfo {
            id: token.id().to_owned(),
            name: registry.token_name(token).to_owned(),
            kind: token.kind(),
            status,
            batch_signing: token.batch_signing(),
            hardware: token.hardware(),
            keys: records
                .map(|record| describe_key(record, is_open && held.contains(&record.id)))
                .collect(),
        }
    }
}

pub(super) fn describe_key(record: &KeyRecord, available: bool) -> KeyInfo {
    KeyInfo {
        id: record.id.clone(),
        token: record.token.clone(),
        label: record.label.clone(),
        algorithm: record.algorithm,
        usage: record.usage,
        available,
        public_key: record.public_key.as_slice().into(),
        certificates: record.certificates.iter().map(describe_certificate).collect(),
        csrs: record.csrs.iter().map(describe_csr).collect(),
    }
}

pub(super) fn describe_certificate(record: &CertificateRecord) -> CertificateInfo {
    CertificateInfo {
        sha256: record.sha256(),
        der: record.der.as_slice().into(),
        status: record.status,
        active: record.active,
        client: record.client.clone(),
    }
}

fn describe_csr(record: &CsrRecord) -> CsrInfo {
    CsrInfo {
        id: record.id.clone(),
        subject: record.subject.clone(),
        client: record.client.clone(),
    }
}
