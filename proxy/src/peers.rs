//! Reaching the provider's security server: the fastest address, TLS, and whether it is who it should be
//! (wire.md 2.6, 2.7).

mod ocsp;

use std::net::SocketAddr;

use protocol_message::identifier::ClientId;
use rustls::pki_types::ServerName;
use time::OffsetDateTime;

use crate::http::{ClientConnection, ClientSettings, NO_LIMIT};
use crate::net::tls::handshake;
use crate::net::{ConnectError, ConnectionPool, PoolKey, PoolSettings, PooledConnection, Race, race};
use crate::peer_certificate::{CertificateRejected, Judge, Presented};
use crate::process::Process;
use crate::snapshot::tls::PeerTls;
use crate::snapshot::{LoadedGlobalConf, Snapshot};

pub use ocsp::{OcspFetchError, OcspResponsesOfPeers};

/// How long a connection may be idle: less than the 30 seconds after which servers close it (wire.md 6.4).
const IDLE_LIMIT: std::time::Duration = std::time::Duration::from_secs(25);

/// Why no server of the provider can be used.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// No host name of the provider's servers has an address.
    #[error("Could not connect to target host(s) {0:?}: no address is known")]
    NoAddress(Vec<String>),
    /// None could be connected.
    #[error("Could not connect to any target host: {0}")]
    Connect(#[from] ConnectError),
    /// The TLS handshake failed.
    #[error("TLS handshake with {address} failed: {source}")]
    Handshake {
        /// Which server.
        address: SocketAddr,
        /// Why.
        source: handshake::HandshakeError,
    },
    /// OCSP responses of the server's certificate can't be had.
    #[error("OCSP responses for the certificate of {address} can't be had: {source}")]
    Ocsp {
        /// Which server.
        address: SocketAddr,
        /// Why.
        source: OcspFetchError,
    },
    /// The server's certificate is not one of the provider's server.
    #[error("Security server at {address} can't be trusted: {source}")]
    Rejected {
        /// Which server.
        address: SocketAddr,
        /// Why.
        source: CertificateRejected,
    },
}

impl PeerError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub fn fault_code(&self) -> String {
        match self {
            Self::NoAddress(_) | Self::Connect(_) => "network_error".to_owned(),
            Self::Handshake { .. } | Self::Ocsp { .. } => "ssl_authentication_failed".to_owned(),
            Self::Rejected { source, .. } => source.fault_code(),
        }
    }
}

/// The peers of one worker: open connections, the fastest addresses, judgements and OCSP responses.
#[derive(Debug)]
pub struct Peers {
    pool: ConnectionPool,
    race: Race,
    judge: Judge,
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

impl Peers {
    /// No connections yet.
    #[must_use]
    pub fn new(settings: &crate::settings::ProxySettings) -> Self {
        let mut reuse = PoolSettings::default();
        if !settings.pool_enable_connection_reuse {
            reuse.max_idle = 0;
        }
        Self {
            pool: ConnectionPool::new(PoolSettings {
                idle_limit: IDLE_LIMIT,
                ..reuse
            }),
            race: Race::new(settings.client_fastest_connecting_ssl_uri_cache_period),
            judge: Judge::default(),
            ocsp: OcspResponsesOfPeers::default(),
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
        let mut addresses = addresses(snapshot, destination.hosts, process.settings.proxy.server_port);
        if addresses.is_empty() {
            return Err(PeerError::NoAddress(destination.hosts.to_vec()));
        }
        let visit = Visit {
            peers: self,
            process,
            snapshot,
            globalconf,
            tls,
            provider: destination.provider,
            at,
        };
        let mut limit = process.settings.proxy.client_timeout.unwrap_or(NO_LIMIT);
        loop {
            let failed = match visit.one_of(&addresses, limit).await {
                Ok(connection) => return Ok(connection),
                Err((None, error)) => return Err(error),
                Err((Some(address), error)) => (address, error),
            };
            tracing::warn!(address = %failed.0, error = %failed.1, "address of the provider's server left out");
            self.race.forget(&addresses);
            addresses.retain(|address| *address != failed.0);
            if addresses.is_empty() {
                return Err(failed.1);
            }
            limit = race::repeat_limit(limit);
        }
    }
}

/// One attempt to reach the provider.
struct Visit<'a> {
    peers: &'a Peers,
    process: &'a Process,
    snapshot: &'a Snapshot,
    globalconf: &'a LoadedGlobalConf,
    tls: &'a PeerTls,
    provider: &'a ClientId,
    at: OffsetDateTime,
}

impl Visit<'_> {
    /// A verified connection to the remembered or the fastest address; else which address failed, if a single one did.
    async fn one_of(
        &self,
        addresses: &[SocketAddr],
        limit: std::time::Duration,
    ) -> Result<PooledConnection, (Option<SocketAddr>, PeerError)> {
        if let Some(connection) = self.pooled(addresses) {
            self.process.metrics.peer_connections_reused.inc();
            let address = connection.key().address;
            self.verify(&connection, address)
                .await
                .map_err(|error| (Some(address), error))?;
            return Ok(connection);
        }
        let connected = self.peers.race.connect(addresses, limit).await;
        let (address, tcp) = connected.map_err(|error| (None, error.into()))?;
        self.handshake(address, tcp, limit)
            .await
            .map_err(|error| (Some(address), error))
    }

    fn pooled(&self, addresses: &[SocketAddr]) -> Option<PooledConnection> {
        let winner = self.peers.race.winner_of(addresses);
        let order = winner
            .iter()
            .chain(addresses.iter().filter(|address| Some(**address) != winner));
        order
            .copied()
            .find_map(|address| self.peers.pool.checkout(&self.key(address)))
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
        limit: std::time::Duration,
    ) -> Result<PooledConnection, PeerError> {
        self.process.metrics.peer_handshakes.inc();
        let name = ServerName::IpAddress(address.ip().into());
        let config = std::sync::Arc::clone(&self.tls.client);
        let stream = handshake::connect(tcp, config, name, &self.process.handshakes, limit).await;
        let stream = stream.map_err(|source| PeerError::Handshake { address, source })?;
        // It signs and logs between the body and the signature, and its service may stall before.
        let settings = ClientSettings::patient(self.process.settings.proxy.client_httpclient_timeout);
        let connection = ClientConnection::new(stream, settings);
        let connection = self.peers.pool.adopt(self.key(address), connection);
        self.verify(&connection, address).await?;
        Ok(connection)
    }

    /// Whether this is a server of the provider, now (wire.md 2.7).
    async fn verify(&self, connection: &PooledConnection, address: SocketAddr) -> Result<(), PeerError> {
        let rejected = |source| PeerError::Rejected { address, source };
        let certificates = connection
            .peer()
            .tls
            .as_ref()
            .map_or(&[][..], |tls| &tls.certificates);
        let presented = Presented::read(certificates).map_err(rejected)?;
        let needed = presented
            .needing_status(self.globalconf, &self.provider.instance, self.at)
            .map_err(rejected)?;
        let service = SocketAddr::new(address.ip(), self.process.settings.proxy.ocsp_responder_port);
        let responses = self
            .peers
            .ocsp
            .of(&needed, &self.snapshot.keys, service, self.globalconf, self.at)
            .await;
        let responses = responses.map_err(|source| PeerError::Ocsp { address, source })?;
        let judge = &self.peers.judge;
        let judged = judge.judge(&presented, &responses, self.provider, self.globalconf, self.at);
        if let Err(CertificateRejected::Status(_)) = judged {
            // Whoever answered for the peer, over plain HTTP, must not shut it out for longer than this exchange.
            self.peers.ocsp.forget(&needed);
        }
        judged.map_err(rejected)
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
