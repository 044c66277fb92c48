//! A SOAP request at the provider's server.

use bytes::Bytes;
use protocol_message::soap::{
    self, ParsedSoap, Recoded, SoapMessage, filtered_message, message_hash, validate_soap_action,
    with_request_hash,
};
use protocol_message::transport::{ContentType, PartHeaders, PartKind, TransportError, header};
use storage::message_log::{Direction, LogReceipt, MessageKind};

use super::authorize::{self, Authorized};
use super::call::{self, CallError};
use super::metadata::{self, soap::SoapService};
use super::{Exchange, peer};
use crate::exchange::incoming::{Receiving, receive};
use crate::exchange::log::{self, BodyLog, Entry};
use crate::exchange::soap_content::SoapContent;
use crate::exchange::soap_source::{SoapPart, SoapSource};
use crate::exchange::{ExchangeError, Outgoing, Received, SignatureParts, sign};
use crate::http::{Body, BodyLength, BodyWriter, Method, RequestHead, Responder, ResponseHead};
use crate::net::PooledConnection;
use crate::service_url::ServiceUrl;

pub(super) async fn serve(
    exchange: &Exchange<'_>,
    body: &mut Body,
    responder: &mut Responder,
) -> Result<(), ExchangeError> {
    validate_soap_action(exchange.header(header::ORIGINAL_SOAP_ACTION))?;
    let (request, received) = read(exchange, body).await?;
    match SoapService::of(&request.header.service) {
        Some(service) => serve_metadata(exchange, service, (&request, received), responder).await,
        None => serve_service(exchange, (&request, received), responder).await,
    }
}

/// Calls the service.
async fn serve_service(
    exchange: &Exchange<'_>,
    (request, received): (&SoapMessage, Received),
    responder: &mut Responder,
) -> Result<(), ExchangeError> {
    let (client, service) = (&request.header.client, &request.header.service);
    let authorized = authorize::soap(&exchange.snapshot, &exchange.globalconf, client, service)?;
    let (content, logged) = accept(exchange, request, received).await?;
    let (mut connection, head) = call(exchange, &authorized, (&content, &logged))
        .await
        .map_err(ExchangeError::in_service)?;
    let mut outgoing = exchange
        .start(responder, head.headers.get("content-type"))
        .await?;
    let answered = match open(&mut connection, &head).await {
        Ok(opened) => {
            let out = responder.body();
            answer(exchange, (request, &content), opened, &mut outgoing, out).await
        }
        Err(error) => Err(error.in_service()),
    };
    finish(exchange, responder, outgoing, answered).await
}

/// Answers for the provider.
async fn serve_metadata(
    exchange: &Exchange<'_>,
    service: SoapService,
    (request, received): (&SoapMessage, Received),
    responder: &mut Responder,
) -> Result<(), ExchangeError> {
    let (content, logged) = accept(exchange, request, received).await?;
    tracing::trace!(record = %logged.id(), ?service, "answering for the provider");
    let part = content.received().message.as_ref();
    let part = part.ok_or(ExchangeError::MissingSoap("Request"))?;
    let own = metadata::soap::answer(exchange, service, (request, part)).await?;
    let mut outgoing = exchange.start(responder, Some(&own.content_type)).await?;
    let (opened, out) = ((own.part, own.source), responder.body());
    let answered = answer(exchange, (request, &content), opened, &mut outgoing, out).await;
    finish(exchange, responder, outgoing, answered).await
}

/// Verifies and logs the request.
async fn accept(
    exchange: &Exchange<'_>,
    request: &SoapMessage,
    received: Received,
) -> Result<(SoapContent, LogReceipt), ExchangeError> {
    let verified = exchange.verify(received, &request.header.client)?;
    let content = SoapContent::new(verified, exchange.header(header::ORIGINAL_CONTENT_TYPE))?;
    let logged = log_request(exchange, request, &content).await?;
    Ok((content, logged))
}

/// Ends a response that was begun.
async fn finish(
    exchange: &Exchange<'_>,
    responder: &mut Responder,
    outgoing: Outgoing,
    answered: Result<(SignatureParts, LogReceipt), ExchangeError>,
) -> Result<(), ExchangeError> {
    match answered {
        Ok((signature, logged)) => outgoing.finish(responder.body(), &signature, logged).await,
        Err(error) => Err(exchange.fail(responder, outgoing, error).await),
    }
}

/// Receives the message; who sends it is decided as soon as the SOAP part is there.
async fn read(exchange: &Exchange<'_>, body: &mut Body) -> Result<(SoapMessage, Received), ExchangeError> {
    let mut body_log = BodyLog::off();
    let spools = &exchange.worker.process.spools;
    let receiving = Receiving {
        spools,
        algorithm: exchange.algorithm,
        body_log: &mut body_log,
    };
    let mut request = None;
    let received = receive(body, exchange.content_type(), receiving, |received, _| {
        request = check(exchange, received)?;
        Ok(())
    });
    let received = received.await.map_err(ExchangeError::in_service)?;
    let request = request.ok_or(ExchangeError::MissingSoap("Request"))?;
    received.require_signature("Request")?;
    Ok((request, received))
}

fn check(exchange: &Exchange<'_>, received: &Received) -> Result<Option<SoapMessage>, ExchangeError> {
    let Some(part) = received
        .message
        .as_ref()
        .filter(|part| part.kind == PartKind::Soap)
    else {
        return Ok(None);
    };
    let content_type = ContentType::parse(part.headers.content_type.as_deref().unwrap_or_default())?;
    let ParsedSoap::Message(request) = soap::parse(&part.bytes, &content_type)? else {
        return Ok(None);
    };
    let provider = &request.header.service.provider;
    peer::check_server(&exchange.snapshot, request.header.security_server.as_ref())?;
    peer::check_provider(&exchange.snapshot, provider)?;
    exchange.signing(provider)?;
    let caller = exchange.caller(&received.ocsp_responses);
    let client = &request.header.client;
    peer::check_caller(
        &exchange.worker.callers,
        caller,
        client,
        &exchange.globalconf,
        exchange.at,
    )?;
    Ok(Some(*request))
}

async fn log_request(
    exchange: &Exchange<'_>,
    request: &SoapMessage,
    content: &SoapContent,
) -> Result<LogReceipt, ExchangeError> {
    let received = content.received();
    let bytes = received
        .message
        .as_ref()
        .map(|part| &part.bytes[..])
        .unwrap_or_default();
    let signature = received.require_signature("Request")?;
    log(exchange, request, (bytes, request), Direction::Request, signature).await
}

async fn log(
    exchange: &Exchange<'_>,
    request: &SoapMessage,
    (bytes, message): (&[u8], &SoapMessage),
    direction: Direction,
    signature: &SignatureParts,
) -> Result<LogReceipt, ExchangeError> {
    let entry = Entry {
        message_id: request.header.id.clone(),
        request_id: Some(exchange.request_id().to_owned()),
        direction,
        client_side: false,
        client: request.header.service.provider.clone(),
        service: request.header.service.clone(),
        kind: MessageKind::Soap,
    };
    let content = (
        || Bytes::copy_from_slice(bytes),
        || filtered_message(message).into(),
    );
    Ok(log::soap(&exchange.worker.process, entry, content, signature).await?)
}

/// Sends the verified request to the service; its answer must be a SOAP one (wire.md 6.3).
async fn call(
    exchange: &Exchange<'_>,
    authorized: &Authorized<'_>,
    (content, logged): (&SoapContent, &LogReceipt),
) -> Result<(PooledConnection, ResponseHead), ExchangeError> {
    tracing::trace!(record = %logged.id(), service = %authorized.id(), "calling the service");
    let url = authorized.service().url.as_str();
    if url.is_empty() {
        return Err(CallError::MissingUrl(authorized.id().clone()).into());
    }
    let parsed = ServiceUrl::parse(url).ok_or_else(|| CallError::MalformedUrl(url.to_owned()))?;
    let mut connection = call::connect(exchange.worker, &exchange.snapshot, authorized, &parsed).await?;
    let action = exchange.header(header::ORIGINAL_SOAP_ACTION).unwrap_or_default();
    let slash = if parsed.path.starts_with('/') { "" } else { "/" };
    let head = RequestHead::new(Method::POST, format!("{slash}{}", parsed.path))
        .with("Host", parsed.authority.to_owned())
        .with("Content-Type", content.content_type().to_owned())
        .with("accept-encoding", "")
        .with("SOAPAction", action.to_owned());
    let length = content.length().map_or(BodyLength::Chunked, BodyLength::Known);
    let sending = connection.exchange::<ExchangeError>(&head, length, async |out| content.write(out).await);
    let head = sending.await.map_err(|error| match error {
        ExchangeError::Http(error) => CallError::Http(error).into(),
        error => error,
    })?;
    match head.status {
        200 | 500 => Ok((connection, head)),
        status => {
            let reason = String::from_utf8_lossy(&head.reason).into_owned();
            Err(CallError::Status { status, reason }.into())
        }
    }
}

/// Inserts the request hash into the answer, streams it on, signs and logs it.
async fn answer(
    exchange: &Exchange<'_>,
    (request, content): (&SoapMessage, &SoapContent),
    (part, source): (SoapPart, SoapSource<'_>),
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
) -> Result<(SignatureParts, LogReceipt), ExchangeError> {
    let asked = content
        .received()
        .message
        .as_ref()
        .map(|part| &part.bytes[..])
        .unwrap_or_default();
    let (bytes, response) = recode(&part, asked).map_err(ExchangeError::in_service)?;
    let headers = PartHeaders {
        content_type: Some(part.content_type.with_utf8_charset()),
        ..part.headers
    };
    outgoing.soap(out, &headers, &bytes).await?;
    source
        .stream_attachments(outgoing, out, ExchangeError::in_service)
        .await?;
    out.flush().await?;
    let context = exchange.signing(&request.header.service.provider)?;
    let signature = sign::sign(&exchange.worker.process.signer, &context, outgoing.digests()).await?;
    let logged = log(
        exchange,
        request,
        (&bytes, &response),
        Direction::Response,
        &signature,
    )
    .await?;
    Ok((signature, logged))
}

/// Reads the SOAP part of the service's answer. Unlike a client's message, an answer without any part is an invalid
/// message (wire.md 7.5, case EmptyMultipartResponse).
async fn open<'c>(
    connection: &'c mut PooledConnection,
    head: &ResponseHead,
) -> Result<(SoapPart, SoapSource<'c>), ExchangeError> {
    let content_type = head.headers.get("content-type");
    let content_type = content_type.ok_or(TransportError::MissingContentType)?;
    match SoapSource::open(connection.body(), content_type).await {
        Err(ExchangeError::Transport(TransportError::MissingSoap)) => Err(ExchangeError::NoResponse),
        opened => opened,
    }
}

/// The response with the hash of the request; a service's fault is relayed as it is, unsigned (wire.md 2.4).
fn recode(part: &SoapPart, request: &[u8]) -> Result<(Vec<u8>, SoapMessage), ExchangeError> {
    match with_request_hash(&part.bytes, &part.content_type, &message_hash(request))? {
        Recoded::Message { bytes, message } => Ok((bytes, *message)),
        Recoded::Fault(fault) => Err(ExchangeError::Received(fault)),
    }
}
