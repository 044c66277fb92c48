//! The limit: nginx → nginx over mutual TLS with kept connections. It carries, and neither signs nor logs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use cli::failure::Failure;

use crate::backend::Backend;
use crate::bed::Bed;
use crate::load::said;
use crate::measure::Subject;
use crate::nginx::Nginx;

/// What the two ends of the chain speak with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// TLS 1.3 with AES-256-GCM.
    Tls13,
    /// TLS 1.2 with ECDHE-RSA-AES256-SHA384, the suite of stock X-Road 7 servers.
    Cbc,
}

impl Suite {
    /// Its usual name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tls13 => "TLS 1.3 AES-256-GCM",
            Self::Cbc => "TLS 1.2 ECDHE-RSA-AES256-SHA384",
        }
    }

    fn directives(self, prefix: &str) -> String {
        match self {
            Self::Tls13 => format!("{prefix}ssl_protocols TLSv1.3;"),
            Self::Cbc => {
                format!("{prefix}ssl_protocols TLSv1.2; {prefix}ssl_ciphers ECDHE-RSA-AES256-SHA384;")
            }
        }
    }

    const fn port(self) -> u16 {
        match self {
            Self::Tls13 => 8080,
            Self::Cbc => 8081,
        }
    }
}

/// The running chain.
#[derive(Debug)]
pub(crate) struct Chain {
    front: Nginx,
    back: Nginx,
    address: SocketAddr,
}

impl Chain {
    /// Starts both ends, in front of `backend`.
    pub(crate) fn start(bed: &Bed, backend: &Backend, suite: Suite) -> Result<Self, Failure> {
        let net = Bed::chain_net();
        let front = SocketAddr::new(net.host(10), suite.port());
        let back = SocketAddr::new(net.host(20), suite.port());
        let keys = Keys::of(bed)?;
        let name = |end: &str| format!("{end}-{}", suite.port());
        Ok(Self {
            back: Nginx::start(bed, &name("back"), &keys.back(back, backend.address, suite), back)?,
            front: Nginx::start(bed, &name("front"), &keys.front(front, back, suite), front)?,
            address: front,
        })
    }
}

impl Subject for Chain {
    fn url(&self, path: &str) -> String {
        format!("http://{}/rest/{path}", self.address)
    }

    fn processes(&self) -> Vec<u32> {
        [self.front.processes(), self.back.processes()].concat()
    }
}

/// One RSA-2048 key for both ends, which trust its certificate.
struct Keys {
    key: PathBuf,
    certificate: PathBuf,
}

impl Keys {
    fn of(bed: &Bed) -> Result<Self, Failure> {
        let keys = Self {
            key: bed.path("chain.key"),
            certificate: bed.path("chain.crt"),
        };
        if !keys.key.is_file() {
            make(&keys.key, &keys.certificate)?;
        }
        Ok(keys)
    }

    fn back(&self, listen: SocketAddr, backend: SocketAddr, suite: Suite) -> String {
        let (key, certificate) = (self.key.display(), self.certificate.display());
        format!(
            "    upstream next {{ server {backend}; keepalive 512; }}
    server {{
        listen {listen} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        ssl_verify_client on; ssl_client_certificate {certificate};
        {}
        {}
    }}",
            suite.directives(""),
            pass("http")
        )
    }

    fn front(&self, listen: SocketAddr, back: SocketAddr, suite: Suite) -> String {
        let (key, certificate) = (self.key.display(), self.certificate.display());
        format!(
            "    upstream next {{ server {back}; keepalive 512; }}
    server {{
        listen {listen};
        proxy_ssl_certificate {certificate}; proxy_ssl_certificate_key {key};
        proxy_ssl_verify on; proxy_ssl_trusted_certificate {certificate}; proxy_ssl_name bench;
        {}
        {}
    }}",
            suite.directives("proxy_"),
            pass("https")
        )
    }
}

fn pass(scheme: &str) -> String {
    format!(
        "location / {{ proxy_pass {scheme}://next; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}"
    )
}

fn make(key: &Path, certificate: &Path) -> Result<(), Failure> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=bench", "-addext", "subjectAltName=DNS:bench"]);
    openssl.arg("-keyout").arg(key).arg("-out").arg(certificate);
    said(&mut openssl, "openssl").map(drop)
}
