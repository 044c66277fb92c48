//! Settings of the central server (`central.toml`). Times are in seconds.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use protocol_globalconf::Version;
use serde::Deserialize;

/// Where the registry is.
pub const DEFAULT_REGISTRY: &str = "/etc/kiirtee/registry.toml";
/// Where the list of signing keys and the anchors are.
pub const DEFAULT_STATE_DIRECTORY: &str = "/var/lib/kiirtee/central";
/// Socket of the signer that holds the configuration signing keys.
pub const DEFAULT_SIGNER_SOCKET: &str = "/run/kiirtee/signer.sock";
/// Where the configuration is served.
pub const DEFAULT_LISTEN: &str = "0.0.0.0:80";
/// Time between two generations.
pub const DEFAULT_INTERVAL: u64 = 60;
/// How long a generation may be used.
pub const DEFAULT_VALIDITY: u64 = 600;
/// Oldest version that is generated.
pub const DEFAULT_MINIMUM_VERSION: u8 = 2;

/// Everything in `central.toml`; every setting has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The registry.
    pub registry: PathBuf,
    /// The list of signing keys and the anchors.
    pub state_directory: PathBuf,
    /// Socket of the signer.
    pub signer_socket: PathBuf,
    /// Address and port for HTTP.
    pub listen: SocketAddr,
    /// Time between two generations.
    pub interval: u64,
    /// How long a generation may be used; more than the interval.
    pub validity: u64,
    /// Oldest version that is generated.
    pub minimum_version: u8,
    /// The log.
    pub log: LogSettings,
}

/// Settings of the log, which goes to standard error; `RUST_LOG` selects what it contains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            registry: DEFAULT_REGISTRY.into(),
            state_directory: DEFAULT_STATE_DIRECTORY.into(),
            signer_socket: DEFAULT_SIGNER_SOCKET.into(),
            listen: SocketAddr::from(([0, 0, 0, 0], 80)),
            interval: DEFAULT_INTERVAL,
            validity: DEFAULT_VALIDITY,
            minimum_version: DEFAULT_MINIMUM_VERSION,
            log: LogSettings::default(),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read settings {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("malformed settings {path}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A generation would expire before the next one, or never be made.
    #[error("interval must be at least 1 and less than validity")]
    Times,
    /// There is no such version.
    #[error("minimum_version must be from 2 to {}", Version::NEWEST)]
    Version,
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// When it cannot be read, has unknown settings, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.to_owned(),
            source,
        })?;
        toml::from_str(&text).map_err(|source| SettingsError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// Checks what no single setting shows.
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn validate(&self) -> Result<(), SettingsError> {
        if self.interval == 0 || self.interval >= self.validity {
            return Err(SettingsError::Times);
        }
        match self.versions().len() {
            1..=5 if self.minimum_version >= 2 => Ok(()),
            _ => Err(SettingsError::Version),
        }
    }

    /// The versions that are generated.
    #[must_use]
    pub fn versions(&self) -> Vec<Version> {
        Version::NEWEST_FIRST
            .into_iter()
            .filter(|version| version.number() >= self.minimum_version)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_written_in_the_constants() {
        let settings: Settings = toml::from_str("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.listen, DEFAULT_LISTEN.parse().unwrap());
        assert_eq!(settings.versions().len(), 5);
        settings.validate().unwrap();
    }

    #[test]
    fn contradictions_and_unknown_settings_are_refused() {
        assert!(toml::from_str::<Settings>("x = 1").is_err());
        let settings = Settings {
            validity: 60,
            ..Settings::default()
        };
        assert!(matches!(settings.validate(), Err(SettingsError::Times)));
        let settings = Settings {
            minimum_version: 7,
            ..Settings::default()
        };
        assert!(matches!(settings.validate(), Err(SettingsError::Version)));
        let settings = Settings {
            minimum_version: 1,
            ..Settings::default()
        };
        assert!(matches!(settings.validate(), Err(SettingsError::Version)));
        let settings = Settings {
            minimum_version: 6,
            ..Settings::default()
        };
        assert_eq!(settings.versions(), [Version::V6]);
    }
}
