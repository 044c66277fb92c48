//! The network under the proxy: TCP and TLS over monoio, one set per worker; nothing here is shared between cores
//! but immutable configuration and the handshake threads.
//!
//! # Rooms
//! - [`stream`]: [`Stream`], plain or TLS, with a [`Reader`] and a cloneable [`Writer`] that work at the same time.
//! - [`tls`]: [`TlsIdentity`], [`PeerVerifier`], [`server_config`](tls::config::server_config),
//!   [`client_config`](tls::config::client_config), [`CallbackKey`](tls::signing_key::CallbackKey) (the key in another
//!   process), [`HandshakePool`](tls::handshake::HandshakePool) (blocking signatures off the workers),
//!   [`accept`](tls::handshake::accept) and [`connect`](tls::handshake::connect).
//! - [`listener`]: `SO_REUSEPORT` listeners with bounds and back-off.
//! - [`turns`]: who is served next when there are more connections than may be served at once.
//! - [`race`]: connecting to several addresses at once, and the remembered winner (wire.md 2.6).
//! - [`pool`]: kept-alive client connections of a worker.
//! - [`local`]: what tasks of one worker wait on ([`Latch`], [`Permits`]).
//!
//! # A server
//! ```ignore
//! let listener = Listener::bind(address, DEFAULT_BACKLOG)?;           // once in each worker
//! let tls = server_config(provider, &identity, ClientAuthentication::Required(verifier))?;
//! listener.serve(&worker.drain(), Permits::new(2500), move |tcp, permit| {
//!     let (tls, pool, settings, handler) = (tls.clone(), pool.clone(), settings.clone(), handler.clone());
//!     let drain = drain.clone();
//!     worker.spawn(async move {
//!         let Ok(stream) = tls::handshake::accept(tcp, tls, &pool, HANDSHAKE_LIMIT).await else { return };
//!         serve_connection(stream, settings, drain, handler).await;
//!         drop(permit);
//!     });
//! }).await;
//! ```
//!
//! # A client
//! ```ignore
//! let (address, tcp) = race.select(&addresses, Duration::from_secs(30)).connect().await?;
//! let stream = tls::handshake::connect(tcp, config, server_name, &pool, HANDSHAKE_LIMIT).await?;
//! let connection = ClientConnection::new(stream, ClientSettings::default());
//! ```
//! The peer's certificates are `stream.peer().tls`.

pub mod listener;
pub mod local;
pub mod pool;
pub mod race;
mod read_pump;
pub mod stream;
pub mod tls;
pub mod turns;

pub use listener::{DEFAULT_BACKLOG, Listener};
pub use local::{Latch, Permit, Permits};
pub use pool::{ConnectionPool, PoolKey, PoolSettings, PooledConnection};
pub use race::{ConnectError, Race};
pub use stream::{Peer, Reader, Stream, Writer};
pub use tls::{PeerRefused, PeerVerifier, TlsIdentity, TlsPeer};
pub use turns::{Source, Turn, Turns};
