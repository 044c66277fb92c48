//! SOAP messages (wire.md 1.6, 1.7).

use protocol_message::soap::{self, ParsedSoap, Recoded};
use protocol_message::transport::ContentType;

/// Acceptable is a message or a fault.
pub fn check(data: &[u8]) -> bool {
    let Ok(content_type) = ContentType::parse("text/xml") else {
        return false;
    };
    let parsed = soap::parse(data, &content_type);
    let recoded = soap::with_request_hash(data, &content_type, &HASH);
    match (&parsed, &recoded) {
        (
            Ok(ParsedSoap::Message(message)),
            Ok(Recoded::Message {
                bytes,
                message: with_hash,
            }),
        ) => {
            check_message(data, message, with_hash, bytes, &content_type);
        }
        (Ok(ParsedSoap::Fault(fault)), Ok(Recoded::Fault(same))) => {
            assert_eq!(fault, same);
            let _ = fault.to_soap_xml();
        }
        (Err(error), Err(same)) => assert_eq!(error, same),
        _ => assert_eq!(parsed.is_ok(), recoded.is_ok(), "parsing and recoding disagree"),
    }
    parsed.is_ok()
}

const HASH: [u8; 64] = [7; 64];

fn check_message(
    data: &[u8],
    message: &soap::SoapMessage,
    with_hash: &soap::SoapMessage,
    bytes: &[u8],
    content_type: &ContentType,
) {
    let again = soap::parse(bytes, content_type);
    assert_eq!(again, Ok(ParsedSoap::Message(Box::new(with_hash.clone()))));
    assert_eq!(soap::check_request_hash(&with_hash.header, &HASH), Ok(()));
    assert_eq!(
        soap::check_consistency(&message.header, &with_hash.header),
        Ok(())
    );
    let twice = soap::with_request_hash(bytes, content_type, &HASH);
    assert!(
        matches!(&twice, Ok(Recoded::Message { message, .. }) if **message == *with_hash),
        "recoded again: {twice:?}"
    );
    if !message.is_response() {
        check_metadata_services(data, message, content_type);
    }
    let filtered = soap::filtered_message(message);
    assert!(
        matches!(soap::parse(&filtered, content_type), Ok(ParsedSoap::Message(_))),
        "what is logged without a body is a message"
    );
}

/// Asserts that the metadata services can answer whatever was accepted as a request.
fn check_metadata_services(data: &[u8], message: &soap::SoapMessage, content_type: &ContentType) {
    assert!(soap::wsdl_query(data).is_ok());
    let service = &message.header.service;
    let operation = &service.service_code;
    let answers = [
        soap::wsdl_response(data, operation),
        soap::methods_response(data, operation, std::iter::once(service)),
    ];
    for answer in answers {
        let parsed = answer.map(|answer| soap::parse(&answer, content_type));
        assert!(
            matches!(&parsed, Ok(Ok(ParsedSoap::Message(answer))) if answer.header == message.header),
            "an answer: {parsed:?}"
        );
    }
}
