//! Evidence for those who ask: `GET /asic` and `GET /verificationconf` on the client ports (wire.md 4.4).
//!
//! A download runs on a thread of its own, which reads the message log and writes zip files; it hands pieces through a
//! bounded channel to the worker, which sends them. So neither a large body nor a slow client takes memory or time from
//! the exchanges.
//!
//! | Room | Subject |
//! |---|---|
//! | [`query`] | the parameters of `/asic` |
//! | [`containers`] | containers of logged messages, alone or in a zip file |
//! | [`verification_conf`] | the part of the global configuration that verifying takes |
//! | [`stream`] | from the thread that writes to the worker that sends |

pub mod containers;
pub mod query;
pub mod stream;
pub mod verification_conf;

use std::sync::Arc;

use storage::archive::openpgp::OpenPgpError;
use storage::message_log::ReadError;
use time::OffsetDateTime;

use crate::client_proxy::authenticate::{AuthenticateError, authenticate};
use crate::http::{BodyLength, HttpError, Request, Responder, ResponseHead};
use crate::message_log::time_stamping::TimeStampError;
use crate::slots::{Slot, Slots};
use crate::worker_state::WorkerState;

use query::{AsicQuery, QueryError};
use stream::{Download, Piece};

/// Downloads under way in the whole process; one more is refused.
static DOWNLOADS: Slots = Slots::new(16);

/// Why there is nothing to download. The texts are the reference's, sent as plain text.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// A parameter is missing, or two contradict each other.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The information system may not speak for the client.
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// The log has no such message.
    #[error("No signed documents found")]
    NotFound,
    /// A message waits for its time-stamp, and `force` was not given.
    #[error("Message signature has not been timestamped yet!")]
    NotTimeStamped,
    /// `force` was given and the time-stamp can't be had.
    #[error("Could not create missing timestamp! {0}")]
    TimeStamp(#[from] TimeStampError),
    /// The message log can't be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// Downloads are encrypted, and the keys can't be used.
    #[error("Signed documents can't be encrypted: {0}")]
    Encryption(#[from] OpenPgpError),
    /// There is no global configuration on disk.
    #[error("Global configuration can't be read: {0}")]
    GlobalConf(std::io::Error),
    /// As many downloads as may are under way.
    #[error("Too many downloads at once, try again later")]
    Busy,
    /// The system starts no thread.
    #[error("Download can't be started: {0}")]
    Thread(std::io::Error),
}

impl DownloadError {
    /// The status of the answer (wire.md 4.4).
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            // The reference does not tell a blank code from a failure of its own.
            Self::Query(QueryError::Blank(_)) => 500,
            Self::Query(_) => 400,
            Self::Authenticate(_) => 401,
            Self::NotFound => 404,
            Self::Busy => 503,
            _ => 500,
        }
    }
}

/// Whether a request is for this service: method and path decide. Others on these paths are taken for SOAP.
#[must_use]
pub fn is_for(request: &Request) -> bool {
    request.head.method == "GET" && matches!(request.head.target.path(), "/asic" | "/verificationconf")
}

/// Answers a request for which [`is_for`] is true.
///
/// # Errors
/// When the answer can't be sent, or breaks off because the log can't be read further.
pub async fn serve(
    worker: &WorkerState,
    request: &Request,
    responder: &mut Responder,
) -> Result<(), HttpError> {
    let download = match request.head.target.path() {
        "/verificationconf" => start_verification_conf(worker),
        _ => start_containers(worker, request),
    };
    match download {
        Ok(download) => send(download, responder).await,
        Err(error) => refuse(&error, responder).await,
    }
}

fn start_verification_conf(worker: &WorkerState) -> Result<Download, DownloadError> {
    let folder = worker.process.settings.kiirtee.global_configuration.clone();
    Download::start(slot()?, move |out| verification_conf::write(&folder, out))
}

fn start_containers(worker: &WorkerState, request: &Request) -> Result<Download, DownloadError> {
    let query = request.head.target.query().unwrap_or_default();
    let client = query::client(query)?;
    let process = Arc::clone(&worker.process);
    let snapshot = process.current.take();
    authenticate(
        &snapshot,
        &process.settings.proxy,
        &client,
        &request.peer,
        OffsetDateTime::now_utc(),
    )?;
    let query = AsicQuery::parse(query, client)?;
    Download::start(slot()?, move |out| containers::write(&process, &query, out))
}

/// Sends the head once the thread knows that there is something to send, then the pieces as they come.
async fn send(download: Download, responder: &mut Responder) -> Result<(), HttpError> {
    let head = match download.next().await {
        Some(Piece::Start(start)) => start.head(),
        Some(Piece::Refused(error)) => return refuse(&error, responder).await,
        _ => return Err(broken_off()),
    };
    let out = responder.start(&head, BodyLength::Chunked).await?;
    loop {
        match download.next().await {
            Some(Piece::Data(data)) => out.write(data).await?,
            Some(Piece::End) => return out.finish().await,
            // A response that is not finished closes the connection, so that the client sees that it is cut.
            _ => return Err(broken_off()),
        }
    }
}

fn broken_off() -> HttpError {
    HttpError::Io(std::io::Error::other("the download broke off"))
}

async fn refuse(error: &DownloadError, responder: &mut Responder) -> Result<(), HttpError> {
    let status = error.http_status();
    tracing::warn!(status, %error, "download refused");
    let head = ResponseHead::new(status).with("Content-Type", "text/plain;charset=utf-8");
    responder.send_full(&head, error.to_string()).await
}

fn slot() -> Result<Slot, DownloadError> {
    DOWNLOADS.take().ok_or(DownloadError::Busy)
}

#[cfg(test)]
mod tests;
