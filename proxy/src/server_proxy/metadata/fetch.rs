//! Fetching the description of a service from the information system, as the service itself is called (wire.md 6.3): its TLS
//! certificate is checked where the service's is. Redirects are not followed.
//!
//! A description is bounded in size and time, and so is the number of descriptions in memory. It is rewritten on a thread of
//! its own: reading megabytes of XML or YAML would hold up the worker's other exchanges.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use protocol_message::identifier::ClientId;
use storage::server_configuration::Service;

use crate::http::{Method, RequestHead};
use crate::net::PooledConnection;
use crate::server_proxy::Exchange;
use crate::server_proxy::call::{self, CallError, Callee};
use crate::service_url::{ServiceUrl, rooted};
use crate::slots::{Slot, Slots};

/// Largest description, in bytes.
pub const MAX_DESCRIPTION: usize = 16 * 1024 * 1024;
/// How long the information system may take, from connecting to the last byte (features.md 5).
pub const LIMIT: Duration = Duration::from_secs(30);
/// Descriptions that are fetched or rewritten in the whole process; one more is refused.
static FETCHES: Slots = Slots::new(16);

/// Why there is no description.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The information system can't be asked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The description is larger than [`MAX_DESCRIPTION`].
    #[error("Service description is larger than {MAX_DESCRIPTION} bytes")]
    TooLarge,
    /// The description took longer than [`LIMIT`].
    #[error("Reading the service description timed out")]
    TooSlow,
    /// As many descriptions as may are being fetched.
    #[error("Too many service descriptions are being read, try again later")]
    Busy,
    /// The system starts no thread, or it ended early.
    #[error("Service description can't be rewritten")]
    Thread,
}

impl FetchError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::Call(error) => error.fault_code(),
            Self::TooLarge | Self::TooSlow => "io_error",
            Self::Busy | Self::Thread => "internal_error",
        }
    }
}

/// What the information system answered.
#[derive(Debug)]
pub enum Fetched {
    /// A description.
    Description(Description),
    /// Something else than success.
    Status {
        /// HTTP status.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
}

/// A description as it came.
#[derive(Debug)]
pub struct Description {
    /// Values of `Content-Type`.
    pub content_types: Vec<String>,
    bytes: Bytes,
    slot: Slot,
}

/// Fetches the description of a service of `provider`.
pub(super) async fn fetch(
    exchange: &Exchange<'_>,
    provider: &ClientId,
    service: &Service,
) -> Result<Fetched, FetchError> {
    let slot = FETCHES.take().ok_or(FetchError::Busy)?;
    let deadline = Instant::now() + LIMIT;
    let url = &service.description_url;
    let parsed = ServiceUrl::parse(url).ok_or_else(|| CallError::MalformedUrl(url.clone()))?;
    let callee = Callee {
        provider,
        ssl_authentication: service.ssl_authentication,
        connect_limit: Some(LIMIT),
        limit: Some(LIMIT),
    };
    tracing::info!(url, "fetching a service description");
    let mut connection = call::connect_to(exchange.worker, &exchange.snapshot, callee, &parsed).await?;
    let answered = connection.send_full(&request_head(&parsed), Bytes::new()).await;
    let head = answered.map_err(CallError::Http)?;
    if head.status != 200 {
        return Ok(Fetched::Status {
            status: head.status,
            reason: String::from_utf8_lossy(&head.reason).into_owned(),
        });
    }
    let content_types = head.headers.get_all("content-type");
    let content_types = content_types
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect();
    Ok(Fetched::Description(Description {
        content_types,
        bytes: read(&mut connection, deadline).await?,
        slot,
    }))
}

/// A fragment stays with the client.
fn request_head(url: &ServiceUrl<'_>) -> RequestHead {
    let path = url.path.split('#').next().unwrap_or_default();
    RequestHead::new(Method::GET, rooted(path)).with("Host", url.authority.to_owned())
}

async fn read(connection: &mut PooledConnection, deadline: Instant) -> Result<Bytes, FetchError> {
    let mut whole = BytesMut::new();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(FetchError::TooSlow);
        }
        let body = connection.body();
        body.set_stall_limit(left);
        let Some(chunk) = body.next_chunk().await else {
            return Ok(whole.freeze());
        };
        let chunk = chunk.map_err(|error| CallError::Http(error.into()))?;
        if whole.len() + chunk.len() > MAX_DESCRIPTION {
            return Err(FetchError::TooLarge);
        }
        whole.extend_from_slice(&chunk);
    }
}

impl Description {
    /// Rewrites the description on a thread of its own.
    ///
    /// # Errors
    /// [`FetchError::Thread`]
    pub async fn rewrite<T: Send + 'static>(
        self,
        rewrite: impl FnOnce(&[u8]) -> T + Send + 'static,
    ) -> Result<T, FetchError> {
        let Self { bytes, slot, .. } = self;
        let (done, rewritten) = flume::bounded(1);
        let thread = std::thread::Builder::new().name("description".into());
        let work = move || {
            let _ = done.send(rewrite(&bytes));
            drop(slot);
        };
        thread.spawn(work).map_err(|_no_thread| FetchError::Thread)?;
        rewritten.recv_async().await.map_err(|_ended| FetchError::Thread)
    }
}
