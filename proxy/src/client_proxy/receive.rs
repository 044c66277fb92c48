//! Receiving what the provider's server answered: a message, or a fault instead of one (wire.md 2.1, 2.4).

use protocol_message::soap::{self, ParsedSoap};
use protocol_message::transport::{ContentType, SmallPart, header, is_of, mime};
use protocol_pki::digest::DigestAlgorithm;

use super::Exchange;
use crate::exchange::incoming::{Receiving, receive};
use crate::exchange::log::BodyLog;
use crate::exchange::{ExchangeError, Received};
use crate::http::{Body, ResponseHead};

/// Longest SOAP fault that is read in place of a message.
const MAX_FAULT: usize = 1024 * 1024;

/// Receives the answer whose head came. A fault in it, alone or in place of the signature, is an error.
pub(super) async fn message(
    exchange: &Exchange<'_>,
    head: &ResponseHead,
    body: &mut Body,
    body_log: &mut BodyLog,
) -> Result<Received, ExchangeError> {
    if !matches!(head.status, 200 | 500) {
        let reason = String::from_utf8_lossy(&head.reason).into_owned();
        return Err(ExchangeError::PeerStatus {
            status: head.status,
            reason,
        });
    }
    let content_type = head.headers.get("content-type").unwrap_or_default();
    if is_of(content_type, mime::TEXT_XML) {
        let bytes = body
            .read_to_end(MAX_FAULT)
            .await
            .map_err(|e| ExchangeError::from(e).in_service())?;
        return Err(plain_fault(&bytes, content_type).in_service());
    }
    let named = head
        .headers
        .get(header::HASH_ALGORITHM)
        .and_then(DigestAlgorithm::from_name);
    let receiving = Receiving {
        spools: &exchange.worker.process.spools,
        algorithm: named.unwrap_or(crate::exchange::DIGEST),
        body_log,
    };
    let received = receive(body, content_type, receiving, |_, _| Ok(())).await;
    let received = received.map_err(ExchangeError::in_service)?;
    match &received.fault {
        Some(xml) => Err(plain_fault(xml, mime::FAULT).in_service()),
        // Only a fault may come without the name of the digests (wire.md 2.1).
        None if named.is_none() && received.message.is_some() => {
            Err(ExchangeError::HashAlgorithm.in_service())
        }
        None => Ok(received),
    }
}

/// Why a SOAP part stands where a REST response should: a peer that fails before it has the service's answer sends its
/// fault as the first part.
pub(super) fn instead_of_rest(part: &SmallPart) -> ExchangeError {
    let content_type = part.headers.content_type.as_deref().unwrap_or_default();
    match plain_fault(&part.bytes, content_type) {
        ExchangeError::NotAFault => ExchangeError::MissingRest("Response"),
        fault => fault.in_service(),
    }
}

/// The fault that these bytes are.
fn plain_fault(bytes: &[u8], content_type: &str) -> ExchangeError {
    let parsed = ContentType::parse(content_type).map_err(ExchangeError::from);
    match parsed.and_then(|content_type| Ok(soap::parse(bytes, &content_type)?)) {
        Ok(ParsedSoap::Fault(fault)) => ExchangeError::Received(fault),
        Ok(ParsedSoap::Message(_)) => ExchangeError::NotAFault,
        Err(error) => error,
    }
}
