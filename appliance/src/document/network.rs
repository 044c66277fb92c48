//! `[network]`: addresses, and the interface that has them.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;

use super::{DocumentError, refuse};

const SECTION: &str = "network";
/// The most addresses, and name servers.
const MAX_ADDRESSES: usize = 16;
const MAX_NAME_SERVERS: usize = 3;
/// The most bytes of an interface's name (IFNAMSIZ without its end).
const MAX_NAME_BYTES: usize = 15;

/// `[network]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Network {
    /// The interface.
    #[serde(default)]
    pub interface: Interface,
    /// Its addresses with their prefix lengths, 1 to 16.
    pub addresses: Vec<AddressWithPrefix>,
    /// The router to everything else.
    pub gateway: Option<IpAddr>,
    /// Servers of names, at most 3; none: no names are looked up.
    #[serde(default)]
    pub dns: Vec<IpAddr>,
    /// Bytes of the largest packet, 576 to 9216; unset: as the interface has it.
    pub mtu: Option<u16>,
}

/// Which interface.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Interface {
    /// By its name, in which `*` and `?` stand for anything.
    Name(String),
    /// By its address, in lower case with colons.
    Mac(String),
}

impl Default for Interface {
    fn default() -> Self {
        Self::Name("e*".to_owned())
    }
}

impl TryFrom<String> for Interface {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits: Vec<&str> = text.split(':').collect();
        let is_pair = |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
        if digits.len() == 6 && digits.iter().all(is_pair) {
            return Ok(Self::Mac(text.to_ascii_lowercase()));
        }
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || b"*?-_.".contains(&byte);
        if (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(may_stand) {
            return Ok(Self::Name(text));
        }
        Err(format!(
            "{text:?} is no interface: expected a name such as \"e*\" (at most 15 letters, digits and *?-_.) or \
             a MAC address such as \"52:54:00:12:34:56\""
        ))
    }
}

/// An address and how many of its first bits are those of its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AddressWithPrefix(IpNet);

impl AddressWithPrefix {
    /// The address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.0.addr()
    }

    /// Whether another address is in the same network.
    #[must_use]
    pub fn reaches(&self, other: IpAddr) -> bool {
        self.0.contains(&other)
    }

    /// An address that a host may have: no group, nobody's, none that means the network or everybody in it.
    fn is_of_a_host(&self) -> bool {
        let address = self.address();
        let is_special = address.is_unspecified() || address.is_loopback() || address.is_multicast();
        let of_all = match self.0 {
            IpNet::V4(net) if net.prefix_len() < 31 => {
                address == IpAddr::V4(net.network()) || address == IpAddr::V4(net.broadcast())
            }
            _ => false,
        };
        !is_special && !of_all
    }
}

impl TryFrom<String> for AddressWithPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let net: Result<IpNet, _> = text.parse();
        net.map(Self).map_err(|_| {
            format!("{text:?} is no address with prefix: expected one such as \"10.77.0.40/24\"")
        })
    }
}

impl fmt::Display for AddressWithPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Network {
    pub(super) fn check(&self) -> Result<(), DocumentError> {
        let count = self.addresses.len();
        if !(1..=MAX_ADDRESSES).contains(&count) {
            let found = format!("{count} addresses");
            return refuse(SECTION, "addresses", found, "1 to 16 addresses");
        }
        if let Some(odd) = self.addresses.iter().find(|address| !address.is_of_a_host()) {
            return refuse(SECTION, "addresses", odd, "addresses that a host may have");
        }
        self.check_gateway()?;
        if self.dns.len() > MAX_NAME_SERVERS {
            let found = format!("{} servers", self.dns.len());
            return refuse(SECTION, "dns", found, "at most 3 name servers");
        }
        match self.mtu.filter(|mtu| !(576..=9216).contains(mtu)) {
            Some(mtu) => refuse(SECTION, "mtu", mtu, "576 to 9216 bytes"),
            None => Ok(()),
        }
    }

    fn check_gateway(&self) -> Result<(), DocumentError> {
        let Some(gateway) = self.gateway else {
            return Ok(());
        };
        let is_own = |own: &AddressWithPrefix| own.address() == gateway;
        let is_near = self.addresses.iter().any(|own| own.reaches(gateway));
        if is_near && !self.addresses.iter().any(is_own) {
            return Ok(());
        }
        let expected = "another address in the network of one of `addresses`";
        refuse(SECTION, "gateway", gateway, expected)
    }
}
