//! The `SOAPAction` header (wire.md 1.6).

use super::SoapError;

/// Accepts an absent or empty value, `""`, and a URI between double quotes.
///
/// # Errors
/// [`SoapError::SoapAction`] for anything else.
pub fn validate_soap_action(value: Option<&str>) -> Result<(), SoapError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(());
    };
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(uri) if is_uri_reference(uri) => Ok(()),
        _ => Err(SoapError::SoapAction),
    }
}

/// Characters of a URI reference (RFC 2396), escapes complete, beyond ASCII anything visible.
fn is_uri_reference(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        let complete = after
            .get(..2)
            .is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if !complete || !before.chars().all(is_uri_char) {
            return false;
        }
        rest = after;
    }
    rest.chars().all(is_uri_char) && text.matches('#').count() <= 1
}

fn is_uri_char(c: char) -> bool {
    !c.is_control() && !c.is_whitespace() && !"\"<>\\^`{|}".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_uris_only() {
        let valid = [
            None,
            Some(""),
            Some("\"\""),
            Some("\"http://example.org/a#b\""),
            Some("\"urn:x%20y\""),
        ];
        for value in valid {
            assert_eq!(validate_soap_action(value), Ok(()), "{value:?}");
        }
        for value in [
            "\"",
            "x",
            "\"a b\"",
            "http://example.org",
            "\"a\\b\"",
            "\"%x\"",
            "\"a\"b\"",
            "\"x",
        ] {
            let error = validate_soap_action(Some(value)).unwrap_err();
            assert_eq!(error.fault_code(), "invalid_soap_action", "{value}");
        }
    }
}
