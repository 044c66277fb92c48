//! Parameters in the query of a URL, as `application/x-www-form-urlencoded` has them: `+` is a space.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Names and values as they stand, in their order.
pub fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// A decoded value.
///
/// # Errors
/// When it is not UTF-8.
pub fn decode(value: &str) -> Result<String, std::str::Utf8Error> {
    percent_decode_str(&spaced(value))
        .decode_utf8()
        .map(Cow::into_owned)
}

/// A decoded value in which what is not UTF-8 is replaced.
#[must_use]
pub fn decode_lossy(value: &str) -> String {
    percent_decode_str(&spaced(value))
        .decode_utf8_lossy()
        .into_owned()
}

fn spaced(value: &str) -> Cow<'_, str> {
    if value.contains('+') {
        Cow::Owned(value.replace('+', " "))
    } else {
        Cow::Borrowed(value)
    }
}
