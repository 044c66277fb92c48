//! `[time]`: where the time comes from. Evidence needs it: nothing is exchanged before it was had once since the start.

use std::fmt;
use std::net::IpAddr;

use serde::Deserialize;

use super::{DocumentError, Network, refuse};

const SECTION: &str = "time";
const MAX_SERVERS: usize = 8;
/// The most bytes of a host name (RFC 1035).
const MAX_NAME_BYTES: usize = 253;

/// `[time]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Time {
    /// Servers of the network time protocol, 1 to 8, tried in this order.
    pub servers: Vec<TimeServer>,
}

/// A server of the network time protocol.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum TimeServer {
    /// By its address.
    Address(IpAddr),
    /// By its name, which name servers know.
    Name(String),
}

impl TryFrom<String> for TimeServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(may_stand);
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
        if text.len() <= MAX_NAME_BYTES && starts_well && text.split('.').all(is_label) {
            return Ok(Self::Name(text));
        }
        Err(format!(
            "{text:?} is no time server: expected an address or a host name"
        ))
    }
}

impl fmt::Display for TimeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Time {
    pub(super) fn check(&self, network: &Network) -> Result<(), DocumentError> {
        let count = self.servers.len();
        if !(1..=MAX_SERVERS).contains(&count) {
            let found = format!("{count} servers");
            return refuse(SECTION, "servers", found, "1 to 8 time servers");
        }
        let name = self.servers.iter().find(|one| matches!(one, TimeServer::Name(_)));
        match name.filter(|_| network.dns.is_empty()) {
            Some(name) => refuse(
                SECTION,
                "servers",
                name,
                "addresses, or name servers in [network] dns",
            ),
            None => Ok(()),
        }
    }
}
