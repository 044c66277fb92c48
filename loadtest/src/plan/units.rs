//! Times and sizes as people write them: `250ms`, `30s`, `2m`; `512`, `10k`, `2MB`.

use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;

/// A length of time, such as `1.5s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span(pub(crate) Duration);

/// A number of bytes, such as `10k`; the units are those of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SizeText")]
pub(crate) struct Size(pub(crate) u64);

/// How a settings file may write a size: a bare number, or text with a unit.
#[derive(Deserialize)]
#[serde(untagged)]
enum SizeText {
    Number(u64),
    Text(String),
}

/// Longest time that can be asked for, in seconds: a day.
const LONGEST: f64 = 86_400.0;
/// Most bytes that can be asked for, since requests are kept in memory: 1 GiB.
const LARGEST: u64 = 1 << 30;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}`: expected a time such as 250ms, 30s, 2m or 1h, at most a day");
        let (number, unit) = split(text).ok_or_else(expected)?;
        let scale = match unit {
            "us" => 0.000_001,
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(expected()),
        };
        let seconds = number * scale;
        if seconds > LONGEST {
            return Err(expected());
        }
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|_| expected())
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}`: expected a size such as 512, 10k or 2MB, at most 1 GB");
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let scale = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            _ => return Err(expected()),
        };
        let bytes = number
            .parse()
            .ok()
            .and_then(|number: u64| number.checked_mul(scale));
        bytes
            .filter(|bytes| *bytes <= LARGEST)
            .map(Self)
            .ok_or_else(expected)
    }
}

impl TryFrom<SizeText> for Size {
    type Error = String;

    fn try_from(text: SizeText) -> Result<Self, String> {
        match text {
            SizeText::Number(bytes) => bytes.to_string().parse(),
            SizeText::Text(text) => text.parse(),
        }
    }
}

/// A number that is not negative, and the unit behind it.
fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read_with_their_units() {
        let span = |text: &str| text.parse::<Span>().unwrap().0;
        assert_eq!(span("250ms"), Duration::from_millis(250));
        assert_eq!(span("1.5s"), Duration::from_millis(1500));
        assert_eq!(span("2m"), Duration::from_secs(120));
        let size = |text: &str| text.parse::<Size>().unwrap().0;
        assert_eq!((size("512"), size("10k"), size("2MB")), (512, 10 << 10, 2 << 20));
    }

    #[test]
    fn what_has_no_unit_or_a_wrong_one_is_refused_with_what_was_expected() {
        for text in ["10", "s", "", "-1s", "3 weeks", "25h", "1.2.3s"] {
            let error = text.parse::<Span>().unwrap_err();
            assert!(error.contains("expected a time such as"), "{text}: {error}");
        }
        for text in ["", "k", "-1", "1.5k", "10 x", "99999999999g", "2g"] {
            let error = text.parse::<Size>().unwrap_err();
            assert!(error.contains("expected a size such as"), "{text}: {error}");
        }
    }
}
