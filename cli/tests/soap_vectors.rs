//! The reference's own expectation table (wire.md 7.5), row by row through two security servers: its queries as an
//! information system sends them, its answers as a provider gives them.

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

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use information_system::{
    Answer, MEMBER, Message, Provider, SUBSYSTEM, Service, between, consumer, post, register, send,
};
use instance::Instance;
use protocol_message::soap::message_hash;
use protocol_message::transport::{ContentType, Event, Limits, RelatedDecoder};

/// Where the reference's messages lie, if they do.
fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/vectors/client-messages"
    ));
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return None;
    }
    Some(folder)
}

/// A message of the reference, its identifiers replaced by those of the sandbox.
fn read(name: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(vectors().unwrap().join(name)).unwrap();
    for (theirs, ours) in [
        (">EE<", ">SANDBOX<"),
        (">BUSINESS<", ">ORG<"),
        (">consumer<", ">1001<"),
        (">producer<", ">2002<"),
        (">subsys1<", ">client<"),
        (">subsys2<", ">provider<"),
    ] {
        bytes = replace(&bytes, theirs.as_bytes(), ours.as_bytes());
    }
    with_one_id(&bytes)
}

/// The reference gives a query and its answer the same fresh id.
fn with_one_id(bytes: &[u8]) -> Vec<u8> {
    let find = |tag: &[u8]| (0..bytes.len()).find(|at| bytes[*at..].starts_with(tag));
    match (find(b"<xroad:id>"), find(b"</xroad:id>")) {
        (Some(start), Some(end)) => [&bytes[..start], b"<xroad:id>message-1", &bytes[end..]].concat(),
        _ => bytes.to_vec(),
    }
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}

const XML: &str = "text/xml; charset=UTF-8";
const JETTY: &str = "multipart/related; charset=UTF-8; boundary=jetty771207119h3h10dty";
const JETTY_WITHOUT_CHARSET: &str = "multipart/related; boundary=jetty771207119h3h10dty";
const MTOM: &str = "Multipart/Related; start-info=\"application/soap+xml\"; type=\"application/xop+xml\"; \
                    boundary=\"jetty771207119h3h10dty\"";
const MTOM_UTF8: &str = "Multipart/Related; start-info=\"application/soap+xml\"; type=\"application/xop+xml\"; \
                         boundary=\"jetty771207119h3h10dty\";charset=UTF-8";

/// A row of the table.
struct Row {
    case: &'static str,
    query: (&'static str, &'static str),
    answer: Option<(&'static str, &'static str)>,
    expected: Result<(), &'static str>,
}

const fn good(
    case: &'static str,
    query: (&'static str, &'static str),
    answer: (&'static str, &'static str),
) -> Row {
    Row {
        case,
        query,
        answer: Some(answer),
        expected: Ok(()),
    }
}

/// The information system's request is at fault, or nobody answers: no answer is needed.
const fn refused(case: &'static str, query: (&'static str, &'static str), code: &'static str) -> Row {
    Row {
        case,
        query,
        answer: None,
        expected: Err(code),
    }
}

/// The provider's answer to `getstate.query` is at fault.
const fn bad_answer(case: &'static str, answer: (&'static str, &'static str), code: &'static str) -> Row {
    Row {
        case,
        query: ("getstate.query", XML),
        answer: Some(answer),
        expected: Err(code),
    }
}

const ROWS: &[Row] = &[
    good("Attachment", ("attachm.query", JETTY), ("attachm.answer", XML)),
    good(
        "Attachment2",
        ("attachm2.query", JETTY_WITHOUT_CHARSET),
        ("attachm2.answer", JETTY),
    ),
    refused(
        "AttachmentFaulty",
        ("attachm-error.query", JETTY),
        "client.invalid_content_type",
    ),
    refused(
        "AttachmentFaultySoap",
        ("attachm-faulty-soap.query", JETTY),
        "client.missing_header_field",
    ),
    bad_answer(
        "AttachmentFaultySoapResponse",
        ("attachm-faulty-soap.query", JETTY),
        "server.serverproxy.service_failed.missing_header_field",
    ),
    good(
        "AttachmentMTOM",
        ("attachm-mtom.query", MTOM),
        ("attachm-mtom.answer", MTOM_UTF8),
    ),
    refused(
        "AttachmentNoSoap",
        ("attachm-no-soap.query", JETTY),
        "client.invalid_content_type",
    ),
    bad_answer(
        "AttachmentNoSoapResponse",
        ("attachm-no-soap.query", JETTY),
        "server.serverproxy.service_failed.invalid_content_type",
    ),
    good("CDATAMessage", ("cdata.query", XML), ("cdata.answer", XML)),
    good(
        "CommentMessage",
        ("simple.query", XML),
        ("simple-comment.answer", XML),
    ),
    good(
        "DefaultNamespaceMessage",
        ("getstate-defaultnamespace.query", XML),
        ("getstate.answer", XML),
    ),
    refused(
        "EmptyMultipartRequest",
        ("empty.query", JETTY),
        "client.missing_soap",
    ),
    bad_answer(
        "EmptyMultipartResponse",
        ("empty.query", JETTY),
        "server.serverproxy.service_failed.invalid_message",
    ),
    refused("EmptyQuery", ("empty.query", XML), "client.invalid_soap"),
    bad_answer(
        "EmptyResponse",
        ("empty.query", XML),
        "server.serverproxy.service_failed.invalid_soap",
    ),
    refused(
        "FaultyHeader",
        ("faulty-header2.query", XML),
        "client.duplicate_header_field",
    ),
    bad_answer(
        "FaultyHeaderResponse",
        ("faulty-header.query", XML),
        "server.serverproxy.service_failed.missing_header_field",
    ),
    refused(
        "FaultyRequestContentType",
        ("getstate.query", "blah"),
        "client.invalid_content_type",
    ),
    bad_answer(
        "FaultyResponseContentType",
        ("getstate.answer", "blah"),
        "server.serverproxy.service_failed.invalid_content_type",
    ),
    refused(
        "MalformedBody1",
        ("malformed-body1.query", XML),
        "client.invalid_body",
    ),
    refused(
        "MalformedBody2",
        ("malformed-body2.query", XML),
        "client.invalid_body",
    ),
    refused(
        "MalformedBody3",
        ("malformed-body3.query", XML),
        "client.inconsistent_headers",
    ),
    bad_answer(
        "MalformedBodyResponse",
        ("malformed-body2.query", XML),
        "server.serverproxy.service_failed.invalid_body",
    ),
    refused(
        "MalformedProtocolVersionHeader",
        ("malformed-protocolVersion.query", XML),
        "client.invalid_protocol_version",
    ),
    good("MimeSoap", ("mimesoap.query", JETTY), ("mimesoap.answer", JETTY)),
    refused("MissingBody", ("missing-body.query", XML), "client.missing_body"),
    bad_answer(
        "MissingBodyResponse",
        ("missing-body.query", XML),
        "server.serverproxy.service_failed.missing_body",
    ),
    refused("MissingHeader", ("no-header.query", XML), "client.missing_header"),
    bad_answer(
        "MissingHeaderResponse",
        ("no-header.query", XML),
        "server.serverproxy.service_failed.missing_header",
    ),
    refused(
        "MissingObjectTypeMessage",
        ("missingobjecttype.query", XML),
        "client.invalid_xml",
    ),
    refused(
        "MissingOrg",
        ("missing-org.query", XML),
        "server.clientproxy.unknown_member",
    ),
    refused(
        "MissingProtocolVersionHeader",
        ("missing-protocolVersion.query", XML),
        "client.missing_header_field",
    ),
    good(
        "MissingUserIdHeader",
        ("missing-userId.query", XML),
        ("missing-userId.answer", XML),
    ),
    good(
        "NoWhitespaceMessage",
        ("nowhitespace.query", XML),
        ("nowhitespace.answer", XML),
    ),
    good(
        "NonUtf8ResponseContentType",
        ("getstate.query", XML),
        ("getstate-iso88591.answer", "text/xml; charset=ISO-8859-1"),
    ),
    good("NormalMessage", ("getstate.query", XML), ("getstate.answer", XML)),
    good(
        "NormalSubsystem",
        ("getstate-subsystem.query", XML),
        ("getstate-subsystem.answer", XML),
    ),
    refused(
        "NotAllowed",
        ("notAllowed.query", XML),
        "server.serverproxy.access_denied",
    ),
    good(
        "ResponseWithRequestHash",
        ("getstate.query", XML),
        ("requesthash.answer", XML),
    ),
    Row {
        case: "ServerClientInconsistency",
        query: ("xml.query", XML),
        answer: Some(("getstate.query", XML)),
        expected: Err("server.clientproxy.service_failed.inconsistent_response"),
    },
    bad_answer(
        "ServerProxyAttachmentError",
        ("attachm-error.query", JETTY),
        "server.serverproxy.service_failed.invalid_content_type",
    ),
    bad_answer(
        "ServiceFaultyFault",
        ("faulty-fault.answer", "text/xml"),
        "soap:Server",
    ),
    bad_answer(
        "ServiceFaultyMultipart",
        (
            "faulty-multipart.query",
            "multipart/related; boundary=jetty771207119h3h10dty; charset=utf-8",
        ),
        "server.serverproxy.service_failed.invalid_message",
    ),
    bad_answer("ServiceReturnsFault", ("fault.query", "text/xml"), "CODE"),
    good(
        "SeveralAttachments",
        ("attachments.query", JETTY),
        ("attachm.answer", XML),
    ),
    good(
        "SeveralAttachmentsResponse",
        ("attachments.query", JETTY),
        ("attachments.answer", JETTY),
    ),
    Row {
        case: "SoapFaultInMultipartResponse",
        query: ("soapfault-mtom.query", MTOM),
        answer: Some(("soapfault-mtom.answer", MTOM_UTF8)),
        expected: Err("soap:Server"),
    },
    refused("SoapFaultToClientProxy", ("fault.query", XML), "client.code"),
    good(
        "SplitHeaderMessage",
        ("split-header.query", XML),
        ("split-header.answer", XML),
    ),
    good(
        "Utf8BomAttachment2",
        ("attachm2-utf8bom-inside.query", JETTY_WITHOUT_CHARSET),
        ("attachm2-utf8bom-inside.answer", JETTY),
    ),
    refused(
        "WrongProtocolVersionHeader",
        ("wrong-protocolVersion.query", XML),
        "client.invalid_protocol_version",
    ),
    good(
        "XmlEncodedMessage",
        ("xmlencoded.query", XML),
        ("xmlencoded.answer", XML),
    ),
];

#[test]
fn two_servers_do_what_the_reference_expects_of_its_own() {
    if !instance::is_built() || vectors().is_none() {
        return;
    }
    let instance = Instance::up(120);
    let provider = Provider::start("127.0.120.40");
    register(
        &instance,
        &services(&provider, |service| service.allowed = service.code != "forbidden"),
    );
    let mut failed: Vec<String> = Vec::new();
    let mut ran = 0;
    for row in ROWS {
        if let Err(problem) = run(&instance, &provider, row) {
            failed.push(format!("{}: {problem}", row.case));
        }
        ran += 1;
    }
    ran += byte_order_mark_in_front(&instance, &provider, &mut failed);
    ran += requests_of_other_kinds(&instance, &provider, &mut failed);
    ran += services_of_other_kinds(&instance, &provider, &mut failed);
    eprintln!("{ran} rows of the reference's table ran, {} failed", failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Every service that the queries ask for.
fn services(provider: &Provider, change: impl Fn(&mut Service)) -> Vec<Service> {
    let url = format!("http://{}/service", provider.address);
    let one = |owner, code| {
        let mut service = Service::new(owner, code, &url);
        change(&mut service);
        service
    };
    let mut all: Vec<Service> = ["getState", "test", "testQuery", "generateMtom", "forbidden"]
        .map(|code| one(MEMBER, code))
        .to_vec();
    all.push(one(SUBSYSTEM, "getState"));
    all
}

fn run(instance: &Instance, provider: &Provider, row: &Row) -> Result<(), String> {
    let mut query = read(row.query.0);
    if row.case == "NotAllowed" {
        query = replace(&query, b">test<", b">forbidden<");
        query = replace(&query, b":test/", b":forbidden/");
    }
    let answer = row.answer.unwrap_or(("getstate.answer", XML));
    provider.answers(Answer::new(answer.1, read(answer.0)));
    let got = post(instance, row.query.1, &query);
    judge(&got, row.expected)?;
    match row.expected {
        Ok(()) => complete(&got, provider, (&query, row.query.1), (&read(answer.0), answer.1)),
        Err(_) if row.answer.is_none() && !provider.asked().is_empty() => {
            Err("the provider was asked".into())
        }
        Err(_) => Ok(()),
    }
}

fn judge(got: &Message, expected: Result<(), &str>) -> Result<(), String> {
    let code = got.fault_code();
    if code.as_deref() != expected.err() {
        return Err(format!("expected {expected:?}, got {code:?}: {}", got.text()));
    }
    if got.status() != 200 {
        return Err(got.first_line.clone());
    }
    if code.is_some()
        && (got.header("soapaction") != Some("")
            || !got.header("content-type").unwrap().starts_with("text/xml"))
    {
        return Err(format!("not the headers of a fault: {:?}", got.headers));
    }
    Ok(())
}

/// The provider got what was sent, the client what was answered, and the hash of the request with it.
fn complete(
    got: &Message,
    provider: &Provider,
    query: (&[u8], &str),
    answer: (&[u8], &str),
) -> Result<(), String> {
    let asked = provider.request();
    let (sent, delivered) = (
        split(query.0, query.1),
        split(&asked.body, asked.header("content-type").unwrap()),
    );
    if sent != delivered {
        return Err(format!("the provider got {}", asked.text()));
    }
    let content_type = got.header("content-type").unwrap();
    let (given, received) = (split(answer.0, answer.1), split(&got.body, content_type));
    if given[1..] != received[1..] || given[0].0 != received[0].0 {
        return Err(format!("the client got {content_type}: {}", got.text()));
    }
    let hash = STANDARD.encode(message_hash(&sent[0].1));
    let soap = String::from_utf8(received[0].1.clone()).map_err(|error| error.to_string())?;
    match between(&soap, "#sha512\">", "<") {
        Some(found) if found == hash && soap.matches("requestHash>").count() == 1 => Ok(()),
        found => Err(format!("request hash {found:?} instead of {hash}: {soap}")),
    }
}

/// The SOAP message and the attachments, each with its content type; that of a plain message is not compared.
fn split(bytes: &[u8], content_type: &str) -> Vec<(String, Vec<u8>)> {
    let content_type = ContentType::parse(content_type).unwrap();
    if !content_type.is("multipart/related") {
        return vec![(String::new(), bytes.to_vec())];
    }
    let mut decoder = RelatedDecoder::new(&content_type, Limits::DEFAULT).unwrap();
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    let mut rest = bytes;
    while let Some(event) = decoder.next(&mut rest).unwrap() {
        match event {
            Event::Small(part) => parts.push((part.headers.content_type.unwrap(), part.bytes)),
            Event::BodyStart(part) => parts.push((part.headers.content_type.unwrap(), Vec::new())),
            Event::Data(data) => parts.last_mut().unwrap().1.extend_from_slice(data),
            Event::BodyEnd | Event::End => {}
        }
    }
    if let Some(Event::Small(part)) = decoder.finish().unwrap() {
        parts.push((part.headers.content_type.unwrap(), part.bytes));
    }
    parts
}

/// Utf8BomNormalSubsystem.
fn byte_order_mark_in_front(instance: &Instance, provider: &Provider, failed: &mut Vec<String>) -> usize {
    let mark = b"\xef\xbb\xbf";
    let query = [mark, &read("getstate-subsystem.query")[..]].concat();
    let answer = [mark, &read("getstate-subsystem.answer")[..]].concat();
    provider.answers(Answer::new(XML, answer.clone()));
    let got = post(instance, XML, &query);
    if let Err(problem) =
        judge(&got, Ok(())).and_then(|()| complete(&got, provider, (&query, XML), (&answer, XML)))
    {
        failed.push(format!("Utf8BomNormalSubsystem: {problem}"));
    }
    1
}

/// WrongHttpMethod, InvalidProviderAddress3, SoapActionHeader, SoapActionEmptyHeader, SoapActionMalformedHeader.
fn requests_of_other_kinds(instance: &Instance, provider: &Provider, failed: &mut Vec<String>) -> usize {
    let mut check = |case: &str, got: &Message, expected| {
        if let Err(problem) = judge(got, expected) {
            failed.push(format!("{case}: {problem}"));
        }
    };
    let got = send(consumer(instance), "GET /", &[], b"");
    check("WrongHttpMethod", &got, Err("client.invalid_http_method"));
    let stranger = replace(&read("attachm.query"), b">2002<", b">9999<");
    let got = post(instance, JETTY, &stranger);
    check(
        "InvalidProviderAddress3",
        &got,
        Err("server.clientproxy.unknown_member"),
    );
    for (case, action, expected) in [
        ("SoapActionHeader", "\"\"", Ok(())),
        ("SoapActionEmptyHeader", "", Ok(())),
        (
            "SoapActionMalformedHeader",
            "http://example.org/action",
            Err("client.invalid_soap_action"),
        ),
    ] {
        provider.answers(Answer::new(XML, read("getstate.answer")));
        let headers = [("Content-Type", XML), ("SOAPAction", action)];
        check(
            case,
            &send(consumer(instance), "POST /", &headers, &read("getstate.query")),
            expected,
        );
        if expected.is_ok() {
            let asked = provider.request();
            assert_eq!(asked.header("soapaction"), Some(action), "{case}: {asked:?}");
        }
    }
    5
}

/// ServiceHttpError, ServiceConnectionAborted, ServiceDisabled, UnknownService, InvalidServiceAddress and
/// InvalidServiceAddress2.
fn services_of_other_kinds(instance: &Instance, provider: &Provider, failed: &mut Vec<String>) -> usize {
    let mut check = |case: &str, (query, content_type): (&str, &str), code: &'static str| {
        if let Err(problem) = judge(&post(instance, content_type, &read(query)), Err(code)) {
            failed.push(format!("{case}: {problem}"));
        }
    };
    let get_state = ("getstate.query", XML);
    let bad_gateway = Answer {
        status: "502 Bad Gateway",
        ..Answer::new("text/html", "no")
    };
    provider.answers(bad_gateway);
    check(
        "ServiceHttpError",
        get_state,
        "server.serverproxy.service_failed.http_error",
    );
    let aborted = Answer {
        content_type: None,
        missing: 1000,
        ..Answer::new(XML, "")
    };
    provider.answers(aborted);
    check(
        "ServiceConnectionAborted",
        get_state,
        "server.serverproxy.service_failed.invalid_content_type",
    );
    register(
        instance,
        &services(provider, |service| service.disabled = Some("Service is disabled")),
    );
    check(
        "ServiceDisabled",
        get_state,
        "server.serverproxy.service_disabled",
    );
    register(instance, &[]);
    check("UnknownService", get_state, "server.serverproxy.unknown_service");
    register(
        instance,
        &services(provider, |service| {
            service.url = "http://non.existing.site.invalid/service".into()
        }),
    );
    check(
        "InvalidServiceAddress",
        get_state,
        "server.serverproxy.service_failed.unknown_host",
    );
    check(
        "InvalidServiceAddress2",
        ("attachm.query", JETTY),
        "server.serverproxy.service_failed.unknown_host",
    );
    6
}
