//! A security server of a sandbox: configuration client, proxy and server configuration.

use std::path::PathBuf;

use protocol_globalconf::GlobalConf;
use serde_json::{Value, json};
use settings::Preset;
use signer_client::KeyUsage;
use storage::server_configuration::ServerConfiguration;
use time::OffsetDateTime;

use super::layout::{Folders, Net, Server, port};
use super::{description, files, http, process, signer};
use crate::failure::{Failure, OrUnusable};
use crate::verify::TrustFiles;

/// Seconds between two downloads of the global configuration: short, so that changes are seen soon.
const DOWNLOAD_INTERVAL: u64 = 2;
/// Seconds between two rounds of time-stamping: short, so that evidence is complete soon.
const TIME_STAMP_INTERVAL: u64 = 2;

/// The name of the process that is the configuration client of a server.
pub fn confclient_name(server: &Server) -> String {
    format!("{}-confclient", server.name)
}

/// The name of the process that is the proxy of a server.
pub fn proxy_name(server: &Server) -> String {
    format!("{}-proxy", server.name)
}

/// Writes the settings of configuration client and proxy, and applies the server configuration.
///
/// # Errors
/// When the folder cannot be written or the configuration is refused.
pub fn prepare(
    folders: &Folders,
    (net, preset): (Net, Option<Preset>),
    server: &Server,
    internal: &signer::Certificates,
    configuration: &Value,
) -> Result<(), Failure> {
    files::write(&tls_certificate(folders, server), internal.internal.to_pem())?;
    files::write_toml(
        &settings(folders, server, "confclient"),
        &confclient_settings(folders, server),
    )?;
    files::write_toml(
        &settings(folders, server, "proxy"),
        &proxy_settings(folders, net, server, preset),
    )?;
    apply(folders, server, configuration)
}

/// Makes the server configuration say what `configuration` says.
///
/// # Errors
/// When it is refused.
pub fn apply(folders: &Folders, server: &Server, configuration: &Value) -> Result<(), Failure> {
    let file = folders.server(server.name).join("server.toml");
    files::write_toml(&file, configuration)?;
    let doing = || format!("apply {}", file.display());
    let text = std::fs::read_to_string(&file).or_unusable(doing)?;
    let mut database =
        ServerConfiguration::open(&folders.server_configuration(server.name)).or_unusable(doing)?;
    database.apply_toml(&text).or_unusable(doing).map(drop)
}

fn settings(folders: &Folders, server: &Server, process: &str) -> PathBuf {
    folders.server(server.name).join(format!("{process}.toml"))
}

fn tls_certificate(folders: &Folders, server: &Server) -> PathBuf {
    folders.server(server.name).join("internal-tls.pem")
}

fn data(folders: &Folders, server: &Server) -> PathBuf {
    folders.server(server.name).join("proxy")
}

fn confclient_settings(folders: &Folders, server: &Server) -> Value {
    json!({
        "kiirtee": {
            "anchor": folders.anchor(),
            "global-configuration": folders.global_configuration(server.name),
            "signer-socket": folders.signer_socket(server.name),
            "ocsp-cache": folders.ocsp_responses(server.name),
            "retry-delay": 1,
            "ocsp-poll-interval": 1,
        },
        "configuration-client": {"update-interval": DOWNLOAD_INTERVAL},
        "signer": {"ocsp-retry-delay": 1},
    })
}

fn proxy_settings(folders: &Folders, net: Net, server: &Server, preset: Option<Preset>) -> Value {
    let host = server.address(net, port::PEER).ip();
    let mut own = json!({
        "data-dir": data(folders, server),
        "server-configuration": folders.server_configuration(server.name),
        "global-configuration": folders.global_configuration(server.name),
        "ocsp-cache": folders.ocsp_responses(server.name),
        "signer-socket": folders.signer_socket(server.name),
        "tls-certificate": tls_certificate(folders, server),
        "admin-listen": server.address(net, port::ADMIN),
        "timestamp-interval-override": TIME_STAMP_INTERVAL,
    });
    if let (Some(preset), Some(own)) = (preset, own.as_object_mut()) {
        own.insert("preset".into(), preset.code().into());
    }
    json!({
        "kiirtee": own,
        "proxy": {
            "connector-host": host,
            "client-http-port": port::CLIENT_HTTP,
            "client-https-port": port::CLIENT_HTTPS,
            "server-listen-address": host,
            "server-listen-port": port::PEER,
            "server-port": port::PEER,
            "ocsp-responder-listen-address": host,
            "ocsp-responder-port": port::OCSP_RESPONDER,
            // Both ends agree: what makes exchanges fast between servers of a kind.
            "pool-enable-connection-reuse": true,
            "server-support-clients-pooled-connections": true,
        },
    })
}

/// Starts the configuration client of a server.
///
/// # Errors
/// When it cannot be started.
pub fn start_confclient(folders: &Folders, server: &Server) -> Result<(), Failure> {
    start(
        folders,
        server,
        "kiirtee-confclient",
        &confclient_name(server),
        "confclient",
    )
}

/// Starts the proxy of a server.
///
/// # Errors
/// When it cannot be started.
pub fn start_proxy(folders: &Folders, server: &Server) -> Result<(), Failure> {
    files::folder(&data(folders, server))?;
    start(folders, server, "kiirtee-proxy", &proxy_name(server), "proxy")
}

fn start(folders: &Folders, server: &Server, program: &str, name: &str, kind: &str) -> Result<(), Failure> {
    let settings = settings(folders, server, kind).display().to_string();
    process::start(
        folders,
        name,
        &process::program(program)?,
        &["run", "--config", &settings],
    )
    .map(drop)
}

/// Whether the server has all that it needs to exchange messages: a valid global configuration that knows it, and
/// OCSP responses for its certificates.
///
/// # Errors
/// What is missing.
pub fn has_trust(folders: &Folders, server: &Server) -> Result<(), Failure> {
    let globalconf = folders.global_configuration(server.name);
    let missing = || format!("find a global configuration in {}", globalconf.display());
    let conf =
        GlobalConf::load(&TrustFiles::new(&globalconf), OffsetDateTime::now_utc()).or_unusable(missing)?;
    conf.verify_validity(OffsetDateTime::now_utc())
        .or_unusable(missing)?;
    let signer = crate::keys::connect(&folders.signer_socket(server.name))?;
    let status = signer
        .status()
        .or_unusable(|| format!("ask the signer of {}", server.name))?;
    let usable = [KeyUsage::Signing, KeyUsage::Authentication]
        .into_iter()
        .flat_map(|usage| status.usable(usage));
    for (_, certificate) in usable {
        let sha1 = protocol_pki::digest::DigestAlgorithm::Sha1.digest(&certificate.der);
        let name: String = sha1.iter().map(|byte| format!("{byte:02x}")).collect();
        let response = folders.ocsp_responses(server.name).join(format!("{name}.ocsp"));
        if !response.is_file() {
            return Err(Failure::unusable(format!(
                "no OCSP response yet: {}",
                response.display()
            )));
        }
    }
    Ok(())
}

/// Whether the proxy says that it is healthy.
///
/// # Errors
/// What it says instead.
pub fn is_healthy(net: Net, server: &Server) -> Result<(), Failure> {
    let url = format!("http://{}/health", server.address(net, port::ADMIN));
    http::get(&url, &[])?.good(&url).map(drop)
}

/// What `sandbox.json` says of the server.
pub fn describe(folders: &Folders, net: Net, server: &Server) -> description::SecurityServer {
    let url = |scheme: &str, port, path: &str| format!("{scheme}://{}{path}", server.address(net, port));
    description::SecurityServer {
        server_id: server.server_id(),
        subsystem: server.subsystem_id(),
        client_http: url("http", port::CLIENT_HTTP, ""),
        client_https: url("https", port::CLIENT_HTTPS, ""),
        peer: server.address(net, port::PEER).to_string(),
        ocsp: url("http", port::OCSP_RESPONDER, ""),
        metrics: url("http", port::ADMIN, "/metrics"),
        health: url("http", port::ADMIN, "/health"),
        data_dir: folders.server(server.name),
        message_log: data(folders, server).join("messagelog"),
        server_configuration: folders.server_configuration(server.name),
        signer_socket: folders.signer_socket(server.name),
    }
}
