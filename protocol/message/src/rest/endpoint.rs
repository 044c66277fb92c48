//! Matching of request paths with endpoints, for access rights (wire.md 6.2).
//!
//! Three deliberate differences from the reference, all on the refusing side: a path that holds `..`, `?`, `#` or a
//! control character once it is decoded is refused rather than re-parsed as a URI, so that what is matched is what the
//! provider gets; `?` in a pattern is a plain character; `//` at the start of a path does not name a host.

use crate::identifier::percent::{PercentError, decode_path};

/// Longest pattern that is accepted, in bytes.
pub const MAX_PATTERN_LENGTH: usize = 4096;

/// Why a path cannot be matched. The request is refused with `access_denied`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Malformed percent-encoding, or a character that a path cannot hold.
    #[error("malformed path")]
    Percent(#[from] PercentError),
    /// The decoded path holds something that a provider may read otherwise than we do.
    #[error("path contains {0}")]
    Forbidden(&'static str),
    /// A pattern is longer than [`MAX_PATTERN_LENGTH`].
    #[error("endpoint pattern is too long")]
    PatternTooLong,
}

impl PathError {
    /// The fault code of a path that cannot be matched.
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        "access_denied"
    }
}

/// A request path as access rights see it: percent-decoded, without empty and `.` segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPath(String);

impl EndpointPath {
    /// Reads the raw service path of a request ([`super::RequestPart::service_path`]). `%2F` counts as `/`, as in the
    /// reference: access rights cannot tell them apart.
    ///
    /// # Errors
    /// When the path is malformed or holds what is forbidden.
    pub fn from_raw(path: &str) -> Result<Self, PathError> {
        let decoded = decode_path(path)?;
        for (forbidden, name) in [("..", "'..'"), ("?", "'?'"), ("#", "'#'"), ("\\", "'\\'")] {
            if decoded.contains(forbidden) {
                return Err(PathError::Forbidden(name));
            }
        }
        if decoded.chars().any(char::is_control) {
            return Err(PathError::Forbidden("a control character"));
        }
        Ok(Self(normalize(&decoded)))
    }

    /// The normalised path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Drops empty and `.` segments; a trailing slash stays.
fn normalize(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
        out.push('/');
        out.push_str(segment);
    }
    if ["/", "/."].iter().any(|end| path.ends_with(end)) {
        out.push('/');
    }
    out
}

/// The path pattern of an endpoint: `*` is the rest of a segment, `**` anything, `\*` and `\\` the characters.
///
/// `*` takes everything up to the next `/`, as in the reference: behind it only `/`, `**` or the end can match, so
/// `/a*b` matches nothing. Matching takes time proportional to pattern length times path length at worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointPattern {
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Byte(u8),
    RestOfSegment,
    Anything,
}

impl EndpointPattern {
    /// Reads a pattern; every text is one.
    ///
    /// # Errors
    /// When it is longer than [`MAX_PATTERN_LENGTH`].
    pub fn parse(pattern: &str) -> Result<Self, PathError> {
        if pattern.len() > MAX_PATTERN_LENGTH {
            return Err(PathError::PatternTooLong);
        }
        let mut tokens = Vec::with_capacity(pattern.len());
        let mut bytes = pattern.bytes().peekable();
        while let Some(byte) = bytes.next() {
            tokens.push(match byte {
                b'\\' => Token::Byte(bytes.next_if(|next| matches!(next, b'*' | b'\\')).unwrap_or(byte)),
                b'*' if bytes.peek() == Some(&b'*') => {
                    while bytes.next_if_eq(&b'*').is_some() {}
                    Token::Anything
                }
                b'*' => Token::RestOfSegment,
                _ => Token::Byte(byte),
            });
        }
        Ok(Self { tokens })
    }

    /// Whether the pattern matches the whole path. It suffices to come back to the last `**`: what stands between two
    /// of them ends earlier the earlier it starts.
    #[must_use]
    pub fn matches(&self, path: &EndpointPath) -> bool {
        self.matches_text(&path.0)
    }

    /// Whether the pattern matches another pattern as if that were a path: by this the reference tells which endpoints
    /// of a service a client hears of (features.md 5).
    #[must_use]
    pub fn covers(&self, pattern: &str) -> bool {
        self.matches_text(pattern)
    }

    fn matches_text(&self, path: &str) -> bool {
        let path = path.as_bytes();
        let (mut tokens, mut rest) = (self.tokens.as_slice(), path);
        let mut retry: Option<(&[Token], &[u8])> = None;
        loop {
            let step = match (tokens.split_first(), rest.split_first()) {
                (Some((Token::Anything, after)), _) => {
                    retry = Some((after, rest));
                    Some((after, rest))
                }
                (Some((Token::RestOfSegment, after)), _) => {
                    let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
                    Some((after, rest.get(end..).unwrap_or_default()))
                }
                (Some((Token::Byte(expected), after)), Some((byte, tail))) if expected == byte => {
                    Some((after, tail))
                }
                (None, None) => return true,
                _ => None,
            };
            let Some(next) = step.or_else(|| next_try(&mut retry)) else {
                return false;
            };
            (tokens, rest) = next;
        }
    }
}

/// Lets the last `**` take one byte more.
fn next_try<'t, 'p>(retry: &mut Option<(&'t [Token], &'p [u8])>) -> Option<(&'t [Token], &'p [u8])> {
    let (after, rest) = (*retry)?;
    let (_, tail) = rest.split_first()?;
    *retry = Some((after, tail));
    *retry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(path: &str) -> Result<String, PathError> {
        EndpointPath::from_raw(path).map(|path| path.as_str().to_owned())
    }

    fn matches(pattern: &str, path: &str) -> bool {
        EndpointPattern::parse(pattern)
            .unwrap()
            .matches(&EndpointPath(path.to_owned()))
    }

    #[test]
    fn paths_are_decoded_and_normalised() {
        for (raw, expected) in [
            ("", ""),
            ("/", "/"),
            ("/a%20b", "/a b"),
            ("/a%2Fb", "/a/b"),
            ("/a%2Db", "/a-b"),
            ("/a//b", "/a/b"),
            ("//a/b", "/a/b"),
            ("/a/./b/.", "/a/b/"),
            ("/a/%2E/b", "/a/b"),
            ("/a%7Bx%7D", "/a{x}"),
            ("/path%3B/", "/path;/"),
            ("/%C3%B6", "/ö"),
        ] {
            assert_eq!(normalized(raw).unwrap(), expected, "{raw}");
        }
    }

    #[test]
    fn ambiguous_paths_are_refused() {
        for raw in [
            "/a/../b",
            "/public%3F/../secret",
            "/a%3Fq",
            "/a%23b",
            "/%2e%2e/x",
            "/..;/x",
            "/a%5Cb",
            "/a%00b",
        ] {
            let error = normalized(raw).unwrap_err();
            assert!(matches!(error, PathError::Forbidden(_)), "{raw}");
            assert_eq!(error.fault_code(), "access_denied");
        }
        for raw in ["/a b", "/%", "/%FF", "/ö"] {
            assert!(matches!(normalized(raw), Err(PathError::Percent(_))), "{raw}");
        }
    }

    #[test]
    fn patterns_match_as_in_the_reference() {
        for (pattern, path, expected) in [
            ("**", "", true),
            ("**", "/anything/at/all", true),
            ("/pets/*", "/pets/", true),
            ("/pets/*", "/pets/1", true),
            ("/pets/*", "/pets/1/x", false),
            ("/pets/*", "/pets", false),
            ("/foo/*/bar/", "/foo/zyggy/bar/", true),
            ("/foo/*/bar/", "/foo/zyggy/quux/bar/", false),
            ("/foo/**/bar", "/foo/whatever//bar", true),
            ("/foo/**bar", "/foo/zyggybar", true),
            ("/foo/***bar", "/foo/zyggybar", true),
            ("/a*b", "/axb", false),
            ("/a*", "/axb", true),
            ("/a*/b", "/axb/b", true),
            ("/\\*", "/*", true),
            ("/\\*", "/x", false),
            ("/\\\\", "/\\", true),
            ("/\\x", "/\\x", true),
            ("/ab?c", "/ac", false),
            ("/a.c", "/abc", false),
            ("/**/x/*/y", "/x/1/x/2/y", true),
            ("/**/x/*/y", "/x/1/x/2/z", false),
            ("", "", true),
            ("", "/", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn matching_stays_cheap() {
        let pattern = EndpointPattern::parse(&"**a".repeat(1000)).unwrap();
        assert!(!pattern.matches(&EndpointPath("a".repeat(999))));
        assert!(pattern.matches(&EndpointPath("a".repeat(1000))));
        assert_eq!(
            EndpointPattern::parse(&"a".repeat(5000)),
            Err(PathError::PatternTooLong)
        );
    }

    proptest::proptest! {
        #[test]
        fn normalisation_never_panics_and_is_stable(raw in "[/.%a-f0-9?;]{0,30}") {
            if let Ok(path) = EndpointPath::from_raw(&raw) {
                proptest::prop_assert!(!path.as_str().contains("//"));
                proptest::prop_assert_eq!(normalize(path.as_str()), path.as_str());
            }
        }

        #[test]
        fn matching_agrees_with_a_naive_matcher(pattern in "[a/*]{0,8}", path in "[a/]{0,8}") {
            let parsed = EndpointPattern::parse(&pattern).unwrap();
            proptest::prop_assert_eq!(
                parsed.matches(&EndpointPath(path.clone())),
                naive(&parsed.tokens, path.as_bytes())
            );
        }
    }

    fn naive(tokens: &[Token], path: &[u8]) -> bool {
        match tokens.split_first() {
            None => path.is_empty(),
            Some((Token::Byte(byte), rest)) => path.first() == Some(byte) && naive(rest, &path[1..]),
            Some((Token::RestOfSegment, rest)) => {
                let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
                naive(rest, &path[end..])
            }
            Some((Token::Anything, rest)) => (0..=path.len()).any(|start| naive(rest, &path[start..])),
        }
    }
}
