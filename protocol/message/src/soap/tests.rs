//! Tests of SOAP messages: rules of the header, and re-encoding of responses.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;

const CLIENT: &str = "<x:client i:objectType='SUBSYSTEM'><i:xRoadInstance>EE</i:xRoadInstance><i:memberClass>GOV</i:memberClass><i:memberCode>1</i:memberCode><i:subsystemCode>a&amp;b</i:subsystemCode></x:client>";
const SERVICE: &str = "<x:service i:objectType='SERVICE'><i:xRoadInstance>EE</i:xRoadInstance><i:memberClass>GOV</i:memberClass><i:memberCode>2</i:memberCode><i:serviceCode>get</i:serviceCode><i:serviceVersion>v1</i:serviceVersion></x:service>";
const REST: &str = "<x:id>id-1</x:id><x:protocolVersion>4.0</x:protocolVersion>";

fn text_xml() -> ContentType {
    ContentType::parse("text/xml; charset=UTF-8").unwrap()
}

fn envelope(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:x=\"http://x-road.eu/xsd/xroad.xsd\" xmlns:i=\"http://x-road.eu/xsd/identifiers\" \
         xmlns:r=\"http://x-road.eu/xsd/representation.xsd\">{header}{body}</s:Envelope>"
    )
}

fn with_header(fields: &str) -> String {
    envelope(
        &format!("<s:Header>{fields}</s:Header>"),
        "<s:Body><get xmlns='u'/></s:Body>",
    )
}

fn message(text: &str) -> SoapMessage {
    match parse(text.as_bytes(), &text_xml()).unwrap() {
        ParsedSoap::Message(message) => *message,
        ParsedSoap::Fault(fault) => panic!("{fault}"),
    }
}

fn code(text: &str) -> &'static str {
    parse(text.as_bytes(), &text_xml()).unwrap_err().fault_code()
}

#[test]
fn reads_all_fields() {
    let fields = format!(
        "{CLIENT}{SERVICE}{REST}<x:userId> u </x:userId><x:issue/><unknown><x:id>ignored</x:id></unknown>\
         <x:securityServer i:objectType='SERVER'><i:xRoadInstance>EE</i:xRoadInstance><i:memberClass>GOV</i:memberClass>\
         <i:memberCode>2</i:memberCode><i:serverCode>ss</i:serverCode></x:securityServer>\
         <r:representedParty><r:partyClass>COM</r:partyClass><r:partyCode>9</r:partyCode></r:representedParty>\
         <x:requestHash algorithmId='alg'>h<!--c-->a<b>no</b><![CDATA[sh]]></x:requestHash>"
    );
    let message = message(&with_header(&fields));
    let header = &message.header;
    assert_eq!(header.client.to_string(), "EE/GOV/1/a&b");
    assert_eq!(header.service.to_string(), "EE/GOV/2//get/v1");
    assert_eq!(header.user_id.as_deref(), Some(" u "), "values are not trimmed");
    assert_eq!(header.issue.as_deref(), Some(""));
    assert_eq!(
        header.security_server.as_ref().unwrap().to_string(),
        "EE/GOV/2/ss"
    );
    assert_eq!(header.represented_party.as_ref().unwrap().to_string(), "COM/9");
    let hash = RequestHash {
        algorithm: Some("alg".into()),
        value: "hash".into(),
    };
    assert_eq!(header.request_hash, Some(hash));
    assert_eq!(header.id, "id-1");
    assert_eq!(
        (message.body_namespace.as_deref(), message.body_name.as_str()),
        (Some("u"), "get")
    );
    assert!(!message.is_response());
    assert_eq!(message.signer(), &header.client);
}

#[test]
fn every_rule_has_its_code() {
    let body = "<s:Body><get/></s:Body>";
    let header = format!("<s:Header>{CLIENT}{SERVICE}{REST}</s:Header>");
    message(&envelope(&header, body));
    for (text, expected) in [
        (String::new(), "invalid_soap"),
        ("<a/>".into(), "invalid_soap"),
        (
            envelope(&header, body).replace("/soap/envelope/", "/soap12/"),
            "invalid_soap",
        ),
        (envelope(&header, body) + "<x/>", "invalid_soap"),
        (envelope(&header, body).replace("<get/>", "<get>"), "invalid_soap"),
        (
            envelope(&header, body).replacen("<s:", "<!DOCTYPE s><s:", 1),
            "invalid_soap",
        ),
        (envelope("", body), "missing_header"),
        (envelope(&header, ""), "missing_body"),
        (envelope(&header, "<s:Body/>"), "invalid_body"),
        (envelope(&header, "<s:Body><get/><get/></s:Body>"), "invalid_body"),
        (
            envelope(&header, "<s:Body><other/></s:Body>"),
            "inconsistent_headers",
        ),
        (envelope(&header, &format!("{body}{body}")), "invalid_soap"),
        (envelope(&format!("{header}{header}"), body), "invalid_soap"),
        (with_header(&format!("{CLIENT}{SERVICE}")), "missing_header_field"),
        (with_header(&format!("{CLIENT}{REST}")), "missing_header_field"),
        (with_header(&format!("{SERVICE}{REST}")), "missing_header_field"),
        (
            with_header(&format!("{CLIENT}{SERVICE}<x:id>1</x:id>")),
            "missing_header_field",
        ),
        (
            with_header(&format!("{CLIENT}{CLIENT}{SERVICE}{REST}")),
            "duplicate_header_field",
        ),
        (
            with_header(&format!("{CLIENT}{SERVICE}{REST}<x:id/>")),
            "duplicate_header_field",
        ),
        (
            with_header(&CLIENT.replace("</x:client>", "<i:memberCode>2</i:memberCode></x:client>")),
            "duplicate_header_field",
        ),
        (
            with_header(&CLIENT.replace("SUBSYSTEM", "SERVICE")),
            "invalid_xml",
        ),
        (
            with_header(&CLIENT.replace("i:objectType", "objectType")),
            "invalid_xml",
        ),
        (
            with_header("<x:protocolVersion>3.0</x:protocolVersion>"),
            "invalid_protocol_version",
        ),
        (
            with_header(&CLIENT.replace("<i:memberCode>1</i:memberCode>", "")),
            "internal_error",
        ),
    ] {
        assert_eq!(code(&text), expected, "{text}");
    }
    let plain = ContentType::parse("text/plain").unwrap();
    assert_eq!(
        parse(b"<a/>", &plain).unwrap_err().fault_code(),
        "invalid_content_type"
    );
}

#[test]
fn a_fault_needs_no_header() {
    let body = "<s:Body><s:Fault><faultcode>server.serverproxy.access_denied</faultcode><faultstring>no &lt;</faultstring>\
        <faultactor/><detail><faultDetail xmlns=''>uuid</faultDetail></detail></s:Fault></s:Body>";
    let text = envelope("", body);
    let ParsedSoap::Fault(fault) = parse(text.as_bytes(), &text_xml()).unwrap() else {
        panic!()
    };
    assert_eq!(fault.code.as_str(), "server.serverproxy.access_denied");
    assert_eq!(
        (fault.message.as_str(), fault.detail.as_deref()),
        ("no <", Some("uuid"))
    );
    assert_eq!(fault.to_soap_xml(), text.as_bytes(), "relayed verbatim");
    let ours = Fault::new("server.clientproxy.io_error", "a&b").with_detail("d");
    let ParsedSoap::Fault(read) = parse(&ours.to_soap_xml(), &text_xml()).unwrap() else {
        panic!()
    };
    assert_eq!(
        (&read.code, &read.message, &read.detail),
        (&ours.code, &ours.message, &ours.detail)
    );
}

fn recoded(text: &str) -> (String, SoapMessage) {
    match with_request_hash(text.as_bytes(), &text_xml(), &[1; 64]).unwrap() {
        Recoded::Message { bytes, message } => (String::from_utf8(bytes).unwrap(), *message),
        Recoded::Fault(fault) => panic!("{fault}"),
    }
}

const HASH: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==";

#[test]
fn the_request_hash_follows_the_id() {
    let fields = format!(
        "\n    {CLIENT}\n  {SERVICE}\n  <x:id a=\"1&amp;\" b='\"'>id-1</x:id>\n  <x:protocolVersion>4.0</x:protocolVersion>\n"
    );
    let body = "<s:Body><getResponse><!-- c --><![CDATA[<x>]]>&lt;<e/></getResponse></s:Body>";
    let text = envelope(&format!("<s:Header>{fields}</s:Header>"), body);
    let (out, message) = recoded(&text);
    let inserted = format!(
        "\n    <x:requestHash a=\"1&amp;\" b='\"' algorithmId=\"{REQUEST_HASH_ALGORITHM}\">{HASH}</x:requestHash>"
    );
    let expected = text
        .replace("utf-8", "UTF-8")
        .replace("</x:id>", &format!("</x:id>{inserted}"));
    assert_eq!(out, expected);
    assert_eq!(message.header.request_hash.as_ref().unwrap().value, HASH);
    assert!(message.is_response());
    assert_eq!(message.signer(), &message.header.service.provider);
    let mut again = self::message(&out);
    assert_eq!(again, message);
    assert_eq!(check_request_hash(&again.header, &[1; 64]), Ok(()));
    again.header.request_hash.as_mut().unwrap().value = "AQ==".into();
    assert_eq!(
        check_request_hash(&again.header, &[1; 64])
            .unwrap_err()
            .fault_code(),
        "inconsistent_response"
    );
    let filtered = String::from_utf8(filtered_message(&message)).unwrap();
    assert!(
        !filtered.contains("CDATA")
            && filtered.ends_with("<SOAP-ENV:Body><xroad:getResponse/></SOAP-ENV:Body></SOAP-ENV:Envelope>"),
        "{filtered}"
    );
    assert_eq!(self::message(&filtered).header, message.header);
}

#[test]
fn an_existing_request_hash_is_dropped_wherever_it_stands() {
    let old = "\n\t<x:requestHash>old</x:requestHash>";
    let empty = "<x:requestHash/>";
    let body = "<s:Body><getResponse/></s:Body>";
    let without = |fields: &str| recoded(&envelope(&format!("<s:Header>{fields}</s:Header>"), body)).0;
    let expected = without(&format!("{CLIENT}{SERVICE}{REST}"));
    for hash in [old, empty] {
        for fields in [
            format!("{CLIENT}{hash}{SERVICE}{REST}"),
            format!("{CLIENT}{SERVICE}{hash}{REST}"),
            format!("{CLIENT}{SERVICE}{REST}{hash}"),
            format!(
                "{CLIENT}{SERVICE}{}",
                REST.replace("</x:id>", &format!("</x:id>{hash}"))
            ),
        ] {
            let out = without(&fields).replace("\n\t<x:requestHash a", "<x:requestHash a");
            assert_eq!(out, expected, "{fields}");
        }
    }
}

#[test]
fn a_response_becomes_utf8() {
    let text = envelope(
        &format!("<s:Header>{CLIENT}{SERVICE}{REST}</s:Header>"),
        "<s:Body><getResponse>\u{E4}</getResponse></s:Body>",
    );
    let latin: Vec<u8> = text
        .replace("utf-8", "ISO-8859-1")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap())
        .collect();
    let Recoded::Message { bytes, .. } = with_request_hash(&latin, &text_xml(), &[1; 64]).unwrap() else {
        panic!()
    };
    assert_eq!(String::from_utf8(bytes).unwrap(), recoded(&text).0);
    let (no_declaration, _) = recoded(&format!("\u{FEFF}{}", text.split_once("?>").unwrap().1));
    assert_eq!(no_declaration, recoded(&text).0);
}

#[test]
fn responses_are_compared_field_by_field() {
    let request = message(&with_header(&format!(
        "{CLIENT}{SERVICE}{REST}<x:userId>u</x:userId>"
    )))
    .header;
    let mut response = request.clone();
    response.protocol_version = "4.1".into();
    response.security_server = "EE/GOV/2/ss".parse().ok();
    assert_eq!(check_consistency(&request, &response), Ok(()));
    response.user_id = None;
    let error = check_consistency(&request, &response).unwrap_err();
    assert_eq!(error, SoapError::InconsistentResponse("userId"));
    assert_eq!(error.fault_code(), "inconsistent_response");
    assert_eq!(
        check_request_hash(&response, &[1]),
        Err(SoapError::RequestHash("is missing"))
    );
}

proptest::proptest! {
    #[test]
    fn hostile_messages_never_panic(
        pieces in proptest::collection::vec(proptest::sample::select(vec![
            CLIENT, SERVICE, REST, "<s:Header>", "</s:Header>", "<s:Body>", "</s:Body>", "<get/>", "<x:requestHash>",
            "</x:requestHash>", "<x:id/>", "<s:Fault>", "</s:Fault>", "<faultcode>c</faultcode>", "<detail>", "</detail>",
            " ", "<!--c-->", "&amp;", "ä",
        ]), 0..12)
    ) {
        let text = envelope("", &pieces.concat());
        let parsed = parse(text.as_bytes(), &text_xml());
        let recoded = with_request_hash(text.as_bytes(), &text_xml(), &[1; 64]);
        proptest::prop_assert_eq!(parsed.is_ok(), recoded.is_ok());
        if let Ok(Recoded::Message { bytes, message }) = recoded {
            proptest::prop_assert_eq!(parse(&bytes, &text_xml()).unwrap(), ParsedSoap::Message(message));
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &text_xml());
    }
}
