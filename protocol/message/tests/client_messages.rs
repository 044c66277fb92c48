//! Messages of the reference's test suite, as information systems and providers send them (wire.md 7.5): those rows of
//! its expectation table that concern reading alone.
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used, reason = "tests")]

use protocol_message::soap::{self, ParsedSoap, Recoded, SoapError, SoapMessage};
use protocol_message::transport::{
    ContentType, Event, Limits, PartKind, RelatedDecoder, SmallPart, TransportDecoder, TransportError,
};
use std::path::PathBuf;

/// The vectors lie beside the workspace and are not part of it.
fn read(name: &str) -> Option<Vec<u8>> {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/vectors/client-messages"
    ));
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return None;
    }
    Some(std::fs::read(folder.join(name)).unwrap())
}

fn content_type(value: &str) -> ContentType {
    ContentType::parse(value).unwrap()
}

fn parse(name: &str) -> Option<Result<ParsedSoap, SoapError>> {
    Some(soap::parse(
        &read(name)?,
        &content_type("text/xml; charset=UTF-8"),
    ))
}

fn message(name: &str) -> Option<SoapMessage> {
    match parse(name)?.unwrap_or_else(|error| panic!("{name}: {error}")) {
        ParsedSoap::Message(message) => Some(*message),
        ParsedSoap::Fault(fault) => panic!("{name}: {fault}"),
    }
}

#[test]
fn messages_that_are_accepted() {
    for name in [
        "getstate.query",
        "getstate.answer",
        "getstate-defaultnamespace.query",
        "getstate-iso88591.answer",
        "getstate-subsystem.query",
        "getstate-subsystem.answer",
        "missing-userId.query",
        "missing-userId.answer",
        "nowhitespace.query",
        "nowhitespace.answer",
        "simple.query",
        "simple-comment.answer",
        "simple-rpc.query",
        "cdata.query",
        "cdata.answer",
        "xmlencoded.query",
        "xmlencoded.answer",
        "split-header.query",
        "split-header.answer",
        "requesthash.answer",
        "missing-org.query",
        "notAllowed.query",
        "xml.query",
        "proxyemulator.query",
        "attachm.answer",
    ] {
        let Some(message) = message(name) else { return };
        assert_eq!(
            message.is_response(),
            message.body_name.ends_with("Response"),
            "{name}"
        );
        assert!(
            message
                .body_name
                .starts_with(&*message.header.service.service_code),
            "{name}"
        );
    }
}

#[test]
fn messages_that_are_refused() {
    for (name, code) in [
        ("empty.query", "invalid_soap"),
        ("faulty-header.query", "missing_header_field"),
        ("faulty-header2.query", "duplicate_header_field"),
        ("malformed-body1.query", "invalid_body"),
        ("malformed-body2.query", "invalid_body"),
        ("malformed-body3.query", "inconsistent_headers"),
        ("malformed-protocolVersion.query", "invalid_protocol_version"),
        ("wrong-protocolVersion.query", "invalid_protocol_version"),
        ("missing-protocolVersion.query", "missing_header_field"),
        ("missing-body.query", "missing_body"),
        ("no-header.query", "missing_header"),
        ("missingobjecttype.query", "invalid_xml"),
    ] {
        let Some(result) = parse(name) else { return };
        assert_eq!(result.unwrap_err().fault_code(), code, "{name}");
    }
}

#[test]
fn faults_are_recognised() {
    for (name, code) in [
        ("fault.query", "CODE"),
        ("faulty-fault.answer", "soap:Server"),
        ("customfault.answer", "foo:FOOCODE"),
        ("customsoapenv.answer", "soapenv:Server.CODE"),
        ("soapfaulterror.query", "SOAP-ENV:Clientrwerete"),
    ] {
        let Some(result) = parse(name) else { return };
        let ParsedSoap::Fault(fault) = result.unwrap() else {
            panic!("{name} is no fault")
        };
        assert_eq!(fault.code.as_str(), code, "{name}");
        assert_eq!(
            fault.to_soap_xml(),
            read(name).unwrap(),
            "{name} is relayed verbatim"
        );
    }
    let Some(Ok(ParsedSoap::Fault(fault))) = parse("fault.query") else {
        return;
    };
    assert_eq!(
        (fault.message.as_str(), fault.actor.as_deref()),
        ("STRING", Some("ACTOR"))
    );
    assert_eq!(fault.detail.as_deref(), Some("DETAIL"));
}

#[test]
fn responses_get_the_request_hash() {
    for name in [
        "getstate.answer",
        "requesthash.answer",
        "simple-comment.answer",
        "cdata.answer",
        "nowhitespace.answer",
        "xmlencoded.answer",
        "split-header.answer",
    ] {
        let Some(bytes) = read(name) else { return };
        let hash = soap::message_hash(b"request");
        let recoded = soap::with_request_hash(&bytes, &content_type("text/xml"), &hash).unwrap();
        let Recoded::Message { bytes, message } = recoded else {
            panic!("{name} is a fault")
        };
        assert_eq!(soap::check_request_hash(&message.header, &hash), Ok(()), "{name}");
        let ParsedSoap::Message(again) = soap::parse(&bytes, &content_type("text/xml")).unwrap() else {
            panic!("{name}")
        };
        assert_eq!(again, message, "{name}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<"),
            "{name}"
        );
        assert_eq!(text.matches(":requestHash ").count(), 1, "{name}: {text}");
    }
}

#[test]
fn answers_are_consistent_with_their_queries() {
    let Some(query) = message("getstate.query") else {
        return;
    };
    assert_eq!(
        soap::check_consistency(&query.header, &message("getstate.answer").unwrap().header),
        Ok(())
    );
    let other = message("xml.query").unwrap();
    assert_eq!(
        soap::check_consistency(&other.header, &query.header)
            .unwrap_err()
            .fault_code(),
        "inconsistent_response"
    );
}

/// What a multipart message consists of: its SOAP part and the attachments.
fn read_multipart(
    bytes: &[u8],
    content_type: &ContentType,
) -> Result<(Vec<u8>, Vec<Vec<u8>>), TransportError> {
    let mut decoder = RelatedDecoder::new(content_type, Limits::DEFAULT)?;
    let (mut soap, mut attachments) = (Vec::new(), Vec::<Vec<u8>>::new());
    for chunk in bytes.chunks(17) {
        let mut rest = chunk;
        while let Some(event) = decoder.next(&mut rest)? {
            match event {
                Event::Small(part) => soap = part.bytes.to_vec(),
                Event::BodyStart(_) => attachments.push(Vec::new()),
                Event::Data(data) => attachments.last_mut().unwrap().extend_from_slice(data),
                Event::BodyEnd | Event::End => {}
            }
        }
    }
    if let Some(Event::Small(part)) = decoder.finish()? {
        soap = part.bytes.to_vec();
    }
    Ok((soap, attachments))
}

const RELATED: &str = "multipart/related; charset=UTF-8; boundary=jetty771207119h3h10dty";

#[test]
fn multipart_messages_that_are_accepted() {
    for (name, attachments) in [
        ("attachm.query", 1),
        ("attachm2.query", 1),
        ("attachm2.answer", 1),
        ("attachm2-utf8bom-inside.query", 1),
        ("attachm2-utf8bom-inside.answer", 1),
        ("attachm-mtom.query", 1),
        ("attachm-mtom.answer", 1),
        ("attachments.query", 3),
        ("attachments.answer", 3),
        ("mimesoap.query", 0),
        ("mimesoap.answer", 0),
        ("smallAttachment.query", 1),
        ("soapfault-mtom.query", 1),
    ] {
        let Some(bytes) = read(name) else { return };
        let (part, found) = read_multipart(&bytes, &content_type(RELATED)).unwrap();
        assert_eq!(found.len(), attachments, "{name}");
        let parsed = soap::parse(&part, &content_type("text/xml")).unwrap();
        assert!(matches!(parsed, ParsedSoap::Message(_)), "{name}");
    }
}

#[test]
fn multipart_messages_that_are_refused() {
    let Some(error) = read("attachm-error.query") else {
        return;
    };
    let refused = |bytes: &[u8]| {
        read_multipart(bytes, &content_type(RELATED))
            .unwrap_err()
            .fault_code()
    };
    assert_eq!(refused(&error), "invalid_content_type");
    assert_eq!(
        refused(&read("attachm-no-soap.query").unwrap()),
        "invalid_content_type"
    );
    assert_eq!(refused(&read("empty.query").unwrap()), "missing_soap");
    assert_eq!(refused(&read("faulty-multipart.query").unwrap()), "missing_soap");
    let bytes = read("attachm-faulty-soap.query").unwrap();
    let (part, _) = read_multipart(&bytes, &content_type(RELATED)).unwrap();
    let error = soap::parse(&part, &content_type("text/xml")).unwrap_err();
    assert_eq!(error.fault_code(), "missing_header_field");
    let no_boundary = RelatedDecoder::new(&content_type("multipart/related"), Limits::DEFAULT);
    assert_eq!(no_boundary.unwrap_err().fault_code(), "invalid_content_type");
}

#[test]
fn a_fault_in_a_multipart_response_is_found() {
    let Some(bytes) = read("soapfault-mtom.answer") else {
        return;
    };
    let (part, _) = read_multipart(&bytes, &content_type(RELATED)).unwrap();
    let parsed = soap::parse(&part, &content_type("application/xop+xml")).unwrap();
    let ParsedSoap::Fault(fault) = parsed else {
        panic!("no fault")
    };
    assert_eq!(fault.code.as_str(), "soap:Server");
    assert!(
        String::from_utf8(fault.to_soap_xml())
            .unwrap()
            .contains("Unable to create payload")
    );
}

/// The parts that are kept whole of a message between servers.
fn read_transport(name: &str, content_type: &str) -> Option<Result<Vec<SmallPart>, TransportError>> {
    let bytes = read(name)?;
    let mut parts = Vec::new();
    let mut decoder = TransportDecoder::new(content_type).unwrap();
    let mut rest = &bytes[..];
    loop {
        match decoder.next(&mut rest) {
            Ok(Some(Event::Small(part))) => parts.push(part),
            Ok(Some(_)) => {}
            Ok(None) => return Some(Ok(parts)),
            Err(error) => return Some(Err(error)),
        }
    }
}

#[test]
fn messages_between_servers_that_lack_something() {
    let jetty = "multipart/mixed; charset=UTF-8; boundary=jetty771207119h3h10dty";
    let unsigned = "multipart/mixed; boundary=jetty42534330h7vzfqv2;charset=ISO-8859-1";
    for (name, content_type) in [("no-signature.query", unsigned), ("attachm.query", jetty)] {
        let Some(parts) = read_transport(name, content_type) else {
            return;
        };
        let kinds: Vec<PartKind> = parts.unwrap().iter().map(|part| part.kind).collect();
        assert_eq!(kinds, [PartKind::Soap], "{name}: the signature is missing");
    }
    let parts = read_transport("no-soap.query", jetty).unwrap().unwrap();
    let empty = soap::parse(&parts.first().unwrap().bytes, &content_type("text/xml"));
    assert_eq!(empty.unwrap_err().fault_code(), "invalid_soap");
    let no_parts = read_transport("getstate.query", "multipart/mixed; boundary=foobar").unwrap();
    assert_eq!(no_parts, Ok(Vec::new()));
    let error = read_transport("attachm-error.query", jetty).unwrap().unwrap_err();
    assert_eq!(error.fault_code(), "invalid_content_type");
}
