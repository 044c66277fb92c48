//! What can be wrong with a configuration.

use std::path::PathBuf;

/// Why a configuration was not read or changed. What was stored before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// Not TOML, an unknown key, or a value of the wrong type; the message says line, column and what was expected.
    #[error("the configuration is not valid TOML for this program")]
    Toml(#[source] Box<toml::de::Error>),
    /// A value that cannot be.
    #[error("{place}: found {found}, expected {expected}")]
    Invalid {
        /// Where, e.g. `client EE/GOV/1/sub, service_description http://…, service pets, timeout`.
        place: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// The document cannot be written as TOML.
    #[error("the configuration cannot be written as TOML")]
    Write(#[from] toml::ser::Error),
    /// The file is not a server configuration, or of a version that this program does not know.
    #[error("{} is not a server configuration that this program knows: {found}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// A row that this program did not write.
    #[error("the server configuration is damaged: {0}")]
    Damaged(String),
    /// SQLite cannot read or write.
    #[error("the server configuration cannot be read or written")]
    Database(#[from] rusqlite::Error),
}

impl ConfigurationError {
    pub(super) fn invalid(place: &str, found: impl Into<String>, expected: &'static str) -> Self {
        Self::Invalid {
            place: place.into(),
            found: found.into(),
            expected,
        }
    }
}
