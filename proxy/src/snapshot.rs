//! What the request path knows of the world, as one immutable value.
//!
//! The global configuration, the server configuration and the keys that can be used now are read by a watcher thread
//! ([`watch`]) and swapped in whole. A request takes the current snapshot once and keeps it to its end, so that every
//! check of an exchange sees the same world and none waits for a disk or a lock. Only what a message is signed with is
//! taken at the moment of signing, which may be much later.

pub mod addresses;
pub mod files;
pub mod internal_certificate;
pub mod keys;
pub mod material;
pub mod tls;
pub mod watch;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use storage::server_configuration;
use time::OffsetDateTime;

pub use keys::{AuthenticationKey, Keys, SigningContext};
pub use material::LoadedGlobalConf;

/// Everything that requests are decided by, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The global configuration, absent until one was read.
    pub globalconf: Option<Arc<LoadedGlobalConf>>,
    /// Clients, services, access rights.
    pub server: Arc<server_configuration::Snapshot>,
    /// Keys and certificates that can be used now.
    pub keys: Arc<Keys>,
    /// Devices of the signer that do not work, and why.
    pub device_problems: Vec<String>,
    /// TLS with those keys.
    pub tls: tls::TlsConfigs,
    /// Addresses of the host names of servers and services.
    pub addresses: Arc<addresses::Addresses>,
    /// Addresses of every server that the global configuration names, our own included.
    pub peer_addresses: Arc<HashSet<IpAddr>>,
}

/// Why there is no global configuration to decide by.
#[derive(Debug, thiserror::Error)]
pub enum Outdated {
    /// None was ever read.
    #[error("Global configuration is not available")]
    Absent,
    /// It is older than its expiry date.
    #[error("Global configuration is expired")]
    Expired(#[source] protocol_globalconf::GlobalConfError),
}

impl Snapshot {
    /// The addresses of a host, which may be a literal; none if the name could not be looked up.
    pub fn addresses_of(&self, host: &str) -> impl Iterator<Item = IpAddr> + use<'_> {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let known = match literal {
            Some(_) => None,
            None => self.addresses.get(host),
        };
        literal.into_iter().chain(known.into_iter().flatten().copied())
    }

    /// Finds [`Self::peer_addresses`] in the rest.
    fn find_peer_addresses(&mut self) {
        let hosts = self.globalconf.iter().flat_map(|conf| conf.known_addresses());
        let found = hosts.flat_map(|host| self.addresses_of(host));
        self.peer_addresses = Arc::new(found.map(|address| address.to_canonical()).collect());
    }

    /// The global configuration, if it may be used at `at`: every exchange begins with this (wire.md 6.1, 6.2).
    ///
    /// # Errors
    /// [`Outdated`], which is `global_conf_outdated` on the wire.
    pub fn valid_globalconf(&self, at: OffsetDateTime) -> Result<&Arc<LoadedGlobalConf>, Outdated> {
        let globalconf = self.globalconf.as_ref().ok_or(Outdated::Absent)?;
        globalconf.verify_validity(at).map_err(Outdated::Expired)?;
        Ok(globalconf)
    }
}

/// The current snapshot, shared by all threads; taking it is lock-free.
#[derive(Debug)]
pub struct Current(ArcSwap<Snapshot>);

impl Current {
    /// Starts with a first snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    /// The snapshot of this moment.
    #[must_use]
    pub fn take(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Puts a newer one in its place.
    pub(crate) fn replace(&self, next: Snapshot) {
        self.0.store(Arc::new(next));
    }
}
