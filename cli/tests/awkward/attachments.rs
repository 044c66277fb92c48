//! SOAP messages with many, nested and malformed parts.

use super::information_system::pair::{Parts, multipart, part, request, response, with_hash};
use super::information_system::{Answer, Message, Provider, SUBSYSTEM, Service, TEXT_XML, register};
use super::raw::Raw;
use super::scene::{MEMORY, Scene};

/// Bound of the attachments of a message.
const ATTACHMENTS: usize = 10_000;
const RELATED: &str = "multipart/related; type=\"text/xml\"; boundary=\"bound\"";

struct Stage {
    scene: Scene,
    provider: Provider,
}

impl Stage {
    fn post(&self, content_type: &str, body: &[u8]) -> Message {
        let mut raw = self.scene.raw();
        Self::post_on(&mut raw, content_type, body).unwrap()
    }

    fn post_on(raw: &mut Raw, content_type: &str, body: &[u8]) -> Option<Message> {
        raw.send(format!(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ));
        let _ = raw.try_send(body);
        raw.answer()
    }
}

#[test]
fn many_nested_and_malformed_parts_pass_as_they_are_or_are_refused() {
    let Some(scene) = Scene::up(45) else { return };
    let provider = Provider::start("127.0.45.40");
    let service = Service::new(SUBSYSTEM, "getState", &format!("http://{}/", provider.address));
    register(&scene.instance, &[service]);
    let stage = Stage { scene, provider };
    as_many_as_may_be_and_one_more(&stage);
    contents_that_look_like_structure(&stage);
    malformed_requests(&stage);
    malformed_answers(&stage);
    stage.scene.is_as_before("odd parts");
}

fn message(envelope: String, attachments: usize) -> Parts {
    let attachment = |number: usize| {
        let head = format!("Content-Type: text/plain\r\nContent-ID: <{number}>");
        part(&head, number.to_string())
    };
    let root = part(&format!("Content-Type: {TEXT_XML}"), envelope);
    std::iter::once(root)
        .chain((1..=attachments).map(attachment))
        .collect()
}

fn as_many_as_may_be_and_one_more(stage: &Stage) {
    let (asked, answer) = (request().xml(), response().xml());
    // Each attachment has headers, a digest and a place in the hash chain, which are in memory.
    let bound = 3 * MEMORY;
    stage.scene.within(bound, "as many attachments as may be", || {
        let answered = multipart("bound", &message(answer.clone(), ATTACHMENTS));
        stage.provider.answers(Answer::new(RELATED, answered));
        let sent = message(asked.clone(), ATTACHMENTS);
        let got = stage.post(RELATED, &multipart("bound", &sent));
        assert_eq!(
            got.fault_code(),
            None,
            "{}",
            &got.text()[..got.body.len().min(1000)]
        );
        let delivered = stage.provider.request().parts();
        assert_eq!(delivered.len(), ATTACHMENTS + 1);
        for ((_, sent), (_, delivered)) in sent.iter().zip(&delivered) {
            assert_eq!(sent, delivered);
        }
        let parts = got.parts();
        assert_eq!(parts.len(), ATTACHMENTS + 1);
        assert_eq!(parts[0].1, with_hash(&answer, asked.as_bytes()).as_bytes());
        assert_eq!(parts[ATTACHMENTS].1, ATTACHMENTS.to_string().as_bytes());
    });
    let more = multipart("bound", &message(asked.clone(), ATTACHMENTS + 1));
    stage.provider.answers(Answer::new(TEXT_XML, answer.clone()));
    let refused = stage.post(RELATED, &more);
    assert_eq!(
        refused.fault_code().as_deref(),
        Some("client.mime_parsing_failed")
    );
    assert!(refused.text().contains("10000"), "{}", refused.text());
    let more = multipart("bound", &message(answer, ATTACHMENTS + 1));
    stage.provider.answers(Answer::new(RELATED, more));
    let refused = stage.post(TEXT_XML, asked.as_bytes());
    assert_eq!(
        refused.fault_code().as_deref(),
        Some("server.serverproxy.service_failed.mime_parsing_failed")
    );
}

fn contents_that_look_like_structure(stage: &Stage) {
    let nested = multipart(
        "inner",
        &[
            part("Content-Type: text/plain", "a"),
            part(
                "Content-Type: multipart/mixed; boundary=deeper",
                "--deeper\r\n\r\nb\r\n--deeper--",
            ),
        ],
    );
    let contents: [Vec<u8>; 7] = [
        nested,
        b"\r\n--boun\r\n--bounD\r\n-bound\r\n".to_vec(),
        b"\r\n\r\n\r\n".to_vec(),
        b"--bound--".to_vec(),
        Vec::new(),
        b"\r".to_vec(),
        (0..=255).collect(),
    ];
    let mut sent: Parts = vec![part(&format!("Content-Type: {TEXT_XML}"), request().xml())];
    for (number, content) in contents.iter().enumerate() {
        // The first line of a part's body cannot be a boundary of its own message.
        let content = if content.starts_with(b"--bound") {
            [b" ", &content[..]].concat()
        } else {
            content.clone()
        };
        sent.push(part(
            &format!("Content-Type: multipart/mixed; boundary=inner\r\nX-Number: {number}"),
            content,
        ));
    }
    let mut answered = sent.clone();
    answered[0].1 = response().xml().into_bytes();
    stage
        .provider
        .answers(Answer::new(RELATED, multipart("bound", &answered)));
    let got = stage.post(RELATED, &multipart("bound", &sent));
    assert_eq!(got.fault_code(), None, "{}", got.text());
    for parts in [stage.provider.request().parts(), got.parts()] {
        assert_eq!(parts.len(), sent.len());
        for (number, ((head, body), (sent_head, sent_body))) in parts.iter().zip(&sent).enumerate().skip(1) {
            assert_eq!(body, sent_body, "part {number}");
            let plain = |head: &str| head.to_ascii_lowercase().replace(": ", ":");
            for line in sent_head.split("\r\n") {
                assert!(plain(head).contains(&plain(line)), "{head}");
            }
        }
    }
}

fn malformed_requests(stage: &Stage) {
    stage.provider.answers(Answer::new(TEXT_XML, response().xml()));
    let xml = request().xml();
    let soap_part = format!("--bound\r\nContent-Type: {TEXT_XML}\r\n\r\n{xml}");
    let whole = format!("{soap_part}\r\n--bound\r\nContent-Type: text/plain\r\n\r\nx\r\n--bound--\r\n");
    assert_eq!(stage.post(RELATED, whole.as_bytes()).fault_code(), None);
    let with_preamble = format!("to whom it may concern\r\n\r\n{whole}\r\nend\r\n--bound\r\n");
    assert_eq!(stage.post(RELATED, with_preamble.as_bytes()).fault_code(), None);
    stage.provider.answers(Answer::new(TEXT_XML, response().xml()));
    for (what, content_type, body, code) in [
        (
            "no boundary",
            "multipart/related",
            whole.clone(),
            "client.invalid_content_type",
        ),
        (
            "an empty boundary",
            "multipart/related; boundary=\"\"",
            whole.clone(),
            "client.invalid_content_type",
        ),
        (
            "another boundary",
            "multipart/related; boundary=other",
            whole.clone(),
            "client.missing_soap",
        ),
        (
            "another multipart",
            "multipart/mixed; boundary=bound",
            whole.clone(),
            "client.invalid_content_type",
        ),
        ("no part", RELATED, "--bound--\r\n".into(), "client.missing_soap"),
        ("nothing", RELATED, String::new(), "client.missing_soap"),
        (
            "a first part that is no SOAP",
            RELATED,
            format!("--bound\r\nContent-Type: image/png\r\n\r\nx\r\n{whole}"),
            "client.invalid_content_type",
        ),
        (
            "a part without a content type",
            RELATED,
            format!("{soap_part}\r\n--bound\r\nX-A: b\r\n\r\nx\r\n--bound--\r\n"),
            "client.invalid_content_type",
        ),
        (
            "a header line without a colon",
            RELATED,
            format!("--bound\r\nContent-Type\r\n\r\n{xml}\r\n--bound--\r\n"),
            "client.mime_parsing_failed",
        ),
        (
            "a header line too long",
            RELATED,
            format!(
                "{soap_part}\r\n--bound\r\nContent-Type: text/plain\r\nX-A: {}\r\n\r\nx\r\n--bound--\r\n",
                "a".repeat(10_001)
            ),
            "client.mime_parsing_failed",
        ),
        (
            "too many header lines",
            RELATED,
            format!(
                "{soap_part}\r\n--bound\r\nContent-Type: text/plain\r\n{}\r\nx\r\n--bound--\r\n",
                "X-A: b\r\n".repeat(1001)
            ),
            "client.mime_parsing_failed",
        ),
        (
            "headers without end",
            RELATED,
            format!("{soap_part}\r\n--bound\r\n{}", "X-A: bbbbbbbb\r\n".repeat(10_000)),
            "client.mime_parsing_failed",
        ),
        (
            "rubbish behind a boundary",
            RELATED,
            whole.replace(
                "\r\n--bound\r\nContent-Type: text/plain",
                "\r\n--boundary\r\nContent-Type: text/plain",
            ),
            "client.invalid_soap",
        ),
        (
            "an end within an attachment",
            RELATED,
            format!("{soap_part}\r\n--bound\r\nContent-Type: text/plain\r\n\r\nx"),
            "client.io_error",
        ),
        (
            "SOAP nested a level too deep",
            RELATED,
            format!(
                "--bound\r\nContent-Type: multipart/related; boundary=in\r\n\r\n{}\r\n--bound--\r\n",
                whole.replace("--bound", "--in")
            ),
            "client.invalid_content_type",
        ),
    ] {
        let mut raw = stage.scene.raw();
        let got = Stage::post_on(&mut raw, content_type, body.as_bytes())
            .unwrap_or_else(|| panic!("{what}: no answer"));
        let found = got.fault_code().unwrap_or_default();
        assert_eq!(found, code, "{what}: {}", got.text());
        let closes = got.header("connection") == Some("close");
        assert_ne!(
            raw.serves(&stage.scene.path("echo")),
            closes,
            "{what}: the connection"
        );
    }
}

fn malformed_answers(stage: &Stage) {
    let xml = response().xml();
    let soap_part = format!("--bound\r\nContent-Type: {TEXT_XML}\r\n\r\n{xml}");
    for (what, body, missing, code) in [
        (
            "an answer cut within an attachment",
            format!("{soap_part}\r\n--bound\r\nContent-Type: text/plain\r\n\r\nx"),
            0,
            "io_error",
        ),
        (
            "an answer whose connection ends early",
            format!("{soap_part}\r\n--bound\r\nContent-Type: text/plain\r\n\r\nx"),
            100,
            "io_error",
        ),
        (
            "an answer with a header line too long",
            format!(
                "{soap_part}\r\n--bound\r\nContent-Type: text/plain\r\nX-A: {}\r\n\r\nx\r\n--bound--\r\n",
                "a".repeat(10_001)
            ),
            0,
            "mime_parsing_failed",
        ),
    ] {
        stage.provider.answers(Answer {
            missing,
            ..Answer::new(RELATED, body)
        });
        let got = stage.post(TEXT_XML, request().xml().as_bytes());
        let code = format!("server.serverproxy.service_failed.{code}");
        assert_eq!(got.fault_code(), Some(code), "{what}: {}", got.text());
    }
}
