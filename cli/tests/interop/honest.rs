//! The scripted peer when it is honest: what it does wrong elsewhere is then what makes the difference.

use super::information_system::pair::{Pair, request, response, with_hash};
use super::information_system::{Answer, Message, TEXT_XML};
use super::scripted_peer::message::{MIXED, RELATED, body};
use super::scripted_peer::server::{Reply, Server};
use super::scripted_peer::{Peer, client};

/// A request of the sandbox's consumer to the peer, and what the peer answers; both as its server code says.
pub(crate) fn to_peer(xml: &str) -> String {
    xml.replace(">2002<", ">3003<").replace(">provider<", ">peer<")
}

pub(crate) fn from_peer(xml: &str) -> String {
    xml.replace(">1001<", ">3003<").replace(">client<", ">peer<")
}

#[test]
fn an_honest_scripted_peer_is_a_security_server_like_any_other() {
    let Some(pair) = Pair::up(31) else { return };
    let peer = Peer::join(&pair.instance, "3003", 60);
    let server = Server::start(&peer);
    answers(&pair, &peer, &server);
    asks(&pair, &peer);
}

fn answers(pair: &Pair, peer: &Peer, server: &Server) {
    let asked = to_peer(&request().xml());
    let answer = with_hash(&to_peer(&response().xml()), asked.as_bytes());
    let attachment = ("content-type: a/b".to_owned(), b"attached".to_vec());
    for (attachments, original) in [(vec![], TEXT_XML), (vec![attachment], RELATED)] {
        let message = body(&peer.soap_message(answer.as_bytes(), &attachments));
        server.answers(move |_| Reply::soap(MIXED, original, &message));
        let got = pair.post(TEXT_XML, &asked);
        assert_eq!(got.fault_code(), None, "{}", got.text());
        assert!(got.text().contains("Head aega"), "{}", got.text());
        let heard = server.asked();
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].header("x-hash-algorithm"), Some("SHA-512"));
        assert!(heard[0].parts().iter().any(|(_, part)| part == asked.as_bytes()));
    }
}

fn asks(pair: &Pair, peer: &Peer) {
    let asked = from_peer(&request().xml());
    pair.provider
        .answers(Answer::new(TEXT_XML, from_peer(&response().xml())));
    let message = body(&peer.with_ocsp(peer.soap_message(asked.as_bytes(), &[])));
    let got = send(pair, peer, &message);
    assert_eq!(got.fault_code(), None, "{}", got.text());
    assert_eq!(pair.provider.request().text(), asked);
    let answer = with_hash(&from_peer(&response().xml()), asked.as_bytes());
    assert_eq!(got.parts()[0].1, answer.as_bytes());
}

pub(crate) fn send(pair: &Pair, peer: &Peer, message: &[u8]) -> Message {
    let to = client::provider(&pair.instance);
    client::send(to, Some(&peer.auth), "POST /", &client::headers(MIXED), message).unwrap()
}
