//! All parameters: the reference's, section by section, and ours.
//!
//! Defaults and presets were taken from the reference's code and its packaged files; where these disagree, the code counts,
//! and where a package sets a value on every installation, the package does.

use crate::parameter::Parameter;

mod limits;
mod message_log;
mod other;
mod ours;
mod proxy;
mod signer;

/// The largest whole number that the reference can read where it reads an `int`; also keeps sums of times in range.
const MOST: i64 = i32::MAX as i64;
/// A port; 0 lets the system choose (or means off, where that is said).
const PORT: (i64, i64, &str) = (0, 65_535, "");
/// Milliseconds.
const MS: (i64, i64, &str) = (0, MOST, "ms");
/// Seconds.
const SECONDS: (i64, i64, &str) = (0, MOST, "s");
/// Seconds, or -1 for off.
const SECONDS_OR_OFF: (i64, i64, &str) = (-1, MOST, "s");

/// Every parameter, section after section.
pub fn all() -> impl Iterator<Item = &'static Parameter> + Clone {
    let tables = [
        ours::TABLE,
        proxy::TABLE,
        limits::TABLE,
        message_log::TABLE,
        signer::TABLE,
        other::TABLE,
    ];
    tables.into_iter().flatten()
}

/// Why nothing reads a section that the reference has.
#[must_use]
pub fn foreign_section(section: &str) -> Option<&'static str> {
    let found = other::SECTIONS.iter().find(|(name, _)| *name == section);
    found.map(|(_, reason)| *reason)
}
