//! Bytes that programs of others depend on, one test each: they search answers with regular expressions, use the server
//! as a forward proxy, or judge it by a status. A "cleaner" answer breaks them. The metadata services have theirs in a
//! file of their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod information_system;
mod instance;

use std::io::{Cursor, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use information_system::pair::{Pair, multipart, part, request, response, with_hash};
use information_system::{Answer, Message, TEXT_XML, between, consumer};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::tsp::TimeStampToken;

/// The one sandbox of these tests. It lives as long as any of them holds or awaits it.
fn shared() -> Option<Arc<Pair>> {
    static SHARED: Mutex<Weak<Pair>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pair) = shared.upgrade() {
        return Some(pair);
    }
    let pair = Arc::new(Pair::up(70)?);
    *shared = Arc::downgrade(&pair);
    Some(pair)
}

/// The provider answers one test at a time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends these bytes to the consumer's server and gives all that comes until it ends the connection.
fn raw(pair: &Pair, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(consumer(&pair.instance)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// A POST with exactly these lines above the body.
fn posted(lines: &[&str], body: &[u8]) -> Vec<u8> {
    let head = format!("{}\r\nContent-Length: {}\r\n\r\n", lines.join("\r\n"), body.len());
    [head.as_bytes(), body].concat()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// xrdinfo and the collector of X-Road-Metrics look at the status before they look for the fault, and find it by its
/// literal prefix.
#[test]
fn a_soap_fault_has_status_200_and_the_prefix_that_scripts_search_for() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    for body in [
        String::new(),
        request().xml().replace("getState", "noSuchService"),
    ] {
        let answer = raw(
            &pair,
            &posted(
                &[
                    "POST / HTTP/1.1",
                    "Host: x",
                    "Connection: close",
                    "Content-Type: text/xml",
                ],
                body.as_bytes(),
            ),
        );
        let text = String::from_utf8(answer).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        let envelope = between(&text, "<SOAP-ENV:Envelope", "</SOAP-ENV:Envelope>").expect("the prefix");
        assert!(
            !between(&envelope, "<faultcode>", "</faultcode>")
                .unwrap()
                .is_empty()
        );
        assert!(
            !between(&envelope, "<faultstring>", "</faultstring>")
                .unwrap()
                .is_empty()
        );
    }
}

/// What the collector of X-Road-Metrics tells apart: the fault of its own server from one that came from afar.
#[test]
fn the_code_of_a_fault_says_which_server_made_it() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let code = |service: &str| pair.code(TEXT_XML, request().xml().replace("getState", service));
    assert_eq!(code("noSuchService"), "server.serverproxy.unknown_service");
    let unknown = request().xml().replace(">2002<", ">2003<");
    let code = pair.code(TEXT_XML, unknown);
    assert!(code.starts_with("server.clientproxy."), "{code}");
}

/// The documented liveness and start-up probes of the sidecar are `GET /` on the client port.
#[test]
fn a_get_of_the_root_answers_200_to_probes() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    for target in ["/", "/anything"] {
        let probe = format!(
            "GET {target} HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nUser-Agent: kube-probe/1.30\r\nConnection: close\r\n\r\n"
        );
        let answer = String::from_utf8(raw(&pair, probe.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{target}: {answer}");
        assert!(
            answer.contains("<faultcode>client.invalid_http_method</faultcode>"),
            "{answer}"
        );
    }
    let health = format!(
        "{}/",
        pair.instance.get("consumer/health").trim_end_matches("/health")
    );
    assert_eq!(instance::agent().get(&health).call().unwrap().status(), 200);
}

/// pyxroad configures the server as HTTP proxy, so the request line holds the URL of the provider's WSDL.
#[test]
fn the_request_target_may_be_absolute_and_name_any_host() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let asked = request().xml();
    for (target, host) in [
        (
            "http://provider.example.org/path/service?x=1",
            "provider.example.org",
        ),
        ("http://provider.example.org:8080", "provider.example.org:8080"),
        ("https://[2001:db8::1]/", "[2001:db8::1]"),
        ("/", "provider.example.org"),
    ] {
        pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
        let lines = [
            &format!("POST {target} HTTP/1.1"),
            &format!("Host: {host}"),
            "Connection: close",
            "Content-Type: text/xml; charset=utf-8",
            "SOAPAction: \"\"",
        ];
        let answer = String::from_utf8(raw(&pair, &posted(&lines, asked.as_bytes()))).unwrap();
        assert!(
            answer.ends_with(&with_hash(&response().xml(), asked.as_bytes())),
            "{target}: {answer}"
        );
        let delivered = pair.provider.request();
        assert_eq!(
            delivered.first_line, "POST /service?mode=soap HTTP/1.1",
            "{target}"
        );
        assert_eq!(
            delivered.header("host"),
            Some(pair.provider.address.to_string().as_str())
        );
    }
}

/// The same for REST: everything behind `/r1/` counts, the host does not.
#[test]
fn an_absolute_target_of_a_rest_request_is_rest() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let url = pair.instance.url("echo/absolute");
    let path = url
        .strip_prefix(&pair.instance.get("consumer/client_http"))
        .unwrap();
    let text = format!(
        "GET http://provider.example.org{path}?a=b HTTP/1.1\r\nHost: provider.example.org\r\n\
         X-Road-Client: {}\r\nConnection: close\r\n\r\n",
        instance::CLIENT.1
    );
    let answer = String::from_utf8(raw(&pair, text.as_bytes())).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("x-road-request-hash: "),
        "{answer}"
    );
}

/// fastapi-xroad-soap answers 400 to a request without it, empty as it may be.
#[test]
fn the_soap_action_of_the_client_reaches_the_provider() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    for action in ["\"\"", "", "\"http://example.org/getState\""] {
        pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
        let headers = [("Content-Type", TEXT_XML), ("SOAPAction", action)];
        assert_eq!(pair.post_with(&headers, &request().xml()).fault_code(), None);
        assert_eq!(pair.provider.request().header("soapaction"), Some(action));
    }
}

/// fastapi-xroad-soap writes the header anew, in an order of its own, and knows no request hash.
#[test]
fn an_answer_whose_header_has_another_order_gets_the_request_hash() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let answer = response().xml();
    let id = format!("<x:id>{}</x:id>", between(&answer, "<x:id>", "</x:id>").unwrap());
    let user = format!(
        "<x:userId>{}</x:userId>",
        between(&answer, "<x:userId>", "</x:userId>").unwrap()
    );
    let client = format!(
        "<x:client{}</x:client>",
        between(&answer, "<x:client", "</x:client>").unwrap()
    );
    let others = [&id, &user, &client]
        .iter()
        .fold(answer, |text, element| text.replacen(element.as_str(), "", 1));
    let turned = others.replacen("</s:Header>", &format!("{user}{id}{client}</s:Header>"), 1);
    pair.provider.answers(Answer::new(TEXT_XML, turned.clone()));
    let asked = request().xml();
    let got = pair.post(TEXT_XML, &asked);
    assert_eq!(got.fault_code(), None);
    let hash = between(&got.text(), "<x:requestHash", "</x:requestHash>").unwrap();
    assert!(
        with_hash(&turned, asked.as_bytes()).contains(&hash),
        "{}",
        got.text()
    );
}

/// What node-soap sends besides.
#[test]
fn the_headers_of_node_soap_are_taken() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
    let lines = [
        "POST /?wsdl HTTP/1.1",
        "User-Agent: node-soap/1.13.0",
        "Accept: text/html,application/xhtml+xml,application/xml,text/xml;q=0.9,*/*;q=0.8",
        "Accept-Encoding: none",
        "Accept-Charset: utf-8",
        "Connection: close",
        "Host: localhost",
        "Content-Type: text/xml; charset=utf-8",
        "SOAPAction: \"\"",
    ];
    let asked = request().xml();
    let answer = String::from_utf8(raw(&pair, &posted(&lines, asked.as_bytes()))).unwrap();
    assert!(
        answer.ends_with(&with_hash(&response().xml(), asked.as_bytes())),
        "{answer}"
    );
    assert!(
        !answer.to_ascii_lowercase().contains("content-encoding"),
        "{answer}"
    );
}

/// Clients find the parts of an answer by the boundary that the provider chose and told them.
#[test]
fn an_answer_with_attachments_keeps_its_boundary_and_the_headers_of_its_parts() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let parts = [
        part(
            "Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <root>",
            response().xml(),
        ),
        part(
            "Content-Type: image/png\r\nContent-ID: <picture>\r\nContent-Transfer-Encoding: binary",
            vec![0, 13, 10, 255],
        ),
    ];
    let content_type = "multipart/related; type=\"text/xml\"; start=\"<root>\"; boundary=\"MIMEBoundary_1\"";
    pair.provider
        .answers(Answer::new(content_type, multipart("MIMEBoundary_1", &parts)));
    let got: Message = pair.post(TEXT_XML, request().xml());
    assert!(
        got.header("content-type").unwrap().contains("MIMEBoundary_1"),
        "{got:?}"
    );
    let (head, body) = got.parts().pop().unwrap();
    assert_eq!(body, parts[1].1);
    let lines: Vec<_> = head.lines().map(str::to_ascii_lowercase).collect();
    assert!(lines.contains(&"content-id: <picture>".to_owned()), "{head}");
}

/// The container of an exchange with this message id; each test takes one of its own.
fn container(pair: &Pair, id: &str) -> Vec<u8> {
    pair.provider
        .answers(Answer::new(TEXT_XML, response().xml().replace("id-1", id)));
    assert_eq!(pair.code(TEXT_XML, request().xml().replace("id-1", id)), "ok");
    let url = format!(
        "{}/asic?xRoadInstance=SANDBOX&memberClass=ORG&memberCode=1001&subsystemCode=client&queryId={id}\
         &requestOnly&unique&force",
        pair.instance.get("consumer/client_http")
    );
    let mut answer = instance::agent().get(&url).call().unwrap();
    let bytes = answer.body_mut().read_to_vec().unwrap();
    assert_eq!(answer.status(), 200, "{}", String::from_utf8_lossy(&bytes));
    bytes
}

fn number(bytes: &[u8], at: usize, length: usize) -> usize {
    bytes[at..at + length]
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// Readers of containers other than zip libraries exist, and old ones of those.
#[test]
fn a_container_has_the_order_flags_extra_field_and_comment_of_the_reference() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let zip = container(&pair, "flags");
    let comment = b"mimetype=application/vnd.etsi.asic-e+zip";
    assert!(zip.ends_with(comment));
    let end = zip.len() - comment.len() - 22;
    assert_eq!(&zip[end..end + 4], b"PK\x05\x06");
    let (count, mut at) = (number(&zip, end + 10, 2), number(&zip, end + 16, 4));
    let mut names = Vec::new();
    for _ in 0..count {
        assert_eq!(&zip[at..at + 4], b"PK\x01\x02");
        let (name, extra) = (number(&zip, at + 28, 2), number(&zip, at + 30, 2));
        names.push(String::from_utf8(zip[at + 46..at + 46 + name].to_vec()).unwrap());
        let local = number(&zip, at + 42, 4);
        for (of, flags, method) in [
            ("directory", at + 8, at + 10),
            ("local header", local + 6, local + 8),
        ] {
            assert_eq!(
                number(&zip, flags, 2),
                0x808,
                "{of}: a data descriptor, and names in UTF-8"
            );
            assert_eq!(number(&zip, method, 2), 8, "{of}: deflated, the mimetype too");
        }
        assert_eq!(
            &zip[at + 46 + name..at + 48 + name],
            b"UT",
            "the time of modification"
        );
        assert_eq!(number(&zip, at + 32, 2), 0, "no comment of its own");
        at += 46 + name + extra;
    }
    assert_eq!(at, end);
    let mut expected = vec!["mimetype", "message.xml", "META-INF/signatures.xml"];
    if names.iter().any(|name| name.starts_with("ts-")) {
        expected.extend(["ts-hashchainresult.xml", "ts-hashchain.xml"]);
    }
    expected.push("META-INF/manifest.xml");
    if names.iter().any(|name| name.starts_with("ts-")) {
        expected.extend(["META-INF/ASiCManifest.xml", "META-INF/timestamp.tst"]);
    }
    names.retain(|name| !name.starts_with("sig-"));
    assert_eq!(names, expected);
    let mut archive = zip::ZipArchive::new(Cursor::new(&zip)).unwrap();
    let mut mimetype = String::new();
    archive
        .by_name("mimetype")
        .unwrap()
        .read_to_string(&mut mimetype)
        .unwrap();
    assert_eq!(mimetype, "application/vnd.etsi.asic-e+zip");
}

/// `cat_mlog.sh` prints `message.xml` of each container.
#[test]
fn the_message_lies_in_the_container_as_it_was_sent() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let zip = container(&pair, "exact-bytes");
    assert_eq!(
        entry(&zip, "message.xml").unwrap(),
        request().xml().replace("id-1", "exact-bytes").as_bytes()
    );
}

/// The batch time-stamp's imprint is that of `ts-hashchainresult.xml`, not of the manifest that refers to it.
#[test]
fn the_time_stamp_is_over_the_hash_chain_result() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let zip = container(&pair, "time-stamp");
    let Some(token) = entry(&zip, "META-INF/timestamp.tst") else {
        // It was stamped alone: then the token is in the signature document, over the signature value.
        let document = entry(&zip, "META-INF/signatures.xml").unwrap();
        assert!(contains(&document, b"<xades:EncapsulatedTimeStamp>"));
        return;
    };
    let token = TimeStampToken::parse(&token).unwrap();
    let result = entry(&zip, "ts-hashchainresult.xml").unwrap();
    assert_eq!(token.imprint().algorithm, DigestAlgorithm::Sha512);
    assert_eq!(token.imprint().digest, DigestAlgorithm::Sha512.digest(&result));
}

fn entry(zip: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(name).ok()?.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

/// xrdinfo unpacks the global configuration from the client port.
#[test]
fn the_verification_configuration_has_the_names_that_xrdinfo_reads() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let url = format!("{}/verificationconf", pair.instance.get("consumer/client_http"));
    let zip = instance::agent()
        .get(&url)
        .call()
        .unwrap()
        .body_mut()
        .read_to_vec()
        .unwrap();
    let identifier = entry(&zip, "verificationconf/instance-identifier").unwrap();
    assert_eq!(identifier, b"SANDBOX");
    let params = entry(&zip, "verificationconf/SANDBOX/shared-params.xml").unwrap();
    assert!(contains(
        &params,
        b"<instanceIdentifier>SANDBOX</instanceIdentifier>"
    ));
}

/// The collector of X-Road-Metrics searches `/internalconf` for `Content-location: (/V\d+/\d+/shared-params.xml)`, upper
/// and lower case as here.
#[test]
fn the_signed_directory_names_its_files_as_collectors_search_for_them() {
    let Some(pair) = shared() else { return };
    let _turn = turn();
    let url = pair.instance.get("global_configuration/internal");
    let text = instance::agent()
        .get(&url)
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    let location = text
        .lines()
        .find_map(|line| {
            line.strip_prefix("Content-location: ")
                .filter(|path| path.ends_with("/shared-params.xml"))
        })
        .unwrap_or_else(|| panic!("{text}"));
    let segments: Vec<_> = location.split('/').collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    assert_eq!(
        (segments.len(), segments[0], segments[3]),
        (4, "", "shared-params.xml"),
        "{location}"
    );
    assert!(
        segments[1].strip_prefix('V').is_some_and(digits) && digits(segments[2]),
        "{location}"
    );
}
