//! National sets of values, as the reference's packages for security servers of a country have them.

use std::fmt;
use std::str::FromStr;

/// A national override set; explicit settings win over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Estonia.
    Ee,
    /// Finland.
    Fi,
    /// Iceland.
    Is,
    /// Faroe Islands.
    Fo,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ee, Self::Fi, Self::Is, Self::Fo];

    /// The code that the reference names its files by.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ee => "ee",
            Self::Fi => "fi",
            Self::Is => "is",
            Self::Fo => "fo",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// There is no such preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no preset {0:?}: expected ee, fi, is or fo")]
pub struct UnknownPreset(String);

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|preset| preset.code() == code);
        found.ok_or_else(|| UnknownPreset(code.to_owned()))
    }
}
