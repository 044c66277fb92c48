//! Reaching the provider's security server: the fastest address, TLS, and whether it is who it should be
//! (wire.md 2.6, 2.7). What a worker keeps for that is here, one attempt in `visit`.

mod ocsp;
mod visit;

use std::time::Duration;

use protocol_message::identifier::ClientId;
use time::OffsetDateTime;

use crate::host_name;
use crate::http::NO_LIMIT;
use crate::net::tls::handshake;
use crate::net::{ConnectError, ConnectionPool, PoolSettings, PooledConnection, Race};
use crate::peer_certificate::{CertificateRejected, Verdicts};
use crate::process::Process;
use crate::settings::ProxySettings;
use crate::snapshot::tls::PeerTls;
use crate::snapshot::{LoadedGlobalConf, Snapshot};

use visit::Visit;

pub use ocsp::{OcspFetchError, OcspResponsesOfPeers};

/// How long a connection may be idle at most, whatever the operator says: servers close it after 30 seconds (wire.md 6.4),
/// and a request must not cross that.
const MOST_IDLE: Duration = Duration::from_secs(25);

/// Why no server of the provider can be used.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// None could be connected, or none has an address.
    #[error("Could not connect to any target host ([{}])", targets.join(", "))]
    Connect {
        /// The URLs of the servers.
        targets: Vec<String>,
        /// What became of the last attempt.
        source: ConnectError,
    },
    /// The TLS handshake failed.
    #[error("TLS handshake failed")]
    Handshake(#[source] handshake::HandshakeError),
    /// OCSP responses of the server's certificate can't be had.
    #[error("{0}")]
    Ocsp(#[from] OcspFetchError),
    /// The server's certificate is not one of the provider's server.
    #[error("{0}")]
    Rejected(#[from] CertificateRejected),
}

impl PeerError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub fn fault_code(&self) -> String {
        match self {
            Self::Connect { .. } => "network_error".to_owned(),
            Self::Handshake(_) => "ssl_authentication_failed".to_owned(),
            Self::Ocsp(_) => "ssl_authentication_failed.internal_error".to_owned(),
            Self::Rejected(source) => source.fault_code(),
        }
    }
}

/// The peers of one worker: open connections, the fastest addresses, verdicts and OCSP responses.
#[derive(Debug)]
pub struct Peers {
    pool: ConnectionPool,
    race: Race,
    verdicts: Verdicts,
    ocsp: OcspResponsesOfPeers,
}

/// Whom to reach.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// Host names or addresses of servers that serve the provider.
    pub hosts: &'a [&'a str],
    /// The provider.
    pub provider: &'a ClientId,
}

impl Destination<'_> {
    /// What the request names as its `Host`: the one server there is, or a dummy in place of several of which any may be
    /// connected (wire.md 2.1).
    #[must_use]
    pub fn authority(&self, port: u16) -> String {
        match self.hosts {
            [host] => format!("{}:{port}", host_name::in_url(host)),
            _ => format!("localhost:{port}"),
        }
    }

    /// The URLs of the servers, as the reference writes them.
    fn targets(&self, port: u16) -> Vec<String> {
        let hosts = self.hosts.iter().map(|host| host_name::in_url(host));
        hosts.map(|host| format!("https://{host}:{port}/")).collect()
    }
}

impl Peers {
    /// No connections yet.
    #[must_use]
    pub fn new(settings: &ProxySettings) -> Self {
        Self {
            pool: ConnectionPool::new(pool(settings)),
            race: Race::new(settings.client_fastest_connecting_ssl_uri_cache_period),
            verdicts: Verdicts::default(),
            ocsp: OcspResponsesOfPeers::new(
                settings.ocsp_responder_client_connect_timeout.unwrap_or(NO_LIMIT),
                settings.ocsp_responder_client_read_timeout.unwrap_or(NO_LIMIT),
            ),
        }
    }

    /// Closes idle connections and keeps none from now on.
    pub(crate) fn close_pool(&self) {
        self.pool.close();
    }

    /// A connection to a server of the provider that was verified to be one.
    ///
    /// # Errors
    /// [`PeerError`]: the last failure when no address is good.
    pub async fn connect(
        &self,
        process: &Process,
        snapshot: &Snapshot,
        (globalconf, tls): (&LoadedGlobalConf, &PeerTls),
        destination: Destination<'_>,
        at: OffsetDateTime,
    ) -> Result<PooledConnection, PeerError> {
        let visit = Visit {
            peers: self,
            process,
            snapshot,
            globalconf,
            tls,
            destination,
            at,
        };
        visit.make().await
    }
}

/// How connections to peers are kept, as the operator has it; the bounds are each worker's. Whether a kept one is still
/// open is looked at before every use, since it costs nothing.
fn pool(settings: &ProxySettings) -> PoolSettings {
    let kept = |bound: usize| {
        if settings.pool_enable_connection_reuse {
            bound
        } else {
            0
        }
    };
    PoolSettings {
        idle_limit: match settings.client_use_idle_connection_monitor {
            true => MOST_IDLE.min(settings.client_idle_connection_monitor_timeout),
            false => MOST_IDLE,
        },
        sweep_interval: settings.client_idle_connection_monitor_interval,
        max_idle_per_key: kept(settings.pool_total_default_max_connections_per_route),
        max_idle: kept(settings.pool_total_max_connections),
    }
}
