//! Error bodies of the REST interface (wire.md 1.5).

use super::Fault;
use super::xml::element_into;
use serde::Serialize;

/// An error response to an information system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// HTTP status, 400 or 500.
    pub status: u16,
    /// Value of `X-Road-Error`: the code, with `?` for whatever a peer's code holds that a header cannot.
    pub error_header: String,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Json<'a> {
    #[serde(rename = "type")]
    code: &'a str,
    message: &'a str,
    detail: Option<&'a str>,
}

/// Renders a fault in the form that the values of the request's `Accept` headers ask for: the first of `text/xml`,
/// `application/xml` and `text/*` that occurs means XML, anything else JSON. Quality values are ignored.
#[must_use]
pub fn error_body<'a>(fault: &Fault, accept: impl IntoIterator<Item = &'a str>) -> ErrorBody {
    let accepted = accept
        .into_iter()
        .flat_map(|value| value.split(','))
        .find_map(xml_content_type);
    ErrorBody {
        status: fault.code.rest_status(),
        error_header: header_value(fault.code.as_str()),
        content_type: accepted.unwrap_or("application/json"),
        body: if accepted.is_some() {
            xml_body(fault)
        } else {
            json_body(fault)
        },
    }
}

fn header_value(code: &str) -> String {
    code.replace(|c: char| !c.is_ascii_graphic() && c != ' ', "?")
}

fn xml_content_type(media_range: &str) -> Option<&'static str> {
    let name = media_range.split(';').next().unwrap_or_default().trim();
    if name.eq_ignore_ascii_case("text/xml") || name.eq_ignore_ascii_case("text/*") {
        Some("text/xml;charset=utf-8")
    } else if name.eq_ignore_ascii_case("application/xml") {
        Some("application/xml;charset=utf-8")
    } else {
        None
    }
}

fn json_body(fault: &Fault) -> Vec<u8> {
    let json = Json {
        code: fault.code.as_str(),
        message: &fault.message,
        detail: fault.detail.as_deref(),
    };
    serde_json::to_vec(&json).unwrap_or_default()
}

fn xml_body(fault: &Fault) -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?><error>");
    element_into("type", fault.code.as_str(), &mut out);
    element_into("message", &fault.message, &mut out);
    element_into("detail", fault.detail.as_deref().unwrap_or_default(), &mut out);
    out.push_str("</error>");
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_type_for(accept: &[&str]) -> &'static str {
        error_body(&Fault::new("client.x", "m"), accept.iter().copied()).content_type
    }

    #[test]
    fn accept_decides_the_form() {
        const TEXT: &str = "text/xml;charset=utf-8";
        const APPLICATION: &str = "application/xml;charset=utf-8";
        const JSON: &str = "application/json";
        for (accept, expected) in [
            (&[][..], JSON),
            (&["application/xml"], APPLICATION),
            (&["text/xml"], TEXT),
            (&["application/xml, text/xml"], APPLICATION),
            (&["text/xml, application/xml"], TEXT),
            (&["text/xml-patch+xml"], JSON),
            (&["application/xml; q=0.2"], APPLICATION),
            (&["application/json", "text/*;q=0.1"], TEXT),
            (&["TEXT/XML"], TEXT),
            (&["*/*"], JSON),
        ] {
            assert_eq!(content_type_for(accept), expected, "{accept:?}");
        }
    }

    #[test]
    fn bodies_carry_code_message_and_detail() {
        let fault = Fault::new("server.clientproxy.io_error", "a \"b\" <c>").with_detail("uuid");
        let json = error_body(&fault, []);
        assert_eq!(json.status, 500);
        assert_eq!(json.error_header, "server.clientproxy.io_error");
        assert_eq!(
            error_body(&Fault::new("a\r\nb: c".to_owned(), ""), []).error_header,
            "a??b: c"
        );
        assert_eq!(
            String::from_utf8(json.body).unwrap(),
            r#"{"type":"server.clientproxy.io_error","message":"a \"b\" <c>","detail":"uuid"}"#
        );
        let xml = String::from_utf8(error_body(&fault, ["text/xml"]).body).unwrap();
        assert!(xml.ends_with("<error><type>server.clientproxy.io_error</type><message>a &quot;b&quot; &lt;c&gt;</message><detail>uuid</detail></error>"), "{xml}");
    }
}
