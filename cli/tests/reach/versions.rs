//! Peers of other releases: those too old to be served (wire.md 2.1), and the fault codes of those before 7.8 (docs/adr/0007).

use super::information_system::pair::{multipart, part};
use super::information_system::{Message, between};
use super::instance::{self, CLIENT, Instance, agent, wait_until};
use super::operator::{register, restart_with};
use super::scripted_peer::Peer;
use super::scripted_peer::client::{self, provider};
use super::scripted_peer::message::{BOUNDARY, MIXED};
use super::scripted_peer::server::{Reply, Server};
use super::{envelope, rest};

const OLDEST: &str = "proxy/server-min-supported-client-version";

#[test]
fn peers_that_are_too_old_are_refused_where_the_operator_says_so() {
    if !instance::is_built() {
        return;
    }
    let mut instance = Instance::up(55);
    let peer = Peer::join(&instance, "3003", 60);
    let all = [
        "7.8.1",
        "7.6.0",
        "7.5.9",
        "7.6.0-SNAPSHOT",
        "7.9.0-SNAPSHOT",
        "new",
        "",
    ];
    for version in all.map(Some).into_iter().chain([None]) {
        is_served(&instance, &peer, version);
    }
    restart_with(&mut instance, "provider", &[(OLDEST, "7.6.0".into())]);
    for new in [
        "7.8.1",
        "7.6.0",
        "7.9.0-SNAPSHOT",
        "7.6.1-SNAPSHOT",
        "7.6.0+build",
        "v7.10.0",
    ] {
        is_served(&instance, &peer, Some(new));
    }
    for old in ["7.5.9", "7.6.0-SNAPSHOT", "6.26.3"] {
        let told = told(&instance, &peer, Some(old));
        let code = "server.serverproxy.client_proxy_version_not_supported";
        let text = "The minimum supported version for client security server is: 7.6.0 ";
        assert_eq!(told, (code.into(), text.into()), "{old}");
    }
    for (none, shown) in [
        (Some("new"), "new"),
        (Some("7.6"), "7.6"),
        (Some(""), "unknown"),
        (None, "unknown"),
    ] {
        let told = told(&instance, &peer, none);
        let text = format!("Version [{shown}] is not valid semver.");
        assert_eq!(told, ("server.serverproxy.internal_error".into(), text));
    }
    rest(&instance, "echo/letters").is_answer();

    // Nor are we served by who wants newer ones.
    restart_with(&mut instance, "provider", &[(OLDEST, "7.9.0".into())]);
    rest(&instance, "echo/letters").is_fault(
        "server.serverproxy.client_proxy_version_not_supported",
        "The minimum supported version for client security server is: 7.9.0 ",
    );
}

/// Code and text of what the provider's server says to a request without a message.
fn told(instance: &Instance, peer: &Peer, version: Option<&str>) -> (String, String) {
    let mut headers = client::headers(MIXED);
    headers.retain(|(name, _)| *name != "x-proxy-version");
    headers.extend(version.map(|version| ("x-proxy-version", version)));
    let body = multipart(BOUNDARY, &[peer.ocsp_part()]);
    let answer = client::send(provider(instance), Some(&peer.auth), "POST /", &headers, &body).unwrap();
    let text = between(&answer.text(), "<faultstring>", "</faultstring>").unwrap();
    (answer.fault_code().unwrap(), text)
}

/// The version is good enough that the message is missed.
fn is_served(instance: &Instance, peer: &Peer, version: Option<&str>) {
    let (code, text) = told(instance, peer, version);
    assert!(code.ends_with(".missing_soap"), "{version:?}: {code} {text}");
}

/// A fault as servers before 7.8 write it.
fn fault(code: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope \
         xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Header/><SOAP-ENV:Body><SOAP-ENV:Fault>\
         <faultcode>{code}</faultcode><faultstring>Request is not allowed: SERVICE:X</faultstring><detail>\
         <xroad:faultDetail xmlns:xroad=\"http://x-road.eu/xsd/xroad.xsd\">5f3b8f2e</xroad:faultDetail></detail>\
         </SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )
}

#[test]
fn faults_of_older_peers_are_relayed_as_they_are_and_their_status_follows_from_the_code() {
    if !instance::is_built() {
        return;
    }
    let instance = Instance::up(56);
    let peer = Peer::join(&instance, "3003", 60);
    let server = Server::start(&peer);
    for (code, status) in [
        ("Server.ServerProxy.AccessDenied", 400),
        ("Server.ServerProxy.ServiceFailed.NetworkError", 400),
        ("server.serverproxy.access_denied", 500),
    ] {
        for in_place_of_the_signature in [false, true] {
            server.answers(move |_| reply(code, in_place_of_the_signature));
            let mut answer = agent()
                .get(&url(&instance))
                .header(CLIENT.0, CLIENT.1)
                .call()
                .unwrap();
            assert_eq!(answer.status().as_u16(), status, "{code}");
            assert_eq!(answer.headers()["x-road-error"].to_str().unwrap(), code);
            let body: serde_json::Value =
                serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap();
            assert_eq!(body["type"], code);
            assert_eq!(body["message"], "Request is not allowed: SERVICE:X");
            assert_eq!(body["detail"], "5f3b8f2e");

            let xml = envelope::request("any", "old")
                .replace(">2002<", ">3003<")
                .replace(">provider<", ">peer<");
            let answer = agent()
                .post(&instance.get("consumer/client_http"))
                .header("content-type", "text/xml; charset=UTF-8")
                .send(&xml);
            let mut answer = answer.unwrap();
            assert_eq!(answer.status().as_u16(), 200);
            assert_eq!(
                answer.body_mut().read_to_string().unwrap(),
                fault(code),
                "verbatim"
            );
        }
    }
    what_the_peer_is_told(&instance, &server);
}

fn url(instance: &Instance) -> String {
    format!(
        "{}/r1/SANDBOX/ORG/3003/peer/any",
        instance.get("consumer/client_http")
    )
}

fn reply(code: &str, in_place_of_the_signature: bool) -> Reply {
    let fault = fault(code);
    if !in_place_of_the_signature {
        return Reply::http(
            "200 OK",
            &[("content-type", "text/xml;charset=utf-8")],
            fault.as_bytes(),
        );
    }
    let parts = [
        part(
            "content-type: application/x-road-rest-response",
            "HTTP/1.1 200 OK\r\n\r\n",
        ),
        part("content-type: text/xml;charset=UTF-8", fault),
    ];
    Reply::message(MIXED, &multipart(BOUNDARY, &parts))
}

/// Whose release we are, and as whom the peer is asked: by its address, or by a dummy if it is one of several.
fn what_the_peer_is_told(instance: &Instance, server: &Server) {
    let ask = || {
        server.answers(|_| reply("Server.ServerProxy.AccessDenied", false));
        let _ = agent()
            .get(&url(instance))
            .header(CLIENT.0, CLIENT.1)
            .call()
            .unwrap();
        let asked: Vec<Message> = server.asked();
        asked[0].clone()
    };
    let asked = ask();
    assert_eq!(asked.header("x-proxy-version"), Some("7.8.1"));
    assert_eq!(asked.header("x-hash-algorithm"), Some("SHA-512"));
    assert_eq!(asked.header("host"), Some("127.0.56.60:5500"));
    // Its subsystem gets a second server, at which nobody listens.
    register(instance, "provider", |entry| {
        let clients = entry["clients"].as_array_mut().unwrap();
        clients.push("SANDBOX/ORG/3003/peer".into());
        entry.insert("address".into(), "127.0.56.61".into());
    });
    wait_until("the second server to be known", || {
        ask().header("host") == Some("localhost:5500")
    });
}
