//! Serving one connection: requests one after the other, responses in their order.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::body::{Body, ExchangeState, Linger};
use super::codec::date::HttpDate;
use super::codec::encode::{ResponseFraming, encode_response};
use super::codec::framing::{BodyFraming, BodyLength, has_no_body, keeps_alive, request_framing};
use super::codec::parse::parse_request;
use super::error::{HeadError, HttpError};
use super::head::{RequestHead, ResponseHead, Version};
use super::writer::{BodyWriter, WriteFraming};
use crate::net::local::Latch;
use crate::net::stream::{Peer, Stream};

/// Time limits and bounds of a served connection.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// How long a connection may be idle before its first request (wire.md 1.2, 6.4: 30 s).
    pub idle_limit: Duration,
    /// How long it may be idle between requests, if that is something else.
    pub later_idle_limit: Option<Duration>,
    /// How long a request head may take from its first byte.
    pub head_limit: Duration,
    /// How long a request body may stall.
    pub body_stall_limit: Duration,
    /// Bytes a second that a request body must bring while it is waited for; 0 = any.
    pub min_body_rate: u64,
    /// How long the client may take nothing of a response.
    pub write_stall_limit: Duration,
    /// Whether connections serve more than one request (wire.md 2.1: the server proxy closes unless configured).
    pub keep_alive: bool,
    /// Unread request body that is received and thrown away to keep the connection, in bytes.
    pub drain_limit: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            idle_limit: Duration::from_secs(30),
            later_idle_limit: None,
            head_limit: Duration::from_secs(30),
            body_stall_limit: Duration::from_secs(30),
            min_body_rate: 0,
            write_stall_limit: Duration::from_secs(60),
            keep_alive: true,
            drain_limit: 256 * 1024,
        }
    }
}

/// How long the rest of an unread request body may take on a connection that is to be kept.
const SKIP_LIMIT: Duration = Duration::from_secs(2);
/// How long a closing connection waits for a client that goes on sending to take its response: a client that reads only
/// when it has sent everything would be reset otherwise, and never know.
const LINGER: Linger = Linger {
    stall: Duration::from_secs(2),
    time: Duration::from_secs(15),
    bytes: 256 * 1024 * 1024,
};

/// A received request; its body is beside it.
#[derive(Debug)]
pub struct Request {
    /// The head.
    pub head: RequestHead,
    /// Who sent it.
    pub peer: Rc<Peer>,
}

/// Answers requests.
pub trait Handler: 'static {
    /// Answers one request: starts a response, once, and finishes it. An error, or a response not finished, closes
    /// the connection; without any response the client gets a bare 500.
    fn handle(
        &self,
        request: Request,
        body: &mut Body,
        responder: &mut Responder,
    ) -> impl Future<Output = Result<(), HttpError>>;
}

/// Writes the response to one request.
#[derive(Debug)]
pub struct Responder {
    out: BodyWriter,
    state: Rc<ExchangeState>,
    version: Version,
    to_head: bool,
    close: bool,
    drain_limit: u64,
}

impl Responder {
    /// Sends a whole response.
    pub async fn send_full(&mut self, head: &ResponseHead, body: impl Into<Bytes>) -> Result<(), HttpError> {
        let body = body.into();
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let out = self.start(head, BodyLength::Known(length)).await?;
        out.write(body).await?;
        out.finish().await
    }

    /// Begins a response; its head goes out with the first of the body, or at [`BodyWriter::flush`].
    pub async fn start(
        &mut self,
        head: &ResponseHead,
        length: BodyLength,
    ) -> Result<&mut BodyWriter, HttpError> {
        if self.state.response_started.get() {
            return Err(HttpError::OutOfOrder);
        }
        let without_body = has_no_body(head.status);
        let length = match length {
            _ if without_body => BodyLength::None,
            BodyLength::None => BodyLength::Known(0),
            BodyLength::Chunked if self.version == Version::Http10 => BodyLength::None,
            length => length,
        };
        let framing = match length {
            _ if self.to_head || without_body => WriteFraming::Discarded,
            BodyLength::Known(length) => WriteFraming::Length(length),
            BodyLength::Chunked => WriteFraming::Chunked,
            BodyLength::None => WriteFraming::UntilClose,
        };
        // A client that waits for leave to send its body may or may not send it now, and a large body that nobody
        // reads is not waited for: nothing can follow.
        self.close |= framing == WriteFraming::UntilClose
            || self.state.continue_awaited.get()
            || self
                .state
                .unread
                .get()
                .is_some_and(|unread| unread > self.drain_limit)
            || head.headers.has_token("connection", "close");
        let keep_alive = !self.close && self.version == Version::Http10;
        let framed = ResponseFraming {
            length,
            close: self.close,
            keep_alive,
            date: Some(current_date()),
        };
        self.out
            .begin(framing, |out| encode_response(head, framed, out))?;
        self.state.response_started.set(true);
        Ok(&mut self.out)
    }

    /// Whether a response is begun.
    pub fn is_started(&self) -> bool {
        self.state.response_started.get()
    }

    /// The body of the response that was begun.
    pub fn body(&mut self) -> &mut BodyWriter {
        &mut self.out
    }

    /// Closes the connection after this response, and says so in its head if it is not begun yet.
    pub fn close_after(&mut self) {
        self.close = true;
    }

    /// Prepares for the next request.
    fn begin(&mut self, head: &RequestHead, settings: &ServerSettings, draining: bool) {
        self.out.reset();
        self.state.response_started.set(false);
        self.version = head.version;
        self.to_head = head.method == "HEAD";
        self.close = draining || !settings.keep_alive || !keeps_alive(head.version, &head.headers);
    }
}

/// Serves a connection until either side ends it, or until `drain` is set and the request under way is answered.
pub fn serve_connection<H: Handler>(
    stream: Stream,
    settings: Rc<ServerSettings>,
    drain: Latch,
    handler: Rc<H>,
) -> impl Future<Output = ()> {
    // Put together outside of the future, which would keep room for each of the parts besides.
    let mut connection = Connection::new(stream, settings, drain);
    async move {
        while connection.serve_one(&*handler).await {}
        connection.close().await;
    }
}

struct Connection {
    body: Body,
    responder: Responder,
    peer: Rc<Peer>,
    settings: Rc<ServerSettings>,
    drain: Latch,
    has_served: bool,
}

impl Connection {
    fn new(stream: Stream, settings: Rc<ServerSettings>, drain: Latch) -> Self {
        let (reader, writer, peer) = stream.into_parts();
        writer.set_stall_limit(settings.write_stall_limit);
        let mut body = Body::new(reader);
        body.set_stall_limit(settings.body_stall_limit);
        body.set_min_rate(settings.min_body_rate);
        let responder = Responder {
            out: BodyWriter::new(writer),
            state: Rc::default(),
            version: Version::Http11,
            to_head: false,
            close: false,
            drain_limit: settings.drain_limit,
        };
        Self {
            body,
            responder,
            peer: Rc::new(peer),
            settings,
            drain,
            has_served: false,
        }
    }

    /// Serves one request; whether another may follow.
    async fn serve_one<H: Handler>(&mut self, handler: &H) -> bool {
        let head = match self.receive_head().await {
            Ok(Some(head)) => head,
            Ok(None) => return false,
            Err(error) => {
                Box::pin(self.refuse(&error)).await;
                return false;
            }
        };
        let request = Request {
            head,
            peer: Rc::clone(&self.peer),
        };
        // On the heap: an exchange is large, and a connection that is merely idle should not have room for one.
        let handled = Box::pin(handler.handle(request, &mut self.body, &mut self.responder)).await;
        self.complete(handled).await
    }

    /// Receives a request head and prepares both directions for it; `None` when there is no further request.
    async fn receive_head(&mut self) -> Result<Option<RequestHead>, HttpError> {
        let later = self.settings.later_idle_limit.filter(|_| self.has_served);
        let (drain, limit) = (self.drain.clone(), later.unwrap_or(self.settings.idle_limit));
        let give_up = async move {
            let _ = monoio::time::timeout(limit, drain.wait()).await;
        };
        match self.body.await_message(give_up).await {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(error) if is_disconnect(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let raw = self.body.read_head(self.settings.head_limit).await?;
        let head = parse_request(&raw)?;
        self.begin(&head)?;
        self.has_served = true;
        Ok(Some(head))
    }

    fn begin(&mut self, head: &RequestHead) -> Result<(), HeadError> {
        let framing = request_framing(head)?;
        let state = &self.responder.state;
        state
            .continue_awaited
            .set(framing != BodyFraming::Empty && expects_continue(head)?);
        state.takes_interim.set(head.version == Version::Http11);
        let asking = (self.responder.out.writer().clone(), Rc::clone(state));
        self.body.begin(framing, Some(asking));
        self.responder.begin(head, &self.settings, self.drain.is_set());
        Ok(())
    }

    /// Answers a head that is refused, where an answer makes sense.
    async fn refuse(&mut self, error: &HttpError) {
        let status = match error {
            HttpError::Head(error) => error.status(),
            _ if error.is_timeout() => 408,
            _ => return,
        };
        tracing::debug!(peer = %self.peer.address, %error, status, "request refused");
        self.body.begin(BodyFraming::Empty, None);
        self.responder.out.reset();
        self.responder.state.response_started.set(false);
        self.responder.to_head = false;
        self.responder.close = true;
        let head = ResponseHead::new(status).with("Content-Type", "text/plain");
        let _ = self.responder.send_full(&head, format!("{error}\n")).await;
        // What a refused head meant to send after it is not known.
        if self.responder.out.writer().close().await.is_ok() {
            self.body.linger(LINGER).await;
        }
    }

    /// After the handler: makes sure that there is an answer, and that the next request begins where it should.
    async fn complete(&mut self, handled: Result<(), HttpError>) -> bool {
        if let Err(error) = handled {
            tracing::debug!(peer = %self.peer.address, %error, "exchange failed");
            self.responder.close = true;
        }
        if !self.responder.is_started() {
            self.responder.close = true;
            let bare = ResponseHead::new(500);
            let _ = Box::pin(self.responder.send_full(&bare, Bytes::new())).await;
        }
        if !self.responder.out.is_finished() {
            // Cut: the client must see that the response is not whole.
            return false;
        }
        if self.responder.close || self.drain.is_set() {
            Box::pin(self.finish_sending()).await;
            return false;
        }
        if self.body.is_end() || self.body.skip(self.settings.drain_limit, SKIP_LIMIT).await {
            return true;
        }
        Box::pin(self.finish_sending()).await;
        false
    }

    /// Ends our direction and waits for a moment until the client has taken the response.
    async fn finish_sending(&mut self) {
        if self.responder.out.writer().close().await.is_ok() && !self.body.is_clean() {
            self.body.linger(LINGER).await;
        }
    }

    /// Says goodbye on a connection that is merely idle.
    async fn close(&self) {
        if self.responder.out.is_finished() && !self.responder.out.is_broken() {
            let _ = self.responder.out.writer().close().await;
        }
    }
}

thread_local! {
    /// The date as written, made once a second.
    static DATE: Cell<(u64, HttpDate)> = const { Cell::new((0, HttpDate::EPOCH)) };
}

fn current_date() -> HttpDate {
    let since_epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = since_epoch.as_secs();
    let (made, mut date) = DATE.get();
    if made != seconds {
        date = HttpDate::from_unix_seconds(seconds);
        DATE.set((seconds, date));
    }
    date
}

/// Whether the client waits for `100 Continue` (RFC 9110 10.1.1); other expectations are refused.
fn expects_continue(head: &RequestHead) -> Result<bool, HeadError> {
    match head.headers.get("expect") {
        None => Ok(false),
        Some(_) if head.version == Version::Http10 => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("100-continue") => Ok(true),
        Some(_) => Err(HeadError::Expectation),
    }
}

/// Ends of a connection that nobody needs to hear about.
fn is_disconnect(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}
