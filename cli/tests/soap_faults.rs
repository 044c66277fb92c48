//! What goes wrong with SOAP, and what the information system is told: by this server, by the other one, by the provider.

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

use information_system::pair::{Pair, element, multipart, part, request, response};
use information_system::{Answer, Envelope, Manner, Message, TEXT_XML, between, consumer, send};

/// A request with a text replaced; the text must be there.
fn changed(from: &str, to: &str) -> String {
    let xml = request().xml();
    assert!(xml.contains(from), "{from}");
    xml.replace(from, to)
}

#[test]
fn what_is_not_a_message_or_not_for_this_server_is_refused_with_the_code_that_says_why() {
    let Some(pair) = Pair::up(123) else { return };
    assert_eq!(pair.code(TEXT_XML, request().xml()), "ok");
    pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
    malformed(&pair);
    header_rules(&pair);
    methods_and_types(&pair);
    assert!(pair.provider.asked().is_empty(), "the provider was asked");
    who_may_call_what(&pair);
    named_servers(&pair);
}

fn malformed(pair: &Pair) {
    let doctype = request()
        .xml()
        .replacen("?>\n", "?>\n<!DOCTYPE s:Envelope [<!ENTITY a \"b\">]>", 1);
    let second_child = changed("</e:getState>", "</e:getState><e:getState xmlns:e=\"urn:e\"/>");
    let body = between(&request().xml(), "<s:Body>", "</s:Body>").unwrap();
    let header = between(&request().xml(), "<s:Header>", "</s:Header>").unwrap();
    for (what, xml, code) in [
        ("empty", String::new(), "client.invalid_soap"),
        ("text", "hello".into(), "client.invalid_soap"),
        ("cut", request().xml()[..700].into(), "client.invalid_soap"),
        (
            "not well-formed",
            changed("</e:getState>", "</e:getstate>"),
            "client.invalid_soap",
        ),
        ("DOCTYPE", doctype, "client.invalid_soap"),
        ("unknown entity", changed("Tere", "&tere;"), "client.invalid_soap"),
        ("another root", "<a/>".into(), "client.invalid_soap"),
        (
            "SOAP 1.2",
            changed(
                "http://schemas.xmlsoap.org/soap/envelope/",
                "http://www.w3.org/2003/05/soap-envelope",
            ),
            "client.invalid_soap",
        ),
        (
            "no header",
            changed(&format!("<s:Header>{header}</s:Header>"), ""),
            "client.missing_header",
        ),
        (
            "no body",
            changed(&format!("<s:Body>{body}</s:Body>"), ""),
            "client.missing_body",
        ),
        ("empty body", changed(&body, ""), "client.invalid_body"),
        ("two children", second_child, "client.invalid_body"),
        (
            "another child",
            changed("e:getState", "e:setState"),
            "client.inconsistent_headers",
        ),
    ] {
        let got = pair.post(TEXT_XML, &xml);
        assert_eq!(got.fault_code().as_deref(), Some(code), "{what}");
        is_fault(&got);
    }
}

/// Faults have status 200, an empty SOAPAction, a text and a detail.
fn is_fault(got: &Message) {
    assert_eq!(got.status(), 200);
    assert_eq!(got.header("soapaction"), Some(""));
    assert_eq!(
        got.header("content-type")
            .unwrap()
            .replace(' ', "")
            .to_ascii_lowercase(),
        "text/xml;charset=utf-8"
    );
    let text = got.text();
    assert!(
        text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?><SOAP-ENV:Envelope"),
        "{text}"
    );
    assert!(
        !between(&text, "<faultstring>", "</faultstring>")
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        between(&text, "<faultDetail xmlns=\"\">", "</faultDetail>")
            .unwrap()
            .len(),
        36,
        "a UUID"
    );
}

fn header_rules(pair: &Pair) {
    for name in ["client", "service", "id", "protocolVersion"] {
        assert_eq!(
            pair.code(TEXT_XML, changed(&element(name), "")),
            "client.missing_header_field",
            "{name}"
        );
    }
    for name in ["client", "service", "id", "userId", "protocolVersion"] {
        let twice = element(name).repeat(2);
        assert_eq!(
            pair.code(TEXT_XML, changed(&element(name), &twice)),
            "client.duplicate_header_field",
            "{name}"
        );
    }
    for (what, from, to, code) in [
        ("version 5", ">4.0<", ">5.0<", "client.invalid_protocol_version"),
        ("no type", " i:objectType=\"SERVICE\"", "", "client.invalid_xml"),
        (
            "a wrong type",
            "i:objectType=\"SERVICE\"",
            "i:objectType=\"SUBSYSTEM\"",
            "client.invalid_xml",
        ),
        (
            "an unknown type",
            "i:objectType=\"SUBSYSTEM\"",
            "i:objectType=\"HOUSE\"",
            "client.invalid_xml",
        ),
    ] {
        assert_eq!(pair.code(TEXT_XML, changed(from, to)), code, "{what}");
    }
}

fn methods_and_types(pair: &Pair) {
    let asked = request().xml();
    for method in ["GET /", "GET /some/path", "PUT /", "DELETE /"] {
        let got = send(
            consumer(&pair.instance),
            method,
            &[("Content-Type", TEXT_XML)],
            b"",
        );
        assert_eq!(
            got.fault_code().as_deref(),
            Some("client.invalid_http_method"),
            "{method}"
        );
        is_fault(&got);
    }
    for wrong in ["text/plain", "application/soap+xml", "application/json", "blah"] {
        assert_eq!(pair.code(wrong, &asked), "client.invalid_content_type", "{wrong}");
    }
    let got = pair.post_with(&[], &asked);
    assert_eq!(
        got.fault_code().as_deref(),
        Some("server.clientproxy.internal_error"),
        "no content type at all"
    );
}

fn who_may_call_what(pair: &Pair) {
    let ask = |service: &str| Envelope { service, ..request() }.xml();
    for (service, code, text) in [
        ("absent", "unknown_service", "Unknown service: "),
        ("hidden", "access_denied", "Request is not allowed: "),
        ("shut", "service_disabled", "is disabled: Closed for the winter"),
        ("hiddenAndShut", "access_denied", "Request is not allowed: "),
        ("echo", "service_type", "REST"),
    ] {
        let got = pair.post(TEXT_XML, ask(service));
        assert_eq!(
            got.fault_code(),
            Some(format!("server.serverproxy.{code}")),
            "{service}"
        );
        assert!(got.text().contains(text), "{service}: {}", got.text());
        is_fault(&got);
    }
    let unknown_client = changed("<i:subsystemCode>client<", "<i:subsystemCode>nobody<");
    assert_eq!(
        pair.code(TEXT_XML, unknown_client),
        "server.clientproxy.unknown_member"
    );
    let unknown_provider = changed("<i:subsystemCode>provider<", "<i:subsystemCode>nobody<");
    assert_eq!(
        pair.code(TEXT_XML, unknown_provider),
        "server.clientproxy.unknown_member"
    );
    assert!(pair.provider.asked().is_empty(), "the provider was asked");
}

fn named_servers(pair: &Pair) {
    let named = |member: &str, code: &str| {
        let header = format!(
            "<x:securityServer i:objectType=\"SERVER\"><i:xRoadInstance>SANDBOX</i:xRoadInstance>\
             <i:memberClass>ORG</i:memberClass><i:memberCode>{member}</i:memberCode>\
             <i:serverCode>{code}</i:serverCode></x:securityServer>"
        );
        Envelope {
            header: &header,
            ..request()
        }
        .xml()
    };
    assert_eq!(pair.code(TEXT_XML, named("2002", "provider")), "ok");
    for (member, code) in [("1001", "consumer"), ("2002", "absent")] {
        let got = pair.code(TEXT_XML, named(member, code));
        assert_eq!(
            got, "server.clientproxy.invalid_security_server",
            "{member}/{code}"
        );
    }
}

fn fault_of_service(code: &str, extra: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<!-- ours --><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">{extra}\n\
         <soap:Body><soap:Fault><faultcode>{code}</faultcode><faultstring xml:lang='et'>Ei õnnestunud &amp; läks katki\
         </faultstring><faultactor>urn:actor</faultactor><detail><d:d xmlns:d='urn:d' a=\"1\"/><e>5</e></detail></soap:Fault>\
         </soap:Body></soap:Envelope>\n\n"
    )
}

#[test]
fn faults_of_the_provider_come_as_it_wrote_them_and_answers_to_something_else_do_not_come() {
    let Some(pair) = Pair::up(124) else { return };
    let asked = request().xml();
    for (status, code) in [
        ("500 Internal Server Error", "soap:Server"),
        ("200 OK", "soap:Client.Own"),
        ("500 Internal Server Error", "Server.ServerProxy.AccessDenied"),
        ("500 Internal Server Error", "server.clientproxy.unknown_member"),
    ] {
        let fault = fault_of_service(code, "");
        pair.provider.answers(Answer {
            status,
            ..Answer::new("text/xml;charset=utf-8", fault.clone())
        });
        let got = pair.post(TEXT_XML, &asked);
        assert_eq!((got.status(), got.text()), (200, fault), "{code}");
        assert_eq!(
            (got.fault_code().as_deref(), got.header("soapaction")),
            (Some(code), Some(""))
        );
    }
    faults_with_attachments(&pair);
    other_answers(&pair);
    broken_multiparts(&pair);
    providers_that_do_not_answer(&pair);
    consistency(&pair);
    assert_eq!(
        pair.code_of_answer(TEXT_XML, response().xml()),
        "ok",
        "all is well after all of that"
    );
}

fn faults_with_attachments(pair: &Pair) {
    let fault = fault_of_service("soap:Server", "<soap:Header/>");
    let parts = [
        part(
            "Content-Type: application/xop+xml; type=\"text/xml\"",
            fault.clone(),
        ),
        part("Content-Type: a/b", "x"),
    ];
    pair.provider.answers(Answer::new(
        "multipart/related; boundary=b",
        multipart("b", &parts),
    ));
    let got = pair.post(TEXT_XML, request().xml());
    assert_eq!((got.status(), got.text()), (200, fault));
    assert_eq!(got.header("soapaction"), Some(""));
    let request_as_fault = pair.post(TEXT_XML, fault_of_service("soap:Server", ""));
    assert_eq!(
        request_as_fault.fault_code().as_deref(),
        Some("client.soap:server")
    );
}

fn other_answers(pair: &Pair) {
    let failed = |code: &str| format!("server.serverproxy.service_failed.{code}");
    for (content_type, body, code) in [
        ("text/html", response().xml(), "invalid_content_type"),
        ("application/soap+xml", response().xml(), "invalid_content_type"),
        (TEXT_XML, String::new(), "invalid_soap"),
        (
            TEXT_XML,
            response().xml().replace("</s:Body>", ""),
            "invalid_soap",
        ),
        (
            TEXT_XML,
            response().xml().replacen("?>\n", "?>\n<!DOCTYPE a>", 1),
            "invalid_soap",
        ),
        (
            TEXT_XML,
            response().xml().replace(&element("id"), ""),
            "missing_header_field",
        ),
        (
            TEXT_XML,
            response()
                .xml()
                .replace(&element("userId"), &element("userId").repeat(2)),
            "duplicate_header_field",
        ),
        (
            TEXT_XML,
            response().xml().replace("e:getState", "e:setState"),
            "inconsistent_headers",
        ),
    ] {
        assert_eq!(
            pair.code_of_answer(content_type, body.clone()),
            failed(code),
            "{body}"
        );
    }
    for (status, code) in [
        ("404 Not Found", "http_error"),
        ("302 Found", "http_error"),
        ("503 Service Unavailable", "http_error"),
        ("202 Accepted", "http_error"),
    ] {
        pair.provider.answers(Answer {
            status,
            ..Answer::new(TEXT_XML, response().xml())
        });
        assert_eq!(pair.code(TEXT_XML, request().xml()), failed(code), "{status}");
    }
    pair.provider.answers(Answer {
        missing: 10,
        ..Answer::new(TEXT_XML, response().xml())
    });
    assert_eq!(
        pair.code(TEXT_XML, request().xml()),
        failed("io_error"),
        "a connection that ends too early"
    );
    pair.provider.answers(Answer {
        content_type: None,
        ..Answer::new(TEXT_XML, response().xml())
    });
    assert_eq!(
        pair.code(TEXT_XML, request().xml()),
        failed("invalid_content_type"),
        "no content type"
    );
    let message_with_500 = Answer {
        status: "500 Internal Server Error",
        ..Answer::new(TEXT_XML, response().xml())
    };
    pair.provider.answers(message_with_500);
    assert_eq!(
        pair.code(TEXT_XML, request().xml()),
        "ok",
        "a message is a message, whatever its status"
    );
}

/// What a provider must send back as it came, and what it may change.
fn consistency(pair: &Pair) {
    let party = "<r:representedParty xmlns:r=\"http://x-road.eu/xsd/representation.xsd\"><r:partyCode>P</r:partyCode>\
                 </r:representedParty>";
    let inconsistent = "server.clientproxy.service_failed.inconsistent_response";
    for (what, xml, code) in [
        ("id", response().xml().replace("id-1", "id-2"), inconsistent),
        ("user", response().xml().replace("EE1", "EE2"), inconsistent),
        (
            "no user",
            response().xml().replace(&element("userId"), ""),
            inconsistent,
        ),
        (
            "client",
            response().xml().replace("Code>client<", "Code>other<"),
            inconsistent,
        ),
        (
            "service",
            response().xml().replace("Code>provider<", "Code>other<"),
            inconsistent,
        ),
        (
            "issue",
            Envelope {
                header: "<x:issue>7</x:issue>",
                ..response()
            }
            .xml(),
            inconsistent,
        ),
        (
            "party",
            Envelope {
                header: party,
                ..response()
            }
            .xml(),
            inconsistent,
        ),
        (
            "protocol version",
            response().xml().replace(">4.0<", ">4.x<"),
            "ok",
        ),
        (
            "another element",
            Envelope {
                header: "<own xmlns=\"urn:own\">7</own>",
                ..response()
            }
            .xml(),
            "ok",
        ),
        ("the request itself", request().xml(), "ok"),
    ] {
        assert_eq!(pair.code_of_answer(TEXT_XML, xml.clone()), code, "{what}: {xml}");
    }
    let with_both = "<x:issue>7</x:issue>".to_owned() + party;
    pair.provider.answers(Answer::new(
        TEXT_XML,
        Envelope {
            header: &with_both,
            ..response()
        }
        .xml(),
    ));
    assert_eq!(
        pair.code(
            TEXT_XML,
            Envelope {
                header: &with_both,
                ..request()
            }
            .xml()
        ),
        "ok"
    );
}

fn broken_multiparts(pair: &Pair) {
    let related = "multipart/related; boundary=b";
    let soap = |xml: &str| part("Content-Type: text/xml", xml);
    let attachment = || part("Content-Type: a/b", "x");
    let whole = |xml: String| multipart("b", &[soap(&xml), attachment()]);
    let without_type = |xml: String| multipart("b", &[soap(&xml), part("X-Own: x", "x")]);
    let wrong_first = |xml: String| multipart("b", &[attachment(), soap(&xml)]);
    let not_soap = |_: String| multipart("b", &[soap("<not><soap/></not>"), attachment()]);
    let both = |what: &str, content_type: &str, make: &dyn Fn(String) -> Vec<u8>, code: &str| {
        let (client, service) = match code {
            "ok" => ("ok".to_owned(), "ok".to_owned()),
            code => (
                format!("client.{code}"),
                format!("server.serverproxy.service_failed.{code}"),
            ),
        };
        pair.provider.answers(Answer::new(TEXT_XML, response().xml()));
        assert_eq!(pair.code(content_type, make(request().xml())), client, "{what}");
        assert_eq!(
            pair.code_of_answer(content_type, make(response().xml())),
            service,
            "{what}"
        );
    };
    both("whole", related, &whole, "ok");
    both(
        "attachment without type",
        related,
        &without_type,
        "invalid_content_type",
    );
    both("attachment first", related, &wrong_first, "invalid_content_type");
    both("something else than SOAP", related, &not_soap, "invalid_soap");
    both("no boundary", "multipart/related", &whole, "invalid_content_type");
    both(
        "multipart/mixed",
        "multipart/mixed; boundary=b",
        &whole,
        "invalid_content_type",
    );
    let empty = "\r\n--b--\r\n";
    assert_eq!(pair.code(related, empty), "client.missing_soap");
    assert_eq!(
        pair.code_of_answer(related, empty),
        "server.serverproxy.service_failed.invalid_message"
    );
}

fn providers_that_do_not_answer(pair: &Pair) {
    let whole = Answer::new(TEXT_XML, response().xml());
    for (service, manner, code) in [
        ("impatient", Manner::Answers, "inconsistent_response"),
        ("impatient", Manner::IsSilent, "io_error"),
        ("getState", Manner::HangsUp, "io_error"),
        ("unreachable", Manner::Answers, "network_error"),
        ("notTls", Manner::Answers, "io_error"),
    ] {
        pair.provider.answers(Answer {
            manner,
            ..whole.clone()
        });
        let got = pair.code(TEXT_XML, Envelope { service, ..request() }.xml());
        let side = if code == "inconsistent_response" {
            "clientproxy"
        } else {
            "serverproxy"
        };
        assert_eq!(
            got,
            format!("server.{side}.service_failed.{code}"),
            "{service} {manner:?}"
        );
    }
}
