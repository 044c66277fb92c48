//! Reaching the provider's security server: the fastest address, TLS, and whether it is who it should be
//! (wire.md 2.6, 2.7).

mod ocsp;
mod verdicts;

use std::net::SocketAddr;
use std::time::Duration;

use protocol_message::identifier::ClientId;
use rustls::pki_types::ServerName;
use time::OffsetDateTime;

use crate::host_name;
use crate::http::{ClientConnection, ClientSettings, NO_LIMIT};
use crate::net::tls::handshake;
use crate::net::{ConnectError, ConnectionPool, PoolKey, PoolSettings, PooledConnection, Race, race};
use crate::peer_certificate::{CertificateRejected, Judge, Presented};
use crate::process::Process;
use crate::settings::ProxySettings;
use crate::snapshot::tls::PeerTls;
use crate::snapshot::{LoadedGlobalConf, Snapshot};

use verdicts::Verdicts;

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

/// The peers of one worker: open connections, the fastest addresses, judgements and OCSP responses.
#[derive(Debug)]
pub struct Peers {
    pool: ConnectionPool,
    race: Race,
    judge: Judge,
    verdicts: Verdicts,
    ocsp: OcspResponsesOfPeers,
}

/// Whom to reach.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// Host names or addresses of servers that serve the provider.
    pub hosts: &'a [String],
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
            judge: Judge::default(),
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
        let addresses = addresses(snapshot, destination.hosts, process.settings.proxy.server_port);
        match visit.pooled(&addresses).await {
            Some(connection) => Ok(connection),
            None => visit.fresh(&addresses).await,
        }
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

/// One attempt to reach the provider.
struct Visit<'a> {
    peers: &'a Peers,
    process: &'a Process,
    snapshot: &'a Snapshot,
    globalconf: &'a LoadedGlobalConf,
    tls: &'a PeerTls,
    destination: Destination<'a>,
    at: OffsetDateTime,
}

impl Visit<'_> {
    /// An open connection to one of the addresses, the remembered winner before the others. One whose peer is no longer
    /// good is closed: the peer may have another certificate by now.
    async fn pooled(&self, addresses: &[SocketAddr]) -> Option<PooledConnection> {
        let winner = self.peers.race.winner_of(addresses);
        let others = addresses.iter().filter(|address| Some(**address) != winner);
        for address in winner.iter().chain(others) {
            let Some(connection) = self.peers.pool.checkout(&self.key(*address)) else {
                continue;
            };
            match self.verify(&connection, *address).await {
                Ok(()) => {
                    self.process.metrics.peer_connections_reused.inc();
                    return Some(connection);
                }
                Err(error) => {
                    tracing::info!(%address, %error, "open connection closed: its peer is no longer good");
                    connection.discard();
                }
            }
        }
        None
    }

    /// A connection to the remembered or the fastest address; one that is no good is left out (wire.md 2.6, steps 3, 4).
    async fn fresh(&self, addresses: &[SocketAddr]) -> Result<PooledConnection, PeerError> {
        let settings = &self.process.settings.proxy;
        let mut selection = self
            .peers
            .race
            .select(addresses, settings.client_timeout.unwrap_or(NO_LIMIT));
        loop {
            let connected = selection.connect().await;
            let (address, tcp) = connected.map_err(|source| PeerError::Connect {
                targets: self.destination.targets(settings.server_port),
                source,
            })?;
            match self.handshake(address, tcp, selection.limit()).await {
                Ok(connection) => {
                    selection.keep(address);
                    return Ok(connection);
                }
                Err(error) => {
                    let cause = crate::exchange::error::causes(&error);
                    tracing::warn!(%address, cause, "address of the provider's server left out");
                    if !selection.leave_out(address) {
                        return Err(error);
                    }
                }
            }
        }
    }

    const fn key(&self, address: SocketAddr) -> PoolKey {
        PoolKey {
            address,
            name: None,
            identity: self.tls.generation,
        }
    }

    async fn handshake(
        &self,
        address: SocketAddr,
        tcp: monoio::net::TcpStream,
        limit: Duration,
    ) -> Result<PooledConnection, PeerError> {
        self.process.metrics.peer_handshakes.inc();
        let name = ServerName::IpAddress(address.ip().into());
        let config = std::sync::Arc::clone(&self.tls.client);
        let stream = handshake::connect(tcp, config, name, &self.process.handshakes, limit).await;
        let stream = stream.map_err(PeerError::Handshake)?;
        // It signs and logs between the body and the signature, and its service may stall before.
        let settings = ClientSettings::patient(self.process.settings.proxy.client_httpclient_timeout);
        let connection = ClientConnection::new(stream, settings);
        let connection = self.peers.pool.adopt(self.key(address), connection);
        self.verify(&connection, address).await?;
        Ok(connection)
    }

    /// Whether this is a server of the provider, now (wire.md 2.7).
    async fn verify(&self, connection: &PooledConnection, address: SocketAddr) -> Result<(), PeerError> {
        let (provider, verdicts) = (self.destination.provider, &self.peers.verdicts);
        let tls = connection.peer().tls.as_ref();
        let certificates = tls.map_or(&[][..], |tls| &tls.certificates);
        let key = verdicts::key(certificates, &provider.instance, self.globalconf);
        if let Some(presented) = verdicts.good(&key, self.at) {
            return Ok(presented.belongs_to(provider, self.globalconf)?);
        }
        let presented = Presented::read(certificates)?;
        let needed = presented.needing_status(self.globalconf, &provider.instance, self.at)?;
        let service = SocketAddr::new(address.ip(), self.process.settings.proxy.ocsp_responder_port);
        let responses = self
            .peers
            .ocsp
            .of(&needed, &self.snapshot.keys, service, self.globalconf, self.at)
            .await?;
        let judge = &self.peers.judge;
        let judged = judge.judge(&presented, &responses, provider, self.globalconf, self.at);
        if let Err(CertificateRejected::Status(_)) = judged {
            // Whoever answered for the peer, over plain HTTP, must not shut it out for longer than this exchange.
            self.peers.ocsp.forget(&needed);
        }
        verdicts.remember(key, presented, judged?);
        Ok(())
    }
}

/// Every address of every host.
fn addresses(snapshot: &Snapshot, hosts: &[String], port: u16) -> Vec<SocketAddr> {
    let found = hosts.iter().flat_map(|host| snapshot.addresses_of(host));
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for address in found.map(|ip| SocketAddr::new(ip, port)) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.truncate(race::MAX_ADDRESSES);
    addresses
}
