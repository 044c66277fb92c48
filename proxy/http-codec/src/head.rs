//! The words of a message head: method, target, version, header fields (RFC 9110 5 to 9, RFC 9112 3 to 5).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use crate::framing::BodyLength;

/// A request method, case-sensitive.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Method(Bytes);

impl Method {
    /// `GET`
    pub const GET: Self = Self(Bytes::from_static(b"GET"));
    /// `HEAD`
    pub const HEAD: Self = Self(Bytes::from_static(b"HEAD"));
    /// `POST`
    pub const POST: Self = Self(Bytes::from_static(b"POST"));
    /// `PUT`
    pub const PUT: Self = Self(Bytes::from_static(b"PUT"));
    /// `DELETE`
    pub const DELETE: Self = Self(Bytes::from_static(b"DELETE"));

    /// A method of this name. That it is a token is checked when it is written.
    pub fn new(name: impl Into<Bytes>) -> Self {
        Self(name.into())
    }

    /// The method's name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl PartialEq<str> for Method {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Method {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The protocol version of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

/// A request target: origin form, absolute form or `*` (RFC 9112 3.2). Percent-encoding is left as received.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// As received; valid UTF-8.
    raw: Bytes,
    /// Where the path begins in `raw`: 0 for the origin form.
    path_start: usize,
    /// Where the `?` is, or the end.
    path_end: usize,
}

impl Target {
    /// Splits a target, `None` when it has none of the forms that a server understands.
    pub fn parse(raw: Bytes) -> Option<Self> {
        let text = std::str::from_utf8(&raw).ok()?;
        if text.contains('#') {
            return None;
        }
        let path_start = path_start(text)?;
        let path_end = text
            .get(path_start..)?
            .find('?')
            .map_or(text.len(), |at| path_start + at);
        Some(Self {
            path_start,
            path_end,
            raw,
        })
    }

    /// A target in origin form made by us, such as `/r1/EE/...?a=b`.
    pub fn origin(path_and_query: impl Into<Bytes>) -> Self {
        let raw: Bytes = path_and_query.into();
        let path_end = memchr::memchr(b'?', &raw).unwrap_or(raw.len());
        Self {
            raw,
            path_start: 0,
            path_end,
        }
    }

    /// The whole target as received.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.raw).unwrap_or_default()
    }

    /// The path, still percent-encoded; `/` where an absolute form has none.
    pub fn path(&self) -> &str {
        match self.as_str().get(self.path_start..self.path_end) {
            Some("") | None => "/",
            Some(path) => path,
        }
    }

    /// The query without its `?`, still percent-encoded.
    pub fn query(&self) -> Option<&str> {
        self.as_str().get(self.path_end + 1..)
    }

    /// The path with its query, still percent-encoded; `/` stands in front of a query where an absolute form has no path.
    pub fn path_and_query(&self) -> Cow<'_, str> {
        match self.as_str().get(self.path_start..) {
            None | Some("") => Cow::Borrowed("/"),
            Some(query) if query.starts_with('?') => Cow::Owned(format!("/{query}")),
            Some(path_and_query) => Cow::Borrowed(path_and_query),
        }
    }

    /// The authority of an absolute form, such as `localhost:8080`.
    pub fn authority(&self) -> Option<&str> {
        let (_, rest) = self.as_str().get(..self.path_start)?.split_once("://")?;
        Some(rest)
    }
}

/// Where the path begins in a target of a known form.
fn path_start(text: &str) -> Option<usize> {
    if text.starts_with('/') || text == "*" {
        return Some(0);
    }
    let scheme_end = text.find("://")?;
    let scheme = text.get(..scheme_end)?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let authority_start = scheme_end + 3;
    let authority = text.get(authority_start..)?;
    let length = authority.find(['/', '?']).unwrap_or(authority.len());
    (length > 0).then_some(authority_start + length)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Header fields in their order, names in their given case; names are compared case-insensitively.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    fields: Vec<(Bytes, Bytes)>,
}

impl Headers {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for `count` fields.
    pub fn with_capacity(count: usize) -> Self {
        Self {
            fields: Vec::with_capacity(count),
        }
    }

    /// Adds a field at the end. Forbidden bytes are refused when the head is written.
    pub fn push(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.fields.push((name.into(), value.into()));
    }

    /// Adds a field at the end.
    #[must_use]
    pub fn with(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.push(name, value);
        self
    }

    /// The first field of this name, when it is UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.get_bytes(name)?).ok()
    }

    /// The first field of this name.
    pub fn get_bytes(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self
            .fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))?;
        Some(value)
    }

    /// As [`Self::get`], shared.
    pub fn get_shared(&self, name: &str) -> Option<Bytes> {
        let mut fields = self.fields.iter();
        let (_, value) = fields.find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))?;
        std::str::from_utf8(value).is_ok().then(|| value.clone())
    }

    /// All fields of this name.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| &value[..])
    }

    /// Whether there is a field of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get_bytes(name).is_some()
    }

    /// Removes all fields of this name.
    pub fn remove(&mut self, name: &str) {
        self.fields
            .retain(|(field, _)| !field.eq_ignore_ascii_case(name.as_bytes()));
    }

    /// Whether a comma-separated field holds this token, case-insensitively.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.get_all(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Name and value of every field, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), &value[..]))
    }

    /// The fields as cheaply cloned bytes, in order.
    pub fn fields(&self) -> &[(Bytes, Bytes)] {
        &self.fields
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.iter().map(|(name, _)| String::from_utf8_lossy(name));
        f.debug_list().entries(names).finish()
    }
}

/// The head of a request.
#[derive(Debug, Clone)]
pub struct RequestHead {
    /// Method.
    pub method: Method,
    /// Target.
    pub target: Target,
    /// Protocol version.
    pub version: Version,
    /// Header fields.
    pub headers: Headers,
}

impl RequestHead {
    /// A request of HTTP/1.1 without header fields. Add `Host`.
    pub fn new(method: Method, path_and_query: impl Into<Bytes>) -> Self {
        let target = Target::origin(path_and_query);
        Self {
            method,
            target,
            version: Version::Http11,
            headers: Headers::new(),
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// How a body of so many bytes is announced: of an empty one nothing is said unless the method is one that has a
    /// body.
    #[must_use]
    pub fn length_of_body(&self, length: u64) -> BodyLength {
        match length {
            0 if !matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") => BodyLength::None,
            length => BodyLength::Known(length),
        }
    }
}

/// The head of a response.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// Status code, 100 to 999.
    pub status: u16,
    /// Reason phrase, possibly empty.
    pub reason: Bytes,
    /// Protocol version.
    pub version: Version,
    /// Header fields.
    pub headers: Headers,
}

impl ResponseHead {
    /// A response of HTTP/1.1 with the usual reason phrase and no header fields.
    pub fn new(status: u16) -> Self {
        let reason = Bytes::from_static(reason_phrase(status).as_bytes());
        Self {
            status,
            reason,
            version: Version::Http11,
            headers: Headers::new(),
        }
    }

    /// Adds a header field.
    #[must_use]
    pub fn with(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.headers.push(name, value);
        self
    }
}

/// The usual reason phrase of a status (RFC 9110 15), empty when there is none.
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}
