//! A REST request at the provider's server.

use protocol_message::rest::{RequestPart, ResponseHead as ProviderHead, ResponsePart};
use protocol_message::transport::PartKind;
use protocol_pki::digest::Digest;
use storage::message_log::LogReceipt;

use super::authorize::{self, Authorized};
use super::call::{self, Conversation};
use super::metadata::{self, rest::RestService};
use super::{Exchange, peer};
use crate::exchange::doubtful;
use crate::exchange::incoming::{Receiving, receive};
use crate::exchange::log::BodyLog;
use crate::exchange::{ExchangeError, Outgoing, Received, Verified};
use crate::http::{Body, BodyWriter, Headers, HttpError, Method, RequestHead, Responder, ResponseHead};
use crate::net::PooledConnection;
use crate::sealing::Sealed;
use crate::service_url::ServiceUrl;
use crate::spool::Spooled;

pub(super) async fn serve(
    exchange: &Exchange<'_>,
    body: &mut Body,
    responder: &mut Responder,
) -> Result<(), ExchangeError> {
    let (request, received, body_log) = read(exchange, body).await?;
    let answerer = answerer(exchange, &request)?;
    let party = exchange.party();
    let verified = party.verify(received, request.client()).await?;
    let signature = verified.get().require_signature("Request")?;
    let has_body = !verified.get().attachments.is_empty();
    let draft = party.rest_draft(&request, None, (body_log, has_body))?;
    let logged = party.log(draft, signature).await?;

    let mut outgoing = exchange.start(responder, None).await?;
    let (accepted, out) = ((&verified, &logged), responder.body());
    let answered = match answerer {
        Answerer::Service(authorized) => {
            answer(exchange, &authorized, &request, accepted, &mut outgoing, out).await
        }
        Answerer::Provider(service) => {
            answer_metadata(exchange, service, &request, accepted, &mut outgoing, out).await
        }
    };
    match answered {
        Ok(sealed) => outgoing.finish(responder.body(), sealed).await,
        Err(error) => Err(exchange.fail(responder, outgoing, error).await),
    }
}

/// Who answers a request.
enum Answerer<'a> {
    /// A service that the client may call.
    Service(Authorized<'a>),
    /// This server, for the provider: everybody may ask.
    Provider(RestService),
}

fn answerer<'a>(exchange: &'a Exchange<'_>, request: &'a RequestPart) -> Result<Answerer<'a>, ExchangeError> {
    if let Some(service) = RestService::of(request) {
        return Ok(Answerer::Provider(service));
    }
    let target = (request.method().as_str(), request.service_path());
    let (client, service) = (request.client(), request.service());
    let authorized = authorize::rest(&exchange.snapshot, &exchange.globalconf, client, service, target)?;
    Ok(Answerer::Service(authorized))
}

/// Receives the message; who sends it is decided as soon as the request part is there.
async fn read(
    exchange: &Exchange<'_>,
    body: &mut Body,
) -> Result<(RequestPart, Received, BodyLog), ExchangeError> {
    let process = &exchange.worker.process;
    // Whether it is kept depends on the service, which the request part names.
    let mut body_log = BodyLog::off();
    let receiving = Receiving {
        spools: &process.spools,
        algorithm: exchange.algorithm,
        body_log: &mut body_log,
    };
    let mut request = None;
    let received = receive(body, exchange.content_type(), receiving, |received, body_log| {
        let part = check(exchange, received)?;
        *body_log = exchange.party().body_log(part.service());
        request = Some(part);
        Ok(())
    });
    let received = received.await.map_err(|error| match error {
        // What is missing is noticed behind the decoding (wire.md 6.2).
        error @ ExchangeError::MissingRest(_) => error,
        error => error.in_service(),
    })?;
    let request = request.ok_or(ExchangeError::MissingRest("Request"))?;
    received.require_signature("Request")?;
    Ok((request, received, body_log))
}

/// Another message than a REST request is refused here: nobody has said who sends it, so none of its body is taken.
fn check(exchange: &Exchange<'_>, received: &Received) -> Result<RequestPart, ExchangeError> {
    let part = received
        .message
        .as_ref()
        .filter(|part| part.kind == PartKind::RestRequest)
        .ok_or(ExchangeError::MissingRest("Request"))?;
    let request = RequestPart::read(part.bytes.clone())?;
    let provider = &request.service().provider;
    peer::check_provider(&exchange.snapshot, provider)?;
    exchange.party().can_sign(provider)?;
    let caller = exchange.caller(&received.ocsp_responses);
    peer::check_caller(
        &exchange.worker.callers,
        caller,
        request.client(),
        &exchange.globalconf,
        exchange.at,
    )?;
    doubtful::tell(request.client(), request.service(), request.security_server());
    Ok(request)
}

/// Calls the service, streams its answer, signs and logs it.
async fn answer(
    exchange: &Exchange<'_>,
    authorized: &Authorized<'_>,
    request: &RequestPart,
    (verified, logged): (&Verified<Received>, &LogReceipt),
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
) -> Result<Sealed, ExchangeError> {
    let (mut connection, head) = connect(exchange, authorized, request, logged).await?;
    let content = body_to_send(request, verified.get());
    let length = head.length_of_body(content.map_or(0, Spooled::len));
    let relaying = connection.converse::<_, Conversation>(
        &head,
        length,
        async |service: &mut BodyWriter| send_body(content, service).await,
        async |head: ResponseHead, body: &mut Body| {
            relay(exchange, request, verified, (&head, body), outgoing, out).await
        },
    );
    let (response, body) = relaying.await?;
    drop(connection);
    seal(exchange, request, &response, outgoing, body).await
}

/// Answers for the provider, signs and logs it.
async fn answer_metadata(
    exchange: &Exchange<'_>,
    service: RestService,
    request: &RequestPart,
    (verified, logged): (&Verified<Received>, &LogReceipt),
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
) -> Result<Sealed, ExchangeError> {
    tracing::trace!(record = %logged.id(), ?service, "answering for the provider");
    let answer = metadata::rest::answer(exchange, service, request).await?;
    let head = ResponseHead::new(200).with("Content-Type", answer.content_type);
    let response = response_part(exchange, request, verified, &head)?;
    outgoing.rest_response(out, response.to_bytes()).await?;
    let mut body_log = exchange.party().body_log(request.service());
    outgoing.start_rest_body(out).await?;
    body_log.append(answer.body.clone()).await?;
    outgoing.body(out, answer.body).await?;
    outgoing.end_body();
    seal(exchange, request, &response, outgoing, (body_log, true)).await
}

/// Signs and logs the response.
async fn seal(
    exchange: &Exchange<'_>,
    request: &RequestPart,
    response: &ResponsePart,
    outgoing: &Outgoing,
    body: (BodyLog, bool),
) -> Result<Sealed, ExchangeError> {
    let party = exchange.party();
    let draft = party.rest_draft(request, Some(response), body)?;
    let provider = &request.service().provider;
    party.seal(provider, outgoing.digests(), draft).await
}

/// Passes the service's answer on as it comes: the response part, and the body both to the caller and into the log.
async fn relay(
    exchange: &Exchange<'_>,
    request: &RequestPart,
    verified: &Verified<Received>,
    (head, body): (&ResponseHead, &mut Body),
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
) -> Result<(ResponsePart, (BodyLog, bool)), Conversation> {
    let response = response_part(exchange, request, verified, head)?;
    outgoing.rest_response(out, response.to_bytes()).await?;
    let mut body_log = exchange.party().body_log(request.service());
    let has_body = may_have_body(request, head.status);
    if has_body {
        stream_body(body, outgoing, out, &mut body_log).await?;
    }
    Ok((response, (body_log, has_body)))
}

/// The response part: the service's status and headers, and what ties it to the request.
fn response_part(
    exchange: &Exchange<'_>,
    request: &RequestPart,
    verified: &Verified<Received>,
    head: &ResponseHead,
) -> Result<ResponsePart, ExchangeError> {
    let request_hash = request.request_hash(verified.get().digests.body().map(Digest::as_bytes));
    let reason = String::from_utf8_lossy(&head.reason);
    let provider_head = ProviderHead {
        status: head.status,
        reason: &reason,
    };
    let headers = head.headers.iter();
    let part = ResponsePart::build(
        provider_head,
        headers,
        request,
        exchange.request_id(),
        &request_hash,
    );
    Ok(part?)
}

/// The service's body, to the caller and into the log at once.
async fn stream_body(
    body: &mut Body,
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
    body_log: &mut BodyLog,
) -> Result<(), Conversation> {
    outgoing.start_rest_body(out).await?;
    while let Some(chunk) = body.next_chunk().await {
        let chunk = chunk.map_err(HttpError::from)?;
        body_log.append(chunk.clone()).await?;
        outgoing.body(out, chunk).await?;
    }
    outgoing.end_body();
    Ok(())
}

/// A response that HTTP gives no body has none in the message; any other has one, be it empty (wire.md 2.2).
fn may_have_body(request: &RequestPart, status: u16) -> bool {
    request.method() != protocol_message::rest::Method::Head && !matches!(status, 204 | 205 | 304)
}

/// A connection to the service, and the head of what it is asked: authorised, verified and logged.
async fn connect(
    exchange: &Exchange<'_>,
    authorized: &Authorized<'_>,
    request: &RequestPart,
    logged: &LogReceipt,
) -> Result<(PooledConnection, RequestHead), ExchangeError> {
    let (connection, url) = call::connect(exchange, authorized, logged).await?;
    Ok((connection, request_head(&url, request)))
}

/// The body that the service gets, if it gets one.
fn body_to_send<'r>(request: &RequestPart, received: &'r Received) -> Option<&'r Spooled> {
    received
        .content
        .as_ref()
        .filter(|_| !received.attachments.is_empty() && request.method().delivers_body())
}

async fn send_body(content: Option<&Spooled>, service: &mut BodyWriter) -> Result<(), Conversation> {
    let Some(content) = content else {
        return Ok(());
    };
    let mut reader = content.reader();
    while let Some(bytes) = reader.next().await.map_err(ExchangeError::from)? {
        service.write(bytes).await?;
    }
    Ok(())
}

/// The raw path and query of a request behind the path of the service's URL.
fn target(base: &str, request: &RequestPart) -> String {
    let path = match request.service_path() {
        path if base.ends_with('/') => path.strip_prefix('/').unwrap_or(path),
        path => path,
    };
    let begun = if base.is_empty() { path } else { base };
    let slash = if begun.starts_with('/') { "" } else { "/" };
    let (mark, query) = request.query().map_or(("", ""), |query| ("?", query));
    [slash, base, path, mark, query].concat()
}

/// The service gets the part's headers as they are and the raw path and query behind its URL (wire.md 6.3).
fn request_head(url: &ServiceUrl<'_>, request: &RequestPart) -> RequestHead {
    let method = Method::new(request.method().as_str());
    let mut head = RequestHead::new(method, target(url.path, request));
    head.headers =
        Headers::with_capacity(request.headers().count() + 1).with("Host", url.authority.to_owned());
    for (name, value) in request.http_headers() {
        head.headers.push(name, value);
    }
    head
}
