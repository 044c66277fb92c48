//! Replays the committed corpus of each parser: nothing in it may panic, and what is read must read the same again.
//! A file that once broke a parser goes into `tests/corpus/<parser>/`.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use protocol_message::identifier::{ClientId, SecurityServerId, ServiceId};
use protocol_message::rest::{EndpointPath, RequestPart, ResponsePart};
use protocol_message::soap::{self, ParsedSoap, Recoded};
use protocol_message::transport::{ContentType, TransportDecoder};
use std::path::PathBuf;

/// Calls `replay` with every file of a parser's corpus.
fn for_each(parser: &str, replay: impl Fn(&str, &[u8])) {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus")).join(parser);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        replay(
            &path.file_name().unwrap().to_string_lossy(),
            &std::fs::read(&path).unwrap(),
        );
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

/// By its name a file says whether it is acceptable.
fn check(name: &str, accepted: bool) {
    assert_eq!(accepted, name.starts_with("good-"), "{name}");
}

#[test]
fn soap_messages() {
    let content_type = ContentType::parse("text/xml").unwrap();
    for_each("soap", |name, bytes| {
        let parsed = soap::parse(bytes, &content_type);
        check(name, parsed.is_ok());
        let recoded = soap::with_request_hash(bytes, &content_type, &[0; 64]);
        assert_eq!(recoded.is_ok(), parsed.is_ok(), "{name}");
        if let Ok(Recoded::Message { bytes, message }) = recoded {
            assert_eq!(
                soap::parse(&bytes, &content_type).unwrap(),
                ParsedSoap::Message(message),
                "{name}"
            );
        }
    });
}

#[test]
fn rest_requests() {
    for_each("rest-request", |name, bytes| {
        let part = RequestPart::parse(bytes);
        check(name, part.is_ok());
        if let Ok(part) = part {
            let again = RequestPart::parse(&part.canonical_bytes()).unwrap();
            assert_eq!(again.canonical_bytes(), part.canonical_bytes(), "{name}");
            assert!(!part.filtered().is_empty());
            let _ = EndpointPath::from_raw(part.service_path());
        }
    });
}

#[test]
fn rest_responses() {
    for_each("rest-response", |name, bytes| {
        let part = ResponsePart::parse(bytes);
        check(name, part.is_ok());
        if let Ok(part) = part {
            assert_eq!(part.to_bytes(), bytes, "{name}");
        }
    });
}

/// Events of a transport message in chunks of `size`, data joined.
fn events(bytes: &[u8], size: usize) -> Result<(Vec<String>, Vec<u8>), String> {
    let mut decoder = TransportDecoder::new("multipart/mixed; boundary=xtop").unwrap();
    let (mut events, mut data) = (Vec::new(), Vec::new());
    for chunk in bytes.chunks(size) {
        let mut rest = chunk;
        while let Some(event) = decoder.next(&mut rest).map_err(|error| error.to_string())? {
            match event {
                protocol_message::transport::Event::Data(bytes) => data.extend_from_slice(bytes),
                other => events.push(format!("{other:?}")),
            }
        }
    }
    decoder.finish().map_err(|error| error.to_string())?;
    Ok((events, data))
}

#[test]
fn transport_messages() {
    for_each("transport", |name, bytes| {
        let whole = events(bytes, bytes.len().max(1));
        check(name, whole.is_ok());
        for size in [1, 2, 7, 64] {
            assert_eq!(events(bytes, size), whole, "{name} in chunks of {size}");
        }
    });
}

#[test]
fn content_types() {
    for_each("content-type", |name, bytes| {
        let value = String::from_utf8_lossy(bytes);
        let parsed = ContentType::parse(value.trim_end());
        check(name, parsed.is_ok_and(|parsed| parsed.boundary().is_ok()));
    });
}

#[test]
fn identifiers() {
    for_each("identifier", |name, bytes| {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        let client = ClientId::parse_encoded(text);
        let service = ServiceId::parse_encoded(text);
        let server = SecurityServerId::parse_encoded(text);
        check(name, client.is_ok() || service.is_ok() || server.is_ok());
        if let Ok(client) = client {
            assert_eq!(
                ClientId::parse_encoded(&client.to_encoded()).unwrap(),
                client,
                "{name}"
            );
            assert_eq!(client.to_string().parse::<ClientId>().unwrap(), client, "{name}");
        }
    });
}
