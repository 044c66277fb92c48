//! SOAP through two security servers, from an information system to a provider and back.

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

use information_system::pair::{Pair, Parts, multipart, part, request, response, with_hash};
use information_system::{Answer, Envelope, TEXT_XML, consumer, send};

const MARK: &str = "\u{feff}";

#[test]
fn a_message_reaches_the_provider_byte_by_byte_and_its_answer_comes_back_with_the_request_hash() {
    let Some(pair) = Pair::up(121) else { return };
    let (asked, answer) = (request().xml(), response().xml());
    let got = pair.post(TEXT_XML, &asked);
    assert_eq!(
        (got.status(), got.text()),
        (200, with_hash(&answer, asked.as_bytes()))
    );
    assert_eq!(got.header("content-type"), Some("text/xml; charset=UTF-8"));
    let delivered = pair.provider.request();
    assert_eq!(delivered.text(), asked);
    assert_eq!(delivered.first_line, "POST /service?mode=soap HTTP/1.1");
    assert_eq!(delivered.header("content-type"), Some("text/xml; charset=UTF-8"));
    assert_eq!(
        delivered.header("host"),
        Some(pair.provider.address.to_string().as_str())
    );
    byte_order_marks(&pair);
    encodings(&pair);
    old_hashes(&pair);
    soap_actions(&pair);
    other_paths_and_chunks(&pair);
}

fn byte_order_marks(pair: &Pair) {
    let asked = format!("{MARK}{}", request().xml());
    pair.provider
        .answers(Answer::new(TEXT_XML, format!("{MARK}{}", response().xml())));
    let got = pair.post(TEXT_XML, &asked);
    assert_eq!(
        got.text(),
        with_hash(&response().xml(), asked.as_bytes()),
        "the mark is hashed, and gone from the answer"
    );
    assert_eq!(
        pair.provider.request().text(),
        asked,
        "the mark is part of what was sent"
    );
}

fn encodings(pair: &Pair) {
    let latin1 = |text: &str| -> Vec<u8> {
        let text = text.replacen("UTF-8", "ISO-8859-1", 1);
        text.chars()
            .map(|character| u8::try_from(u32::from(character)).unwrap())
            .collect()
    };
    let asked = latin1(&request().xml());
    for content_type in ["text/xml; charset=ISO-8859-1", "text/xml"] {
        pair.provider
            .answers(Answer::new(content_type, latin1(&response().xml())));
        let got = pair.post("text/xml; charset=ISO-8859-1", &asked);
        assert_eq!(
            got.text(),
            with_hash(&response().xml(), &asked),
            "answers are recoded"
        );
        assert_eq!(got.header("content-type"), Some("text/xml; charset=UTF-8"));
        assert_eq!(pair.provider.request().body, asked, "requests are not");
    }
}

/// A provider that sends back the request's header, whatever is in it.
fn old_hashes(pair: &Pair) {
    let old = "  <x:requestHash algorithmId=\"urn:old\">b2xk</x:requestHash>\n";
    let answer = Envelope {
        header: old,
        ..response()
    }
    .xml();
    pair.provider.answers(Answer::new(TEXT_XML, answer));
    let asked = request().xml();
    let got = pair.post(TEXT_XML, &asked).text();
    assert_eq!(
        got,
        with_hash(&response().xml(), asked.as_bytes()),
        "the old hash is gone"
    );
}

fn soap_actions(pair: &Pair) {
    let asked = request().xml();
    for (action, expected) in [
        (None, "ok"),
        (Some(""), "ok"),
        (Some("\"\""), "ok"),
        (Some("\"http://example.org/a?b=c#d\""), "ok"),
        (Some("\"urn:getState\""), "ok"),
        (Some("urn:getState"), "client.invalid_soap_action"),
        (Some("\"urn:getState"), "client.invalid_soap_action"),
        (Some("\"not a uri\""), "client.invalid_soap_action"),
    ] {
        pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
        let headers: Vec<_> = [("Content-Type", TEXT_XML)]
            .into_iter()
            .chain(action.map(|action| ("SOAPAction", action)))
            .collect();
        let code = pair.post_with(&headers, &asked).fault_code();
        assert_eq!(code.as_deref().unwrap_or("ok"), expected, "{action:?}");
        if expected == "ok" {
            let delivered = pair.provider.request();
            assert_eq!(
                delivered.header("soapaction"),
                Some(action.unwrap_or_default()),
                "{action:?}"
            );
        } else {
            assert!(pair.provider.asked().is_empty(), "{action:?}");
        }
    }
}

fn other_paths_and_chunks(pair: &Pair) {
    pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
    let asked = request().xml();
    for path in ["/", "/anything", "/r2/not/rest", "/cgi-bin/consumer_proxy?x=1"] {
        let got = send(
            consumer(&pair.instance),
            &format!("POST {path}"),
            &[("Content-Type", TEXT_XML)],
            asked.as_bytes(),
        );
        assert_eq!(got.fault_code(), None, "{path}");
    }
    let mut body = std::io::Cursor::new(asked.clone().into_bytes());
    let url = pair.instance.get("consumer/client_http");
    let sent = instance::agent().post(&url).header("Content-Type", TEXT_XML);
    let mut got = sent.send(ureq::SendBody::from_reader(&mut body)).unwrap();
    assert_eq!(
        got.body_mut().read_to_string().unwrap(),
        with_hash(&response().xml(), asked.as_bytes()),
        "chunked"
    );
}

/// Attachments that only survive if nobody interprets them.
fn difficult_attachments() -> Parts {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    vec![
        part(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <bytes>",
            every_byte,
        ),
        part(
            "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\nX-Own: kept",
            "VGVyZQ==",
        ),
        part(
            "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable",
            "t=C3=B5ene\r\n",
        ),
        part("Content-Type: text/plain; name=\"empty\"", ""),
        part(
            "Content-Type: text/plain",
            "\r\n--xatt\r\n--the-boundar\r\n--\r\n",
        ),
        part(
            "Content-Type: multipart/mixed; boundary=inner",
            "--inner\r\nContent-Type: a/b\r\n\r\nx\r\n--inner--",
        ),
        part("Content-Type: application/x-road-rest-body", vec![7; 3_000_000]),
    ]
}

/// Content type and body of header lines in any order, names in any case.
fn canonical(parts: &[(String, Vec<u8>)]) -> Vec<(Vec<String>, Vec<u8>)> {
    let one = |(head, body): &(String, Vec<u8>)| {
        let mut lines: Vec<String> = head
            .lines()
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap();
                format!("{}: {}", name.to_ascii_lowercase(), value.trim())
            })
            .collect();
        lines.sort();
        (lines, body.clone())
    };
    parts.iter().map(one).collect()
}

#[test]
fn attachments_arrive_untouched_in_both_directions() {
    let Some(pair) = Pair::up(122) else { return };
    let soap =
        "Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <root>\r\nContent-Transfer-Encoding: 8bit";
    let related = "multipart/related; type=\"text/xml\"; start=\"<root>\"; boundary=\"the-boundary\"";
    exchange(
        &pair,
        (related, soap),
        difficult_attachments(),
        difficult_attachments(),
    );
    let mtom = "Content-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\nContent-ID: <root>";
    let related = "Multipart/Related; start-info=\"text/xml\"; type=\"application/xop+xml\"; start=\"<root>\"; boundary=the-boundary";
    exchange(&pair, (related, mtom), difficult_attachments(), Vec::new());
    exchange(&pair, (related, mtom), Vec::new(), difficult_attachments());
    plain_xop(&pair);
}

/// One exchange: both messages are multipart, whether they have attachments or not.
fn exchange(pair: &Pair, (related, soap): (&str, &str), asked: Parts, answered: Parts) {
    let request_part = part(soap, request().xml());
    let asked: Parts = [request_part].into_iter().chain(asked).collect();
    let answered: Parts = [part(soap, response().xml())]
        .into_iter()
        .chain(answered)
        .collect();
    pair.provider
        .answers(Answer::new(related, multipart("the-boundary", &answered)));
    let got = pair.post(related, multipart("the-boundary", &asked));
    assert_eq!(got.fault_code(), None, "{}", got.text());
    let delivered = pair.provider.request();
    assert_eq!(delivered.header("content-type"), Some(related));
    assert!(
        canonical(&delivered.parts()) == canonical(&asked),
        "the provider got something else"
    );
    let content_type = got.header("content-type").unwrap();
    assert!(content_type.starts_with(related), "{content_type}");
    let mut expected = answered;
    expected[0].1 = with_hash(&response().xml(), request().xml().as_bytes()).into_bytes();
    assert!(
        canonical(&got.parts()) == canonical(&expected),
        "the client got something else"
    );
}

/// XOP without multipart is as good as plain XML.
fn plain_xop(pair: &Pair) {
    let xop = "application/xop+xml; type=\"text/xml\"";
    pair.provider.answers(Answer::new(xop, response().xml()));
    let got = pair.post(xop, request().xml());
    assert_eq!(
        got.text(),
        with_hash(&response().xml(), request().xml().as_bytes())
    );
    assert_eq!(got.header("content-type"), Some("text/xml; charset=UTF-8"));
}
