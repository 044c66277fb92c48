//! Cases of an information system, two servers and a provider, run as the ledger writes them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol_message::soap::message_hash;
use protocol_message::transport::{ContentType, Event, Limits, RelatedDecoder};

use super::information_system::{Answer, Message, between, consumer, send};
use super::ledger::{Case, OK, Sent};
use super::scripted_peer::client;
use super::vectors;
use super::world::{Got, World};

const XML: &str = "text/xml; charset=UTF-8";

/// Runs a case and gives the code of the fault that came, [`OK`] for an answer.
pub(crate) fn run(world: &World, case: &Case) -> Got {
    let request = case.request.as_ref().unwrap();
    let query = vectors::message(case, request);
    let answer = case.response.clone().unwrap_or_else(getstate);
    let answered = vectors::message(case, &answer);
    world.provider.answers(Answer {
        status: status(&answer),
        content_type: answer.content_type.clone(),
        missing: answer.missing,
        ..Answer::new(XML, answered.clone())
    });
    let got = ask(world, request, &query)?;
    let code = judge(&got)?;
    if code != OK {
        if case.response.is_none() && !world.provider.asked().is_empty() {
            return Err(format!("{code}, but the provider was asked"));
        }
        return Ok(code);
    }
    let asked = world.provider.request();
    let sent = (&query[..], request.content_type.as_deref().unwrap_or(XML));
    is_delivered(&asked, sent)?;
    for (name, value) in &request.headers {
        if asked.header(name) != Some(value) {
            return Err(format!("the provider got {name}: {:?}", asked.header(name)));
        }
    }
    let given = (&answered[..], answer.content_type.as_deref().unwrap_or(XML));
    is_answered(&got, given, sent)?;
    Ok(code)
}

/// What the reference's provider answers unless a case says otherwise.
pub(crate) fn getstate() -> Sent {
    toml::from_str("file = 'getstate.answer'\ntype = 'text/xml; charset=UTF-8'").unwrap()
}

/// A status line that lives as long as the provider's answers do.
fn status(sent: &Sent) -> &'static str {
    match sent.status.as_deref() {
        None => "200 OK",
        Some(known) if known.starts_with("500") => "500 Internal Server Error",
        Some(known) if known.starts_with("502") => "502 Bad Gateway",
        Some(other) => panic!("{other} is not among the provider's statuses"),
    }
}

/// Sends a message to the consumer's server, over TLS if the case has a certificate.
pub(crate) fn ask(world: &World, request: &Sent, query: &[u8]) -> Result<Message, String> {
    let method = format!("{} /", request.method.as_deref().unwrap_or("POST"));
    let mut headers: Vec<(&str, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    headers.extend(
        request
            .content_type
            .as_deref()
            .map(|value| ("Content-Type", value)),
    );
    let query = if method.starts_with("GET") { &[][..] } else { query };
    let Some(certificate) = &request.certificate else {
        return Ok(send(consumer(&world.instance), &method, &headers, query));
    };
    let identity = world.identity(certificate);
    client::send(world.consumer_https(), identity, &method, &headers, query)
        .map_err(|error| format!("TLS: {error}"))
}

/// The code of a fault, after a look at how faults are sent; [`OK`] for an answer.
pub(crate) fn judge(got: &Message) -> Got {
    if got.status() != 200 {
        return Err(got.first_line.clone());
    }
    let Some(code) = got.fault_code() else {
        return Ok(OK.into());
    };
    let content_type = got.header("content-type").unwrap_or_default();
    if got.header("soapaction") != Some("") || !content_type.starts_with("text/xml") {
        return Err(format!("not the headers of a fault: {:?}", got.headers));
    }
    Ok(code)
}

/// The provider got what was sent: parts, their headers, and the content type that holds them together.
fn is_delivered(asked: &Message, (query, content_type): (&[u8], &str)) -> Result<(), String> {
    let delivered = asked.header("content-type").unwrap();
    if split(query, content_type) != split(&asked.body, delivered) {
        return Err(format!("the provider got {}", asked.text()));
    }
    let multipart = content_type.to_ascii_lowercase().starts_with("multipart");
    if multipart && !content_type.eq_ignore_ascii_case(delivered) {
        return Err(format!("the provider got it as {delivered}"));
    }
    if multipart && heads(query, content_type) != heads(&asked.body, delivered) {
        return Err(format!("the provider got other part headers: {}", asked.text()));
    }
    Ok(())
}

/// The client got what was answered, and the hash of its request with it.
fn is_answered(got: &Message, answer: (&[u8], &str), query: (&[u8], &str)) -> Result<(), String> {
    let content_type = got.header("content-type").unwrap();
    let (given, received) = (split(answer.0, answer.1), split(&got.body, content_type));
    if given[1..] != received[1..] || given[0].0 != received[0].0 {
        return Err(format!("the client got {content_type}: {}", got.text()));
    }
    let hash = STANDARD.encode(message_hash(&split(query.0, query.1)[0].1));
    let soap = String::from_utf8(received[0].1.clone()).map_err(|error| error.to_string())?;
    match between(&soap, "#sha512\">", "<") {
        Some(found) if found == hash && soap.matches("requestHash>").count() == 1 => Ok(()),
        found => Err(format!("request hash {found:?} instead of {hash}: {soap}")),
    }
}

/// The SOAP message and the attachments, each with its content type; that of a plain message is not compared.
fn split(bytes: &[u8], content_type: &str) -> Vec<(String, Vec<u8>)> {
    read(bytes, content_type)
        .into_iter()
        .map(|(_, content_type, bytes)| (content_type, bytes))
        .collect()
}

/// The other headers of the parts, in any order.
fn heads(bytes: &[u8], content_type: &str) -> Vec<Vec<(String, String)>> {
    let sorted = |(mut headers, _, _): Part| {
        for (name, _) in &mut headers {
            name.make_ascii_lowercase();
        }
        headers.sort();
        headers
    };
    read(bytes, content_type).into_iter().map(sorted).collect()
}

type Part = (Vec<(String, String)>, String, Vec<u8>);

fn read(bytes: &[u8], content_type: &str) -> Vec<Part> {
    let content_type = ContentType::parse(content_type).unwrap();
    if !content_type.is("multipart/related") {
        return vec![(Vec::new(), String::new(), bytes.to_vec())];
    }
    let mut decoder = RelatedDecoder::new(&content_type, Limits::DEFAULT).unwrap();
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = bytes;
    while let Some(event) = decoder.next(&mut rest).unwrap() {
        match event {
            Event::Small(part) => {
                parts.push((
                    part.headers.others,
                    part.headers.content_type.unwrap().into_owned(),
                    part.bytes.to_vec(),
                ));
            }
            Event::BodyStart(part) => {
                parts.push((
                    part.headers.others,
                    part.headers.content_type.unwrap().into_owned(),
                    Vec::new(),
                ));
            }
            Event::Data(data) => parts.last_mut().unwrap().2.extend_from_slice(data),
            Event::BodyEnd | Event::End => {}
        }
    }
    if let Some(Event::Small(part)) = decoder.finish().unwrap() {
        parts.push((
            part.headers.others,
            part.headers.content_type.unwrap().into_owned(),
            part.bytes.to_vec(),
        ));
    }
    parts
}
