//! The little of MIME (RFC 2046) that a signed directory needs. Lines may end in CRLF or LF: configuration
//! proxies end the first header with bare LFs.

use std::collections::BTreeMap;

/// Most parts of a multipart: a configuration proxy sends some five files for each federated instance.
const MAX_PARTS: usize = 1000;
/// Most header lines of a part.
const MAX_HEADERS: usize = 32;
/// Longest boundary (RFC 2046 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// Why the structure is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MimeError {
    /// Larger than [`super::MAX_DIRECTORY_BYTES`].
    #[error("directory is too large")]
    TooLarge,
    /// A part is not headers, an empty line and a body.
    #[error("part has no end of headers")]
    NoEndOfHeaders,
    /// A header line is not `Name: value` in UTF-8.
    #[error("malformed header line")]
    BadHeader,
    /// A header occurs twice, so that readers might disagree on its meaning.
    #[error("header {0} occurs more than once")]
    RepeatedHeader(String),
    /// There are too many headers or parts.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// The content type is not multipart with a boundary.
    #[error("content is not multipart with a boundary")]
    NotMultipart,
    /// The multipart does not end with its closing boundary.
    #[error("closing boundary is missing")]
    NotClosed,
    /// There are more parts than signed data and signature.
    #[error("there are parts after the signature")]
    ExtraPart,
    /// The first inner part has a body.
    #[error("the first part must consist of headers only")]
    UnexpectedBody,
    /// The hash of a file is not base64.
    #[error("hash of a file is not base64")]
    BadHash,
}

/// Headers by lower-case name; each occurs once.
#[derive(Debug, Default)]
pub(super) struct Headers(BTreeMap<String, String>);

impl Headers {
    /// Value of a header without white space around it.
    pub(super) fn get(&self, lower_case_name: &str) -> Option<&str> {
        self.0.get(lower_case_name).map(String::as_str)
    }

    fn add(&mut self, line: &str) -> Result<(), MimeError> {
        let (name, value) = line.split_once(':').ok_or(MimeError::BadHeader)?;
        let name = name.trim_end().to_ascii_lowercase();
        if name.is_empty() || name.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(MimeError::BadHeader);
        }
        if self.0.len() >= MAX_HEADERS {
            return Err(MimeError::TooMany("headers"));
        }
        match self.0.insert(name.clone(), value.trim().to_owned()) {
            Some(_) => Err(MimeError::RepeatedHeader(name)),
            None => Ok(()),
        }
    }
}

/// Headers and the exact bytes of a body.
#[derive(Debug)]
pub(super) struct Entity<'a> {
    pub(super) headers: Headers,
    pub(super) body: &'a [u8],
}

impl<'a> Entity<'a> {
    /// Splits headers from body. A part that ends with its headers has no body.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, MimeError> {
        let mut headers = Headers::default();
        let mut unfolded = String::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, after) = split_line(rest);
            rest = after;
            let line = std::str::from_utf8(line).map_err(|_not_utf8| MimeError::BadHeader)?;
            if line.starts_with([' ', '\t']) && !unfolded.is_empty() {
                unfolded.push_str(line);
                continue;
            }
            flush(&mut headers, &mut unfolded)?;
            if line.is_empty() {
                return Ok(Self { headers, body: rest });
            }
            unfolded.push_str(line);
        }
        flush(&mut headers, &mut unfolded)?;
        Ok(Self { headers, body: &[] })
    }

    /// The parts of a multipart body.
    pub(super) fn parts(&self) -> Result<Vec<Self>, MimeError> {
        let boundary = self.boundary()?;
        let mut parts = Vec::new();
        let mut part_start = None;
        for delimiter in Delimiters::new(self.body, boundary) {
            if let Some(start) = part_start {
                if parts.len() >= MAX_PARTS {
                    return Err(MimeError::TooMany("parts"));
                }
                parts.push(Entity::parse(
                    self.body.get(start..delimiter.start).unwrap_or_default(),
                )?);
            }
            if delimiter.closes {
                return Ok(parts);
            }
            part_start = Some(delimiter.end);
        }
        Err(MimeError::NotClosed)
    }

    fn boundary(&self) -> Result<String, MimeError> {
        let (media_type, mut parameters) =
            value_and_parameters(self.headers.get("content-type").unwrap_or_default());
        let boundary = parameters.remove("boundary").unwrap_or_default();
        let is_multipart = media_type.to_ascii_lowercase().starts_with("multipart/");
        match is_multipart && (1..=MAX_BOUNDARY).contains(&boundary.len()) {
            true => Ok(boundary),
            false => Err(MimeError::NotMultipart),
        }
    }
}

fn flush(headers: &mut Headers, unfolded: &mut String) -> Result<(), MimeError> {
    if !unfolded.is_empty() {
        headers.add(unfolded)?;
        unfolded.clear();
    }
    Ok(())
}

/// One delimiter line: the line end before it belongs to it.
struct Delimiter {
    start: usize,
    end: usize,
    closes: bool,
}

struct Delimiters<'a> {
    body: &'a [u8],
    marker: String,
    position: usize,
}

impl<'a> Delimiters<'a> {
    fn new(body: &'a [u8], boundary: String) -> Self {
        Self {
            body,
            marker: format!("--{boundary}"),
            position: 0,
        }
    }

    /// Whether the line is the delimiter, and if so whether the closing one.
    fn recognize(&self, line: &[u8]) -> Option<bool> {
        let rest = line.strip_prefix(self.marker.as_bytes())?;
        match rest.trim_ascii_end() {
            b"" => Some(false),
            b"--" => Some(true),
            _ => None,
        }
    }

    /// Start of the delimiter: before the line end that precedes its line.
    fn start_of(&self, line_start: usize) -> usize {
        let before = self.body.get(..line_start).unwrap_or_default();
        let before = before
            .strip_suffix(b"\n")
            .map_or(before, |cut| cut.strip_suffix(b"\r").unwrap_or(cut));
        before.len()
    }
}

impl Iterator for Delimiters<'_> {
    type Item = Delimiter;

    fn next(&mut self) -> Option<Delimiter> {
        while self.position < self.body.len() {
            let line_start = self.position;
            let rest = self.body.get(line_start..)?;
            let (line, after) = split_line(rest);
            self.position = self.body.len() - after.len();
            if let Some(closes) = self.recognize(line) {
                return Some(Delimiter {
                    start: self.start_of(line_start),
                    end: self.position,
                    closes,
                });
            }
        }
        None
    }
}

/// The first line without its end, and what follows.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            let (line, rest) = bytes.split_at(end);
            (
                line.strip_suffix(b"\r").unwrap_or(line),
                rest.get(1..).unwrap_or_default(),
            )
        }
        None => (bytes, &[]),
    }
}

/// Splits `value; name=x; other="y"`; values may be in double or single quotes. Names are lower case.
pub(super) fn value_and_parameters(header: &str) -> (&str, BTreeMap<String, String>) {
    let (value, rest) = header.split_once(';').unwrap_or((header, ""));
    let mut parameters = BTreeMap::new();
    let mut rest = rest.trim_start();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = parameter_value(after.trim_start());
        parameters
            .entry(name.trim().to_ascii_lowercase())
            .or_insert(value);
        rest = after.trim_start_matches(';').trim_start();
    }
    (value.trim(), parameters)
}

fn parameter_value(text: &str) -> (String, &str) {
    for quote in ['"', '\''] {
        if let Some((value, after)) = text.strip_prefix(quote).and_then(|text| text.split_once(quote)) {
            let after = after.split_once(';').map_or("", |(_junk, after)| after);
            return (value.to_owned(), after);
        }
    }
    let (value, after) = text.split_once(';').unwrap_or((text, ""));
    (value.trim().to_owned(), after)
}
