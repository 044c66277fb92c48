//! The path of a URL, as the reference takes it apart (RFC 2396 with the characters of other scripts).

use percent_encoding::percent_decode_str;

/// A text that is no URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The percent-decoded path of a URL or of a relative reference; `None` if it can have none, such as that of `mailto:`.
pub(super) fn path(url: &str) -> Result<Option<String>, Malformed> {
    check_characters(url)?;
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let rest = match url.find([':', '/', '?']) {
        Some(at) if url.get(at..).is_some_and(|rest| rest.starts_with(':')) => {
            let (scheme, rest) = url.split_once(':').ok_or(Malformed)?;
            if !is_scheme(scheme) || rest.is_empty() {
                return Err(Malformed);
            }
            if !rest.starts_with('/') {
                return Ok(None);
            }
            rest
        }
        _ => url,
    };
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    let path = match rest.strip_prefix("//") {
        Some("") => return Err(Malformed),
        Some(after) => after.find('/').and_then(|at| after.get(at..)).unwrap_or_default(),
        None => rest,
    };
    Ok(Some(percent_decode_str(path).decode_utf8_lossy().into_owned()))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// What a URI may hold: no spaces, no controls, no delimiters of others, whole percent-encodings, one `#`.
fn check_characters(url: &str) -> Result<(), Malformed> {
    let bytes = url.as_bytes();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'(),;:$&+=?/[]@#%".contains(c);
    let other = |c: char| !c.is_ascii() && !c.is_control() && !c.is_whitespace();
    let whole = |at: usize| {
        let digits = bytes.get(at.saturating_add(1)..at.saturating_add(3));
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let legal = url.chars().all(|c| plain(c) || other(c))
        && memchr::memchr_iter(b'%', bytes).all(whole)
        && memchr::memchr_iter(b'#', bytes).count() <= 1;
    if legal { Ok(()) } else { Err(Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_path() {
        for (url, expected) in [
            ("https://petstore.example/v2", "/v2"),
            ("http://h:1/a%20b/%C3%A4?q=1#f", "/a b/ä"),
            ("http://h", ""),
            ("http://h?q", ""),
            ("http:///v1", "/v1"),
            ("/v1/cats", "/v1/cats"),
            ("v1", "v1"),
            ("", ""),
            ("//h/v1", "/v1"),
            ("http:/v1", "/v1"),
            ("#f", ""),
            ("http://õ/v1", "/v1"),
        ] {
            assert_eq!(path(url), Ok(Some(expected.to_owned())), "{url}");
        }
        assert_eq!(path("mailto:a@b"), Ok(None));
    }

    #[test]
    fn refuses_what_is_no_url() {
        for wrong in [
            "http://a b/",
            "http://",
            "http:",
            ":x",
            "1a:/x",
            "/a%2",
            "/a%zz",
            "/a#b#c",
            "{x",
            "<",
            "/a\\b",
            "\u{A0}",
        ] {
            assert_eq!(path(wrong), Err(Malformed), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(url in ".{0,60}") {
            let _ = path(&url);
        }
    }
}
