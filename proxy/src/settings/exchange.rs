//! `[proxy]`: exchanging messages.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use settings::duration::{millis, millis_or_none, seconds, seconds_or_off};

/// How messages are exchanged; the table of the crate `settings` says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProxySettings {
    /// Where information systems are served.
    pub connector_host: IpAddr,
    /// Their port for HTTP.
    pub client_http_port: u16,
    /// Their port for HTTPS.
    pub client_https_port: u16,
    /// Whether connection modes are enforced (wire.md 1.3).
    pub verify_client_cert: bool,
    /// Whether expired certificates of information systems are refused (wire.md 1.3).
    pub enforce_client_is_cert_validity_period_check: bool,
    /// Whether certificates of information systems are told in the log.
    pub log_client_cert: bool,
    /// TLS suites towards information systems, names as in the reference.
    pub client_tls_ciphers: Vec<String>,
    /// TLS versions towards information systems, names as in the reference.
    pub client_tls_protocols: Vec<String>,
    /// Silence of an information system's connection before its first request; none = for ever.
    #[serde(with = "millis_or_none")]
    pub client_connector_initial_idle_time: Option<Duration>,
    /// Silence after that; none = for ever.
    #[serde(with = "millis_or_none")]
    pub client_connector_max_idle_time: Option<Duration>,
    /// `SO_LINGER` of information systems' connections.
    #[serde(with = "seconds_or_off")]
    pub client_connector_so_linger: Option<Duration>,
    /// Port at which peers are called.
    pub server_port: u16,
    /// Connecting to a peer; none = for ever (wire.md 2.6).
    #[serde(with = "millis_or_none")]
    pub client_timeout: Option<Duration>,
    /// Waiting for a peer; none = for ever (wire.md 2.6).
    #[serde(with = "millis_or_none")]
    pub client_httpclient_timeout: Option<Duration>,
    /// How long the fastest address of a provider is remembered (wire.md 2.6).
    #[serde(with = "seconds")]
    pub client_fastest_connecting_ssl_uri_cache_period: Duration,
    /// Whether connections to peers are used again.
    pub pool_enable_connection_reuse: bool,
    /// Connections to peers.
    pub pool_total_max_connections: usize,
    /// Connections to one peer.
    pub pool_total_default_max_connections_per_route: usize,
    /// Whether kept connections that are not used are closed.
    pub client_use_idle_connection_monitor: bool,
    /// How often it is looked for them.
    #[serde(with = "millis")]
    pub client_idle_connection_monitor_interval: Duration,
    /// How long a connection is kept without use.
    #[serde(with = "millis")]
    pub client_idle_connection_monitor_timeout: Duration,
    /// Connecting to a peer's service of OCSP responses; none = for ever.
    #[serde(with = "millis_or_none")]
    pub ocsp_responder_client_connect_timeout: Option<Duration>,
    /// Waiting for its answer; none = for ever.
    #[serde(with = "millis_or_none")]
    pub ocsp_responder_client_read_timeout: Option<Duration>,
    /// Where peers are served.
    pub server_listen_address: IpAddr,
    /// Their port.
    pub server_listen_port: u16,
    /// Whether peers' connections are kept open after an answer.
    pub server_support_clients_pooled_connections: bool,
    /// Oldest version of peers that is served; none = any.
    pub server_min_supported_client_version: Option<String>,
    /// Silence of a peer's connection before its first request; none = for ever.
    #[serde(with = "millis_or_none")]
    pub server_connector_initial_idle_time: Option<Duration>,
    /// Silence after that; none = for ever.
    #[serde(with = "millis_or_none")]
    pub server_connector_max_idle_time: Option<Duration>,
    /// `SO_LINGER` of peers' connections.
    #[serde(with = "seconds_or_off")]
    pub server_connector_so_linger: Option<Duration>,
    /// Where the OCSP responses of this server's certificates are.
    pub ocsp_responder_listen_address: IpAddr,
    /// The port of that service, here and at peers (wire.md 2.8).
    pub ocsp_responder_port: u16,
    /// TLS suites between servers that a stock peer needs, names as in the reference.
    pub xroad_tls_ciphers: Vec<String>,
    /// Port of the health check; 0 = none.
    pub health_check_port: u16,
    /// Where that port is.
    pub health_check_interface: IpAddr,
    /// Whether the health check asks for the signer's devices.
    pub hsm_health_check_enabled: bool,
}

impl ProxySettings {
    /// Where information systems are served, HTTP.
    #[must_use]
    pub const fn client_http(&self) -> SocketAddr {
        SocketAddr::new(self.connector_host, self.client_http_port)
    }

    /// Where information systems are served, HTTPS.
    #[must_use]
    pub const fn client_https(&self) -> SocketAddr {
        SocketAddr::new(self.connector_host, self.client_https_port)
    }

    /// Where peers are served.
    #[must_use]
    pub const fn server_listen(&self) -> SocketAddr {
        SocketAddr::new(self.server_listen_address, self.server_listen_port)
    }

    /// Where the OCSP responses of this server's certificates are.
    #[must_use]
    pub const fn ocsp_responder_listen(&self) -> SocketAddr {
        SocketAddr::new(self.ocsp_responder_listen_address, self.ocsp_responder_port)
    }
}
