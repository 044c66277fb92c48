//! `Content-Type` values (RFC 2045 5.1).

use std::borrow::Cow;

use super::TransportError;

/// Longest value that is read, in bytes.
pub const MAX_CONTENT_TYPE_LENGTH: usize = 4096;

/// Longest boundary (RFC 2046 5.1.1 says 70; the reference's clients stay below, some toolkits do not).
pub const MAX_BOUNDARY_LENGTH: usize = 200;

/// A content type as it was received. Its parameters are read when somebody asks for them, which is seldom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    raw: String,
    /// `type/subtype` in lower case, where it is not so in `raw`.
    lower: Option<String>,
}

impl ContentType {
    /// Reads a value such as `multipart/related; type="text/xml"; boundary=x`. Parameters that make no sense are
    /// left out.
    ///
    /// # Errors
    /// When the value is longer than [`MAX_CONTENT_TYPE_LENGTH`] or is no `type/subtype`.
    pub fn parse(value: &str) -> Result<Self, TransportError> {
        let lower = match essence_of(value)? {
            Cow::Borrowed(_) => None,
            Cow::Owned(lower) => Some(lower),
        };
        Ok(Self {
            raw: value.to_owned(),
            lower,
        })
    }

    /// The value as received.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// `type/subtype` in lower case.
    #[must_use]
    pub fn essence(&self) -> &str {
        self.lower.as_deref().unwrap_or_else(|| split(&self.raw).0)
    }

    /// Whether `type/subtype` is `essence`, which must be lower case.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence() == essence
    }

    /// A parameter, its name in any case, its value unquoted.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        parameters(split(&self.raw).1)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The `charset` parameter.
    #[must_use]
    pub fn charset(&self) -> Option<Cow<'_, str>> {
        self.parameter("charset").filter(|charset| !charset.is_empty())
    }

    /// The value with `charset=UTF-8` if it says otherwise: for a response that was recoded
    /// ([`crate::soap::with_request_hash`]).
    #[must_use]
    pub fn with_utf8_charset(&self) -> String {
        if self
            .charset()
            .is_none_or(|charset| charset.eq_ignore_ascii_case("utf-8"))
        {
            return self.raw.clone();
        }
        let mut out = self.essence().to_owned();
        for (name, value) in parameters(split(&self.raw).1) {
            let value = if name.eq_ignore_ascii_case("charset") {
                "UTF-8"
            } else {
                &value
            };
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            out.push_str(&format!("; {name}=\"{escaped}\""));
        }
        out
    }

    /// The `boundary` parameter of a multipart type.
    ///
    /// # Errors
    /// When it is missing, too long or holds characters that no boundary can.
    pub fn boundary(&self) -> Result<Cow<'_, str>, TransportError> {
        self.parameter("boundary")
            .filter(|boundary| is_boundary(boundary))
            .ok_or_else(|| TransportError::MissingBoundary(self.essence().to_owned()))
    }
}

/// `type/subtype` of a content type, in lower case, for whom the parameters don't matter.
///
/// # Errors
/// As [`ContentType::parse`].
pub fn essence_of(value: &str) -> Result<Cow<'_, str>, TransportError> {
    let invalid = || TransportError::InvalidContentType(value.chars().take(100).collect());
    if value.len() > MAX_CONTENT_TYPE_LENGTH {
        return Err(invalid());
    }
    let (essence, _) = split(value);
    // The type of the signature part has a second slash (wire.md 2.2).
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
    {
        return Err(invalid());
    }
    if essence.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Ok(Cow::Owned(essence.to_ascii_lowercase()))
    } else {
        Ok(Cow::Borrowed(essence))
    }
}

/// Whether a content type is one of `type/subtype`, which must be lower case.
#[must_use]
pub fn is_of(value: &str, essence: &str) -> bool {
    essence_of(value).is_ok_and(|found| found == essence)
}

/// What stands in front of the parameters, and the parameters.
fn split(value: &str) -> (&str, &str) {
    let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
    (essence.trim(), parameters)
}

/// Visible ASCII and inner spaces. More than RFC 2046 allows, but nothing that could end a line.
pub(super) fn is_boundary(text: &str) -> bool {
    (1..=MAX_BOUNDARY_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
        && !text.ends_with(' ')
}

/// Names and unquoted values.
fn parameters(mut rest: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (parameter, after) = split_parameter(rest);
            rest = after;
            if let Some((name, value)) = parameter.split_once('=') {
                return Some((name.trim(), unquote(value.trim())));
            }
        }
        None
    })
}

/// Cuts at the next `;` outside quotes.
fn split_parameter(text: &str) -> (&str, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                return (
                    text.get(..index).unwrap_or_default(),
                    text.get(index + 1..).unwrap_or_default(),
                );
            }
            _ => {}
        }
    }
    (text, "")
}

fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"') else {
        return Cow::Borrowed(value);
    };
    let plain_end = inner.find(['"', '\\']).unwrap_or(inner.len());
    let (plain, rest) = inner.split_at(plain_end);
    if !rest.starts_with('\\') {
        return Cow::Borrowed(plain);
    }
    let mut out = plain.to_owned();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_essence_and_parameters() {
        let value = "Multipart/Related; type=\"text/xml\"; start=\"<root;part>\"; Boundary=\"a b\\\"c\";charset=UTF-8";
        let parsed = ContentType::parse(value).unwrap();
        assert_eq!(parsed.essence(), "multipart/related");
        assert_eq!(parsed.parameter("start").as_deref(), Some("<root;part>"));
        assert_eq!(parsed.boundary().unwrap(), "a b\"c");
        assert_eq!(parsed.charset().as_deref(), Some("UTF-8"));
        assert_eq!(parsed.as_str(), value);
    }

    #[test]
    fn replaces_another_charset() {
        let utf8 = |value: &str| ContentType::parse(value).unwrap().with_utf8_charset();
        assert_eq!(utf8("text/xml"), "text/xml");
        assert_eq!(utf8("text/xml;charset=utf-8"), "text/xml;charset=utf-8");
        assert_eq!(
            utf8("Application/xop+xml; charset=ISO-8859-1; type=\"a\\\"b\""),
            "application/xop+xml; charset=\"UTF-8\"; type=\"a\\\"b\""
        );
    }

    #[test]
    fn refuses_what_is_no_type() {
        for wrong in ["", "text", "/xml", "text/", "text/x y", ";a=b"] {
            assert!(ContentType::parse(wrong).is_err(), "{wrong}");
        }
        let missing = ContentType::parse("multipart/mixed; charset=UTF-8").unwrap();
        assert_eq!(
            missing.boundary().unwrap_err().fault_code(),
            "invalid_content_type"
        );
        assert!(
            ContentType::parse("a/b;boundary=\"\"")
                .unwrap()
                .boundary()
                .is_err()
        );
        assert!(
            ContentType::parse("a/b;boundary=\"x\r\n\"")
                .unwrap()
                .boundary()
                .is_err()
        );
    }

    proptest::proptest! {
        #[test]
        fn never_panics(value in ".{0,80}") {
            let _ = ContentType::parse(&value).map(|parsed| parsed.boundary().map(Cow::into_owned));
        }
    }
}
