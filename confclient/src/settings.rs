//! Settings of the configuration client (`confclient.toml`), typed.
//!
//! Names, defaults and bounds are in the table of the crate `settings`: the reference's `[configuration-client]` and, of
//! `[signer]`, what concerns OCSP responses, for the signer has no network here; and our `[kiirtee]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use settings::SettingsError;
use settings::parameter::Process;

mod file;

/// Name of the status file in the configuration directory's parent, if the settings name none.
pub const STATUS_FILE: &str = "confclient-status.json";
/// What "for ever" is: no round and no request takes longer.
const NO_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Everything that the configuration client can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The configuration anchor.
    pub anchor: PathBuf,
    /// The configuration directory.
    pub directory: PathBuf,
    /// The status file.
    pub status_file: Option<PathBuf>,
    /// Seconds between two rounds.
    pub interval: u64,
    /// Seconds until the first retry after a failed round.
    pub retry_delay: u64,
    /// Time limit for connecting to a source.
    pub connect_timeout: Duration,
    /// Time limit for reading an answer.
    pub read_timeout: Duration,
    /// PEM file with the root certificates for `https`.
    pub root_certificates: PathBuf,
    /// Whether certificates and host names of `https` sources are verified. The configuration itself is always.
    pub verify_tls: bool,
    /// Which federated instances are downloaded.
    pub federations: Federations,
    /// OCSP responses of the own certificates.
    pub ocsp: OcspSettings,
    /// Whether the log, which goes to standard error, is one JSON object a line; `RUST_LOG` selects what it contains.
    pub log_json: bool,
}

/// Settings of the OCSP refresher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspSettings {
    /// Socket of the signer, whose certificates need responses; none: nobody's do.
    pub signer_socket: Option<PathBuf>,
    /// Where responses are stored, as `<SHA-1 of the certificate in hexadecimal>.ocsp`.
    pub directory: PathBuf,
    /// Seconds between two requests about a certificate; the global configuration's if absent.
    pub interval: Option<u64>,
    /// Seconds between two looks at the signer's certificates.
    pub poll_interval: u64,
    /// Seconds until a failed request is repeated.
    pub retry_delay: u64,
    /// Time limit for connecting to a responder.
    pub connect_timeout: Duration,
    /// Time limit for reading a response.
    pub read_timeout: Duration,
}

/// Which federated instances are downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Federations {
    /// All or none.
    Mode(FederationMode),
    /// These instance codes, compared without regard to case.
    Only(Vec<String>),
}

/// All or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FederationMode {
    /// All that the private parameters name.
    All,
    /// Only the own instance.
    None,
}

impl Federations {
    /// `none` anywhere in the list is none and `all` is all, as in the reference; otherwise the instances named.
    fn from_list(list: Vec<String>) -> Self {
        let says = |word: &str| list.iter().any(|entry| entry.eq_ignore_ascii_case(word));
        if list.is_empty() || says("none") {
            Self::Mode(FederationMode::None)
        } else if says("all") {
            Self::Mode(FederationMode::All)
        } else {
            Self::Only(list)
        }
    }

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

impl Settings {
    /// Reads a settings file; and what it says in vain.
    ///
    /// # Errors
    /// [`SettingsError`] names the file, the setting and what was expected.
    pub fn read(path: &Path) -> Result<(Self, Vec<settings::resolve::Ignored>), SettingsError> {
        let loaded = settings::load(path, Process::ConfigurationClient, None)?;
        let ignored = loaded.ignored.clone();
        Ok((loaded.typed::<file::File>()?.into(), ignored))
    }

    /// The settings that a text says.
    ///
    /// # Errors
    /// [`SettingsError`] names the setting and what was expected.
    pub fn from_text(text: &str) -> Result<Self, SettingsError> {
        let loaded = settings::resolve(text, Process::ConfigurationClient, None)?;
        Ok(loaded.typed::<file::File>()?.into())
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
    fn nothing_said_is_what_the_reference_does() {
        let settings = Settings::from_text("").unwrap();
        assert_eq!((settings.interval, settings.verify_tls), (60, true));
        assert_eq!(settings.read_timeout, Duration::from_secs(30));
        assert_eq!(settings.ocsp.retry_delay, 60);
        assert!(settings.ocsp.signer_socket.is_some());
    }

    #[test]
    fn unknown_settings_and_times_of_zero_are_refused() {
        let refused = |text: &str| Settings::from_text(text).unwrap_err().to_string();
        assert!(
            refused("[configuration-client]\nupdate-intervall = 5").contains("did you mean update-interval?")
        );
        assert!(refused("[configuration-client]\nupdate-interval = 0").contains("1 to"));
        assert!(refused("[proxy]\nclient-timeout = 5").contains("kiirtee-proxy"));
        Settings::from_text("[configuration-client]\nupdate-interval = 5").unwrap();
    }

    #[test]
    fn federations_are_all_none_or_some() {
        let federations = |value: &str| {
            let text = format!("[configuration-client]\nallowed-federations = {value}");
            Settings::from_text(&text).unwrap().federations
        };
        assert!(!Settings::from_text("").unwrap().federations.allow("FI"));
        assert!(federations("'all'").allow("FI"));
        assert!(!federations("'none'").allow("FI"));
        assert!(!federations("'all, none'").allow("FI"));
        let some = federations("['fi', 'ee']");
        assert!(some.allow("FI") && !some.allow("IS"));
    }

    #[test]
    fn without_retrieval_no_signer_is_asked() {
        let settings = Settings::from_text("[signer]\nocsp-response-retrieval-active = false").unwrap();
        assert_eq!(settings.ocsp.signer_socket, None);
    }
}
