//! Cases with a scripted peer in place of one of the servers, run as the ledger writes them.
//!
//! The reference runs these without TLS; with it a request has to begin with an OCSP response, which stands in front of
//! the parts of the vector here.

use super::exchange::{ask, judge};
use super::ledger::{Case, Sent};
use super::scripted_peer::client;
use super::scripted_peer::server::Reply;
use super::vectors;
use super::world::{Got, PEER, World};

/// The peer is the provider's server and answers what the case says.
pub(crate) fn provider(world: &World, case: &Case) -> Got {
    let request = case.request.as_ref().unwrap();
    let query = to_peer(vectors::message(case, request));
    let reply = reply(case, case.response.as_ref().unwrap());
    world.scripted.answers(move |_| reply.clone());
    let got = ask(world, request, &query)?;
    if world.scripted.asked().is_empty() {
        return Err(format!("{:?}, but the peer was not asked", got.fault_code()));
    }
    judge(&got)
}

/// A message to the member whose server is the scripted peer.
pub(crate) fn to_peer(bytes: Vec<u8>) -> Vec<u8> {
    vectors::replace(&bytes, b">2002<", format!(">{PEER}<").as_bytes())
}

fn reply(case: &Case, response: &Sent) -> Reply {
    let body = to_peer(vectors::message(case, response));
    let mut headers = vec![("x-hash-algorithm", "SHA-512")];
    headers.extend(
        response
            .content_type
            .as_deref()
            .map(|value| ("content-type", value)),
    );
    let status = response.status.as_deref().unwrap_or("200 OK");
    Reply::missing(status, &headers, &body, response.missing)
}

/// The peer is the consumer's server and sends the message of the case to the provider's server.
pub(crate) fn consumer(world: &World, case: &Case) -> Got {
    let request = case.request.as_ref().unwrap();
    let content_type = request.content_type.as_deref().unwrap_or_default();
    let query = vectors::message(case, request);
    let query = vectors::replace(&query, b">1001<", format!(">{PEER}<").as_bytes());
    let query = with_ocsp(world, query, content_type);
    let method = format!("{} /", request.method.as_deref().unwrap_or("POST"));
    let mut headers = client::headers(content_type);
    headers.retain(|(name, _)| request.headers.get(*name).is_none_or(|value| !value.is_empty()));
    for (name, value) in request.headers.iter().filter(|(_, value)| !value.is_empty()) {
        headers.retain(|(known, _)| known != name);
        headers.push((name.as_str(), value.as_str()));
    }
    let to = client::provider(&world.instance);
    let got = client::send(to, Some(&world.peer.auth), &method, &headers, &query);
    judge(&got.map_err(|error| format!("TLS: {error}"))?)
}

fn with_ocsp(world: &World, query: Vec<u8>, content_type: &str) -> Vec<u8> {
    let Some(line) = query.split_inclusive(|byte| *byte == b'\n').next() else {
        return query;
    };
    if !content_type.starts_with("multipart") || !line.starts_with(b"--") {
        return query;
    }
    [
        line,
        b"Content-Type: application/ocsp-response\r\n\r\n",
        &world.peer.auth.ocsp_response[..],
        b"\r\n",
        &query[..],
    ]
    .concat()
}
