//! HTTP/1.1 for the client proxy and the server proxy: an own codec and the connections that drive it.
//!
//! # Rooms
//! - [`codec`] is pure (no I/O, no clock): heads, body framing, chunked coding. It is a crate of its own, because
//!   fuzzers feed it.
//! - [`head`] holds the words: [`RequestHead`], [`ResponseHead`], [`Headers`], [`Method`], [`Target`].
//! - [`body`] reads a message body ([`Body`]), [`writer`] writes one ([`BodyWriter`]).
//! - [`large`] makes large bodies leave room for others.
//! - [`server`] serves a connection ([`serve_connection`], [`Handler`], [`Responder`]).
//! - [`client`] sends requests over one connection ([`ClientConnection`]); pooling is in [`crate::net::pool`].
//!
//! # Server
//! ```ignore
//! struct Echo;
//! impl Handler for Echo {
//!     async fn handle(&self, request: Request, body: &mut Body, responder: &mut Responder) -> Result<(), HttpError> {
//!         let out = responder.start(&ResponseHead::new(200), BodyLength::Chunked).await?;
//!         while let Some(chunk) = body.next_chunk().await {
//!             out.write(chunk?).await?; // coalesced; call out.flush() before waiting for something else
//!         }
//!         out.finish().await
//!     }
//! }
//! serve_connection(stream, Rc::new(ServerSettings::default()), drain, Rc::new(Echo)).await;
//! ```
//! `100 Continue` is sent when the handler first asks for the body. A response that was started and not finished
//! closes the connection, so that the peer sees it is cut. An unread request body is drained within a bound or the
//! connection is closed after the response.
//!
//! # Client
//! ```ignore
//! let mut connection = pool.checkout(&key).unwrap_or(ClientConnection::new(stream, ClientSettings::default()));
//! let head = connection.send_full(&request_head, bytes).await?;                   // body in memory
//! let head = connection.exchange(&request_head, BodyLength::Chunked, async |out| { // streamed; sees early responses
//!     out.write(chunk).await
//! }).await?;
//! while let Some(chunk) = connection.body().next_chunk().await { .. }
//! ```
//! [`ClientConnection::converse`] deals with the response while the request is still being sent.
//! [`ClientConnection::split`] gives both directions for a caller that drives them itself.
//!
//! # Framing headers
//! `Content-Length` and `Transfer-Encoding` are written from [`BodyLength`] only; such fields in a head given for
//! writing are left out. Everything else is written as given, names in their given case, order kept.
//!
//! # Dropping futures
//! Reading is safe to drop at any await: the ring operation belongs to the connection, not to the caller's
//! future, so no byte is lost. Dropping a *write* breaks the connection (it is then closed, never reused).

pub mod body;
pub mod client;
pub mod large;
pub mod server;
pub mod writer;

pub use proxy_http_codec as codec;
pub use proxy_http_codec::{error, head};

pub use body::Body;
pub use client::{ClientConnection, ClientSettings, NO_LIMIT};
pub use codec::framing::BodyLength;
pub use error::{BodyError, HeadError, HttpError};
pub use head::{Headers, Method, RequestHead, ResponseHead, Target, Version};
pub use server::{Handler, Request, Responder, ServerSettings, serve_connection};
pub use writer::BodyWriter;
