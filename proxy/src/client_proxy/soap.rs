//! A SOAP request at the service client's server.

use std::cell::Cell;
use std::pin::pin;

use protocol_message::soap::{
    self, ParsedSoap, SoapMessage, check_consistency, check_request_hash, message_hash, validate_soap_action,
};
use protocol_message::transport::{ContentType, PartKind, SmallPart, header};
use storage::message_log::{Direction, LogReceipt};

use super::hang_up::Asker;
use super::{Exchange, receive};
use crate::exchange::doubtful;
use crate::exchange::log::BodyLog;
use crate::exchange::soap_content::SoapContent;
use crate::exchange::soap_source::{SoapPart, SoapSource};
use crate::exchange::{ExchangeError, Outgoing, Received};
use crate::http::{Body, BodyLength, BodyWriter, HttpError, Responder, ResponseHead};
use crate::net::PooledConnection;

/// A verified, consistent and logged SOAP response.
#[derive(Debug)]
pub(super) struct SoapAnswer {
    content: SoapContent,
    /// Proof that the response is in the log.
    logged: LogReceipt,
}

/// Takes the request to the provider's server and gives its verified and logged answer.
pub(super) async fn exchange(exchange: &Exchange<'_>, body: &mut Body) -> Result<SoapAnswer, ExchangeError> {
    let content_type = exchange.request.head.headers.get("content-type");
    let content_type = content_type.ok_or(ExchangeError::MissingContentType)?;
    let read = read(exchange, body, content_type).await;
    let (part, message, source) = read.map_err(ExchangeError::by_client)?;
    exchange.authenticate(&message.header.client)?;
    let service = &message.header.service;
    let server = message.header.security_server.as_ref();
    doubtful::tell(&message.header.client, service, server);
    let (mut connection, authority) = exchange.connect(service, server).await?;
    let reached = (&mut connection, authority);
    let answer = converse(exchange, (&part, &message), source, reached).await?;
    drop(connection);
    accept(exchange, (&part, &message), answer).await
}

/// Reads and parses the SOAP part. What is wrong here the information system did.
async fn read<'b>(
    exchange: &Exchange<'_>,
    body: &'b mut Body,
    content_type: &str,
) -> Result<(SoapPart, SoapMessage, SoapSource<'b>), ExchangeError> {
    let headers = &exchange.request.head.headers;
    validate_soap_action(headers.get("soapaction"))?;
    let (part, source) = SoapSource::open(body, content_type).await?;
    match soap::parse(&part.bytes, &part.content_type)? {
        ParsedSoap::Message(message) => Ok((part, *message, source)),
        ParsedSoap::Fault(fault) => Err(ExchangeError::Received(fault)),
    }
}

/// A response that came whole, after the request was sent.
struct Answer {
    original_content_type: Option<String>,
    part: SmallPart,
    response: SoapMessage,
    received: Received,
}

/// Streams the request and receives the response.
async fn converse(
    exchange: &Exchange<'_>,
    request: (&SoapPart, &SoapMessage),
    source: SoapSource<'_>,
    (connection, authority): (&mut PooledConnection, String),
) -> Result<Answer, ExchangeError> {
    let outgoing = Outgoing::new()?;
    let action = exchange.request.head.headers.get("soapaction");
    let head = exchange.transport_head(authority, outgoing.content_type()).with(
        header::ORIGINAL_SOAP_ACTION,
        action.unwrap_or_default().to_owned(),
    );
    let (asker, sent) = (Asker::default(), Cell::new(false));
    let conversation = pin!(connection.converse::<_, ExchangeError>(
        &head,
        BodyLength::Chunked,
        async |out: &mut BodyWriter| {
            stream(exchange, request, (source, &asker), outgoing, out).await?;
            sent.set(true);
            Ok(())
        },
        async |head: ResponseHead, body: &mut Body| {
            let received = receive::message(exchange, &head, body, &mut BodyLog::off()).await?;
            let answer = answer(&head, received)?;
            // Nothing answers a request that is not in the log.
            if sent.get() {
                Ok(answer)
            } else {
                Err(ExchangeError::AnsweredTooEarly)
            }
        },
    ));
    asker.unless_hung_up(conversation).await
}

async fn stream<'b>(
    exchange: &Exchange<'_>,
    (part, message): (&SoapPart, &SoapMessage),
    (source, asker): (SoapSource<'b>, &Asker<'b>),
    mut outgoing: Outgoing,
    out: &mut BodyWriter,
) -> Result<(), ExchangeError> {
    outgoing
        .ocsp_responses(out, &exchange.authentication.ocsp_responses)
        .await?;
    outgoing.soap(out, &part.headers, &part.bytes).await?;
    let body = source
        .stream_attachments(&mut outgoing, out, ExchangeError::by_client)
        .await?;
    if let Some(body) = body {
        asker.waits(body);
    }
    let party = exchange.party();
    let draft = party.soap_draft(message, Direction::Request, (&part.bytes, message))?;
    let client = &message.header.client;
    let sealed = party.seal(client, outgoing.digests(), draft).await?;
    outgoing.finish(out, sealed).await
}

/// The SOAP response in what was received.
fn answer(head: &ResponseHead, received: Received) -> Result<Answer, ExchangeError> {
    let part = received
        .message
        .as_ref()
        .filter(|part| part.kind == PartKind::Soap);
    let part = part.ok_or(ExchangeError::MissingSoap("Response"))?.clone();
    let response = parse_response(&part).map_err(ExchangeError::in_service)?;
    received.require_signature("Response")?;
    let original_content_type = head.headers.get(header::ORIGINAL_CONTENT_TYPE);
    Ok(Answer {
        original_content_type: original_content_type.map(ToOwned::to_owned),
        part,
        response,
        received,
    })
}

/// Verifies, compares and logs the response.
async fn accept(
    exchange: &Exchange<'_>,
    (part, request): (&SoapPart, &SoapMessage),
    answer: Answer,
) -> Result<SoapAnswer, ExchangeError> {
    let response = &answer.response;
    let party = exchange.party();
    let verified = party
        .verify(answer.received, &request.header.service.provider)
        .await?;
    check_consistency(&request.header, &response.header).map_err(ExchangeError::InconsistentResponse)?;
    check_request_hash(&response.header, &message_hash(&part.bytes))?;
    let content = SoapContent::new(verified, answer.original_content_type.as_deref())?;
    let signature = content.received().require_signature("Response")?;
    let message = (&answer.part.bytes[..], response);
    let draft = party.soap_draft(request, Direction::Response, message)?;
    let logged = party.log(draft, signature).await?;
    Ok(SoapAnswer { content, logged })
}

fn parse_response(part: &SmallPart) -> Result<SoapMessage, ExchangeError> {
    let content_type = ContentType::parse(part.headers.content_type.as_deref().unwrap_or_default())?;
    match soap::parse(&part.bytes, &content_type)? {
        ParsedSoap::Message(message) => Ok(*message),
        ParsedSoap::Fault(fault) => Err(ExchangeError::Received(fault)),
    }
}

/// Sends the response to the information system.
pub(super) async fn respond(responder: &mut Responder, answer: &SoapAnswer) -> Result<(), HttpError> {
    let SoapAnswer { content, logged } = answer;
    tracing::trace!(record = %logged.id(), "answering the information system");
    let head = ResponseHead::new(200).with("Content-Type", content.content_type().to_owned());
    let length = content.length().map_or(BodyLength::Chunked, BodyLength::Known);
    let out = responder.start(&head, length).await?;
    content.write(out).await.map_err(std::io::Error::other)?;
    out.finish().await
}
