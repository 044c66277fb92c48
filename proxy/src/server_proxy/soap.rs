//! A SOAP request at the provider's server.

use protocol_message::soap::{
    self, ParsedSoap, Recoded, SoapMessage, message_hash, validate_soap_action, with_request_hash,
};
use protocol_message::transport::{ContentType, PartHeaders, PartKind, TransportError, header};
use storage::message_log::{Direction, LogReceipt};

use super::authorize::{self, Authorized};
use super::call::{self, CallError, Conversation};
use super::metadata::{self, soap::SoapService};
use super::{Exchange, peer};
use crate::exchange::doubtful;
use crate::exchange::incoming::{Receiving, receive};
use crate::exchange::log::BodyLog;
use crate::exchange::soap_content::SoapContent;
use crate::exchange::soap_source::{SoapPart, SoapSource};
use crate::exchange::{ExchangeError, Outgoing, Received};
use crate::http::{Body, BodyLength, BodyWriter, Method, RequestHead, Responder, ResponseHead};
use crate::net::PooledConnection;
use crate::sealing::Sealed;
use crate::service_url::rooted;

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
    let mut begun = None;
    let asked = (request, &content);
    let answered = call(exchange, &authorized, asked, &logged, (responder, &mut begun)).await;
    match begun {
        Some(outgoing) => finish(exchange, responder, outgoing, answered).await,
        None => answered.and(Err(ExchangeError::NoResponse)),
    }
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
    let answered = match relay(&content, opened, &mut outgoing, out).await {
        Ok(response) => seal(exchange, request, &response, &outgoing).await,
        Err(error) => Err(error),
    };
    finish(exchange, responder, outgoing, answered).await
}

/// Verifies and logs the request.
async fn accept(
    exchange: &Exchange<'_>,
    request: &SoapMessage,
    received: Received,
) -> Result<(SoapContent, LogReceipt), ExchangeError> {
    let verified = exchange.party().verify(received, &request.header.client).await?;
    let content = SoapContent::new(verified, exchange.header(header::ORIGINAL_CONTENT_TYPE))?;
    let logged = log_request(exchange, request, &content).await?;
    Ok((content, logged))
}

/// Ends a response that was begun.
async fn finish(
    exchange: &Exchange<'_>,
    responder: &mut Responder,
    outgoing: Outgoing,
    answered: Result<Sealed, ExchangeError>,
) -> Result<(), ExchangeError> {
    match answered {
        Ok(sealed) => outgoing.finish(responder.body(), sealed).await,
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
        request = Some(check(exchange, received)?);
        Ok(())
    });
    let received = received.await.map_err(|error| match error {
        // What is missing is noticed behind the decoding (wire.md 6.2).
        error @ ExchangeError::MissingSoap(_) => error,
        error => error.in_service(),
    })?;
    let request = request.ok_or(ExchangeError::MissingSoap("Request"))?;
    received.require_signature("Request")?;
    Ok((request, received))
}

/// Another message than a SOAP request is refused here: nobody has said who sends it, so none of its attachments is
/// taken.
fn check(exchange: &Exchange<'_>, received: &Received) -> Result<SoapMessage, ExchangeError> {
    let part = received
        .message
        .as_ref()
        .filter(|part| part.kind == PartKind::Soap)
        .ok_or(ExchangeError::MissingSoap("Request"))?;
    let content_type = ContentType::parse(part.headers.content_type.as_deref().unwrap_or_default())?;
    let ParsedSoap::Message(request) = soap::parse(&part.bytes, &content_type)? else {
        return Err(ExchangeError::MissingSoap("Request"));
    };
    let provider = &request.header.service.provider;
    peer::check_server(&exchange.snapshot, request.header.security_server.as_ref())?;
    peer::check_provider(&exchange.snapshot, provider)?;
    exchange.party().can_sign(provider)?;
    let caller = exchange.caller(&received.ocsp_responses);
    let client = &request.header.client;
    peer::check_caller(
        &exchange.worker.callers,
        caller,
        client,
        &exchange.globalconf,
        exchange.at,
    )?;
    let header = &request.header;
    doubtful::tell(client, &header.service, header.security_server.as_ref());
    Ok(*request)
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
    let (party, message) = (exchange.party(), (bytes, request));
    let draft = party.soap_draft(request, Direction::Request, message)?;
    party.log(draft, signature).await
}

/// Calls the service, streams its answer on, signs and logs it. `begun` gets the response once the service has answered
/// in a way that begins one.
async fn call(
    exchange: &Exchange<'_>,
    authorized: &Authorized<'_>,
    (request, content): (&SoapMessage, &SoapContent),
    logged: &LogReceipt,
    (responder, begun): (&mut Responder, &mut Option<Outgoing>),
) -> Result<Sealed, ExchangeError> {
    let connected = connect(exchange, authorized, content, logged).await;
    let (mut connection, head) = connected.map_err(ExchangeError::in_service)?;
    let length = content.length().map_or(BodyLength::Chunked, BodyLength::Known);
    let relaying = connection.converse::<_, Conversation>(
        &head,
        length,
        async |service: &mut BodyWriter| content.write(service).await.map_err(Conversation::while_writing),
        async |head: ResponseHead, body: &mut Body| {
            check_status(&head)?;
            let outgoing = begun.insert(
                exchange
                    .start(responder, head.headers.get("content-type"))
                    .await?,
            );
            let opened = open(body, &head).await.map_err(ExchangeError::in_service)?;
            Ok(relay(content, opened, outgoing, responder.body()).await?)
        },
    );
    let response = relaying.await.map_err(|error| match error {
        error @ Conversation::Service(_) => ExchangeError::from(error).in_service(),
        Conversation::Own(error) => error,
    })?;
    drop(connection);
    let outgoing = begun.as_ref().ok_or(ExchangeError::NoResponse)?;
    seal(exchange, request, &response, outgoing).await
}

/// A connection to the service, and the head of what it is asked: authorised, verified and logged (wire.md 6.3).
async fn connect(
    exchange: &Exchange<'_>,
    authorized: &Authorized<'_>,
    content: &SoapContent,
    logged: &LogReceipt,
) -> Result<(PooledConnection, RequestHead), ExchangeError> {
    let (connection, url) = call::connect(exchange, authorized, logged).await?;
    let action = exchange.header(header::ORIGINAL_SOAP_ACTION).unwrap_or_default();
    let head = RequestHead::new(Method::POST, rooted(url.path))
        .with("Host", url.authority.to_owned())
        .with("Content-Type", content.content_type().to_owned())
        .with("accept-encoding", "")
        .with("SOAPAction", action.to_owned());
    Ok((connection, head))
}

/// The service's answer must be a SOAP one.
fn check_status(head: &ResponseHead) -> Result<(), ExchangeError> {
    match head.status {
        200 | 500 => Ok(()),
        status => {
            let reason = String::from_utf8_lossy(&head.reason).into_owned();
            Err(ExchangeError::from(CallError::Status { status, reason }).in_service())
        }
    }
}

/// Passes an answer on as it comes, the hash of the request inserted; the answer's bytes and what they say.
async fn relay(
    content: &SoapContent,
    (part, source): (SoapPart, SoapSource<'_>),
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
) -> Result<(Vec<u8>, SoapMessage), ExchangeError> {
    let asked = content
        .received()
        .message
        .as_ref()
        .map(|part| &part.bytes[..])
        .unwrap_or_default();
    let (bytes, response) = recode(&part, asked).map_err(ExchangeError::in_service)?;
    let headers = PartHeaders {
        content_type: Some(part.content_type.with_utf8_charset().into()),
        ..part.headers
    };
    outgoing.soap(out, &headers, &bytes).await?;
    source
        .stream_attachments(outgoing, out, ExchangeError::in_service)
        .await?;
    Ok((bytes, response))
}

/// Signs and logs the response.
async fn seal(
    exchange: &Exchange<'_>,
    request: &SoapMessage,
    (bytes, response): &(Vec<u8>, SoapMessage),
    outgoing: &Outgoing,
) -> Result<Sealed, ExchangeError> {
    let (party, provider) = (exchange.party(), &request.header.service.provider);
    let draft = party.soap_draft(request, Direction::Response, (bytes, response))?;
    party.seal(provider, outgoing.digests(), draft).await
}

/// Reads the SOAP part of the service's answer. Unlike a client's message, an answer without any part is an invalid
/// message (wire.md 7.5, case EmptyMultipartResponse).
async fn open<'b>(
    body: &'b mut Body,
    head: &ResponseHead,
) -> Result<(SoapPart, SoapSource<'b>), ExchangeError> {
    let content_type = head.headers.get("content-type");
    let content_type = content_type.ok_or(TransportError::MissingContentType)?;
    match SoapSource::open(body, content_type).await {
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
