//! Receiving: message heads, and the body that a handler or client reads.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use monoio::time::Instant;

use super::codec::decoder::{BodyDecoder, Decoded};
use super::codec::encode::CONTINUE;
use super::codec::framing::BodyFraming;
use super::codec::parse::HeadScanner;
use super::error::{BodyError, HeadError, HttpError};
use super::head::Headers;
use super::large;
use crate::net::stream::{Reader, Writer};

/// How long nothing may come while a body is being received, unless set otherwise.
const DEFAULT_STALL_LIMIT: Duration = Duration::from_secs(30);
/// The time of waiting over which a body's rate is reckoned.
const PACE_WINDOW: Duration = Duration::from_secs(10);
/// When a client that has ended its sending direction is first asked whether it still is there.
const FIRST_QUESTION: Duration = Duration::from_millis(500);
/// How often it is asked in the end.
const LAST_QUESTIONS: Duration = Duration::from_secs(30);
/// Empty lines that may stand before a request (RFC 9112 2.2).
const MAX_LEADING_LINES: usize = 4;

/// What the two directions of a server's exchange know of each other.
#[derive(Debug, Default)]
pub(crate) struct ExchangeState {
    /// The final response's head is written.
    pub(crate) response_started: Cell<bool>,
    /// The client waits for `100 Continue` before it sends the body.
    pub(crate) continue_awaited: Cell<bool>,
    /// How many bytes of the body are still to be read, where that is known.
    pub(crate) unread: Cell<Option<u64>>,
    /// The client understands interim responses: it speaks HTTP/1.1.
    pub(crate) takes_interim: Cell<bool>,
}

/// Bounds of receiving only to throw away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linger {
    /// How long nothing may come.
    pub(crate) stall: Duration,
    /// How long it may take in all.
    pub(crate) time: Duration,
    /// How many bytes.
    pub(crate) bytes: usize,
}

/// The body of the message being received, read piece by piece.
#[derive(Debug)]
pub struct Body {
    reader: Reader,
    decoder: BodyDecoder,
    stall_limit: Duration,
    pace: Pace,
    /// Whom to ask for the body, on a server.
    asking: Option<(Writer, Rc<ExchangeState>)>,
    /// The sending direction, on a client: while the peer takes a request, it may stall with its response.
    beside: Option<Writer>,
    failed: bool,
}

/// How fast a body comes: one that comes byte by byte would hold what an exchange holds for as long as its sender likes,
/// without ever stalling. Only time in which we wait counts.
#[derive(Debug, Default)]
struct Pace {
    /// Bytes a second; 0 = any.
    least: u64,
    waited: Duration,
    received: u64,
    /// All bytes of the body until now.
    before: u64,
    /// The last window was too slow: a pause is forgiven, two in a row are not.
    was_slow: bool,
}

impl Pace {
    const fn begin(&mut self) {
        (self.waited, self.received, self.was_slow) = (Duration::ZERO, 0, false);
        self.before = 0;
    }

    fn received(&mut self, count: usize, waited: Duration) -> io::Result<()> {
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.waited += waited;
        self.received = self.received.saturating_add(bytes);
        self.before = self.before.saturating_add(bytes);
        if self.waited < PACE_WINDOW {
            return Ok(());
        }
        let is_slow = self.received < self.least.saturating_mul(self.waited.as_secs());
        if count > 0 && is_slow && self.was_slow {
            return Err(io::ErrorKind::TimedOut.into());
        }
        (self.waited, self.received, self.was_slow) = (Duration::ZERO, 0, is_slow);
        Ok(())
    }
}

impl Body {
    pub(crate) fn new(reader: Reader) -> Self {
        let decoder = BodyDecoder::new(BodyFraming::Empty);
        Self {
            reader,
            decoder,
            stall_limit: DEFAULT_STALL_LIMIT,
            pace: Pace::default(),
            asking: None,
            beside: None,
            failed: false,
        }
    }

    /// The body of a client's connection, which sends in the other direction by `writer`.
    pub(crate) fn beside(mut self, writer: Writer) -> Self {
        self.beside = Some(writer);
        self
    }

    /// The next piece of the body, never empty; `None` after its end. May be dropped while waiting without losing
    /// anything, once the first piece was received.
    pub async fn next_chunk(&mut self) -> Option<Result<Bytes, BodyError>> {
        let chunk = self.advance().await;
        self.failed |= chunk.is_err();
        chunk.transpose()
    }

    /// Reads the rest of the body, of at most `limit` bytes ([`BodyError::TooLarge`]).
    pub async fn read_to_end(&mut self, limit: usize) -> Result<Bytes, BodyError> {
        let Some(first) = self.next_chunk().await.transpose()? else {
            return Ok(Bytes::new());
        };
        let mut whole = BytesMut::new();
        let mut next = Some(first);
        while let Some(chunk) = next {
            if whole.len() + chunk.len() > limit {
                return Err(BodyError::TooLarge(limit));
            }
            if whole.is_empty() && self.is_end() {
                return Ok(chunk);
            }
            whole.extend_from_slice(&chunk);
            next = self.next_chunk().await.transpose()?;
        }
        Ok(whole.freeze())
    }

    /// Whether the body is received to its end.
    pub fn is_end(&self) -> bool {
        self.decoder.is_end()
    }

    /// How many bytes are still to come, where that is known: not in a chunked body.
    pub fn remaining(&self) -> Option<u64> {
        self.decoder.remaining()
    }

    /// The trailer section, after the end of a chunked body.
    pub fn trailers(&self) -> &Headers {
        self.decoder.trailers()
    }

    /// How long nothing may come before reading fails with [`io::ErrorKind::TimedOut`].
    pub fn set_stall_limit(&mut self, limit: Duration) {
        self.stall_limit = limit;
    }

    /// How many bytes a second must come while we wait, before reading fails with [`io::ErrorKind::TimedOut`]; 0 = any.
    pub fn set_min_rate(&mut self, bytes_a_second: u64) {
        self.pace.least = bytes_a_second;
    }

    async fn advance(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.failed {
            return Err(BodyError::Truncated);
        }
        loop {
            match self.decoder.decode(self.reader.buffer())? {
                Decoded::Data(data) => {
                    self.note_progress();
                    return Ok(Some(data));
                }
                Decoded::End => return Ok(None),
                Decoded::NeedMore => self.receive_more().await?,
            }
        }
    }

    async fn receive_more(&mut self) -> Result<(), BodyError> {
        self.ask_for_body().await?;
        match self.fill().await {
            Ok(0) => self.decoder.end_of_input(),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BodyError::Truncated),
            Err(error) => Err(BodyError::Io(error)),
        }
    }

    /// Receives more, within the stall limit. It begins anew while the peer takes what we send.
    async fn fill(&mut self) -> io::Result<usize> {
        let since = Instant::now();
        let count = self.fill_in_time().await?;
        self.pace.received(count, since.elapsed())?;
        large::turn(self.pace.before, count).await;
        Ok(count)
    }

    async fn fill_in_time(&mut self) -> io::Result<usize> {
        loop {
            let sent = self.beside.as_ref().map(Writer::bytes_sent);
            match self.reader.fill_within(self.stall_limit).await {
                Err(error)
                    if error.kind() == io::ErrorKind::TimedOut
                        && sent != self.beside.as_ref().map(Writer::bytes_sent) => {}
                filled => return filled,
            }
        }
    }

    /// Sends `100 Continue` when the client waits for it and no final response is on its way.
    async fn ask_for_body(&self) -> Result<(), BodyError> {
        let Some((writer, state)) = &self.asking else {
            return Ok(());
        };
        if !state.continue_awaited.get() {
            return Ok(());
        }
        if state.response_started.get() {
            return Err(BodyError::Declined);
        }
        state.continue_awaited.set(false);
        writer.write_all(BytesMut::from(CONTINUE), None).await?;
        Ok(())
    }

    /// A client that sends its body evidently does not wait for leave.
    fn note_progress(&self) {
        if let Some((_, state)) = &self.asking {
            state.continue_awaited.set(false);
            state.unread.set(self.decoder.remaining());
        }
    }

    /// Makes this the body of a new message.
    pub(crate) fn begin(&mut self, framing: BodyFraming, asking: Option<(Writer, Rc<ExchangeState>)>) {
        self.decoder = BodyDecoder::new(framing);
        if let Some((_, state)) = &asking {
            state.unread.set(self.decoder.remaining());
        }
        self.asking = asking;
        self.pace.begin();
        self.failed = false;
    }

    /// Waits for the first byte of a message: `false` when the peer closed or `give_up` came first.
    pub(crate) async fn await_message(&mut self, give_up: impl Future<Output = ()>) -> io::Result<bool> {
        let mut give_up = pin!(give_up);
        while !self.reader.has_buffered() {
            let filled = poll_fn(|context| match self.reader.poll_fill(context) {
                Poll::Ready(filled) => Poll::Ready(Some(filled)),
                Poll::Pending => give_up.as_mut().poll(context).map(|()| None),
            });
            match filled.await.transpose()? {
                None | Some(0) => return Ok(false),
                Some(_) => {}
            }
        }
        Ok(true)
    }

    /// Receives a message head, with its empty last line, within `limit`.
    pub(crate) async fn read_head(&mut self, limit: Duration) -> Result<Bytes, HttpError> {
        let deadline = Instant::now() + limit;
        let mut scanner = HeadScanner::default();
        let mut leading_lines = 0;
        loop {
            match scanner.find_end(self.reader.buffer())? {
                Some(2) => {
                    leading_lines += 1;
                    if leading_lines > MAX_LEADING_LINES {
                        return Err(HeadError::Malformed("empty lines").into());
                    }
                    self.reader.buffer().advance(2);
                    scanner = HeadScanner::default();
                }
                Some(length) => return Ok(self.reader.buffer().split_to(length).freeze()),
                None if self.reader.fill_until(deadline).await? == 0 => return Err(HttpError::Closed),
                None => {}
            }
        }
    }

    /// Receives and forgets at most `limit` bytes of the body within `time`; whether that was its end.
    pub(crate) async fn skip(&mut self, limit: u64, time: Duration) -> bool {
        let skipped = async {
            let mut left = limit;
            while let Some(Ok(chunk)) = self.next_chunk().await {
                left = left.saturating_sub(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
                if left == 0 {
                    break;
                }
            }
        };
        let _ = monoio::time::timeout(time, skipped).await;
        self.is_end() && !self.failed
    }

    /// Receives and forgets whatever comes, until the peer closes or a bound is reached, so that closing does not
    /// make the kernel throw away a response that the peer has not read yet (RFC 9112 9.6).
    pub(crate) async fn linger(&mut self, Linger { stall, time, bytes }: Linger) {
        let deadline = Instant::now() + time;
        let mut left = bytes;
        while let Ok(count @ 1..) = self.reader.fill_until(deadline.min(Instant::now() + stall)).await {
            self.reader.buffer().clear();
            left = left.saturating_sub(count);
            if left == 0 {
                break;
            }
        }
    }

    /// Returns when the client of a server has gone, or never. Wait for it only when the body is received to its end.
    ///
    /// A client that merely has nothing more to send may still take the response. Which it is shows when it is sent
    /// something: one that has gone answers with a reset. So it is sent interim responses, at growing intervals.
    pub async fn gone(&mut self) {
        loop {
            if self.reader.has_buffered() {
                // The next request: more is not received before it is served.
                return pending().await;
            }
            match poll_fn(|context| self.reader.poll_fill(context)).await {
                Ok(0) => return self.gone_altogether().await,
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    async fn gone_altogether(&self) {
        let Some((writer, state)) = &self.asking else {
            return pending().await;
        };
        if !state.takes_interim.get() || state.response_started.get() {
            return pending().await;
        }
        let mut pause = FIRST_QUESTION;
        loop {
            monoio::time::sleep(pause).await;
            if writer.is_broken() {
                return;
            }
            pause = (pause * 2).min(LAST_QUESTIONS);
            // Beside us: whoever waits here may be dropped, and a write that is dropped breaks the connection.
            monoio::spawn(ask(writer.clone(), Rc::clone(state)));
        }
    }

    /// Whether the connection may carry another message: this body is at its end and nothing unasked was sent.
    pub(crate) fn is_clean(&self) -> bool {
        self.is_end() && !self.failed && !self.reader.has_buffered()
    }

    /// Looks without waiting whether an idle connection is still silent.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.reader.is_silent()
    }
}

/// Sends an interim response, unless the final one has begun.
async fn ask(writer: Writer, state: Rc<ExchangeState>) {
    if !state.response_started.get() {
        let _ = writer.write_all(BytesMut::from(CONTINUE), None).await;
    }
}
