//! Answering the information system (wire.md 1.4, 1.5, 1.7).

use bytes::Bytes;
use protocol_message::fault::{Fault, SOAP_FAULT_CONTENT_TYPE, error_body};
use protocol_message::rest::ResponsePart;
use storage::message_log::LogReceipt;

use crate::exchange::{ExchangeError, Received, Verified};
use crate::fault;
use crate::http::{BodyLength, Headers, HttpError, Request, Responder, ResponseHead};
use crate::metrics::Side;

/// A verified, consistent and logged REST response.
#[derive(Debug)]
pub struct RestAnswer {
    /// Status and headers.
    pub part: ResponsePart,
    /// The body.
    pub received: Verified<Received>,
    /// Proof that the response is in the log.
    pub logged: LogReceipt,
}

/// When whoever was refused for overload may come again, in seconds.
const RETRY_AFTER: &str = "1";
/// The HTTP status of such a refusal, for REST. The reference has none; load balancers and HTTP clients know this one, and
/// that the request was not begun.
const UNAVAILABLE: u16 = 503;

/// Sends the response: the part's status and all its headers, the body from the spool.
///
/// # Errors
/// When the connection fails.
pub async fn rest(responder: &mut Responder, answer: &RestAnswer) -> Result<(), HttpError> {
    let received = answer.received.get();
    let mut head = ResponseHead::new(answer.part.status());
    head.headers = Headers::with_capacity(answer.part.headers().count());
    for (name, value) in answer.part.http_headers() {
        if name.eq_ignore_ascii_case(b"date") {
            head.headers.remove("date");
        }
        head.headers.push(name, value);
    }
    let Some(content) = received
        .content
        .as_ref()
        .filter(|_| !received.attachments.is_empty())
    else {
        return responder.send_full(&head, Bytes::new()).await;
    };
    let out = responder.start(&head, BodyLength::Known(content.len())).await?;
    let mut reader = content.reader();
    while let Some(bytes) = reader.next().await.map_err(std::io::Error::other)? {
        out.write(bytes).await?;
    }
    out.finish().await
}

/// Tells the information system why there is no answer, in the form that it accepts.
///
/// # Errors
/// When the connection fails.
pub async fn rest_fault(
    responder: &mut Responder,
    request: &Request,
    error: &ExchangeError,
) -> Result<(), HttpError> {
    let fault = fault::of(error, Side::ClientProxy);
    log(request, error, &fault);
    let accept = request
        .head
        .headers
        .get_all("accept")
        .filter_map(|value| std::str::from_utf8(value).ok());
    let body = error_body(&fault, accept);
    let is_overload = error.is_overload();
    let head = ResponseHead::new(if is_overload { UNAVAILABLE } else { body.status })
        .with("Content-Type", body.content_type)
        .with("X-Road-Error", body.error_header);
    responder
        .send_full(&retry_later(head, is_overload), body.body)
        .await
}

/// Says when to come again.
fn retry_later(head: ResponseHead, is_overload: bool) -> ResponseHead {
    if is_overload {
        head.with("Retry-After", RETRY_AFTER)
    } else {
        head
    }
}

/// The same for SOAP: HTTP 200 and a SOAP fault. Overload has no other status: SOAP clients in the field read faults
/// where they expect them, and take what comes with another status for a broken connection.
///
/// # Errors
/// When the connection fails.
pub async fn soap_fault(
    responder: &mut Responder,
    request: &Request,
    error: &ExchangeError,
) -> Result<(), HttpError> {
    let fault = fault::of(error, Side::ClientProxy);
    log(request, error, &fault);
    let head = ResponseHead::new(200)
        .with("Content-Type", SOAP_FAULT_CONTENT_TYPE)
        .with("SOAPAction", "");
    let head = retry_later(head, error.is_overload());
    responder.send_full(&head, Bytes::from(fault.to_soap_xml())).await
}

fn log(request: &Request, error: &ExchangeError, fault: &Fault) {
    if matches!(error, ExchangeError::Overloaded) {
        // The admission has told it.
        return;
    }
    tracing::warn!(
        side = "client_proxy",
        peer = %request.peer.address,
        target = %request.head.target.path(),
        message_id = request.head.headers.get("x-road-id"),
        code = %fault.code,
        detail = fault.detail.as_deref(),
        cause = crate::exchange::error::causes(error),
        "exchange failed"
    );
}
