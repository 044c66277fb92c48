//! Settings of the configuration client (`confclient.toml`). Times are in seconds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// Where the anchor is.
pub const DEFAULT_ANCHOR: &str = "/etc/kiirtee/configuration-anchor.xml";
/// Where the configuration is stored.
pub const DEFAULT_DIRECTORY: &str = "/var/lib/kiirtee/globalconf";
/// Where OCSP responses are stored.
pub const DEFAULT_OCSP_DIRECTORY: &str = "/var/cache/kiirtee/ocsp";
/// Time between two rounds.
pub const DEFAULT_INTERVAL: u64 = 60;
/// Time until the first retry after a failed round; it doubles until it reaches the interval.
pub const DEFAULT_RETRY_DELAY: u64 = 5;
/// Time limit for connecting to a source.
pub const DEFAULT_CONNECT_TIMEOUT: u64 = 10;
/// Time limit for reading an answer.
pub const DEFAULT_READ_TIMEOUT: u64 = 30;
/// Root certificates for `https` sources and responders.
pub const DEFAULT_ROOT_CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Time between two looks at the signer's certificates.
pub const DEFAULT_OCSP_POLL_INTERVAL: u64 = 5;
/// Time until a failed OCSP request is repeated.
pub const DEFAULT_OCSP_RETRY_DELAY: u64 = 60;
/// Time limit for connecting to an OCSP responder.
pub const DEFAULT_OCSP_CONNECT_TIMEOUT: u64 = 20;
/// Time limit for reading an OCSP response.
pub const DEFAULT_OCSP_READ_TIMEOUT: u64 = 60;
/// Name of the status file in the configuration directory's parent, if the settings name none.
pub const STATUS_FILE: &str = "confclient-status.json";

/// Everything in `confclient.toml`; every setting has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The configuration anchor.
    pub anchor: PathBuf,
    /// The configuration directory.
    pub directory: PathBuf,
    /// The status file.
    pub status_file: Option<PathBuf>,
    /// Time between two rounds.
    pub interval: u64,
    /// Time until the first retry after a failed round.
    pub retry_delay: u64,
    /// Time limit for connecting to a source.
    pub connect_timeout: u64,
    /// Time limit for reading an answer.
    pub read_timeout: u64,
    /// PEM file with the root certificates for `https`.
    pub root_certificates: PathBuf,
    /// Whether certificates and host names of `https` sources are verified. The configuration itself is always.
    pub verify_tls: bool,
    /// Which federated instances are downloaded.
    pub federations: Federations,
    /// OCSP responses of the own certificates.
    pub ocsp: OcspSettings,
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
            anchor: DEFAULT_ANCHOR.into(),
            directory: DEFAULT_DIRECTORY.into(),
            status_file: None,
            interval: DEFAULT_INTERVAL,
            retry_delay: DEFAULT_RETRY_DELAY,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            read_timeout: DEFAULT_READ_TIMEOUT,
            root_certificates: DEFAULT_ROOT_CERTIFICATES.into(),
            verify_tls: true,
            federations: Federations::default(),
            ocsp: OcspSettings::default(),
            log: LogSettings::default(),
        }
    }
}

/// Settings of the OCSP refresher. Without a signer socket there is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcspSettings {
    /// Socket of the signer, whose certificates need responses.
    pub signer_socket: Option<PathBuf>,
    /// Where responses are stored, as `<SHA-1 of the certificate in hexadecimal>.ocsp`.
    pub directory: PathBuf,
    /// Time between two requests about a certificate; the global configuration's if absent.
    pub interval: Option<u64>,
    /// Time between two looks at the signer's certificates.
    pub poll_interval: u64,
    /// Time until a failed request is repeated.
    pub retry_delay: u64,
    /// Time limit for connecting to a responder.
    pub connect_timeout: u64,
    /// Time limit for reading a response.
    pub read_timeout: u64,
}

impl Default for OcspSettings {
    fn default() -> Self {
        Self {
            signer_socket: None,
            directory: DEFAULT_OCSP_DIRECTORY.into(),
            interval: None,
            poll_interval: DEFAULT_OCSP_POLL_INTERVAL,
            retry_delay: DEFAULT_OCSP_RETRY_DELAY,
            connect_timeout: DEFAULT_OCSP_CONNECT_TIMEOUT,
            read_timeout: DEFAULT_OCSP_READ_TIMEOUT,
        }
    }
}

/// Which federated instances are downloaded: `"all"`, `"none"` or a list of instance codes (compared without regard
/// to case).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Federations {
    /// All or none.
    Mode(FederationMode),
    /// These.
    Only(Vec<String>),
}

/// All or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FederationMode {
    /// All that the private parameters name.
    All,
    /// Only the own instance.
    None,
}

impl Default for Federations {
    /// None, as in the reference.
    fn default() -> Self {
        Self::Mode(FederationMode::None)
    }
}

impl Federations {
    /// Whether the instance is to be downloaded.
    #[must_use]
    pub fn allow(&self, instance: &str) -> bool {
        match self {
            Self::Mode(mode) => *mode == FederationMode::All,
            Self::Only(instances) => instances
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(instance)),
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
    /// An interval or time limit is zero.
    #[error("setting {0} must be at least 1 second")]
    Zero(&'static str),
}

impl Settings {
    /// Reads a settings file.
    ///
    /// # Errors
    /// When it cannot be read, has unknown settings, or a time of zero.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
            path: path.to_owned(),
            source,
        })?;
        let settings: Self = toml::from_str(&text).map_err(|source| SettingsError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        settings.validate()?;
        Ok(settings)
    }

    fn validate(&self) -> Result<(), SettingsError> {
        let times = [
            ("interval", self.interval),
            ("retry_delay", self.retry_delay),
            ("connect_timeout", self.connect_timeout),
            ("read_timeout", self.read_timeout),
            ("ocsp.interval", self.ocsp.interval.unwrap_or(1)),
            ("ocsp.poll_interval", self.ocsp.poll_interval),
            ("ocsp.retry_delay", self.ocsp.retry_delay),
            ("ocsp.connect_timeout", self.ocsp.connect_timeout),
            ("ocsp.read_timeout", self.ocsp.read_timeout),
        ];
        match times.into_iter().find(|(_, seconds)| *seconds == 0) {
            Some((name, _)) => Err(SettingsError::Zero(name)),
            None => Ok(()),
        }
    }

    /// Where the status file is: named by the settings, or beside the configuration directory.
    #[must_use]
    pub fn status_path(&self) -> PathBuf {
        self.status_file
            .clone()
            .unwrap_or_else(|| self.directory.with_file_name(STATUS_FILE))
    }

    /// Shortens all intervals to at most the given seconds, for sandboxes.
    pub fn hurry(&mut self, interval: u64) {
        let interval = interval.max(1);
        self.interval = interval;
        self.retry_delay = self.retry_delay.min(interval);
        self.ocsp.poll_interval = self.ocsp.poll_interval.min(interval);
        self.ocsp.retry_delay = self.ocsp.retry_delay.min(interval);
    }

    /// Time between two rounds.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_settings_are_the_defaults() {
        assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(toml::from_str::<Settings>("intervall = 5").is_err());
        assert!(toml::from_str::<Settings>("[ocsp]\nx = 5").is_err());
        assert!(toml::from_str::<Settings>("interval = 5").is_ok());
    }

    #[test]
    fn federations_are_all_none_or_some() {
        let federations = |text: &str| toml::from_str::<Settings>(text).unwrap().federations;
        assert!(!federations("").allow("FI"));
        assert!(federations("federations = \"all\"").allow("FI"));
        assert!(!federations("federations = \"none\"").allow("FI"));
        let some = federations("federations = [\"fi\"]");
        assert!(some.allow("FI") && !some.allow("IS"));
    }

    #[test]
    fn times_of_zero_are_refused() {
        let settings = Settings {
            interval: 0,
            ..Settings::default()
        };
        assert!(matches!(
            settings.validate(),
            Err(SettingsError::Zero("interval"))
        ));
        assert!(Settings::default().validate().is_ok());
    }
}
