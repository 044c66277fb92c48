//! One attempt to reach a provider: an open connection or a new one, TLS, and whether the server there is the provider's
//! (wire.md 2.6, 2.7).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use time::OffsetDateTime;

use super::{Destination, PeerError, Peers};
use crate::exchange::error::causes;
use crate::http::{ClientConnection, ClientSettings, NO_LIMIT};
use crate::net::tls::handshake;
use crate::net::{PoolKey, PooledConnection, race};
use crate::peer_certificate::{self, CertificateRejected, Presented};
use crate::process::Process;
use crate::snapshot::tls::PeerTls;
use crate::snapshot::{LoadedGlobalConf, Snapshot};

/// One attempt to reach the provider.
pub(super) struct Visit<'a> {
    pub(super) peers: &'a Peers,
    pub(super) process: &'a Process,
    pub(super) snapshot: &'a Snapshot,
    pub(super) globalconf: &'a LoadedGlobalConf,
    pub(super) tls: &'a PeerTls,
    pub(super) destination: Destination<'a>,
    pub(super) at: OffsetDateTime,
}

impl Visit<'_> {
    /// A connection that is open already, or else a new one.
    pub(super) async fn make(&self) -> Result<PooledConnection, PeerError> {
        let port = self.process.settings.proxy.server_port;
        let addresses = addresses(self.snapshot, self.destination.hosts, port);
        match self.pooled(&addresses).await {
            Some(connection) => Ok(connection),
            None => self.fresh(&addresses).await,
        }
    }

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
                    let cause = causes(&error);
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
        let config = Arc::clone(&self.tls.client);
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
        let pieces = certificates.iter().map(AsRef::as_ref);
        let key = peer_certificate::key(pieces, provider.instance(), self.globalconf);
        if let Some(presented) = verdicts.good(&key, self.at) {
            return Ok(presented.belongs_to(provider, self.globalconf)?);
        }
        let presented = Presented::read(certificates)?;
        let needed = presented.needing_status(self.globalconf, provider.instance(), self.at)?;
        let service = SocketAddr::new(address.ip(), self.process.settings.proxy.ocsp_responder_port);
        let responses = self
            .peers
            .ocsp
            .of(&needed, &self.snapshot.keys, service, self.globalconf, self.at)
            .await?;
        let until = presented.status(&responses, provider.instance(), self.globalconf, self.at);
        if let Err(CertificateRejected::Status(_)) = until {
            // Whoever answered for the peer, over plain HTTP, must not shut it out for longer than this exchange.
            self.peers.ocsp.forget(&needed);
        }
        let presented = verdicts.remember(key, presented, self.at..=until?);
        Ok(presented.belongs_to(provider, self.globalconf)?)
    }
}

/// Every address of every host.
fn addresses(snapshot: &Snapshot, hosts: &[&str], port: u16) -> Vec<SocketAddr> {
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
