//! What the operator may set: a TOML file, unknown names refused. Only the first two are needed:
//!
//! ```toml
//! socket = "/run/kiirtee/signer.sock"
//! state_directory = "/var/lib/kiirtee/signer"
//! socket_gid = 990                       # group that may connect
//! admin_uids = [0]                       # users that may change tokens, besides the signer's own
//! signing_uids = [991]                   # users that may only sign: the proxy
//! pin_file = "/etc/kiirtee/signer.pin"   # mode 0600
//! enforce_pin_policy = true
//! max_connections = 64
//!
//! [signing]
//! batch = true
//! max_batch = 256
//! max_queue = 16384
//! timeout_seconds = 60
//!
//! [software_token]
//! kdf_memory_kib = 65536
//! kdf_passes = 3
//!
//! [log]
//! json = true
//! ```

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;

/// Largest settings file, in bytes.
const MAX_SETTINGS_BYTES: u64 = 64 * 1024;

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file does not exist.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// The file is not TOML, or has unknown or missing names.
    #[error("{path}: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value is out of its range.
    #[error("{name} must be {range}")]
    Range {
        /// The setting.
        name: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

/// The signer's settings.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The Unix socket to listen on.
    pub socket: PathBuf,
    /// Where keys and certificates are kept.
    pub state_directory: PathBuf,
    /// Group (gid) that the socket is given to; by default that of the process.
    pub socket_gid: Option<u32>,
    /// Users (uids) that may ask everything, besides the signer's own.
    #[serde(default)]
    pub admin_uids: Vec<u32>,
    /// Users (uids) that may only read the status and sign.
    #[serde(default)]
    pub signing_uids: Vec<u32>,
    /// A file with PINs, entered at start (see [`crate::auto_login`]).
    pub pin_file: Option<PathBuf>,
    /// Whether new PINs must have ten characters of three classes (features.md 1.2, K8).
    #[serde(default)]
    pub enforce_pin_policy: bool,
    /// Connections at the same time.
    #[serde(default = "default_connections")]
    pub max_connections: usize,
    /// How messages are signed.
    #[serde(default)]
    pub signing: SigningSettings,
    /// How the software token protects its keys.
    #[serde(default)]
    pub software_token: SoftwareTokenSettings,
    /// The log.
    #[serde(default)]
    pub log: LogSettings,
}

fn default_connections() -> usize {
    64
}

/// How messages are signed.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SigningSettings {
    /// Whether waiting messages share a signature.
    pub batch: bool,
    /// The most messages that share one.
    pub max_batch: usize,
    /// The most requests that wait for one key.
    pub max_queue: usize,
    /// Seconds after which a waiting request is given up (wire.md 3.3).
    pub timeout_seconds: u64,
}

impl Default for SigningSettings {
    fn default() -> Self {
        Self {
            batch: true,
            max_batch: 256,
            max_queue: 16_384,
            timeout_seconds: 60,
        }
    }
}

impl SigningSettings {
    /// How long a request may wait.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

/// The cost of trying a PIN: Argon2id (RFC 9106). Used when a PIN is set; an existing token keeps its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SoftwareTokenSettings {
    /// Memory in KiB.
    pub kdf_memory_kib: u32,
    /// Passes over the memory.
    pub kdf_passes: u32,
}

impl Default for SoftwareTokenSettings {
    fn default() -> Self {
        Self {
            kdf_memory_kib: 64 * 1024,
            kdf_passes: 3,
        }
    }
}

/// The log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// Whether lines are JSON objects.
    pub json: bool,
}

impl Settings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let content = crate::atomic_file::read(path, MAX_SETTINGS_BYTES)
            .map_err(|source| SettingsError::Read {
                path: path.to_owned(),
                source,
            })?
            .ok_or_else(|| SettingsError::Missing(path.to_owned()))?;
        let settings: Self = toml::from_slice(&content).map_err(|source| SettingsError::Syntax {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        let kdf = &self.software_token;
        within(
            "max_connections",
            (1..=1024).contains(&self.max_connections),
            "1 to 1024",
        )?;
        within(
            "signing.max_batch",
            (1..=1024).contains(&self.signing.max_batch),
            "1 to 1024",
        )?;
        within(
            "signing.max_queue",
            (1..=65_536).contains(&self.signing.max_queue),
            "1 to 65536",
        )?;
        within(
            "signing.timeout_seconds",
            (1..=600).contains(&self.signing.timeout_seconds),
            "1 to 600",
        )?;
        // The lower bounds are the least that OWASP recommends for Argon2id.
        within(
            "software_token.kdf_memory_kib",
            (19_456..=1_048_576).contains(&kdf.kdf_memory_kib),
            "19456 to 1048576",
        )?;
        within(
            "software_token.kdf_passes",
            (2..=16).contains(&kdf.kdf_passes),
            "2 to 16",
        )
    }
}

const fn within(name: &'static str, is_within: bool, range: &'static str) -> Result<(), SettingsError> {
    if is_within {
        Ok(())
    } else {
        Err(SettingsError::Range { name, range })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, SettingsError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Settings::read(file.path())
    }

    const LEAST: &str = "socket = '/run/s'\nstate_directory = '/var/s'\n";

    #[test]
    fn two_settings_are_enough() {
        let settings = read(LEAST).unwrap();
        assert_eq!(settings.signing.max_batch, 256);
        assert_eq!(settings.signing.timeout(), Duration::from_secs(60));
        assert!(settings.signing.batch);
    }

    #[test]
    fn the_documented_settings_are_accepted() {
        let documented = include_str!("settings.rs").split("```").nth(1).unwrap();
        let text: String = documented
            .lines()
            .skip(1)
            .map(|line| format!("{}\n", line.trim_start_matches("//!").trim_start()))
            .collect();
        let settings = read(&text).unwrap();
        assert_eq!((settings.signing_uids, settings.log.json), (vec![991], true));
    }

    #[test]
    fn unknown_names_and_values_out_of_range_are_refused() {
        for wrong in [
            "max_conections = 3",
            "max_connections = 0",
            "[signing]\nmax_batch = 5000",
            "[log]\njsn = true",
        ] {
            assert!(read(&format!("{LEAST}{wrong}\n")).is_err(), "{wrong}");
        }
        for right in [
            "max_connections = 3",
            "[signing]\nmax_batch = 50",
            "[log]\njson = true",
        ] {
            read(&format!("{LEAST}{right}\n")).unwrap();
        }
        assert!(read("socket = '/run/s'").is_err());
    }
}
