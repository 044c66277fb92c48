//! Why settings were refused.

use std::path::PathBuf;

use crate::preset::UnknownPreset;

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("settings file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something in the file is wrong.
    #[error("settings file {path}: {source}")]
    In {
        /// The file.
        path: PathBuf,
        /// What.
        source: Box<Self>,
    },
    /// Not TOML.
    #[error("{0}")]
    Malformed(Box<toml::de::Error>),
    /// Something outside of a section.
    #[error("{0} stands outside of a section: expected [kiirtee], [proxy], [message-log] or another")]
    NoSection(String),
    /// No parameter has that name.
    #[error("{name} is unknown{hint}")]
    Unknown {
        /// Section and key.
        name: String,
        /// What was probably meant, or nothing.
        hint: String,
    },
    /// Another process reads it.
    #[error("{name} is a setting of {program}")]
    Elsewhere {
        /// Section and key.
        name: String,
        /// Who reads it.
        program: &'static str,
    },
    /// A value that cannot be.
    #[error("{name} is {value}: expected {expected}")]
    OutOfBounds {
        /// Section and key.
        name: String,
        /// What the file says.
        value: String,
        /// What may stand there.
        expected: String,
    },
    /// There is no such preset.
    #[error(transparent)]
    Preset(#[from] UnknownPreset),
}

impl SettingsError {
    pub(crate) fn in_file(self, path: &std::path::Path) -> Self {
        Self::In {
            path: path.to_owned(),
            source: Box::new(self),
        }
    }
}
