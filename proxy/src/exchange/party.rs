//! This server as a party to an exchange: whose keys sign, who must have signed, and what is logged. The same on both
//! sides.

use bytes::Bytes;
use protocol_message::identifier::{ClientId, ServiceId};
use protocol_message::rest::{RequestPart, ResponsePart};
use protocol_message::soap::{SoapMessage, filtered_message};
use storage::message_log::{Direction, LogReceipt, MessageKind};
use time::OffsetDateTime;

use super::log::{self, BodyLog, Draft, Entry};
use super::sign::{self, SignError};
use super::{ExchangeError, PartDigests, Received, SignatureParts, Verified};
use crate::metrics::Side;
use crate::sealing::Sealed;
use crate::snapshot::LoadedGlobalConf;
use crate::worker_state::WorkerState;

/// What signing, verifying and logging need to know of the exchange.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// Where the exchange is served.
    pub worker: &'a WorkerState,
    /// The global configuration that the exchange began with.
    pub globalconf: &'a LoadedGlobalConf,
    /// Which half of the server this is.
    pub side: Side,
    /// Ties the parties' records together.
    pub request_id: &'a str,
}

impl Party<'_> {
    /// Whether the member's messages can be signed at this moment.
    ///
    /// # Errors
    /// [`SignError::NoCertificate`].
    pub fn can_sign(&self, member: &ClientId) -> Result<(), SignError> {
        let snapshot = self.worker.process.current.take();
        sign::context(&snapshot, member, OffsetDateTime::now_utc()).map(|_| ())
    }

    /// Has a message signed and logged, with what the member's messages are signed with at this moment: it may have taken so
    /// long to come that the OCSP responses of the beginning have run out.
    ///
    /// # Errors
    /// [`ExchangeError::Sign`] and [`ExchangeError::Log`]; the exchange must fail then.
    pub async fn seal(
        &self,
        member: &ClientId,
        parts: &PartDigests,
        draft: Draft,
    ) -> Result<Sealed, ExchangeError> {
        let snapshot = self.worker.process.current.take();
        let context = sign::context(&snapshot, member, OffsetDateTime::now_utc())?;
        sign::seal(self.worker, context, parts, draft).await
    }

    /// Logs a message that was received.
    ///
    /// # Errors
    /// [`ExchangeError::Log`]; the exchange must fail then.
    pub async fn log(&self, draft: Draft, signature: &SignatureParts) -> Result<LogReceipt, ExchangeError> {
        Ok(log::append(self.worker, draft, signature).await?)
    }

    /// Verifies a message, now that all of it is here; its evidence may be younger than the exchange.
    ///
    /// # Errors
    /// [`ExchangeError::Verify`].
    pub async fn verify(
        &self,
        received: Received,
        signer: &ClientId,
    ) -> Result<Verified<Received>, ExchangeError> {
        let metrics = self.worker.process.metrics.side(self.side);
        let now = OffsetDateTime::now_utc();
        self.worker
            .verifier
            .verify(received, signer, self.globalconf, now, metrics)
            .await
    }

    /// Where the body of a REST message goes while it passes.
    pub fn body_log(&self, service: &ServiceId) -> BodyLog {
        BodyLog::rest(&self.worker.process, self.is_client_side(), service)
    }

    /// What is logged of a REST request, or of the response to it.
    ///
    /// # Errors
    /// [`ExchangeError::Log`]; the exchange must fail then.
    pub fn rest_draft(
        &self,
        request: &RequestPart,
        response: Option<&ResponsePart>,
        body: (BodyLog, bool),
    ) -> Result<Draft, ExchangeError> {
        let direction = response.map_or(Direction::Request, |_| Direction::Response);
        let subject = (request.message_id(), request.client(), request.service());
        let entry = self.entry(MessageKind::Rest, direction, subject);
        let whole = || response.map_or_else(|| request.to_bytes(), ResponsePart::to_bytes);
        let filtered = || response.map_or_else(|| request.filtered(), ResponsePart::filtered);
        let content = (|| whole().clone(), || filtered().into());
        Ok(Draft::rest(&self.worker.process, entry, content, body)?)
    }

    /// What is logged of a SOAP request or of the response to it, found under the request's message id.
    ///
    /// # Errors
    /// As [`Self::rest_draft`].
    pub fn soap_draft(
        &self,
        request: &SoapMessage,
        direction: Direction,
        (bytes, message): (&[u8], &SoapMessage),
    ) -> Result<Draft, ExchangeError> {
        let header = &request.header;
        let subject = (header.id.as_str(), &header.client, &header.service);
        let entry = self.entry(MessageKind::Soap, direction, subject);
        let content = (
            || Bytes::copy_from_slice(bytes),
            || filtered_message(message).into(),
        );
        Ok(Draft::soap(&self.worker.process, entry, content)?)
    }

    fn entry(
        &self,
        kind: MessageKind,
        direction: Direction,
        (message_id, client, service): (&str, &ClientId, &ServiceId),
    ) -> Entry {
        let served = if self.is_client_side() {
            client
        } else {
            &service.provider
        };
        Entry {
            message_id: message_id.to_owned(),
            request_id: Some(self.request_id.to_owned()),
            direction,
            client_side: self.is_client_side(),
            client: served.clone(),
            service: service.clone(),
            kind,
        }
    }

    fn is_client_side(&self) -> bool {
        self.side == Side::ClientProxy
    }
}
