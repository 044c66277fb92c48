//! Why there is no time-stamp.

use std::sync::Arc;

use protocol_pki::tsp::TspError;
use protocol_signature::hash_chain::BuildError;
use storage::message_log::{LogError, MarkError, ReadError, RecordId};

use crate::snapshot::Outdated;

/// Why records did not get their time-stamp. Cheap to clone: one failure answers all who wait.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TimeStampError {
    /// The server configuration names no time-stamping service.
    #[error("Cannot time-stamp, no TSP URLs configured")]
    NoProvider,
    /// The global configuration, which names the trusted authorities, can't be used.
    #[error("Global configuration is not valid")]
    Outdated(#[source] Arc<Outdated>),
    /// None of the services gave a time-stamp that holds.
    #[error("Failed to get time stamp from any time-stamping providers: {}", summary(.0))]
    NoneGave(Arc<Vec<(String, ProviderError)>>),
    /// There is no such record.
    #[error("record {0} is not in the message log")]
    NoRecord(RecordId),
    /// The message log can't be read.
    #[error("Cannot time-stamp: {0}")]
    Read(#[source] Arc<ReadError>),
    /// The time-stamp can't be kept.
    #[error("Failed to save time-stamp record: {0}")]
    Save(#[source] Arc<MarkError>),
    /// No hash tree can be built over the signature documents.
    #[error("Failed to build hash chain: {0}")]
    HashChain(#[from] BuildError),
    /// The time-stamping thread has ended, since the server stops.
    #[error("time-stamping has stopped")]
    Stopped,
}

impl TimeStampError {
    /// The fault code of the reference, to stand behind `logging_failed` (wire.md 1.8).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::NoProvider => "mlog.no_timestamping_provider_found",
            Self::Outdated(_) => "global_conf_outdated",
            Self::NoneGave(_) => "timestamping_failed",
            Self::NoRecord(_) => "mlog.message_log_record_not_found",
            Self::Read(_) => "mlog.failed_to_prepare_signature_data",
            Self::Save(_) => "mlog.timestamp_record_save_failure",
            Self::HashChain(_) => "mlog.failed_to_build_signature_hash_chain",
            Self::Stopped => "mlog.log_manager_unavailable",
        }
    }
}

impl From<ReadError> for TimeStampError {
    fn from(error: ReadError) -> Self {
        Self::Read(Arc::new(error))
    }
}

impl From<MarkError> for TimeStampError {
    fn from(error: MarkError) -> Self {
        Self::Save(Arc::new(error))
    }
}

impl From<LogError> for TimeStampError {
    fn from(error: LogError) -> Self {
        Self::Save(Arc::new(error.into()))
    }
}

fn summary(errors: &[(String, ProviderError)]) -> String {
    let errors: Vec<String> = errors
        .iter()
        .map(|(url, error)| format!("{url}: {error}"))
        .collect();
    errors.join("; ")
}

/// Why one service gave no time-stamp that holds.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Its address is none.
    #[error("Malformed timestamp server URL: {0}")]
    Url(#[source] Box<ureq::Error>),
    /// It can't be reached.
    #[error("Could not get response from TSP: {0}")]
    Connect(#[source] Box<ureq::Error>),
    /// It did not answer in time.
    #[error("Timestamp request timed out: {0}")]
    TimedOut(#[source] Box<ureq::Error>),
    /// It answered with another status than 200.
    #[error("Received HTTP error: {0}")]
    Status(u16),
    /// Its answer broke off or is too long.
    #[error("Could not read time-stamp response: {0}")]
    Body(#[source] Box<ureq::Error>),
    /// Its answer proves nothing.
    #[error(transparent)]
    Tsp(#[from] TspError),
}

impl ProviderError {
    /// The fault code of the reference (wire.md 1.8), for logs.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::Url(_) => "mlog.malformed_timestamp_server_url",
            Self::Connect(_) => "mlog.timestamp_provider_connection_failed",
            Self::TimedOut(_) => "mlog.timestamp_request_timed_out",
            Self::Status(_) => "mlog.timestamping_non_ok_response",
            Self::Body(_) => "mlog.reading_timestamp_response_failed",
            Self::Tsp(error) => error.fault_code(),
        }
    }
}
