//! Peers that misbehave in ways that the reference's suite does not try: each refusal beside the honest message that it
//! differs from, and nothing of it reaches an information system.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol_pki::digest::DigestAlgorithm;

use super::honest::{from_peer, send, to_peer};
use super::information_system::pair::{Pair, Parts, part, request, response, with_hash};
use super::information_system::{Answer, Message, TEXT_XML, consumer};
use super::instance::CLIENT;
use super::scripted_peer::message::{MIXED, body};
use super::scripted_peer::server::{Ending, Reply, Script, Server};
use super::scripted_peer::{Identity, Peer, client};

const RESPONSE: &str = "application/x-road-rest-response";

struct Setting {
    pair: Pair,
    peer: Arc<Peer>,
    server: Server,
}

#[test]
fn a_peer_that_misbehaves_is_refused_and_nothing_of_it_passes() {
    let Some(pair) = Pair::up(32) else { return };
    let peer = Arc::new(Peer::join(&pair.instance, "3003", 60));
    let server = Server::start(&peer);
    let setting = Setting { pair, peer, server };
    setting.soap_answers();
    setting.cut_answers();
    setting.connections();
    setting.rest_answers();
    setting.requests();
    setting.callers();
}

impl Setting {
    fn asked(&self) -> String {
        to_peer(&request().xml())
    }

    fn answer(&self) -> String {
        with_hash(&to_peer(&response().xml()), self.asked().as_bytes())
    }

    fn honest(&self) -> Parts {
        self.peer.soap_message(self.answer().as_bytes(), &[])
    }

    /// The code that the information system is told when the peer answers like this.
    fn told(&self, reply: Reply) -> String {
        self.server.answers(move |_| reply.clone());
        self.pair.code(TEXT_XML, self.asked())
    }

    fn told_parts(&self, parts: &[(String, Vec<u8>)]) -> String {
        self.told(Reply::soap(MIXED, TEXT_XML, &body(parts)))
    }

    fn soap_answers(&self) {
        assert_eq!(self.told_parts(&self.honest()), "ok");
        let altered = {
            let mut parts = self.honest();
            parts[0].1 = self.answer().replace("Head aega", "Head päeva").into_bytes();
            parts
        };
        let signed = |xml: String| self.peer.soap_message(xml.as_bytes(), &[]);
        let mut swapped = self.honest();
        swapped[1] = self.peer.soap_message(b"<another/>", &[])[1].clone();
        let mut twice = self.honest();
        twice.insert(1, twice[0].clone());
        let mut uncovered = self.honest();
        uncovered.insert(
            1,
            super::scripted_peer::message::nested(&[part("content-type: a/b", "x")]),
        );
        for (what, parts, code) in [
            (
                "altered bytes",
                altered,
                "signature_verification.invalid_signature_value",
            ),
            (
                "the signature of another message",
                swapped,
                "signature_verification.invalid_signature_value",
            ),
            (
                "an attachment that is not signed",
                uncovered,
                "signature_verification.malformed_signature",
            ),
            ("a second message", twice, "service_failed.invalid_message"),
            (
                "the hash of another request",
                signed(with_hash(&to_peer(&response().xml()), b"another")),
                "inconsistent_response",
            ),
            (
                "no hash",
                signed(to_peer(&response().xml())),
                "inconsistent_response",
            ),
            (
                "another message id",
                signed(self.answer().replace("id-1", "id-2")),
                "service_failed.inconsistent_response",
            ),
            (
                "the request itself",
                signed(self.asked()),
                "inconsistent_response",
            ),
        ] {
            assert_eq!(
                self.told_parts(&parts),
                format!("server.clientproxy.{code}"),
                "{what}"
            );
        }
        let message = body(&self.honest());
        let no_algorithm = Reply::http("200 OK", &[("content-type", MIXED)], &message);
        assert_eq!(
            self.told(no_algorithm),
            "server.clientproxy.service_failed.internal_error"
        );
        for status in [
            "204 No Content",
            "302 Found",
            "403 Forbidden",
            "503 Service Unavailable",
        ] {
            let headers = [("x-hash-algorithm", "SHA-512"), ("content-type", MIXED)];
            let got = self.told(Reply::http(status, &headers, b""));
            assert_eq!(got, "server.clientproxy.http_error", "{status}");
        }
        assert_eq!(self.told_parts(&self.honest()), "ok");
    }

    /// Wherever a message ends too early, nothing of it is taken.
    fn cut_answers(&self) {
        let whole = Reply::soap(MIXED, TEXT_XML, &body(&self.honest()));
        let step = whole.bytes.len() / 12;
        for length in (1..whole.bytes.len()).step_by(step) {
            let cut = Reply {
                bytes: whole.bytes[..length].to_vec(),
                ending: Ending::Cut,
            };
            let got = self.told(cut);
            let expected = [
                "server.clientproxy.service_failed.io_error",
                "server.clientproxy.io_error",
            ];
            assert!(expected.contains(&&*got), "cut at {length}: {got}");
        }
    }

    fn connections(&self) {
        for (what, script) in [
            ("before the handshake", Script::EndsBeforeHandshake),
            ("behind the handshake", Script::EndsAfterHandshake),
            ("in the request", Script::ResetsInRequest),
            ("no cipher suite", Script::HasNoCipher),
        ] {
            self.server.plays(script);
            let got = self.pair.code(TEXT_XML, self.asked());
            let known = ["network_error", "io_error", "ssl_authentication_failed"];
            let code = got.strip_prefix("server.clientproxy.").unwrap_or(&got);
            assert!(known.contains(&code), "{what}: {got}");
        }
        assert_eq!(self.told_parts(&self.honest()), "ok");
    }

    fn rest_answers(&self) {
        assert_eq!(self.rest("", "", b"{}"), "ok");
        for (from, to) in [
            ("x-road-id:rest-1", "x-road-id:rest-2"),
            ("x-road-client:SANDBOX/ORG/1001", "x-road-client:SANDBOX/ORG/1002"),
            ("x-road-request-hash:", "x-road-request-hash:AAAA"),
            ("x-road-service:SANDBOX", "x-road-service:SANDPIT"),
        ] {
            let got = self.rest(from, to, b"{}");
            assert_eq!(got, "server.clientproxy.inconsistent_response", "{to}");
        }
        let altered = self.rest("", "", b"{ }");
        assert!(
            altered.starts_with("server.clientproxy.signature_verification."),
            "{altered}"
        );
        assert_eq!(self.rest("", "", b"{}"), "ok");
    }

    /// Answers a REST request with this body, signed as if it were `{}`; a text of the response part is replaced.
    fn rest(&self, from: &'static str, to: &'static str, content: &'static [u8]) -> String {
        let peer = Arc::clone(&self.peer);
        self.server.answers(move |request| {
            let mut parts = peer.rest_message(
                RESPONSE,
                rest_part(request).replacen(from, to, 1).as_bytes(),
                Some(b"{}"),
            );
            parts[1].1 = content.to_vec();
            Reply::message(MIXED, &body(&parts))
        });
        let got = super::information_system::send(
            consumer(&self.pair.instance),
            "GET /r1/SANDBOX/ORG/3003/peer/any",
            &[CLIENT, ("X-Road-Id", "rest-1")],
            b"",
        );
        got.header("x-road-error").unwrap_or("ok").to_owned()
    }

    fn requests(&self) {
        let asked = from_peer(&request().xml());
        let honest = || self.peer.with_ocsp(self.peer.soap_message(asked.as_bytes(), &[]));
        let answer = Answer::new(TEXT_XML, from_peer(&response().xml()));
        self.pair.provider.answers(answer.clone());
        let signed = |xml: String| self.peer.with_ocsp(self.peer.soap_message(xml.as_bytes(), &[]));
        let mut altered = honest();
        altered[1].1 = asked.replace("Tere", "Head").into_bytes();
        let mut without_ocsp = honest();
        without_ocsp.remove(0);
        let server = "<x:securityServer i:objectType=\"SERVER\"><i:xRoadInstance>SANDBOX</i:xRoadInstance>\
                      <i:memberClass>ORG</i:memberClass><i:memberCode>1001</i:memberCode>\
                      <i:serverCode>consumer</i:serverCode></x:securityServer></s:Header>";
        for (what, parts, code) in [
            (
                "altered bytes",
                altered,
                "signature_verification.invalid_signature_value",
            ),
            (
                "no OCSP response",
                without_ocsp,
                "service_failed.ssl_authentication_failed",
            ),
            (
                "another member's name",
                signed(request().xml()),
                "service_failed.ssl_authentication_failed",
            ),
            (
                "another server's name",
                signed(asked.replace("</s:Header>", server)),
                "service_failed.invalid_security_server",
            ),
            (
                "a provider of another server",
                signed(
                    asked
                        .replace(">2002<", ">1001<")
                        .replace(">provider<", ">client<"),
                ),
                "service_failed.unknown_member",
            ),
        ] {
            let got = send(&self.pair, &self.peer, &body(&parts)).fault_code();
            assert_eq!(got, Some(format!("server.serverproxy.{code}")), "{what}");
            assert!(
                self.pair.provider.asked().is_empty(),
                "{what}: the provider was asked"
            );
        }
        self.pair.provider.answers(answer);
        let got = send(&self.pair, &self.peer, &body(&honest()));
        assert_eq!(got.fault_code(), None, "{}", got.text());
    }

    /// Who calls, and with which headers.
    fn callers(&self) {
        let asked = from_peer(&request().xml());
        let message = body(&self.peer.with_ocsp(self.peer.soap_message(asked.as_bytes(), &[])));
        let to = client::provider(&self.pair.instance);
        let call = |identity: Option<&Identity>, line: &str, headers: &[(&str, &str)]| {
            client::send(to, identity, line, headers, &message)
        };
        let headers = client::headers(MIXED);
        assert!(
            call(None, "POST /", &headers).is_err(),
            "a caller without a certificate"
        );
        // A certificate of the instance's authority that is registered for no server.
        assert!(
            call(Some(&self.peer.sign), "POST /", &headers).is_err(),
            "a stranger"
        );
        let own = Some(&self.peer.auth);
        let without: Vec<_> = headers
            .iter()
            .copied()
            .filter(|(name, _)| *name != "x-hash-algorithm")
            .collect();
        let got = call(own, "POST /", &without).unwrap();
        assert_eq!(
            got.fault_code().as_deref(),
            Some("server.serverproxy.internal_error")
        );
        let got = call(own, "PUT /", &headers).unwrap();
        assert_eq!(
            got.fault_code().as_deref(),
            Some("server.serverproxy.invalid_http_method")
        );
        self.pair
            .provider
            .answers(Answer::new(TEXT_XML, from_peer(&response().xml())));
        let old: Vec<_> = headers
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    if *name == "x-proxy-version" {
                        "6.26.0"
                    } else {
                        *value
                    },
                )
            })
            .collect();
        let got = call(own, "POST /", &old).unwrap();
        assert_eq!(got.fault_code(), None, "no least version is set: {}", got.text());
    }
}

/// The response part that answers a request between servers (wire.md 1.4).
fn rest_part(request: &Message) -> String {
    let parts = request.parts();
    let asked = parts
        .iter()
        .find(|(head, _)| head.contains("x-road-rest-request"))
        .unwrap();
    let hash = STANDARD.encode(&*DigestAlgorithm::Sha512.digest(&asked.1));
    let id = request.header("x-road-request-id").unwrap();
    format!(
        "200\r\nOK\r\nContent-Type:application/json\r\nx-road-id:rest-1\r\n\
         x-road-client:SANDBOX/ORG/1001/client\r\nx-road-service:SANDBOX/ORG/3003/peer/any\r\n\
         x-road-request-id:{id}\r\nx-road-request-hash:{hash}\r\n"
    )
}
