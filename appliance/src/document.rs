//! `appliance.toml`: what an appliance is told about its network, its time, its keys and the settings of its processes
//! (docs/provisioning.md has every key).
//!
//! A document is read whole or refused, with the place and what was expected; nothing of it counts before that.

mod keys;
mod network;
mod time;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use protocol_message::identifier::ClientId;
use serde::{Deserialize, Deserializer};
use toml::Table;

pub use keys::{KeyKind, Keys, Subject};
pub use network::{AddressWithPrefix, Interface, Network};
pub use time::{Time, TimeServer};

/// The most bytes of a document.
pub const MAX_BYTES: usize = 64 * 1024;

/// Port of the proxy's `/metrics` and `/health` at the admin address.
pub const ADMIN_PORT: u16 = 5566;
/// Port of the appliance's own diagnostics at the admin address.
pub const DIAGNOSTICS_PORT: u16 = 5567;

/// Seconds between two messages of the health check to itself, where nothing is said.
const DEFAULT_HEALTH_INTERVAL: u64 = 30;
/// Bounds of it.
const HEALTH_INTERVALS: std::ops::RangeInclusive<u64> = 5..=3600;

/// Why a document is refused.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// More than [`MAX_BYTES`].
    #[error("it has {0} bytes: expected at most {MAX_BYTES}")]
    TooLong(usize),
    /// Not text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Not TOML, or an unknown key, or a value of another kind.
    #[error("{0}")]
    Toml(Box<toml::de::Error>),
    /// A value that cannot be.
    #[error("[{section}] {key}: {found}: expected {expected}")]
    Value {
        /// The table.
        section: &'static str,
        /// The key.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
}

/// What `appliance.toml` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Document {
    /// Addresses and where they are.
    pub network: Network,
    /// Where the time comes from.
    pub time: Time,
    /// The keys of the security server.
    pub server: Keys,
    /// Where operators look.
    #[serde(default)]
    pub admin: Admin,
    /// How the appliance sees that it is healthy; without, only its parts are asked.
    #[serde(default)]
    pub health: Option<Health>,
    /// What goes over the defaults into the settings files of the processes.
    #[serde(default)]
    pub settings: Settings,
}

/// `[admin]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Admin {
    /// The address at which metrics, health and diagnostics are.
    pub listen: IpAddr,
}

impl Default for Admin {
    fn default() -> Self {
        let listen = Ipv4Addr::LOCALHOST.into();
        Self { listen }
    }
}

impl Admin {
    /// Where the proxy's metrics and health are.
    #[must_use]
    pub const fn proxy(&self) -> SocketAddr {
        SocketAddr::new(self.listen, ADMIN_PORT)
    }

    /// Where the appliance's diagnostics are.
    #[must_use]
    pub const fn diagnostics(&self) -> SocketAddr {
        SocketAddr::new(self.listen, DIAGNOSTICS_PORT)
    }
}

/// `[health]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Health {
    /// The own subsystem that sends a message to itself.
    #[serde(deserialize_with = "subsystem")]
    pub client: ClientId,
    /// Seconds between two such messages, 5 to 3600.
    #[serde(default = "default_health_interval")]
    pub interval: u64,
}

const fn default_health_interval() -> u64 {
    DEFAULT_HEALTH_INTERVAL
}

fn subsystem<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClientId, D::Error> {
    let text = String::deserialize(deserializer)?;
    let id: Option<ClientId> = text.parse().ok();
    id.filter(|id| id.subsystem_code().is_some()).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "{text:?} is no subsystem: expected INSTANCE/CLASS/MEMBER/SUBSYSTEM"
        ))
    })
}

/// `[settings.*]`: sections and keys of the settings files.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Of `kiirtee-proxy`.
    pub proxy: Table,
    /// Of `kiirtee-signer`.
    pub signer: Table,
    /// Of `kiirtee-confclient`.
    pub confclient: Table,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// [`DocumentError`] says what is wrong where, and what was expected.
    pub fn read(bytes: &[u8]) -> Result<Self, DocumentError> {
        if bytes.len() > MAX_BYTES {
            return Err(DocumentError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| DocumentError::NotText)?;
        let document: Self = toml::from_str(text).map_err(|error| DocumentError::Toml(Box::new(error)))?;
        document.check()?;
        Ok(document)
    }

    /// What a type cannot say of a value.
    fn check(&self) -> Result<(), DocumentError> {
        self.network.check()?;
        self.time.check(&self.network)?;
        self.server.check()?;
        self.check_admin()?;
        let interval = self.health.as_ref().map(|health| health.interval);
        match interval.filter(|interval| !HEALTH_INTERVALS.contains(interval)) {
            Some(interval) => refuse("health", "interval", interval, "5 to 3600 seconds"),
            None => Ok(()),
        }
    }

    fn check_admin(&self) -> Result<(), DocumentError> {
        let listen = self.admin.listen;
        let is_own = |own: &AddressWithPrefix| own.address() == listen;
        if listen.is_loopback() || self.network.addresses.iter().any(is_own) {
            return Ok(());
        }
        let expected = "one of [network] addresses, or a loopback address";
        refuse("admin", "listen", listen, expected)
    }
}

fn refuse(
    section: &'static str,
    key: &'static str,
    found: impl std::fmt::Display,
    expected: &'static str,
) -> Result<(), DocumentError> {
    Err(DocumentError::Value {
        section,
        key,
        found: found.to_string(),
        expected,
    })
}

#[cfg(test)]
mod tests;
