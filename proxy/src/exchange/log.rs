//! Logging a message before anything of it can be accepted by anybody (wire.md 4.3).

use bytes::Bytes;
use protocol_message::identifier::{ClientId, ServiceId};
use storage::message_log::{Body, BodyWriter, Direction, LogError, LogReceipt, MessageKind, Record};
use time::OffsetDateTime;

use super::{ExchangeError, SignatureParts};
use crate::process::Process;
use crate::worker_state::WorkerState;

/// Why a message was not logged.
#[derive(Debug, thiserror::Error)]
pub enum LogFailure {
    /// The body is longer than the operator lets the log keep.
    #[error("Message size exceeds maximum loggable size")]
    BodyTooLarge,
    /// The message log refused.
    #[error("{0}")]
    Log(#[from] LogError),
    /// `timestamp-immediately` is set and the time-stamp could not be had.
    #[error("{0}")]
    TimeStamp(#[from] crate::message_log::time_stamping::TimeStampError),
}

impl LogFailure {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub fn fault_code(&self) -> String {
        match self {
            Self::BodyTooLarge => "logging_failed".to_owned(),
            Self::Log(error) => error.fault_code().to_owned(),
            Self::TimeStamp(error) => format!("logging_failed.{}", error.fault_code()),
        }
    }
}

/// A REST body on its way into the log while it streams by.
///
/// A body over the bound is not refused while it streams: the reference notices when it logs, and so do we.
#[derive(Debug)]
pub struct BodyLog {
    writer: Option<BodyWriter>,
    limit: u64,
    truncated_allowed: bool,
    length: u64,
}

impl BodyLog {
    /// Logs nothing: body logging is off, or the message is SOAP.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            writer: None,
            limit: u64::MAX,
            truncated_allowed: true,
            length: 0,
        }
    }

    /// Logs a REST body as the operator has it for messages about this service.
    #[must_use]
    pub fn rest(process: &Process, client_side: bool, service: &ServiceId) -> Self {
        let settings = &process.settings.message_log;
        if !process.settings.body_logging.keeps(client_side, service) {
            return Self::off();
        }
        Self {
            // A limit of zero keeps no body, and refuses none.
            writer: (settings.max_loggable_message_body_size > 0).then(|| process.log.body_writer()),
            limit: settings.max_loggable_message_body_size,
            truncated_allowed: settings.truncated_body_allowed,
            length: 0,
        }
    }

    /// Takes the next bytes; waits while the disk is behind.
    ///
    /// # Errors
    /// When the log takes nothing any more.
    pub async fn append(&mut self, bytes: Bytes) -> Result<(), ExchangeError> {
        let room = usize::try_from(self.limit.saturating_sub(self.length)).unwrap_or(usize::MAX);
        self.length += bytes.len() as u64;
        if let Some(writer) = &mut self.writer
            && room > 0
        {
            let kept = bytes.slice(..bytes.len().min(room));
            writer.append(kept).await.map_err(LogFailure::Log)?;
        }
        Ok(())
    }

    /// The body to log, and whether it is less than what was signed.
    fn finish(self, has_body: bool) -> Result<(Option<Body>, bool), LogFailure> {
        let Some(writer) = self.writer.filter(|_| has_body) else {
            return Ok((None, has_body && self.limit == 0));
        };
        let truncated = self.length > self.limit;
        if truncated && !self.truncated_allowed {
            return Err(LogFailure::BodyTooLarge);
        }
        Ok((Some(writer.finish()?), truncated))
    }
}

/// What a record says of a message besides its evidence.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The message id of the exchange.
    pub message_id: String,
    /// The request id that ties the parties' records together.
    pub request_id: Option<String>,
    /// Request or response.
    pub direction: Direction,
    /// Whether the client proxy logs it.
    pub client_side: bool,
    /// Whom this server serves in the exchange.
    pub client: ClientId,
    /// The service called.
    pub service: ServiceId,
    /// SOAP or REST.
    pub kind: MessageKind,
}

/// Everything of a record but its signature.
#[derive(Debug)]
pub struct Draft {
    entry: Entry,
    message: Bytes,
    body: Option<Body>,
    truncated: bool,
}

impl Draft {
    /// What a REST message leaves in the log: all of it, or what body logging leaves (wire.md 4.3).
    ///
    /// # Errors
    /// [`LogFailure::BodyTooLarge`]; the exchange must fail then.
    pub fn rest(
        process: &Process,
        entry: Entry,
        (message, filtered): (impl FnOnce() -> Bytes, impl FnOnce() -> Bytes),
        (body_log, has_body): (BodyLog, bool),
    ) -> Result<Self, LogFailure> {
        let keeps = &process.settings.body_logging;
        let whole = keeps.keeps(entry.client_side, &entry.service);
        let (body, truncated) = body_log.finish(has_body)?;
        Ok(Self {
            entry,
            message: if whole { message() } else { filtered() },
            body,
            truncated: truncated || !whole,
        })
    }

    /// What a SOAP message leaves in the log: the envelope, whole or with an empty body; never attachments.
    ///
    /// # Errors
    /// As [`Self::rest`].
    pub fn soap(
        process: &Process,
        entry: Entry,
        content: (impl FnOnce() -> Bytes, impl FnOnce() -> Bytes),
    ) -> Result<Self, LogFailure> {
        Self::rest(process, entry, content, (BodyLog::off(), false))
    }

    /// A draft of a message that says this.
    #[cfg(test)]
    pub(crate) fn saying(message: &str) -> Self {
        let client = ClientId::parse_encoded("TEST/GOV/123/sub").unwrap();
        let service = ServiceId {
            provider: client.clone(),
            service_code: "service".into(),
            service_version: None,
        };
        Self {
            entry: Entry {
                message_id: message.to_owned(),
                request_id: None,
                direction: Direction::Request,
                client_side: true,
                client,
                service,
                kind: MessageKind::Rest,
            },
            message: Bytes::copy_from_slice(message.as_bytes()),
            body: None,
            truncated: false,
        }
    }

    /// The record, of this moment.
    #[must_use]
    pub fn signed(self, signature: &SignatureParts) -> Record {
        let Entry {
            message_id,
            request_id,
            direction,
            client_side,
            client,
            service,
            kind,
        } = self.entry;
        Record {
            time: OffsetDateTime::now_utc(),
            query_id: message_id,
            request_id,
            direction,
            client_side,
            client,
            service: Some(service),
            kind,
            message: self.message,
            signature: signature.document.clone(),
            hash_chain_result: signature.hash_chain_result.clone(),
            hash_chain: signature.hash_chain.clone(),
            body: self.body,
            truncated: self.truncated,
        }
    }
}

/// Appends a message that was received to the log and waits until it is durable, and time-stamped where that is to be at
/// once.
///
/// # Errors
/// [`LogFailure`]; the exchange must fail then.
pub async fn append(
    worker: &WorkerState,
    draft: Draft,
    signature: &SignatureParts,
) -> Result<LogReceipt, LogFailure> {
    let (reply, receipt) = worker.logged.expect();
    worker.to_log.put((draft.signed(signature), reply));
    let receipt = receipt.await.unwrap_or(Err(LogError::Stopped))?;
    stamp_at_once(&worker.process, &receipt).await?;
    Ok(receipt)
}

/// Obtains the record's time-stamp now, where `timestamp-immediately` is set.
///
/// # Errors
/// [`LogFailure::TimeStamp`].
pub async fn stamp_at_once(process: &Process, logged: &LogReceipt) -> Result<(), LogFailure> {
    if process.settings.message_log.timestamp_immediately {
        process.time_stamper.stamp_now(logged.id()).await?;
    }
    Ok(())
}
