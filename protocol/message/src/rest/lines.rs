//! The lines of a REST part: its bytes as they are signed and logged, and where the headers stand in them.
//!
//! A part is read and written once and then only looked at: everything that it says is a piece of its bytes.

use std::ops::Range;

use bytes::Bytes;

use super::header::{Header, check, shared};
use super::{MAX_HEADERS, MAX_PART_LENGTH, RestError};

/// Room for the lines of a usual part.
const USUAL_LENGTH: usize = 1024;
/// Room for the headers of a usual part.
const USUAL_HEADERS: usize = 16;

/// A part and its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// UTF-8.
    bytes: Bytes,
    places: Vec<Place>,
    /// Whether every line ends with CR LF, so that the part written anew is the same.
    is_canonical: bool,
}

/// Where a header stands: its name, one `:`, its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    start: usize,
    colon: usize,
    end: usize,
}

impl Lines {
    /// Reads a part: two lines in front of the headers, whose names in errors are `first` and `second`.
    ///
    /// # Errors
    /// When the part is too large, not UTF-8, lacks one of the lines or has a malformed header. `check_first` is asked
    /// about the first line before anything behind it is looked at.
    pub(super) fn read<T>(
        bytes: Bytes,
        [first, second]: [&'static str; 2],
        check_first: impl FnOnce(&str) -> Result<T, RestError>,
    ) -> Result<(Self, T, Range<usize>), RestError> {
        if bytes.len() > MAX_PART_LENGTH {
            return Err(RestError::TooLarge);
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| RestError::NotUtf8)?;
        let mut lines = split(text);
        let (_, line) = lines.next().ok_or(RestError::MissingLine(first))?;
        let checked = check_first(line)?;
        let mut canonical_length = line.len() + 2;
        let (start, line) = lines.next().ok_or(RestError::MissingLine(second))?;
        let second = start..start + line.len();
        canonical_length += line.len() + 2;
        let mut places = Vec::with_capacity(USUAL_HEADERS);
        for (start, line) in lines {
            if places.len() >= MAX_HEADERS {
                return Err(RestError::TooLarge);
            }
            let header = Header::from_line(line)?;
            places.push(Place {
                start,
                colon: start + header.name.len(),
                end: start + line.len(),
            });
            canonical_length += line.len() + 2;
        }
        let is_canonical = canonical_length == bytes.len();
        let lines = Self {
            bytes,
            places,
            is_canonical,
        };
        Ok((lines, checked, second))
    }

    /// The whole part.
    pub(super) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Whether every line ends with CR LF.
    pub(super) const fn is_canonical(&self) -> bool {
        self.is_canonical
    }

    /// A piece of the part.
    pub(super) fn piece(&self, range: Range<usize>) -> &str {
        let bytes = self.bytes.get(range).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The headers in order.
    pub(super) fn headers(&self) -> impl DoubleEndedIterator<Item = Header<'_>> {
        self.places.iter().map(|place| Header {
            name: self.piece(place.start..place.colon),
            value: self.piece(place.colon + 1..place.end),
        })
    }

    /// The headers as an HTTP message has them.
    pub(super) fn http_headers(&self) -> impl Iterator<Item = (Bytes, Bytes)> {
        self.headers().map(|header| shared(&self.bytes, header))
    }

    /// The last value of the header `name`: with duplicates the last wins (wire.md 1.4).
    pub(super) fn last(&self, name: &str) -> Option<&str> {
        self.headers()
            .rev()
            .find(|header| header.is(name))
            .map(|header| header.value)
    }
}

/// Lines, ended by CR, LF or CRLF, the last one with or without an end; and where each begins.
fn split(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr2(b'\r', b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let (line, end) = rest.split_at(length);
        let line_start = start;
        start += length + if end.starts_with("\r\n") { 2 } else { 1 };
        Some((line_start, line))
    })
}

/// Writes a part.
#[derive(Debug)]
pub(super) struct LinesWriter {
    text: String,
    places: Vec<Place>,
}

impl LinesWriter {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            text: String::with_capacity(USUAL_LENGTH),
            places: Vec::with_capacity(USUAL_HEADERS),
        }
    }

    /// Adds a line in front of the headers; gives its place.
    pub(super) fn line(&mut self, line: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(line);
        self.text.push_str("\r\n");
        start..start + line.len()
    }

    /// Adds headers as an HTTP message has them: the values' bytes are read as ISO-8859-1, as the reference does.
    ///
    /// # Errors
    /// When there are too many, a name is no token or a value holds control characters other than a tab.
    pub(super) fn http_headers<N: AsRef<str>, V: AsRef<[u8]>>(
        &mut self,
        headers: impl Iterator<Item = (N, V)>,
    ) -> Result<(), RestError> {
        for (name, value) in headers {
            if self.places.len() >= MAX_HEADERS {
                return Err(RestError::TooLarge);
            }
            check(name.as_ref(), value.as_ref())?;
            self.header(name.as_ref(), |text| push_latin1(value.as_ref(), text));
        }
        Ok(())
    }

    /// Adds a header whose value is written in its place.
    pub(super) fn header(&mut self, name: &str, write: impl FnOnce(&mut String)) {
        let start = self.text.len();
        self.text.push_str(name);
        let colon = self.text.len();
        self.text.push(':');
        write(&mut self.text);
        let end = self.text.len();
        self.text.push_str("\r\n");
        self.places.push(Place { start, colon, end });
    }

    /// Whether there is a header of this name, in any case.
    pub(super) fn contains(&self, name: &str) -> bool {
        let names = self
            .places
            .iter()
            .filter_map(|place| self.text.get(place.start..place.colon));
        names.into_iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// The part.
    pub(super) fn finish(self) -> Lines {
        Lines {
            bytes: self.text.into(),
            places: self.places,
            is_canonical: true,
        }
    }
}

/// Appends bytes as ISO-8859-1 text.
fn push_latin1(bytes: &[u8], out: &mut String) {
    match std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()) {
        Some(ascii) => out.push_str(ascii),
        None => out.extend(bytes.iter().map(|byte| char::from(*byte))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&str> {
        split(text).map(|(_, line)| line).collect()
    }

    #[test]
    fn lines_end_in_any_way() {
        assert_eq!(lines("a\r\nb\nc\rd\r\n\r\ne"), ["a", "b", "c", "d", "", "e"]);
        assert_eq!(lines("a\r\n"), ["a"]);
        assert_eq!(lines("\n\n"), ["", ""]);
        assert!(lines("").is_empty());
    }

    #[test]
    fn header_bytes_are_latin1() {
        let mut writer = LinesWriter::new();
        writer.http_headers([("X", [b'a', 0xE4])].into_iter()).unwrap();
        assert_eq!(writer.finish().last("x"), Some("aä"));
    }

    #[test]
    fn a_header_cannot_inject_another() {
        for (name, value) in [("X", &b"a\r\nY:b"[..]), ("X Y", b"a"), ("", b"a"), ("X:Y", b"a")] {
            let added = LinesWriter::new().http_headers([(name, value)].into_iter());
            assert_eq!(added, Err(RestError::InvalidHeader), "{name}");
        }
    }

    #[test]
    fn only_lines_that_all_end_with_cr_lf_are_written_the_same_anew() {
        let read = |text: &'static str| {
            let part = Bytes::from_static(text.as_bytes());
            Lines::read(part, ["one", "two"], |_| Ok(()))
                .unwrap()
                .0
                .is_canonical()
        };
        assert!(read("a\r\nb\r\nc:d\r\n"));
        for other in [
            "a\nb\r\nc:d\r\n",
            "a\r\nb\rc:d\r\n",
            "a\r\nb\r\nc:d",
            "a\r\nb\r\nc:d\n",
        ] {
            assert!(!read(other), "{other:?}");
        }
    }
}
