//! A multipart reader that is fed chunks (RFC 2046 5.1).
//!
//! It keeps a part's header block, up to [`MAX_HEADER_BLOCK`] bytes, and what may be the start of a boundary, up to the
//! boundary's length; bodies are handed out as slices of the chunks. Content-Transfer-Encoding is never decoded
//! (wire.md 2.3). Lines may end with LF alone, as in the reference's parser.

mod headers;

pub use headers::{MAX_HEADER_BLOCK, MAX_HEADER_LINE, MAX_HEADERS, PartHeaders};

use super::TransportError;
use super::content_type::{MAX_BOUNDARY_LENGTH, is_boundary};
use memchr::memmem::Finder;

/// What the reader met.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A part begins; its headers are complete.
    PartStart(PartHeaders),
    /// Bytes of its body. They borrow from the chunk, except a few that turned out not to be a boundary.
    Data(&'a [u8]),
    /// The part's body is complete.
    PartEnd,
    /// The closing boundary was met; what follows is ignored.
    End,
}

/// An event without the data, which [`Multipart::data`] gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Raw {
    PartStart(PartHeaders),
    Data,
    PartEnd,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    BoundaryLine,
    Headers,
    Body,
    Closing,
    Epilogue,
}

/// What a possible boundary turned out to be.
enum Match {
    Undecided,
    No,
    Delimiter,
    Closing,
}

/// Most bytes that wait for a decision: a CR, the delimiter and a dash.
const MAX_HELD: usize = MAX_BOUNDARY_LENGTH + 6;

/// Bytes that wait for a decision, held in place.
#[derive(Debug)]
struct Held {
    bytes: [u8; MAX_HELD],
    length: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            bytes: [0; MAX_HELD],
            length: 0,
        }
    }
}

impl Held {
    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Adds a byte. There is room: nothing is held beyond the delimiter and a dash.
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length = self.length.saturating_add(1);
        }
    }

    fn clear(&mut self) {
        self.length = 0;
    }
}

/// The reader. Feed it every chunk until it gives no event, then the next chunk; at the end call [`Multipart::finish`].
#[derive(Debug)]
pub struct Multipart {
    /// Finds the delimiter, `LF -- boundary`, and keeps it.
    finder: Finder<'static>,
    state: State,
    /// How many bytes of the delimiter, and of the two behind it, were met. At the start of a preamble or a body the
    /// line feed counts as met.
    matched: usize,
    /// Bytes that wait for the decision: an optional CR, then as much of the delimiter as was met.
    held: Held,
    /// How much of `held` was handed out as data, if it turned out to be data.
    released: Option<usize>,
    /// How many bytes at the start of the input are known to be data.
    clean: usize,
    headers: headers::Block,
}

impl Multipart {
    /// A reader for parts separated by `boundary` (without the dashes).
    ///
    /// # Errors
    /// When `boundary` is empty, too long or holds control characters.
    pub fn new(boundary: &str) -> Result<Self, TransportError> {
        if !is_boundary(boundary) {
            return Err(TransportError::MissingBoundary("malformed boundary".to_owned()));
        }
        let mut delimiter = Held::default();
        b"\n--"
            .iter()
            .chain(boundary.as_bytes())
            .for_each(|byte| delimiter.push(*byte));
        Ok(Self {
            finder: Finder::new(delimiter.as_slice()).into_owned(),
            held: Held::default(),
            state: State::Preamble,
            matched: 1,
            released: None,
            clean: 0,
            headers: headers::Block::default(),
        })
    }

    /// Gives the next event and moves `input` behind it; `None` when `input` is used up.
    ///
    /// # Errors
    /// When a header block or a boundary line is malformed or too large. The reader must not be used afterwards.
    pub fn next<'s, 'c: 's>(&'s mut self, input: &mut &'c [u8]) -> Result<Option<Event<'s>>, TransportError> {
        Ok(match self.poll(input)? {
            None => None,
            Some(Raw::PartStart(headers)) => Some(Event::PartStart(headers)),
            Some(Raw::PartEnd) => Some(Event::PartEnd),
            Some(Raw::End) => Some(Event::End),
            Some(Raw::Data) => Some(Event::Data(self.take_all(input))),
        })
    }

    /// Checks that the closing boundary was met.
    ///
    /// # Errors
    /// [`TransportError::Truncated`] otherwise.
    pub fn finish(&self) -> Result<(), TransportError> {
        match self.state {
            State::Closing | State::Epilogue => Ok(()),
            _ => Err(TransportError::Truncated),
        }
    }

    /// Whether a boundary was the last thing met, and no byte of a part behind it.
    #[must_use]
    pub fn is_at_part_start(&self) -> bool {
        match self.state {
            State::BoundaryLine => true,
            State::Headers => self.headers.is_empty(),
            _ => false,
        }
    }

    /// As [`Self::next`], but data stays in place until [`Self::consume`].
    pub(super) fn poll(&mut self, input: &mut &[u8]) -> Result<Option<Raw>, TransportError> {
        loop {
            if self.has_data() {
                return Ok(Some(Raw::Data));
            }
            let event = match self.state {
                State::Preamble | State::Body => match self.scan(input) {
                    Scan::Starved => return Ok(None),
                    Scan::Again => None,
                    Scan::PartEnd => Some(Raw::PartEnd),
                },
                State::BoundaryLine => {
                    if !self.skip_boundary_line(input)? {
                        return Ok(None);
                    }
                    None
                }
                State::Headers => match self.headers.feed(input)? {
                    None => return Ok(None),
                    Some(headers) => {
                        self.enter(State::Body);
                        Some(Raw::PartStart(headers))
                    }
                },
                State::Closing => {
                    self.state = State::Epilogue;
                    Some(Raw::End)
                }
                State::Epilogue => {
                    *input = &[];
                    return Ok(None);
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// Data that is ready: a part of the input, or of what was held back.
    pub(super) fn data<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match self.released {
            Some(from) => self.held.as_slice().get(from..).unwrap_or_default(),
            None => input.get(..self.clean).unwrap_or_default(),
        }
    }

    /// Whether ready data lies in the input rather than here.
    pub(super) fn data_is_in_input(&self) -> bool {
        self.released.is_none()
    }

    /// Marks the first `count` bytes of the ready data as used.
    pub(super) fn consume(&mut self, input: &mut &[u8], count: usize) {
        match &mut self.released {
            Some(from) => *from = from.saturating_add(count),
            None => {
                *input = input.get(count..).unwrap_or_default();
                self.clean = self.clean.saturating_sub(count);
            }
        }
    }

    /// A range of what was held back, counted from its start.
    pub(super) fn held(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.held.as_slice().get(range).unwrap_or_default()
    }

    /// How much of what was held back is used.
    pub(super) fn released(&self) -> usize {
        self.released.unwrap_or_default()
    }

    fn take_all<'s, 'c: 's>(&'s mut self, input: &mut &'c [u8]) -> &'s [u8] {
        if let Some(from) = self.released {
            self.released = Some(self.held.as_slice().len());
            return self.held.as_slice().get(from..).unwrap_or_default();
        }
        let (data, rest) = input.split_at_checked(self.clean).unwrap_or((input, &[]));
        self.clean = 0;
        *input = rest;
        data
    }

    /// Whether data is ready. Forgets held bytes that were handed out completely.
    fn has_data(&mut self) -> bool {
        match self.released {
            Some(from) if from < self.held.as_slice().len() => true,
            Some(_) => {
                self.released = None;
                self.held.clear();
                self.clean > 0
            }
            None => self.clean > 0,
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.matched = usize::from(matches!(state, State::Body | State::Preamble));
        self.held.clear();
    }

    /// Looks for the delimiter in the input.
    fn scan(&mut self, input: &mut &[u8]) -> Scan {
        let in_body = self.state == State::Body;
        if self.matched > 0 || !self.held.as_slice().is_empty() {
            match self.extend_match(input) {
                Match::Undecided => return Scan::Starved,
                Match::No => self.release(in_body),
                Match::Delimiter => self.enter(State::BoundaryLine),
                Match::Closing => self.enter(State::Closing),
            }
            let ended = in_body && self.state != State::Body;
            return if ended { Scan::PartEnd } else { Scan::Again };
        }
        if input.is_empty() {
            return Scan::Starved;
        }
        let start = self.boundary_start(input);
        if in_body {
            self.clean = start;
        } else {
            *input = input.get(start..).unwrap_or_default();
        }
        if start == 0 || !in_body {
            self.hold(input);
        }
        Scan::Again
    }

    /// Where the delimiter, with the CR in front, or something that may become it, starts; else the input's length.
    fn boundary_start(&self, input: &[u8]) -> usize {
        let line_feed = self.finder.find(input).or_else(|| self.partial_delimiter(input));
        match line_feed {
            Some(at) => match at.checked_sub(1) {
                Some(before) if input.get(before) == Some(&b'\r') => before,
                _ => at,
            },
            None => input.len().saturating_sub(usize::from(input.ends_with(b"\r"))),
        }
    }

    /// Where an incomplete delimiter at the very end of the input starts.
    fn partial_delimiter(&self, input: &[u8]) -> Option<usize> {
        let delimiter = self.finder.needle();
        let from = input.len().saturating_sub(delimiter.len().saturating_sub(1));
        memchr::memchr_iter(b'\n', input.get(from..)?)
            .map(|at| at.saturating_add(from))
            .find(|at| input.get(*at..).is_some_and(|tail| delimiter.starts_with(tail)))
    }

    /// Takes the possible start of a delimiter out of the input.
    fn hold(&mut self, input: &mut &[u8]) {
        if let Some(rest) = input.strip_prefix(b"\r") {
            self.held.push(b'\r');
            *input = rest;
        } else if let Some(rest) = input.strip_prefix(b"\n") {
            self.held.push(b'\n');
            self.matched = 1;
            *input = rest;
        }
    }

    /// Follows a possible delimiter byte by byte.
    fn extend_match(&mut self, input: &mut &[u8]) -> Match {
        while let Some((byte, rest)) = input.split_first() {
            let delimiter = self.finder.needle();
            let closing_dashes = self.matched.checked_sub(delimiter.len());
            match (delimiter.get(self.matched), closing_dashes) {
                (Some(expected), _) if expected == byte => {}
                (None, Some(0)) if matches!(byte, b'\r' | b'\n' | b' ' | b'\t') => return Match::Delimiter,
                (None, Some(0)) if *byte == b'-' => {}
                (None, Some(1)) if *byte == b'-' => {
                    *input = rest;
                    return Match::Closing;
                }
                _ => return Match::No,
            }
            self.held.push(*byte);
            self.matched = self.matched.saturating_add(1);
            *input = rest;
        }
        Match::Undecided
    }

    /// What was held back is no delimiter.
    fn release(&mut self, in_body: bool) {
        self.matched = 0;
        if in_body {
            self.released = Some(0);
        } else {
            self.held.clear();
        }
    }

    /// Skips white space up to the line's end; false when the input is used up before.
    fn skip_boundary_line(&mut self, input: &mut &[u8]) -> Result<bool, TransportError> {
        while let Some((byte, rest)) = input.split_first() {
            *input = rest;
            match byte {
                b'\n' => {
                    self.enter(State::Headers);
                    return Ok(true);
                }
                b' ' | b'\t' | b'\r' => {}
                _ => return Err(TransportError::MalformedBoundary),
            }
        }
        Ok(false)
    }
}

/// How far a scan came.
enum Scan {
    Starved,
    Again,
    PartEnd,
}

#[cfg(test)]
mod tests;
