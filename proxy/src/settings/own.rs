//! `[kiirtee]`: what only we have.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use storage::archive::seal::Sealing;

use crate::worker::DriverChoice;

/// Folders, sockets and bounds of our own; described in the table of the crate `settings`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OwnSettings {
    /// Folder of the message log (`messagelog/`) and the spool (`spool/`).
    pub data_dir: PathBuf,
    /// The server configuration database (SQLite).
    pub server_configuration: PathBuf,
    /// The global configuration directory that the configuration client writes.
    pub global_configuration: PathBuf,
    /// Folder of `<sha1>.ocsp` files that the configuration client writes.
    pub ocsp_cache: PathBuf,
    /// Unix socket of the signer.
    pub signer_socket: PathBuf,
    /// PEM file of the internal TLS certificate, whose key lives in the signer; none = no HTTPS.
    pub tls_certificate: Option<PathBuf>,
    /// Whether TLS 1.3 and AES-GCM are offered before the suites that the reference's parameters list.
    pub better_tls: bool,
    /// Metrics and health.
    pub admin_listen: SocketAddr,
    /// Worker threads; 0 = one a core.
    pub workers: usize,
    /// Whether each worker stays on a core of its own.
    pub pin_workers: bool,
    /// How workers wait for the network.
    pub io_driver: DriverChoice,
    /// Exchanges under way at once, for each worker and half of the server; 0 = by the memory there is.
    pub max_exchanges: usize,
    /// Bytes a second that a message must bring while it is waited for; 0 = any.
    pub min_body_rate: u64,
    /// Bytes a second that the large bodies of a worker share while exchanges come; 0 = any.
    pub large_body_rate: u64,
    /// Nice value of the threads that sign and log.
    pub background_nice: i32,
    /// Whether the verdict on a signature document is remembered for the other messages that share it.
    pub verification_cache: bool,
    /// Bytes of messages that wait for their verdict, in memory and in spool files, for the whole process.
    pub spool_bytes: u64,
    /// Seconds that running exchanges may go on after SIGTERM.
    pub drain_seconds: u64,
    /// Whether records are archived.
    pub archiving: bool,
    /// Whether archive files are sealed with fs-verity.
    pub seal_archives: Sealing,
    /// Seconds between rounds of time-stamping, instead of the global configuration's; for sandboxes.
    pub timestamp_interval_override: Option<u64>,
}

impl OwnSettings {
    /// Where spool files go.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.data_dir.join("spool")
    }

    /// Where the message log lives.
    #[must_use]
    pub fn message_log_dir(&self) -> PathBuf {
        self.data_dir.join("messagelog")
    }
}
