//! Versions of the global configuration's schemas (features.md 2.9).

use std::fmt;

/// Schema version of the shared parameters. Private parameters know only two shapes: version 2, and 3 and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// Base schema; authentication certificates are named by SHA-1.
    V2,
    /// Adds configuration sources, ACME servers and SHA-256 certificate hashes; first read by release 7.4.
    V3,
    /// Adds ACME profile identifiers; release 7.5.
    V4,
    /// Adds subsystem names and maintenance mode; release 7.7.
    V5,
    /// Adds cost types and the default CSR format; release 7.8.
    V6,
}

/// A version number that no reader here knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("global configuration version {0:?} is not supported")]
pub struct UnknownVersion(pub String);

impl Version {
    /// The newest version: what a client asks for first and a central server writes last.
    pub const NEWEST: Self = Self::V6;

    /// Every version, newest first: the order in which a client probes.
    pub const NEWEST_FIRST: [Self; 5] = [Self::V6, Self::V5, Self::V4, Self::V3, Self::V2];

    /// The number as it stands in `?version=` and in the `Version` header.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
            Self::V4 => 4,
            Self::V5 => 5,
            Self::V6 => 6,
        }
    }

    /// Whether authentication certificates are named by their SHA-1 rather than SHA-256 hash.
    #[must_use]
    pub fn names_certificates_by_sha1(self) -> bool {
        self == Self::V2
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

impl std::str::FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::NEWEST_FIRST
            .into_iter()
            .find(|version| text.trim().parse() == Ok(version.number()))
            .ok_or_else(|| UnknownVersion(text.chars().take(20).collect()))
    }
}
