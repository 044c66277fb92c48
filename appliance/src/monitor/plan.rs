//! What is watched, and where it is told: from what is provisioned.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use protocol_message::identifier::ClientId;
use serde::Deserialize;
use settings::parameter::Process;
use settings::{Loaded, SettingsError};

use crate::disk;
use crate::document::{self, Document, Health};
use crate::paths::{self, Root};
use crate::provision::inputs;

/// Seconds between two looks, where nothing sends a message to itself.
const INTERVAL: Duration = Duration::from_secs(60);
/// The proxy's settings among those that are kept, and the most bytes of them.
const PROXY_SETTINGS: &str = "proxy.toml";
const MAX_SETTINGS: usize = 1 << 20;

/// What is watched, and where it is told.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whether anything was provisioned.
    pub provisioned: bool,
    /// The own subsystem that sends a message to itself; without, nothing is sent.
    pub client: Option<ClientId>,
    /// Time between two looks.
    pub interval: Duration,
    /// URL of the client proxy.
    pub client_proxy: String,
    /// Where the proxy's health and metrics are.
    pub proxy_admin: SocketAddr,
    /// Where the monitor tells.
    pub listen: SocketAddr,
}

/// Why what is provisioned can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No access.
    #[error("{path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not what provisioning keeps.
    #[error("{path}: {source}")]
    Settings {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: Box<SettingsError>,
    },
}

/// What the monitor asks of the proxy's settings.
#[derive(Debug, Deserialize)]
struct ProxySettings {
    proxy: Exchange,
    kiirtee: Own,
}

/// Of `[proxy]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Exchange {
    connector_host: IpAddr,
    client_http_port: u16,
}

/// Of `[kiirtee]`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Own {
    admin_listen: SocketAddr,
}

impl ProxySettings {
    /// Those that are kept; as everywhere if there are none.
    fn read(root: &Root) -> Result<Self, PlanError> {
        let path = root.path(paths::SETTINGS).join(PROXY_SETTINGS);
        let text = disk::read(&path, MAX_SETTINGS)
            .map_err(|source| PlanError::Read {
                path: path.clone(),
                source,
            })?
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let settings = settings::resolve(&text, Process::Proxy, None).and_then(Loaded::typed);
        settings.map_err(|source| PlanError::Settings {
            path,
            source: Box::new(source),
        })
    }

    /// URL of the client proxy, as this machine reaches it.
    fn client_proxy(&self) -> String {
        let host = match self.proxy.connector_host {
            IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        format!("http://{}", SocketAddr::new(host, self.proxy.client_http_port))
    }
}

impl Plan {
    /// What is provisioned below `root`; nothing is a plan, too.
    ///
    /// # Errors
    /// [`PlanError`]
    pub fn read(root: &Root) -> Result<Self, PlanError> {
        let path = root.path(paths::SETTINGS).join(inputs::DOCUMENT);
        let kept = disk::read(&path, document::MAX_BYTES).map_err(|source| PlanError::Read {
            path: path.clone(),
            source,
        })?;
        let document = kept.as_deref().map(Document::read).transpose();
        let health = match document {
            Ok(document) => document.and_then(|document| document.health),
            // A version that went back may not understand it; what was made of it is in force all the same.
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "no message is sent to itself");
                None
            }
        };
        Ok(Self::of(kept.is_some(), health, &ProxySettings::read(root)?))
    }

    fn of(provisioned: bool, health: Option<Health>, proxy: &ProxySettings) -> Self {
        let interval = health.as_ref().map(|health| Duration::from_secs(health.interval));
        let admin = proxy.kiirtee.admin_listen;
        Self {
            provisioned,
            client: health.map(|health| health.client),
            interval: interval.unwrap_or(INTERVAL),
            client_proxy: proxy.client_proxy(),
            proxy_admin: admin,
            listen: SocketAddr::new(admin.ip(), document::DIAGNOSTICS_PORT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(document: &str, proxy: &str) -> Plan {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let settings = root.path(paths::SETTINGS);
        std::fs::create_dir_all(&settings).unwrap();
        std::fs::write(settings.join(inputs::DOCUMENT), document).unwrap();
        std::fs::write(settings.join(PROXY_SETTINGS), proxy).unwrap();
        Plan::read(&root).unwrap()
    }

    #[test]
    fn the_proxy_is_asked_where_its_settings_say() {
        let national = kept(
            "",
            "[kiirtee]\npreset = \"ee\"\nadmin-listen = \"10.77.0.40:5566\"\n",
        );
        assert_eq!(national.client_proxy, "http://127.0.0.1:80");
        assert_eq!(national.proxy_admin.to_string(), "10.77.0.40:5566");
        assert_eq!(national.listen.to_string(), "10.77.0.40:5567");
        let own = kept(
            "",
            "[proxy]\nconnector-host = \"10.77.0.40\"\nclient-http-port = 8081\n",
        );
        assert_eq!(own.client_proxy, "http://10.77.0.40:8081");
        let all = kept("", "[proxy]\nconnector-host = \"0.0.0.0\"\n");
        assert_eq!(all.client_proxy, "http://127.0.0.1:8080");
    }

    #[test]
    fn a_document_of_a_later_version_is_watched_without_messages() {
        let plan = kept("[later]\nkey = 1\n", "");
        assert!(plan.provisioned);
        assert_eq!(plan.client, None);
    }
}
