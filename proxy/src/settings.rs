//! What the operator set, typed.
//!
//! Names, defaults, bounds and presets are in the table of the crate `settings`; here they get types. A parameter that the
//! table has and these structures don't, or the other way round, is an error when any settings are read.

mod body_logging;
mod exchange;
mod limits;
mod message_log;
mod own;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use settings::parameter::Process;
use settings::{Loaded, Preset, SettingsError};

use crate::server_proxy::version;

pub use body_logging::BodyLogging;
pub use exchange::ProxySettings;
pub use limits::AntiDosSettings;
pub use message_log::MessageLogSettings;
pub use own::OwnSettings;

/// Version told to peers in `x-proxy-version`; the reference release whose wire behaviour is ours (wire.md 2.1).
pub const PROXY_VERSION: &str = "7.8.1";

/// Everything that the proxy can be told.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Folders, sockets and bounds of our own.
    pub kiirtee: OwnSettings,
    /// Exchanging messages.
    pub proxy: ProxySettings,
    /// How much is taken on at once.
    pub anti_dos: AntiDosSettings,
    /// The message log.
    pub message_log: MessageLogSettings,
    /// Whose messages are kept with their bodies; from the message log's settings.
    #[serde(skip)]
    pub body_logging: BodyLogging,
}

impl Settings {
    /// Where information systems are served, HTTPS; none without a certificate to show.
    #[must_use]
    pub fn client_https(&self) -> Option<SocketAddr> {
        let certificate = self.kiirtee.tls_certificate.as_ref();
        certificate.map(|_| self.proxy.client_https())
    }

    /// Exchanges that each of so many workers may have under way, in each half of the server.
    #[must_use]
    pub fn max_exchanges(&self, workers: usize) -> usize {
        match self.kiirtee.max_exchanges {
            _ if !self.anti_dos.enabled => usize::MAX,
            0 => crate::admission::by_memory(workers),
            bound => bound,
        }
    }

    /// Where the health check is, if there is any.
    #[must_use]
    pub fn health_check(&self) -> Option<SocketAddr> {
        let (interface, port) = (self.proxy.health_check_interface, self.proxy.health_check_port);
        (port > 0).then(|| SocketAddr::new(interface, port))
    }

    /// Where archive files go.
    #[must_use]
    pub fn archive_dir(&self) -> PathBuf {
        let path = self.message_log.archive_path.clone();
        path.unwrap_or_else(|| self.kiirtee.data_dir.join("archive"))
    }

    /// Reads and checks the settings file; `preset` wins over what the file names. What the file says in vain is
    /// told in the log.
    ///
    /// # Errors
    /// [`SettingsError`] names the file, the setting and what was expected.
    pub fn read(path: &Path, preset: Option<Preset>) -> Result<Self, SettingsError> {
        Self::from_loaded(settings::load(path, Process::Proxy, preset)?)
    }

    /// The same, of a text.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting and what was expected.
    pub fn from_text(text: &str, preset: Option<Preset>) -> Result<Self, SettingsError> {
        Self::from_loaded(settings::resolve(text, Process::Proxy, preset)?)
    }

    fn from_loaded(loaded: Loaded) -> Result<Self, SettingsError> {
        for ignored in &loaded.ignored {
            tracing::warn!(
                setting = ignored.name,
                reason = ignored.reason,
                "a setting is ignored"
            );
        }
        let settings: Self = loaded.typed()?;
        settings.check()?;
        let body_logging = BodyLogging::read(&settings.message_log)?;
        Ok(Self {
            body_logging,
            ..settings
        })
    }

    /// What the table can't say of a value.
    fn check(&self) -> Result<(), SettingsError> {
        match &self.proxy.server_min_supported_client_version {
            Some(version) if !version::is_one(version) => Err(SettingsError::OutOfBounds {
                name: "[proxy] server-min-supported-client-version".to_owned(),
                value: version.clone(),
                expected: "a semantic version such as 7.6.0".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
