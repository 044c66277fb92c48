//! The trust services of a sandbox: `kiirtee-trust`.

use protocol_pki::certificate::Certificate;

use super::layout::{Folders, INSTANCE, Net, port};
use super::{description, http, process};
use crate::failure::{Failure, OrUnusable};

/// Name of the process.
pub const NAME: &str = "trust";
/// Name of the time-stamping service in the global configuration and the server configuration.
pub const TSA_NAME: &str = "Sandbox TSA";

/// What a certificate shall be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Signing messages.
    Sign,
    /// Authentication of a security server.
    Auth,
}

/// Where the services are.
pub fn urls(net: Net) -> description::Trust {
    let host = net.trust();
    description::Trust {
        ca: format!("http://{host}:{}", port::CA),
        ocsp: format!("http://{host}:{}/ocsp", port::OCSP),
        tsa: format!("http://{host}:{}/tsa", port::TSA),
    }
}

/// Makes a certification authority, unless there is one already.
///
/// # Errors
/// What the program says when it fails.
pub fn init(folders: &Folders) -> Result<(), Failure> {
    let dir = folders.server(NAME);
    if dir.exists() {
        return Ok(());
    }
    let dir = dir.display().to_string();
    process::run("kiirtee-trust", &["init", "--dir", &dir, "--instance", INSTANCE])
}

/// Starts the services.
///
/// # Errors
/// When the program cannot be started.
pub fn start(folders: &Folders, net: Net) -> Result<(), Failure> {
    let dir = folders.server(NAME).display().to_string();
    let listen = net.trust().to_string();
    let program = process::program("kiirtee-trust")?;
    process::start(
        folders,
        NAME,
        &program,
        &["serve", "--dir", &dir, "--listen", &listen],
    )
    .map(drop)
}

/// Whether the services answer.
///
/// # Errors
/// When they do not.
pub fn ready(net: Net) -> Result<(), Failure> {
    let url = format!("{}/ca/ca.pem", urls(net).ca);
    http::get(&url, &[])?.good(&url).map(drop)
}

/// A certificate of the services: `ca.pem`, `ocsp.pem` or `tsa.pem`.
///
/// # Errors
/// When it cannot be had.
pub fn certificate(net: Net, name: &str) -> Result<Certificate, Failure> {
    let url = format!("{}/ca/{name}", urls(net).ca);
    let body = http::get(&url, &[])?.good(&url)?;
    Certificate::from_der_or_pem(&body).or_unusable(|| format!("understand the certificate at {url}"))
}

/// Has a signing request (DER) certified.
///
/// # Errors
/// What the authority says when it refuses.
pub fn certify(net: Net, request: &[u8], usage: Usage) -> Result<Certificate, Failure> {
    let usage = if usage == Usage::Sign { "sign" } else { "auth" };
    let url = format!("{}/ca/sign?usage={usage}", urls(net).ca);
    let body = http::post(&url, &[("Content-Type", "application/pkcs10")], request)?.good(&url)?;
    Certificate::from_der_or_pem(&body).or_unusable(|| format!("understand the certificate from {url}"))
}
