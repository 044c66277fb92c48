//! `[message-log]`: keeping messages, time-stamping, archiving (wire.md 4.3, 5.2).

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use settings::duration::{millis_or_none, seconds};
use storage::archive::{DigestAlgorithm, Grouping};

use crate::message_log::schedule::Schedule;

/// The message log; the table of the crate `settings` says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MessageLogSettings {
    /// Whether message bodies are kept; see [`Self::keeps_bodies`].
    pub message_body_logging: bool,
    /// Its old name, which wins.
    pub soap_body_logging: Option<bool>,
    /// Own subsystems whose services are the exception while bodies are not kept.
    pub enabled_body_logging_local_producer_subsystems: Vec<String>,
    /// Others' subsystems whose services are the exception while bodies are not kept.
    pub enabled_body_logging_remote_producer_subsystems: Vec<String>,
    /// Own subsystems whose services are the exception while bodies are kept.
    pub disabled_body_logging_local_producer_subsystems: Vec<String>,
    /// Others' subsystems whose services are the exception while bodies are kept.
    pub disabled_body_logging_remote_producer_subsystems: Vec<String>,
    /// Largest REST body kept, in bytes.
    pub max_loggable_message_body_size: u64,
    /// Keep the start of larger bodies rather than refusing the exchange.
    pub truncated_body_allowed: bool,
    /// Time-stamp each message before it is answered.
    pub timestamp_immediately: bool,
    /// Records in one time-stamp at most.
    pub timestamp_records_limit: usize,
    /// Before a failed round is tried again.
    #[serde(with = "seconds")]
    pub timestamp_retry_delay: Duration,
    /// How long time-stamps may fail before messages are refused; zero = for ever.
    #[serde(with = "seconds")]
    pub acceptable_timestamp_failure_period: Duration,
    /// Connecting to a time-stamping service; none = for ever.
    #[serde(with = "millis_or_none")]
    pub timestamper_client_connect_timeout: Option<Duration>,
    /// Waiting for its answer; none = for ever.
    #[serde(with = "millis_or_none")]
    pub timestamper_client_read_timeout: Option<Duration>,
    /// Digests that link archives.
    pub hash_algo_id: DigestAlgorithm,
    /// Days that records are kept after they were logged; they go only when they are time-stamped and, where there is
    /// archiving, archived. 0 = for ever.
    #[serde(rename = "keep-records-for")]
    pub keep_records_for_days: u32,
    /// When records are archived (Quartz cron).
    pub archive_interval: Schedule,
    /// When archived records are removed (Quartz cron).
    pub clean_interval: Schedule,
    /// Folder of the archives; none = `archive` in the data folder.
    pub archive_path: Option<PathBuf>,
    /// Bytes after which an archive is finished.
    pub archive_max_filesize: u64,
    /// Records archived at a time.
    pub archive_transaction_batch: usize,
    /// Records removed at a time.
    pub clean_transaction_batch: usize,
    /// What has archives of its own.
    pub archive_grouping: Grouping,
    /// Shell command run after archiving.
    pub archive_transfer_command: Option<String>,
    /// Whether archives are encrypted with OpenPGP.
    pub archive_encryption_enabled: bool,
    /// Folder of OpenPGP public keys.
    pub archive_gpg_home_directory: PathBuf,
    /// File that says which member's archives are for which key.
    pub archive_encryption_keys_config: Option<PathBuf>,
    /// Key for archives of members that the file does not name.
    pub archive_default_encryption_key: Option<String>,
    /// Whether messages are encrypted in the log.
    pub messagelog_encryption_enabled: bool,
    /// Folder of the keys for that, `<id>.key`.
    pub messagelog_keystore: Option<PathBuf>,
    /// The key that new messages are encrypted with.
    pub messagelog_key_id: Option<String>,
}

impl MessageLogSettings {
    /// Whether message bodies are kept where nothing else is said.
    #[must_use]
    pub fn keeps_bodies(&self) -> bool {
        self.soap_body_logging.unwrap_or(self.message_body_logging)
    }
}
