//! Times in typed structures: `#[serde(with = "settings::duration::millis")]` and its neighbours.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    // Bounds were checked by the table; what is below zero there says "off".
    i64::deserialize(deserializer).map(|number| u64::try_from(number).ok())
}

/// Milliseconds.
pub mod millis {
    use super::{Deserializer, Duration, number};

    /// Reads milliseconds.
    ///
    /// # Errors
    /// When it is no whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        number(deserializer).map(|number| Duration::from_millis(number.unwrap_or(0)))
    }
}

/// Milliseconds, where zero (or less) means no limit.
pub mod millis_or_none {
    use super::{Deserializer, Duration, number};

    /// Reads milliseconds.
    ///
    /// # Errors
    /// When it is no whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        number(deserializer).map(|number| number.filter(|ms| *ms > 0).map(Duration::from_millis))
    }
}

/// Seconds.
pub mod seconds {
    use super::{Deserializer, Duration, number};

    /// Reads seconds.
    ///
    /// # Errors
    /// When it is no whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        number(deserializer).map(|number| Duration::from_secs(number.unwrap_or(0)))
    }
}

/// Seconds, where less than zero means off.
pub mod seconds_or_off {
    use super::{Deserializer, Duration, number};

    /// Reads seconds.
    ///
    /// # Errors
    /// When it is no whole number.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        number(deserializer).map(|number| number.map(Duration::from_secs))
    }
}
