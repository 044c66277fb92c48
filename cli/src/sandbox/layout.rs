//! Where everything in a sandbox is: addresses, folders, identifiers.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The instance's identifier.
pub const INSTANCE: &str = "SANDBOX";
/// The only member class.
pub const MEMBER_CLASS: &str = "ORG";
/// The PIN of every token: a sandbox has no secrets.
pub const PIN: &str = "sandbox-PIN-1234";
/// The member that owns the central server and manages the instance.
pub const MANAGEMENT_MEMBER: &str = "1000";

/// Ports, the real defaults of a security server (wire.md 1.1) and of the services beside it.
pub mod port {
    /// Information systems, HTTP.
    pub const CLIENT_HTTP: u16 = 8080;
    /// Information systems, HTTPS.
    pub const CLIENT_HTTPS: u16 = 8443;
    /// Other security servers.
    pub const PEER: u16 = 5500;
    /// OCSP responses for other security servers.
    pub const OCSP_RESPONDER: u16 = 5577;
    /// Metrics and health of the proxy.
    pub const ADMIN: u16 = 5566;
    /// Certification authority.
    pub const CA: u16 = 8888;
    /// OCSP responder of the certification authority.
    pub const OCSP: u16 = 8889;
    /// Time-stamping authority.
    pub const TSA: u16 = 8899;
    /// The central server's global configuration; not 80, which only root may listen at.
    pub const CENTRAL: u16 = 8080;
    /// The example information system.
    pub const SERVICE: u16 = 8000;
}

/// A network of 256 addresses that are this machine's, written as its first three numbers: of loopback (`127.0.42`), whose
/// addresses every machine has, or of a private network (RFC 1918: `10.77.0`), whose addresses an interface has to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Net([u8; 3]);

impl Net {
    /// The network `127.b.c`.
    pub const fn loopback(b: u8, c: u8) -> Self {
        Self([127, b, c])
    }

    /// Whether its addresses are nobody else's: a certification authority that vouches for anybody is not for the Internet.
    const fn is_ours(self) -> bool {
        let [a, b, c] = self.0;
        let network = Ipv4Addr::new(a, b, c, 0);
        network.is_loopback() || network.is_private()
    }

    /// The address with this last number.
    pub const fn host(self, last: u8) -> IpAddr {
        let [a, b, c] = self.0;
        IpAddr::V4(Ipv4Addr::new(a, b, c, last))
    }

    /// The trust services.
    pub const fn trust(self) -> IpAddr {
        self.host(1)
    }

    /// The central server.
    pub const fn central(self) -> IpAddr {
        self.host(2)
    }

    /// The example information system.
    pub const fn service(self) -> IpAddr {
        self.host(30)
    }
}

impl Default for Net {
    fn default() -> Self {
        Self([127, 0, 42])
    }
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u8>, _> = text.split('.').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[a, b, c]) if Self([a, b, c]).is_ours() => Ok(Self([a, b, c])),
            _ => Err(
                "expected the first three numbers of a loopback or private network, such as 127.0.42 or 10.77.0"
                    .into(),
            ),
        }
    }
}

impl TryFrom<String> for Net {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Net> for String {
    fn from(net: Net) -> Self {
        net.to_string()
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a}.{b}.{c}")
    }
}

/// A security server of the sandbox: a name, a member, a subsystem, an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Server {
    /// What the sandbox calls it.
    pub name: &'static str,
    /// Its server code.
    pub code: &'static str,
    /// The member that owns it.
    pub member: &'static str,
    /// The member's name.
    pub member_name: &'static str,
    /// The subsystem that is registered on it.
    pub subsystem: &'static str,
    /// The last number of its address.
    pub host: u8,
}

/// The security server of the service client.
pub const CONSUMER: Server = Server {
    name: "consumer",
    code: "consumer",
    member: "1001",
    member_name: "Consumer Organisation",
    subsystem: "client",
    host: 10,
};

/// The security server of the service provider.
pub const PROVIDER: Server = Server {
    name: "provider",
    code: "provider",
    member: "2002",
    member_name: "Provider Organisation",
    subsystem: "provider",
    host: 20,
};

/// The security servers of the service provider, of which the first is always there: they offer the same services, so that
/// there is something to choose from.
pub const PROVIDERS: [Server; 3] = [
    PROVIDER,
    Server {
        name: "provider2",
        code: "provider2",
        host: 21,
        ..PROVIDER
    },
    Server {
        name: "provider3",
        code: "provider3",
        host: 22,
        ..PROVIDER
    },
];

impl Server {
    /// `SANDBOX/ORG/1001`
    pub fn member_id(&self) -> String {
        format!("{INSTANCE}/{MEMBER_CLASS}/{}", self.member)
    }

    /// `SANDBOX/ORG/1001/client`
    pub fn subsystem_id(&self) -> String {
        format!("{}/{}", self.member_id(), self.subsystem)
    }

    /// `SANDBOX/ORG/1001/consumer`
    pub fn server_id(&self) -> String {
        format!("{}/{}", self.member_id(), self.code)
    }

    /// Its address and this port.
    pub fn address(&self, net: Net, port: u16) -> SocketAddr {
        SocketAddr::new(net.host(self.host), port)
    }
}

/// The folders of a sandbox.
#[derive(Debug, Clone)]
pub struct Folders {
    root: PathBuf,
}

impl Folders {
    /// The folders below `root`.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// The folder that was given with `--dir`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `sandbox.json`
    pub fn description(&self) -> PathBuf {
        self.root.join("sandbox.json")
    }

    /// Exists once keys, certificates and registrations are made; holds the network that they were made for.
    pub fn provisioned(&self) -> PathBuf {
        self.root.join("provisioned")
    }

    /// The folder of one server: `trust`, `central`, `consumer` or `provider`.
    pub fn server(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The provider's security servers that this sandbox has.
    pub fn providers(&self) -> Vec<&'static Server> {
        let there = PROVIDERS
            .iter()
            .filter(|server| self.server(server.name).exists());
        there.collect()
    }

    /// What a process writes to its standard output and error.
    pub fn log(&self, process: &str) -> PathBuf {
        self.root.join("log").join(format!("{process}.log"))
    }

    /// The process id of a process.
    pub fn pid(&self, process: &str) -> PathBuf {
        self.root.join("run").join(format!("{process}.pid"))
    }

    /// The Unix socket of a server's signer.
    pub fn signer_socket(&self, server: &str) -> PathBuf {
        self.server(server).join("signer.sock")
    }

    /// The configuration anchor of the instance.
    pub fn anchor(&self) -> PathBuf {
        self.root.join("anchor.xml")
    }

    /// The global configuration as a server's configuration client keeps it.
    pub fn global_configuration(&self, server: &str) -> PathBuf {
        self.server(server).join("globalconf")
    }

    /// The OCSP responses of a server.
    pub fn ocsp_responses(&self, server: &str) -> PathBuf {
        self.server(server).join("ocsp")
    }

    /// The server configuration of a server.
    pub fn server_configuration(&self, server: &str) -> PathBuf {
        self.server(server).join("server.db")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_net_is_three_numbers_of_loopback_or_of_a_private_network() {
        for right in ["127.0.43", "10.77.0", "172.31.255", "192.168.1"] {
            let host = right.parse::<Net>().unwrap().host(7).to_string();
            assert_eq!(host, format!("{right}.7"));
        }
        for wrong in [
            "8.8.8",
            "172.32.0",
            "0.0.0",
            "127.0",
            "127.0.0.1",
            "127.0.300",
            "10.0.-1",
            "",
        ] {
            assert!(wrong.parse::<Net>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn identifiers_are_written_with_slashes() {
        assert_eq!(CONSUMER.server_id(), "SANDBOX/ORG/1001/consumer");
        assert_eq!(PROVIDER.subsystem_id(), "SANDBOX/ORG/2002/provider");
    }
}
