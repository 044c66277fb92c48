//! Sending requests over one connection, one at a time, with both directions open at once.

mod converse;

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;

use super::body::Body;
use super::codec::encode::encode_request;
use super::codec::framing::{BodyFraming, BodyLength, keeps_alive, response_framing};
use super::codec::parse::parse_response;
use super::error::{HeadError, HttpError};
use super::head::{RequestHead, ResponseHead};
use super::writer::{BodyWriter, WriteFraming};
use crate::net::stream::{Peer, Stream, timed_out};

/// Time limits of a client connection.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// How long the response may take to begin once the request is sent; `None`: for ever (wire.md 2.6).
    pub response_limit: Option<Duration>,
    /// How long a response head may take from its first byte.
    pub head_limit: Duration,
    /// How long a response body may stall.
    pub body_stall_limit: Duration,
    /// How long the server may take nothing of a request.
    pub write_stall_limit: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            response_limit: None,
            head_limit: Duration::from_secs(30),
            body_stall_limit: Duration::from_secs(60),
            write_stall_limit: Duration::from_secs(60),
        }
    }
}

impl ClientSettings {
    /// For a server that may take as long as an operator lets it: to begin its response, and between any two pieces of
    /// it. `None`: for ever; a server that is gone is found out by keep-alive probes.
    pub fn patient(limit: Option<Duration>) -> Self {
        Self {
            response_limit: limit,
            body_stall_limit: limit.unwrap_or(NO_LIMIT),
            ..Self::default()
        }
    }
}

/// As good as for ever.
pub const NO_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Interim responses that may come before the final one.
const MAX_INTERIM_RESPONSES: usize = 8;

/// A connection to a server.
#[derive(Debug)]
pub struct ClientConnection {
    out: BodyWriter,
    responses: ResponseReader,
    peer: Peer,
}

/// The receiving direction of a [`ClientConnection`].
#[derive(Debug)]
pub struct ResponseReader {
    body: Body,
    settings: ClientSettings,
    to_head: bool,
    /// Our request allows another after it.
    keep: bool,
    /// The whole request was answered by a response that allows another request.
    reusable: bool,
}

impl ClientConnection {
    /// A client on a fresh connection.
    pub fn new(stream: Stream, settings: ClientSettings) -> Self {
        let (reader, writer, peer) = stream.into_parts();
        writer.set_stall_limit(settings.write_stall_limit);
        let mut body = Body::new(reader).beside(writer.clone());
        body.set_stall_limit(settings.body_stall_limit);
        let responses = ResponseReader {
            body,
            settings,
            to_head: false,
            keep: true,
            reusable: false,
        };
        Self {
            out: BodyWriter::new(writer),
            responses,
            peer,
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Replaces the time limits, for the next request.
    pub fn set_settings(&mut self, settings: ClientSettings) {
        self.out.writer().set_stall_limit(settings.write_stall_limit);
        self.responses.body.set_stall_limit(settings.body_stall_limit);
        self.responses.settings = settings;
    }

    /// Sends a request whose body is in memory and waits for the head of its response.
    pub async fn send_full(
        &mut self,
        head: &RequestHead,
        body: impl Into<Bytes>,
    ) -> Result<ResponseHead, HttpError> {
        let body = body.into();
        let length = head.length_of_body(u64::try_from(body.len()).unwrap_or(u64::MAX));
        self.exchange(head, length, async |out: &mut BodyWriter| out.write(body).await)
            .await
    }

    /// Sends a request whose body `send` writes, and waits for the head of its response at the same time. When the
    /// server refuses or takes no more before it has the whole body, `send` is dropped where it stands and the response
    /// is returned; the connection is not reusable then.
    pub async fn exchange<E: From<HttpError>>(
        &mut self,
        head: &RequestHead,
        length: BodyLength,
        send: impl AsyncFnOnce(&mut BodyWriter) -> Result<(), E>,
    ) -> Result<ResponseHead, E> {
        self.converse(head, length, send, async |head: ResponseHead, _: &mut Body| {
            Ok(head)
        })
        .await
    }

    /// Begins a request by hand: write the body through [`Self::split`] and finish it, read the response's head.
    pub fn start(&mut self, head: &RequestHead, length: BodyLength) -> Result<(), HttpError> {
        let framing = match length {
            BodyLength::None => WriteFraming::Length(0),
            BodyLength::Known(length) => WriteFraming::Length(length),
            BodyLength::Chunked => WriteFraming::Chunked,
        };
        self.out.begin(framing, |out| encode_request(head, length, out))?;
        self.responses.to_head = head.method == "HEAD";
        self.responses.keep = !head.headers.has_token("connection", "close");
        self.responses.reusable = false;
        self.responses.body.begin(BodyFraming::Empty, None);
        Ok(())
    }

    /// Both directions, for a caller that drives them itself.
    pub fn split(&mut self) -> (&mut BodyWriter, &mut ResponseReader) {
        (&mut self.out, &mut self.responses)
    }

    /// The body of the response whose head was received.
    pub fn body(&mut self) -> &mut Body {
        &mut self.responses.body
    }

    /// Whether another request may be sent: request and response are whole and neither side wants to close.
    pub fn is_reusable(&self) -> bool {
        self.out.is_finished()
            && !self.out.is_broken()
            && self.responses.reusable
            && self.responses.body.is_clean()
    }

    /// Looks without waiting whether an idle connection is still open and silent.
    pub fn is_alive(&mut self) -> bool {
        !self.out.is_broken() && self.responses.body.is_silent()
    }

    /// Closes in order. Dropping the connection closes it as well, without telling a TLS peer.
    pub async fn close(self) {
        let _ = self.out.writer().close().await;
    }
}

impl ResponseReader {
    /// Waits for the head of the response, as long as the settings allow. Interim responses are passed over.
    pub async fn head(&mut self) -> Result<ResponseHead, HttpError> {
        match self.settings.response_limit {
            Some(limit) => self.read_head(monoio::time::sleep(limit)).await,
            None => self.read_head(pending()).await,
        }
    }

    /// The body of the response whose head was received.
    pub fn body(&mut self) -> &mut Body {
        &mut self.body
    }

    async fn read_head(&mut self, give_up: impl Future<Output = ()>) -> Result<ResponseHead, HttpError> {
        let mut give_up = pin!(give_up);
        for _ in 0..MAX_INTERIM_RESPONSES {
            let mut gave_up = false;
            let waiting = async {
                give_up.as_mut().await;
                gave_up = true;
            };
            if !self.body.await_message(waiting).await? {
                return Err(if gave_up {
                    timed_out().into()
                } else {
                    HttpError::Closed
                });
            }
            let raw = self.body.read_head(self.settings.head_limit).await?;
            let head = parse_response(&raw)?;
            match head.status {
                101 => return Err(HeadError::Interim.into()),
                100..=199 => {}
                _ => return self.accept(head),
            }
        }
        Err(HeadError::Interim.into())
    }

    fn accept(&mut self, head: ResponseHead) -> Result<ResponseHead, HttpError> {
        let framing = response_framing(&head, self.to_head)?;
        self.reusable =
            self.keep && keeps_alive(head.version, &head.headers) && framing != BodyFraming::UntilClose;
        self.body.begin(framing, None);
        Ok(head)
    }
}
