//! The proxy's settings file: typed, one constant per default, unknown keys refused.
//!
//! Names follow the reference's system parameters where one exists (features.md 7.7); times are whole milliseconds or
//! seconds as the name says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Port on which security servers meet (wire.md 1.1).
pub const DEFAULT_PEER_PORT: u16 = 5500;
/// Port of the service that gives OCSP responses to peers (wire.md 2.8).
pub const DEFAULT_OCSP_RESPONDER_PORT: u16 = 5577;
/// Version told to peers in `x-proxy-version`; the reference release whose wire behaviour is ours (wire.md 2.1).
pub const PROXY_VERSION: &str = "7.8.1";
/// `message-log.max-loggable-message-body-size`: 10 MiB (wire.md 4.3).
pub const DEFAULT_MAX_LOGGABLE_BODY_SIZE: u64 = 10 * 1024 * 1024;
/// Upper bound of the same setting: 1 GiB (wire.md 4.3).
pub const MAX_LOGGABLE_BODY_SIZE_BOUND: u64 = 1024 * 1024 * 1024;
/// `message-log.acceptable-timestamp-failure-period`: four hours (wire.md 5.2).
pub const DEFAULT_ACCEPTABLE_TIMESTAMP_FAILURE_PERIOD: u64 = 14_400;
/// `message-log.timestamp-records-limit` (wire.md 5.2).
pub const DEFAULT_TIMESTAMP_RECORDS_LIMIT: usize = 10_000;
/// `message-log.timestamp-retry-delay`: a minute (wire.md 5.2).
pub const DEFAULT_TIMESTAMP_RETRY_DELAY: u64 = 60;
/// `proxy.client-timeout`: connecting to a provider's server, 30 s (wire.md 2.6).
pub const DEFAULT_CLIENT_TIMEOUT_MS: u64 = 30_000;
/// `proxy.client-httpclient-timeout`: waiting for the provider's server, 0 = for ever (wire.md 2.6).
pub const DEFAULT_CLIENT_HTTPCLIENT_TIMEOUT_MS: u64 = 0;
/// `proxy.client-connector-initial-idle-time` and the server's twin (wire.md 1.2, 6.4).
pub const DEFAULT_IDLE_MS: u64 = 30_000;
/// `proxy.client-fastest-connecting-ssl-uri-cache-period`: an hour (wire.md 2.6).
pub const DEFAULT_FASTEST_CACHE_SECONDS: u64 = 3_600;
/// `proxy.server-support-clients-pooled-connections` for peers of our own kind is on: reuse is what makes us fast.
pub const DEFAULT_POOLED_CONNECTIONS: bool = true;
/// How long running exchanges may go on after SIGTERM.
pub const DEFAULT_DRAIN_SECONDS: u64 = 30;
/// Spool space for messages that wait for a verdict.
pub const DEFAULT_SPOOL_BYTES: u64 = 20 * 1024 * 1024 * 1024;
/// A connection bound for each listener and worker (wire.md 6.4 has 5000 for the whole server).
pub const DEFAULT_MAX_CONNECTIONS: usize = 5_000;

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("settings file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, an unknown key or a value of the wrong type.
    #[error("settings file {path}: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, column and what was expected.
        source: Box<toml::de::Error>,
    },
    /// A value outside its bounds.
    #[error("setting {name} is {value}: expected {expected}")]
    OutOfBounds {
        /// Full name of the setting.
        name: &'static str,
        /// What the file says.
        value: String,
        /// What may stand there.
        expected: &'static str,
    },
}

/// Everything that the proxy can be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
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
    /// Worker threads; 0 = one a core.
    #[serde(default)]
    pub workers: usize,
    /// Towards information systems.
    pub client: ClientSettings,
    /// Towards other security servers.
    pub peer: PeerSettings,
    /// The OCSP service for peers.
    pub ocsp_responder: ListenSettings,
    /// Metrics and health.
    pub admin: ListenSettings,
    /// The message log.
    #[serde(default)]
    pub message_log: MessageLogSettings,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitSettings,
}

/// An address to listen on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenSettings {
    /// `IP:PORT`.
    pub listen: SocketAddr,
}

/// The interfaces for information systems.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// HTTP, normally port 8080.
    pub http: SocketAddr,
    /// HTTPS, normally port 8443; absent = not offered.
    pub https: Option<SocketAddr>,
    /// PEM file of the internal TLS certificate; its key lives in the signer.
    pub tls_certificate: Option<PathBuf>,
    /// `verify-client-cert`: whether connection modes are enforced (wire.md 1.3).
    #[serde(default = "yes")]
    pub verify_client_cert: bool,
    /// Refuse expired certificates of information systems (wire.md 1.3).
    #[serde(default)]
    pub enforce_client_is_cert_validity_period_check: bool,
    /// Idle time of a connection.
    #[serde(default = "default_idle_ms")]
    pub idle_ms: u64,
}

/// The interface for other security servers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerSettings {
    /// Own listener.
    pub listen: SocketAddr,
    /// Port on which peers are called (`proxy.server-port`).
    #[serde(default = "default_peer_port")]
    pub connect_port: u16,
    /// Port on which peers are asked for OCSP responses.
    #[serde(default = "default_ocsp_responder_port")]
    pub ocsp_responder_port: u16,
    /// Connecting to a provider's server.
    #[serde(default = "default_client_timeout_ms")]
    pub client_timeout_ms: u64,
    /// Waiting for a provider's server; 0 = for ever.
    #[serde(default = "default_httpclient_timeout_ms")]
    pub client_httpclient_timeout_ms: u64,
    /// How long the fastest address is remembered.
    #[serde(default = "default_fastest_cache_seconds")]
    pub fastest_cache_seconds: u64,
    /// Keep connections with peers open where they agree.
    #[serde(default = "default_pooled")]
    pub pooled_connections: bool,
    /// `server-min-supported-client-version`; absent = any.
    pub server_min_supported_client_version: Option<String>,
    /// Idle time of a connection.
    #[serde(default = "default_idle_ms")]
    pub idle_ms: u64,
}

/// The message log and its time-stamps (wire.md 4.3, 5.2).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageLogSettings {
    /// Keep message bodies.
    pub message_body_logging: bool,
    /// Largest REST body kept, in bytes.
    pub max_loggable_message_body_size: u64,
    /// Keep the start of larger bodies rather than refusing the exchange.
    pub truncated_body_allowed: bool,
    /// Time-stamp each message before it is answered.
    pub timestamp_immediately: bool,
    /// Records in one time-stamp at most.
    pub timestamp_records_limit: usize,
    /// Seconds before a failed round is tried again.
    pub timestamp_retry_delay: u64,
    /// Seconds of failing time-stamps after which messages are refused; 0 = never.
    pub acceptable_timestamp_failure_period: u64,
    /// Seconds between rounds, instead of the global configuration's; for sandboxes.
    pub timestamp_interval_override: Option<u64>,
    /// Days that records are kept after their time-stamp.
    pub keep_records_for_days: u32,
}

impl Default for MessageLogSettings {
    fn default() -> Self {
        Self {
            message_body_logging: true,
            max_loggable_message_body_size: DEFAULT_MAX_LOGGABLE_BODY_SIZE,
            truncated_body_allowed: false,
            timestamp_immediately: false,
            timestamp_records_limit: DEFAULT_TIMESTAMP_RECORDS_LIMIT,
            timestamp_retry_delay: DEFAULT_TIMESTAMP_RETRY_DELAY,
            acceptable_timestamp_failure_period: DEFAULT_ACCEPTABLE_TIMESTAMP_FAILURE_PERIOD,
            timestamp_interval_override: None,
            keep_records_for_days: 30,
        }
    }
}

/// Bounds of what the proxy takes on at once.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// Connections for each listener and worker.
    pub max_connections: usize,
    /// Bytes of spool files for the whole process.
    pub spool_bytes: u64,
    /// Seconds that running exchanges may go on after SIGTERM.
    pub drain_seconds: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            max_connections: DEFAULT_MAX_CONNECTIONS,
            spool_bytes: DEFAULT_SPOOL_BYTES,
            drain_seconds: DEFAULT_DRAIN_SECONDS,
        }
    }
}

impl Settings {
    /// Reads and checks the settings file.
    ///
    /// # Errors
    /// [`SettingsError`] names the file or the setting and what was expected.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let settings: Self = toml::from_str(&text).map_err(|source| SettingsError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let log = &self.message_log;
        if log.max_loggable_message_body_size > MAX_LOGGABLE_BODY_SIZE_BOUND {
            return Err(SettingsError::OutOfBounds {
                name: "message_log.max_loggable_message_body_size",
                value: log.max_loggable_message_body_size.to_string(),
                expected: "at most 1073741824 (1 GiB)",
            });
        }
        if log.timestamp_records_limit == 0 {
            return Err(SettingsError::OutOfBounds {
                name: "message_log.timestamp_records_limit",
                value: "0".to_owned(),
                expected: "1 or more",
            });
        }
        if self.client.https.is_some() && self.client.tls_certificate.is_none() {
            return Err(SettingsError::OutOfBounds {
                name: "client.tls_certificate",
                value: "absent".to_owned(),
                expected: "a PEM file, because client.https is set",
            });
        }
        Ok(())
    }

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

impl PeerSettings {
    /// The time-out of waiting for a provider's server, if any.
    #[must_use]
    pub fn response_timeout(&self) -> Option<Duration> {
        (self.client_httpclient_timeout_ms > 0)
            .then(|| Duration::from_millis(self.client_httpclient_timeout_ms))
    }

    /// The time-out of connecting to a provider's server.
    #[must_use]
    pub const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms)
    }
}

const fn yes() -> bool {
    true
}
const fn default_pooled() -> bool {
    DEFAULT_POOLED_CONNECTIONS
}
const fn default_idle_ms() -> u64 {
    DEFAULT_IDLE_MS
}
const fn default_peer_port() -> u16 {
    DEFAULT_PEER_PORT
}
const fn default_ocsp_responder_port() -> u16 {
    DEFAULT_OCSP_RESPONDER_PORT
}
const fn default_client_timeout_ms() -> u64 {
    DEFAULT_CLIENT_TIMEOUT_MS
}
const fn default_httpclient_timeout_ms() -> u64 {
    DEFAULT_CLIENT_HTTPCLIENT_TIMEOUT_MS
}
const fn default_fastest_cache_seconds() -> u64 {
    DEFAULT_FASTEST_CACHE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        data_dir = "/d"
        server_configuration = "/s.db"
        global_configuration = "/g"
        ocsp_cache = "/o"
        signer_socket = "/x.sock"
        [client]
        http = "127.0.0.1:8080"
        [peer]
        listen = "127.0.0.1:5500"
        [ocsp_responder]
        listen = "127.0.0.1:5577"
        [admin]
        listen = "127.0.0.1:5566"
    "#;

    #[test]
    fn a_small_file_gets_the_references_defaults() {
        let settings: Settings = toml::from_str(SMALL).unwrap();
        settings.check().unwrap();
        assert_eq!(settings.peer.connect_port, 5500);
        assert_eq!(settings.message_log.max_loggable_message_body_size, 10_485_760);
        assert_eq!(settings.peer.response_timeout(), None);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = toml::from_str::<Settings>(&format!("colour = 1\n{SMALL}")).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
    }

    #[test]
    fn a_body_size_above_the_bound_is_refused() {
        let text = format!("{SMALL}\n[message_log]\nmax_loggable_message_body_size = 1073741825");
        let settings: Settings = toml::from_str(&text).unwrap();
        assert!(settings.check().unwrap_err().to_string().contains("1 GiB"));
    }
}
