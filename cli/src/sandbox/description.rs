//! `sandbox.json`: everything that a program needs to know about a running sandbox.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::{Folders, Net};
use crate::failure::{Failure, OrUnusable};

/// The content of `sandbox.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Identifier of the instance.
    pub instance: String,
    /// The network: its first three numbers.
    pub net: Net,
    /// The security server of the service client.
    pub consumer: SecurityServer,
    /// The security server of the service provider.
    pub provider: SecurityServer,
    /// Further security servers of the provider, with the same services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_providers: Vec<SecurityServer>,
    /// Trust services.
    pub trust: Trust,
    /// Where the global configuration is published, and where a copy of it lies.
    pub global_configuration: GlobalConfiguration,
    /// The services of the provider.
    pub services: Vec<Service>,
    /// The example information system.
    pub information_system: String,
    /// Process ids by name of the process.
    pub processes: BTreeMap<String, u32>,
}

/// A security server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecurityServer {
    /// `INSTANCE/CLASS/MEMBER/SERVER`
    pub server_id: String,
    /// The subsystem registered on it, `INSTANCE/CLASS/MEMBER/SUBSYSTEM`.
    pub subsystem: String,
    /// URL for information systems, HTTP.
    pub client_http: String,
    /// URL for information systems, HTTPS.
    pub client_https: String,
    /// `IP:PORT` for other security servers.
    pub peer: String,
    /// URL of the OCSP responder for other security servers.
    pub ocsp: String,
    /// URL of the metrics.
    pub metrics: String,
    /// URL of the health report.
    pub health: String,
    /// Folder of its data.
    pub data_dir: PathBuf,
    /// The proxy's message log (the folder to give to `kiirtee log`).
    pub message_log: PathBuf,
    /// Its server configuration database.
    pub server_configuration: PathBuf,
    /// The Unix socket of its signer.
    pub signer_socket: PathBuf,
}

/// URLs of the trust services.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trust {
    /// Certification authority.
    pub ca: String,
    /// OCSP responder.
    pub ocsp: String,
    /// Time-stamping authority.
    pub tsa: String,
}

/// The global configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GlobalConfiguration {
    /// URL for the instance's own security servers.
    pub internal: String,
    /// URL for other instances.
    pub external: String,
    /// A verified copy on disk, as a configuration client keeps it.
    pub directory: PathBuf,
    /// The configuration anchor.
    pub anchor: PathBuf,
}

/// A service of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// `INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE[/VERSION]`
    pub id: String,
    /// `REST`, `OPENAPI3` or `WSDL`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What to expect when `consumer` calls it.
    pub about: String,
}

impl Description {
    /// Reads the description of the sandbox in `folders`.
    ///
    /// # Errors
    /// When there is no sandbox, or its description cannot be read.
    pub fn read(folders: &Folders) -> Result<Self, Failure> {
        let path = folders.description();
        let text = std::fs::read(&path).or_unusable(|| {
            format!(
                "read {}; expected a folder in which `kiirtee sandbox up` was run",
                path.display()
            )
        })?;
        serde_json::from_slice(&text).or_unusable(|| format!("understand {}", path.display()))
    }

    /// Writes the description, all of it or nothing.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folders: &Folders) -> Result<(), Failure> {
        let path = folders.description();
        let text = serde_json::to_string_pretty(self).or_unusable(|| "describe the sandbox".into())?;
        let unfinished = path.with_extension("json.new");
        std::fs::write(&unfinished, text + "\n")
            .and_then(|()| std::fs::rename(&unfinished, &path))
            .or_unusable(|| format!("write {}", path.display()))
    }
}
