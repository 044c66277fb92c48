//! OCSP responses of this server's certificates, for other security servers that ask (wire.md 2.8).
//!
//! Plain HTTP, normally port 5577. `HEAD` is a heartbeat; `GET /?cert=SHA1&cert=SHA1` gives the responses in that order
//! as parts of a multipart message, or fails as a whole.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use crate::http::{Body, Handler, HttpError, Request, Responder, ResponseHead};
use crate::process::Process;
use crate::snapshot::Keys;

/// Certificates in one request; a chain has a few.
const MAX_CERTIFICATES: usize = 32;
/// Length of a SHA-1 in hexadecimal.
const SHA1_HEX: usize = 40;

/// Answers on the OCSP responder's port.
#[derive(Debug)]
pub struct OcspResponder {
    process: Arc<Process>,
}

/// Why there is no answer. The texts are the reference's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("Invalid request method: {0}")]
    Method(String),
    #[error("Could not get cert hashes")]
    NoHashes,
    #[error("Too many cert hashes: {0}")]
    TooMany(usize),
    #[error("Could not find OCSP response for certificate {0}")]
    NotFound(String),
}

impl OcspResponder {
    /// Answers with the responses of this process.
    #[must_use]
    pub const fn new(process: Arc<Process>) -> Self {
        Self { process }
    }
}

impl Handler for OcspResponder {
    async fn handle(
        &self,
        request: Request,
        _: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        let head = &request.head;
        if head.method == "HEAD" {
            return responder.send_full(&ResponseHead::new(200), Bytes::new()).await;
        }
        let keys = Arc::clone(&self.process.current.take().keys);
        match find(head.method.as_str(), head.target.query(), &keys) {
            Ok(responses) => {
                let boundary = uuid::Uuid::new_v4().simple().to_string();
                let content_type = format!(
                    "multipart/related; type=\"application/ocsp-response\"; charset=UTF-8; boundary={boundary}"
                );
                let head = ResponseHead::new(200).with("Content-Type", content_type);
                responder.send_full(&head, multipart(&boundary, &responses)).await
            }
            Err(refused) => {
                tracing::info!(peer = %request.peer.address, %refused, "no OCSP responses given");
                let head = ResponseHead::new(500).with("Content-Type", "text/plain;charset=utf-8");
                responder.send_full(&head, refused.to_string()).await
            }
        }
    }
}

/// The responses asked for, in order; all of them or none.
fn find(method: &str, query: Option<&str>, keys: &Keys) -> Result<Vec<Bytes>, Refused> {
    if method != "GET" {
        return Err(Refused::Method(method.to_owned()));
    }
    let hashes: Vec<&str> = query.into_iter().flat_map(certificate_hashes).collect();
    match hashes.len() {
        0 => Err(Refused::NoHashes),
        1..=MAX_CERTIFICATES => hashes.into_iter().map(|sha1| one(sha1, keys)).collect(),
        count => Err(Refused::TooMany(count)),
    }
}

/// Values of `cert`; newer clients send `cert_hash` besides, which says the same.
fn certificate_hashes(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').filter_map(|pair| pair.strip_prefix("cert="))
}

fn one(sha1: &str, keys: &Keys) -> Result<Bytes, Refused> {
    let found = keys.ocsp_responses.get(&sha1.to_ascii_lowercase()).cloned();
    // What is told back is what a hash could be, whatever was asked.
    let told = || {
        sha1.chars()
            .filter(char::is_ascii_hexdigit)
            .take(SHA1_HEX)
            .collect()
    };
    found.ok_or_else(|| Refused::NotFound(told()))
}

fn multipart(boundary: &str, responses: &[Bytes]) -> Bytes {
    let length: usize = responses
        .iter()
        .map(|response| response.len() + boundary.len() + 64)
        .sum();
    let mut body = BytesMut::with_capacity(length + boundary.len() + 8);
    for (number, response) in responses.iter().enumerate() {
        let between = if number == 0 { "" } else { "\r\n" };
        let head = format!("{between}--{boundary}\r\nContent-Type: application/ocsp-response\r\n\r\n");
        body.put_slice(head.as_bytes());
        body.put_slice(response);
    }
    body.put_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body.freeze()
}

#[cfg(test)]
mod tests {
    use protocol_message::transport::multipart::{Event, Multipart};

    use super::*;

    const A: &str = "00112233445566778899aabbccddeeff00112233";
    const B: &str = "ffeeddccbbaa99887766554433221100ffeeddcc";

    fn keys() -> Keys {
        let mut keys = Keys::default();
        keys.ocsp_responses
            .insert(A.into(), Bytes::from_static(b"response of A"));
        keys.ocsp_responses
            .insert(B.into(), Bytes::from_static(b"\r\n--response of B"));
        keys
    }

    #[test]
    fn gives_responses_in_the_order_asked_for_and_reads_sha1_only() {
        let query = format!("cert={B}&cert={}&cert_hash=0011&x=1", A.to_uppercase());
        let found = find("GET", Some(&query), &keys()).unwrap();
        assert_eq!(found, ["\r\n--response of B", "response of A"]);
    }

    #[test]
    fn gives_all_or_nothing() {
        let query = format!("cert={A}&cert=0000<script>");
        assert_eq!(
            find("GET", Some(&query), &keys()),
            Err(Refused::NotFound("0000c".into()))
        );
        assert_eq!(find("GET", Some("cert_hash=00"), &keys()), Err(Refused::NoHashes));
        assert_eq!(find("GET", None, &keys()), Err(Refused::NoHashes));
        assert_eq!(
            find("POST", Some(&query), &keys()),
            Err(Refused::Method("POST".into()))
        );
        let many = format!("cert={A}&").repeat(MAX_CERTIFICATES + 1);
        assert_eq!(
            find("GET", Some(&many), &keys()),
            Err(Refused::TooMany(MAX_CERTIFICATES + 1))
        );
    }

    #[test]
    fn answers_over_http() {
        use crate::message_log::time_stamping::tests::support::{Served, World};
        let world = World::new("", Vec::new());
        world.change(|snapshot| snapshot.keys = Arc::new(keys()));
        let served = Served::start(&world.process, |worker| {
            OcspResponder::new(Arc::clone(&worker.process))
        });
        assert_eq!(served.ask("HEAD", "/").status, 200);
        let answer = served.get(&format!("/?cert={A}&cert={B}"));
        assert_eq!(answer.status, 200);
        let start = "multipart/related; type=\"application/ocsp-response\"; charset=UTF-8; boundary=";
        let boundary = answer.content_type.strip_prefix(start).unwrap();
        let responses = [
            Bytes::from_static(b"response of A"),
            Bytes::from_static(b"\r\n--response of B"),
        ];
        assert_eq!(answer.body, multipart(boundary, &responses));
        let refused = served.get("/?cert=00");
        assert_eq!(
            (refused.status, refused.text()),
            (500, "Could not find OCSP response for certificate 00")
        );
    }

    #[test]
    fn the_answer_is_multipart_that_our_own_reader_reads() {
        let body = multipart(
            "b0undary",
            &[Bytes::from_static(b"one"), Bytes::from_static(b"\r\ntwo\r\n")],
        );
        assert_eq!(
            body,
            "--b0undary\r\nContent-Type: application/ocsp-response\r\n\r\none\
             \r\n--b0undary\r\nContent-Type: application/ocsp-response\r\n\r\n\r\ntwo\r\n\
             \r\n--b0undary--\r\n"
        );
        let (mut reader, mut rest, mut parts) = (Multipart::new("b0undary").unwrap(), &body[..], Vec::new());
        while let Some(event) = reader.next(&mut rest).unwrap() {
            match event {
                Event::PartStart(_) => parts.push(Vec::new()),
                Event::Data(data) => parts.last_mut().unwrap().extend_from_slice(data),
                _ => {}
            }
        }
        reader.finish().unwrap();
        assert_eq!(parts, [b"one".to_vec(), b"\r\ntwo\r\n".to_vec()]);
    }
}
