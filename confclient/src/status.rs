//! The status file: why the configuration is, or is not, fresh.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::store::write_atomically;

/// Everything in `confclient-status.json`. Times are RFC 3339, in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Own instance, once known.
    pub instance: Option<String>,
    /// End of the last round that succeeded.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_success: Option<OffsetDateTime>,
    /// End of the last round.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_attempt: Option<OffsetDateTime>,
    /// When the next round begins.
    #[serde(with = "time::serde::rfc3339::option")]
    pub next_refresh: Option<OffsetDateTime>,
    /// Until when the stored configuration may be used.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// URL of the directory of the last success.
    pub location: Option<String>,
    /// Schema version of the last success.
    pub version: Option<u8>,
    /// Why the last round failed; absent if it did not.
    pub last_error: Option<Failure>,
    /// Federated instances whose download failed in the last round, and instances that cannot be loaded.
    pub instance_errors: Vec<InstanceFailure>,
    /// OCSP responses of the own certificates.
    pub ocsp: OcspStatus,
}

/// A failure with its fault code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Fault code (wire.md 1.8).
    pub code: String,
    /// What happened, for people.
    pub message: String,
}

/// The failure of one instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFailure {
    /// Which instance.
    pub instance: String,
    /// What happened.
    #[serde(flatten)]
    pub failure: Failure,
}

/// State of the OCSP responses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OcspStatus {
    /// Why no certificate could be looked at; absent if they could.
    pub last_error: Option<Failure>,
    /// The certificates that need a response.
    pub certificates: Vec<CertificateStatus>,
}

/// State of one certificate's response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateStatus {
    /// SHA-1 of the certificate in hexadecimal: the file's name.
    pub sha1: String,
    /// Subject, for people.
    pub subject: String,
    /// Until when the stored response may be used.
    #[serde(with = "time::serde::rfc3339::option")]
    pub good_until: Option<OffsetDateTime>,
    /// When the next request is due.
    #[serde(with = "time::serde::rfc3339")]
    pub next_refresh: OffsetDateTime,
    /// Why the last request failed.
    pub last_error: Option<Failure>,
}

/// The status that the threads share, and its file.
#[derive(Debug)]
pub struct StatusFile {
    path: Option<PathBuf>,
    status: Mutex<Status>,
}

impl StatusFile {
    /// A status that is written to a file, or to none.
    #[must_use]
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            status: Mutex::default(),
        }
    }

    /// Changes the status and writes the file. That it cannot be written is logged, no more.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut status);
        let Some(path) = &self.path else { return };
        let json = serde_json::to_vec_pretty(&*status).unwrap_or_default();
        if let Err(error) = write_atomically(path, &json) {
            tracing::warn!(path = %path.display(), %error, "cannot write the status file");
        }
    }

    /// The status now.
    #[must_use]
    pub fn get(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
