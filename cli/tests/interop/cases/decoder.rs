//! What the decoder of transport messages accepts and refuses (the reference's ProxyMessageDecoderTest), asked of the
//! provider's server with requests of the scripted peer, and of the consumer's server with its answers.

use super::super::exchange::{ask, judge};
use super::super::information_system::pair::{Parts, part};
use super::super::information_system::{Answer, Message};
use super::super::ledger::{Case, OK, Sent};
use super::super::peers::to_peer;
use super::super::scripted_peer::client;
use super::super::scripted_peer::message::{MIXED, RELATED, SIGNATURE, body, soap_part};
use super::super::scripted_peer::server::Reply;
use super::super::vectors;
use super::super::world::{Got, PEER, World};

const XML: &str = "text/xml; charset=UTF-8";
const FAULT: &str = "<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body>\
                     <SOAP-ENV:Fault><faultcode>Scripted</faultcode><faultstring>as told</faultstring>\
                     </SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>";

/// Runs a case by what its name says of the message.
pub(crate) fn run(world: &mut World, case: &Case) -> Got {
    let (_, what) = case.name.split_once('.').unwrap();
    match what {
        // A request that is a fault, or carries no OCSP response, is refused by other rules; an answer may be one.
        "normalSoapFaultRequest" => answer(world, XML, &fault_as_message()),
        "faultInsteadOfSignature" => answer_to_request(world, |parts| {
            parts.pop();
            parts.push(part("content-type: text/xml", FAULT));
        }),
        "normalRequest" => both(world, |_| {}),
        "normalOcspRequest" => request(world, |_| {}),
        "normalAttachmentRequest" => with_attachment(world),
        "failsToParseWithExtraContent" => both(world, |parts| {
            parts.push(part("content-type: text/plain", "extra"))
        }),
        "invalidOcsp" => request(world, |parts| parts[0].1 = b"no OCSP response".to_vec()),
        "invalidSoapContentType" => both(world, |parts| {
            for (head, _) in parts.iter_mut().filter(|(head, _)| head.contains("text/xml")) {
                *head = "content-type: text/csv".into();
            }
        }),
        "invalidContentTypeForSignature" => both(world, |parts| {
            for (head, _) in parts.iter_mut().filter(|(head, _)| head.contains(SIGNATURE)) {
                *head = "content-type: text/plain".into();
            }
        }),
        other => panic!("no runner for {other}"),
    }
}

/// The request and the answer are changed alike; both are refused alike.
fn both(world: &World, change: impl Fn(&mut Parts) + Copy) -> Got {
    let refused = request(world, change)?;
    let answered = answer_to_request(world, change)?;
    let bare = |code: &str, side: &str| code.replace(side, "").replace("service_failed.", "");
    if bare(&refused, "server.serverproxy.") != bare(&answered, "server.clientproxy.") {
        return Err(format!("{refused} for the request, {answered} for the answer"));
    }
    Ok(refused)
}

/// A signed request, changed, to the provider's server.
fn request(world: &World, change: impl Fn(&mut Parts)) -> Got {
    let asked = from_peer(vectors::read("getstate.query"));
    let answer = from_peer(vectors::read("getstate.answer"));
    world.provider.answers(Answer::new(XML, answer));
    let mut parts = world.peer.with_ocsp(world.peer.soap_message(&asked, &[]));
    change(&mut parts);
    judge(&send(world, XML, &parts)?)
}

fn send(world: &World, original: &str, parts: &[(String, Vec<u8>)]) -> Result<Message, String> {
    let to = client::provider(&world.instance);
    let headers = client::headers_with(MIXED, original);
    client::send(to, Some(&world.peer.auth), "POST /", &headers, &body(parts))
        .map_err(|error| format!("TLS: {error}"))
}

fn from_peer(bytes: Vec<u8>) -> Vec<u8> {
    vectors::replace(&bytes, b">1001<", format!(">{PEER}<").as_bytes())
}

/// A signed answer, changed, to the consumer's server.
fn answer_to_request(world: &World, change: impl Fn(&mut Parts)) -> Got {
    let mut parts = world.peer.soap_message(&hashed_answer(), &[]);
    change(&mut parts);
    answer(world, XML, &parts)
}

fn answer(world: &World, original: &'static str, parts: &[(String, Vec<u8>)]) -> Got {
    let message = body(parts);
    world
        .scripted
        .answers(move |_| Reply::soap(MIXED, original, &message));
    let sent: Sent = toml::from_str(&format!("type = '{XML}'")).unwrap();
    judge(&ask(world, &sent, &to_peer(vectors::read("getstate.query")))?)
}

/// What the peer answers to `getstate.query`, with the hash of it.
fn hashed_answer() -> Vec<u8> {
    use super::super::information_system::pair::hash_element;
    let query = to_peer(vectors::read("getstate.query"));
    let answer = to_peer(vectors::read("getstate.answer"));
    let element = format!("</xroad:id>{}", hash_element("xroad", &query));
    vectors::replace(&answer, b"</xroad:id>", element.as_bytes())
}

fn fault_as_message() -> Parts {
    vec![soap_part(FAULT.as_bytes())]
}

fn with_attachment(world: &World) -> Got {
    let attachment = [part("content-type: text/plain", "attached")];
    let answered = world.peer.soap_message(&hashed_answer(), &attachment);
    let code = answer(world, RELATED, &answered)?;
    if code != OK {
        return Ok(code);
    }
    let asked = from_peer(vectors::read("getstate.query"));
    let answer = from_peer(vectors::read("getstate.answer"));
    world.provider.answers(Answer::new(XML, answer));
    let parts = world.peer.with_ocsp(world.peer.soap_message(&asked, &attachment));
    judge(&send(world, RELATED, &parts)?)
}
