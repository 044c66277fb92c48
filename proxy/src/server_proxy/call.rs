//! Calling the service (wire.md 6.3).

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use protocol_message::identifier::{ClientId, ServiceId};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use storage::message_log::LogReceipt;
use storage::server_configuration::DescriptionType;

use super::Exchange;
use super::authorize::Authorized;
use crate::exchange::ExchangeError;
use crate::http::{ClientConnection, ClientSettings, HttpError, NO_LIMIT};
use crate::net::tls::handshake;
use crate::net::{ConnectError, PoolKey, PooledConnection, Stream, race};
use crate::service_url::ServiceUrl;
use crate::snapshot::Snapshot;
use crate::worker_state::WorkerState;

/// Why the service can't be called.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It has no URL.
    #[error("Service address not specified for '{0}'")]
    MissingUrl(ServiceId),
    /// Its URL can't be called.
    #[error("Malformed service address '{0}'")]
    MalformedUrl(String),
    /// Its host name has no address.
    #[error("{0}: Name or service not known")]
    UnknownHost(String),
    /// It can't be connected.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// Its TLS handshake failed.
    #[error("TLS handshake with the service failed: {0}")]
    Handshake(#[from] handshake::HandshakeError),
    /// Its certificate is none of its client's.
    #[error("Server certificate is not trusted")]
    UntrustedCertificate,
    /// The server has no usable internal TLS key.
    #[error("No internal TLS key is available")]
    NoInternalKey,
    /// The exchange with it failed.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// It answered with a status that no SOAP service answers with.
    #[error("Server responded with error {status}: {reason}")]
    Status {
        /// HTTP status.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
}

impl CallError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::MissingUrl(_) => "service_missing_url",
            Self::MalformedUrl(_) => "service_malformed_url",
            Self::UnknownHost(_) => "unknown_host",
            Self::Connect(error) => connect_code(error),
            Self::UntrustedCertificate | Self::NoInternalKey => "ssl_authentication_failed",
            Self::Handshake(handshake::HandshakeError::Io(error)) | Self::Http(HttpError::Io(error))
                if is_reset(error) =>
            {
                "network_error"
            }
            // That it is TLS that fails makes no difference; only a certificate that is not the service's does.
            Self::Handshake(_) | Self::Http(_) => "io_error",
            Self::Status { .. } => "http_error",
        }
    }
}

/// What can end a conversation with a service: the service, or our own part in it.
#[derive(Debug, thiserror::Error)]
pub enum Conversation {
    /// The connection with the service.
    #[error(transparent)]
    Service(#[from] HttpError),
    /// Anything else.
    #[error(transparent)]
    Own(#[from] ExchangeError),
}

impl From<Conversation> for ExchangeError {
    fn from(error: Conversation) -> Self {
        match error {
            Conversation::Service(error) => CallError::Http(error).into(),
            Conversation::Own(error) => error,
        }
    }
}

impl Conversation {
    /// Of a failure while the request is being written to the service: its connection is the service's.
    #[must_use]
    pub fn while_writing(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Http(error) => Self::Service(error),
            error => Self::Own(error),
        }
    }
}

/// A connection that the system could not make is a network error; one that took longer than the service's time-out is
/// input and output (wire.md 1.8, the mapping of exceptions).
const fn connect_code(error: &ConnectError) -> &'static str {
    match error {
        ConnectError::Failed { .. } => "network_error",
        _ => "io_error",
    }
}

fn is_reset(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
    )
}

/// Whom a connection is made to.
#[derive(Debug, Clone, Copy)]
pub struct Callee<'a> {
    /// The client whose information system it is.
    pub provider: &'a ClientId,
    /// Whether its TLS certificate must be one of that client's.
    pub ssl_authentication: bool,
    /// How long connecting may take; `None`: as long as the system tries.
    pub connect_limit: Option<Duration>,
    /// How long it may take to answer, and between any two pieces of its answer; `None`: for ever.
    pub limit: Option<Duration>,
}

/// A connection to the service, its certificate checked where the service asks for that, and its URL. What was received
/// may be sent there: the client is authorised and the request is in the log.
///
/// # Errors
/// [`CallError`] with the cause.
pub(super) async fn connect<'a>(
    exchange: &Exchange<'_>,
    authorized: &Authorized<'a>,
    logged: &LogReceipt,
) -> Result<(PooledConnection, ServiceUrl<'a>), CallError> {
    tracing::trace!(record = %logged.id(), service = %authorized.id(), "calling the service");
    let service = authorized.service();
    let url = service.url.as_str();
    if url.is_empty() {
        return Err(CallError::MissingUrl(authorized.id().clone()));
    }
    let url = ServiceUrl::parse(url).ok_or_else(|| CallError::MalformedUrl(url.to_owned()))?;
    let limit = Some(service.timeout).filter(|limit| !limit.is_zero());
    // A SOAP service's time-out is one of connecting too; how long connecting to a REST service takes is for the system
    // to say (wire.md 6.3).
    let is_soap = service.kind == DescriptionType::Wsdl;
    let callee = Callee {
        provider: &authorized.id().provider,
        ssl_authentication: service.ssl_authentication,
        connect_limit: limit.filter(|_| is_soap),
        limit,
    };
    let connection = connect_to(exchange.worker, &exchange.snapshot, callee, &url).await?;
    Ok((connection, url))
}

/// A connection to an information system. Nothing that was received may be sent to it: that takes [`connect`].
///
/// # Errors
/// [`CallError`] with the cause.
pub(super) async fn connect_to(
    worker: &WorkerState,
    snapshot: &Snapshot,
    callee: Callee<'_>,
    url: &ServiceUrl<'_>,
) -> Result<PooledConnection, CallError> {
    let addresses: Vec<SocketAddr> = snapshot
        .addresses_of(url.host)
        .map(|ip| SocketAddr::new(ip, url.port))
        .collect();
    if addresses.is_empty() {
        return Err(CallError::UnknownHost(url.host.to_owned()));
    }
    let settings = ClientSettings::patient(callee.limit);
    let known = addresses
        .iter()
        .find_map(|address| worker.services.checkout(&key(*address, url, snapshot)));
    let mut connection = match known {
        Some(connection) => connection,
        None => {
            let limits = Limits {
                connect: callee.connect_limit.unwrap_or(NO_LIMIT),
                handshake: callee.limit.unwrap_or(NO_LIMIT),
            };
            open(worker, snapshot, url, &addresses, limits).await?
        }
    };
    connection.set_settings(settings);
    check_certificate(snapshot, callee, url, &connection)?;
    Ok(connection)
}

/// How long opening a connection may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    handshake: Duration,
}

async fn open(
    worker: &WorkerState,
    snapshot: &Snapshot,
    url: &ServiceUrl<'_>,
    addresses: &[SocketAddr],
    limits: Limits,
) -> Result<PooledConnection, CallError> {
    let (address, tcp) = race::connect_first(addresses, limits.connect).await?;
    let stream = match tls_config(snapshot, url)? {
        None => Stream::plain(tcp).map_err(HttpError::Io)?,
        Some(config) => {
            let host = url.host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name =
                ServerName::try_from(host).map_err(|_| CallError::MalformedUrl(url.host.to_owned()))?;
            handshake::connect(tcp, config, name, &worker.process.handshakes, limits.handshake).await?
        }
    };
    let connection = ClientConnection::new(stream, ClientSettings::default());
    Ok(worker.services.adopt(key(address, url, snapshot), connection))
}

fn tls_config(snapshot: &Snapshot, url: &ServiceUrl<'_>) -> Result<Option<Arc<ClientConfig>>, CallError> {
    if !url.tls {
        return Ok(None);
    }
    let internal = snapshot.tls.internal.as_ref().ok_or(CallError::NoInternalKey)?;
    Ok(Some(Arc::clone(&internal.client)))
}

fn key(address: SocketAddr, url: &ServiceUrl<'_>, snapshot: &Snapshot) -> PoolKey {
    let generation = snapshot
        .tls
        .internal
        .as_ref()
        .map_or(0, |internal| internal.generation);
    PoolKey {
        address,
        name: url.tls.then(|| Rc::from(url.host)),
        identity: if url.tls { generation } else { 0 },
    }
}

/// Where the service is called over TLS with authentication, its certificate must be one of its client's. The host name
/// is not compared (wire.md 6.3).
fn check_certificate(
    snapshot: &Snapshot,
    callee: Callee<'_>,
    url: &ServiceUrl<'_>,
    connection: &PooledConnection,
) -> Result<(), CallError> {
    if !url.tls || !callee.ssl_authentication {
        return Ok(());
    }
    let presented = connection
        .peer()
        .tls
        .as_ref()
        .and_then(|tls| tls.certificates.first());
    let provider = snapshot.server.client(callee.provider);
    let trusted = provider
        .zip(presented)
        .is_some_and(|(provider, leaf)| provider.certificates.contains(leaf.as_ref()));
    if trusted {
        Ok(())
    } else {
        Err(CallError::UntrustedCertificate)
    }
}
