//! A REST request at the service client's server.

use std::cell::OnceCell;
use std::pin::pin;

use protocol_message::rest::{RequestPart, ResponsePart};
use protocol_message::transport::{PartKind, header};
use protocol_pki::digest::Digest;

use super::hang_up::Asker;
use super::respond::RestAnswer;
use super::{Exchange, receive};
use crate::exchange::doubtful;
use crate::exchange::log::BodyLog;
use crate::exchange::{ExchangeError, Outgoing, Received};
use crate::http::{Body, BodyLength, BodyWriter, HttpError, ResponseHead};
use crate::net::PooledConnection;

/// Takes the request to the provider's server and gives its verified and logged answer.
pub(super) async fn exchange(exchange: &Exchange<'_>, body: &mut Body) -> Result<RestAnswer, ExchangeError> {
    let request = parse(exchange)?;
    exchange.authenticate(request.client())?;
    doubtful::tell(request.client(), request.service(), request.security_server());
    let (mut connection, authority) = exchange
        .connect(request.service(), request.security_server())
        .await?;
    let answer = converse(exchange, &request, body, (&mut connection, authority)).await?;
    drop(connection);
    accept(exchange, &request, answer).await
}

fn parse(exchange: &Exchange<'_>) -> Result<RequestPart, ExchangeError> {
    let head = &exchange.request.head;
    let instance = exchange.globalconf.instance();
    let mut message_id = uuid::Uuid::encode_buffer();
    let message_id = uuid::Uuid::new_v4().as_hyphenated().encode_lower(&mut message_id);
    let headers = head.headers.iter();
    let method = head.method.as_str();
    Ok(RequestPart::from_client(
        method,
        &head.target.path_and_query(),
        headers,
        instance,
        &exchange.request_id,
        message_id,
    )?)
}

/// A request that was logged and sent to its end.
struct Sent {
    body_digest: Option<Digest>,
}

/// A response that came whole, after the request was sent.
struct Answer {
    sent: Sent,
    response: ResponsePart,
    received: Received,
    body_log: BodyLog,
}

/// Streams the request and receives the response; whatever goes wrong with the former is `io_error` (wire.md 1.5).
async fn converse(
    exchange: &Exchange<'_>,
    request: &RequestPart,
    body: &mut Body,
    (connection, authority): (&mut PooledConnection, String),
) -> Result<Answer, ExchangeError> {
    let outgoing = Outgoing::new()?;
    let head = exchange
        .transport_head(authority, outgoing.content_type())
        .with(header::MESSAGE_TYPE, "REST");
    let mut body_log = exchange.party().body_log(request.service());
    let (asker, sent) = (Asker::default(), OnceCell::new());
    let (received, response) = {
        let conversation = pin!(connection.converse::<_, ExchangeError>(
            &head,
            BodyLength::Chunked,
            async |out: &mut BodyWriter| {
                let whole = stream(exchange, request, (body, &asker), outgoing, out).await;
                let _first = sent.set(whole.map_err(while_sending)?);
                Ok(())
            },
            async |head: ResponseHead, body: &mut Body| {
                let received = receive::message(exchange, &head, body, &mut body_log).await?;
                let response = response_part(&received)?;
                received.require_signature("Response")?;
                // Nothing answers a request that is not in the log.
                sent.get().ok_or(ExchangeError::AnsweredTooEarly)?;
                Ok((received, response))
            },
        ));
        asker.unless_hung_up(conversation).await?
    };
    Ok(Answer {
        sent: sent.into_inner().ok_or(ExchangeError::AnsweredTooEarly)?,
        response,
        received,
        body_log,
    })
}

/// A failure of the connection keeps its own name; one of ours becomes `io_error`.
fn while_sending(error: ExchangeError) -> ExchangeError {
    match error {
        ExchangeError::Http(HttpError::Io(_) | HttpError::Closed) => error,
        error => error.while_sending(),
    }
}

async fn stream<'b>(
    exchange: &Exchange<'_>,
    request: &RequestPart,
    (body, asker): (&'b mut Body, &Asker<'b>),
    mut outgoing: Outgoing,
    out: &mut BodyWriter,
) -> Result<Sent, ExchangeError> {
    outgoing
        .ocsp_responses(out, &exchange.authentication.ocsp_responses)
        .await?;
    outgoing.rest_request(out, request.to_bytes()).await?;
    let mut body_log = exchange.party().body_log(request.service());
    let has_body = stream_body(body, &mut outgoing, out, &mut body_log).await?;
    asker.waits(body);
    let party = exchange.party();
    let draft = party.rest_draft(request, None, (body_log, has_body))?;
    let sealed = party.seal(request.client(), outgoing.digests(), draft).await?;
    let body_digest = outgoing.digests().body().copied();
    outgoing.finish(out, sealed).await?;
    Ok(Sent { body_digest })
}

/// A body part exists if the information system sent at least one byte (wire.md 2.2).
async fn stream_body(
    body: &mut Body,
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
    body_log: &mut BodyLog,
) -> Result<bool, ExchangeError> {
    let mut has_body = false;
    while let Some(chunk) = body.next_chunk().await {
        let chunk = chunk?;
        if !has_body {
            outgoing.start_rest_body(out).await?;
            has_body = true;
        }
        body_log.append(chunk.clone()).await?;
        outgoing.body(out, chunk).await?;
    }
    outgoing.end_body();
    Ok(has_body)
}

/// The REST response in what was received.
fn response_part(received: &Received) -> Result<ResponsePart, ExchangeError> {
    let part = match &received.message {
        Some(part) if part.kind == PartKind::RestResponse => part,
        Some(part) if part.kind == PartKind::Soap => return Err(receive::instead_of_rest(part)),
        _ => return Err(ExchangeError::MissingRest("Response")),
    };
    ResponsePart::read(part.bytes.clone()).map_err(|error| ExchangeError::Rest(error).in_service())
}

/// Verifies, compares and logs the response.
async fn accept(
    exchange: &Exchange<'_>,
    request: &RequestPart,
    answer: Answer,
) -> Result<RestAnswer, ExchangeError> {
    let Answer {
        sent,
        response,
        received,
        body_log,
    } = answer;
    let party = exchange.party();
    let verified = party.verify(received, &request.service().provider).await?;
    response.check_consistency(request, &request.request_hash(sent.body_digest.as_deref()))?;
    let signature = verified.get().require_signature("Response")?;
    let body = (body_log, !verified.get().attachments.is_empty());
    let draft = party.rest_draft(request, Some(&response), body)?;
    let logged = party.log(draft, signature).await?;
    Ok(RestAnswer {
        part: response,
        received: verified,
        logged,
    })
}
