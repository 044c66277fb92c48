//! The SOAP service: each operation answers with the request itself, in one of the forms that providers use.
//!
//! | Operation | The answer |
//! |---|---|
//! | `echoMessage` | plain; with the attachments of the request, if it has any |
//! | `echoBom` | begins with a byte order mark |
//! | `echoLatin1` | in ISO-8859-1 |
//! | `echoAttachments` | has two attachments of its own |
//! | `echoMtom` | MTOM: an XOP envelope and a binary attachment |
//! | `echoFault` | a SOAP fault |

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::multipart::{self, Part};

const BOUNDARY: &str = "sandbox-service-boundary";
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// The description of the service.
pub(super) async fn description() -> Response {
    ([(header::CONTENT_TYPE, "text/xml")], include_str!("echo.wsdl")).into_response()
}

/// Answers a SOAP request.
pub(super) async fn answer(headers: HeaderMap, body: Bytes) -> Response {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let Some((message, attachments)) = receive(content_type, &body) else {
        return fault("SOAP-ENV:Client", "The request is not a SOAP message in UTF-8");
    };
    match response_to(&message) {
        Some((operation, answer)) => form(&operation, &answer, attachments, content_type),
        None => fault("SOAP-ENV:Client", "The request has no body"),
    }
}

/// The SOAP message and the attachments of a request.
fn receive(content_type: &str, body: &[u8]) -> Option<(String, Vec<Part>)> {
    if !content_type.to_ascii_lowercase().starts_with("multipart/related") {
        return Some((text(body)?, Vec::new()));
    }
    let mut parts = multipart::split(body, &multipart::parameter(content_type, "boundary")?)?;
    let attachments = parts.split_off(1.min(parts.len()));
    Some((text(&parts.first()?.body)?, attachments))
}

fn text(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    String::from_utf8(bytes.to_vec()).ok()
}

/// The operation that a request asks for, and the same envelope with `Response` added to the operation's name.
///
/// The header is that of the request, byte by byte, as the message protocol asks of providers.
fn response_to(request: &str) -> Option<(String, String)> {
    let found = locate(request)?;
    let mut response = String::from(DECLARATION);
    response.push_str(request.get(found.envelope..found.name_end)?);
    response.push_str("Response");
    match found.closing_name_end {
        Some(closing) => {
            response.push_str(request.get(found.name_end..closing)?);
            response.push_str("Response");
            response.push_str(request.get(closing..)?);
        }
        None => response.push_str(request.get(found.name_end..)?),
    }
    Some((found.operation, response))
}

/// Where things are in a request, in bytes.
struct Located {
    envelope: usize,
    operation: String,
    name_end: usize,
    /// Absent when the element is empty: `<echo/>`.
    closing_name_end: Option<usize>,
}

fn locate(request: &str) -> Option<Located> {
    let mut reader = Reader::from_str(request);
    let mut found: Option<Located> = None;
    let (mut depth, mut envelope, mut in_body) = (0_usize, None, false);
    loop {
        let begin = position(&reader)?;
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                envelope = envelope.or(Some(begin));
                if in_body && depth == 2 && found.is_none() {
                    found = Some(located(
                        envelope?,
                        begin,
                        tag.name().as_ref(),
                        tag.local_name().as_ref(),
                    ));
                }
                in_body |= depth == 1 && tag.local_name().as_ref() == "Body";
                depth += 1;
            }
            Event::Empty(tag) if in_body && depth == 2 && found.is_none() => {
                return Some(located(
                    envelope?,
                    begin,
                    tag.name().as_ref(),
                    tag.local_name().as_ref(),
                ));
            }
            Event::End(tag) => {
                depth = depth.checked_sub(1)?;
                if depth == 2 && in_body {
                    let mut found = found?;
                    found.closing_name_end = Some(begin + "</".len() + tag.name().as_ref().len());
                    return Some(found);
                }
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

fn located(envelope: usize, begin: usize, name: &str, local_name: &str) -> Located {
    let name_end = begin + "<".len() + name.len();
    Located {
        envelope,
        operation: local_name.to_owned(),
        name_end,
        closing_name_end: None,
    }
}

fn position(reader: &Reader<&[u8]>) -> Option<usize> {
    usize::try_from(reader.buffer_position()).ok()
}

/// The answer in the form that the operation is there to show.
fn form(operation: &str, answer: &str, attachments: Vec<Part>, content_type: &str) -> Response {
    match operation {
        "echoBom" => xml(
            "text/xml; charset=UTF-8",
            [BYTE_ORDER_MARK, answer.as_bytes()].concat(),
        ),
        "echoLatin1" => xml("text/xml; charset=ISO-8859-1", latin1(answer)),
        "echoAttachments" => with_attachments(answer, own_attachments()),
        "echoMtom" => mtom(answer),
        "echoFault" => fault("SOAP-ENV:Server", "The service failed, as it was asked to"),
        _ if attachments.is_empty() => xml("text/xml; charset=UTF-8", answer.into()),
        _ => {
            let boundary = multipart::parameter(content_type, "boundary").unwrap_or_default();
            let root = Part {
                head: "Content-Type: text/xml; charset=UTF-8".into(),
                body: answer.into(),
            };
            xml(
                content_type,
                multipart::join(&[vec![root], attachments].concat(), &boundary),
            )
        }
    }
}

fn own_attachments() -> Vec<Part> {
    let part = |name: &str, body: &[u8]| Part {
        head: format!(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{name}>"
        ),
        body: body.to_vec(),
    };
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    vec![
        part("first", b"the first attachment"),
        part("second", &every_byte),
    ]
}

fn with_attachments(answer: &str, attachments: Vec<Part>) -> Response {
    let root = Part {
        head: "Content-Type: text/xml; charset=UTF-8\r\nContent-ID: <root>".into(),
        body: answer.into(),
    };
    let content_type =
        format!("multipart/related; type=\"text/xml\"; start=\"<root>\"; boundary=\"{BOUNDARY}\"");
    xml(
        &content_type,
        multipart::join(&[vec![root], attachments].concat(), BOUNDARY),
    )
}

fn mtom(answer: &str) -> Response {
    let root = Part {
        head: "Content-Type: application/xop+xml; charset=UTF-8; type=\"text/xml\"\r\n\
               Content-Transfer-Encoding: 8bit\r\nContent-ID: <root>"
            .into(),
        body: answer.into(),
    };
    let content_type = format!(
        "multipart/related; type=\"application/xop+xml\"; start=\"<root>\"; start-info=\"text/xml\"; boundary=\"{BOUNDARY}\""
    );
    xml(
        &content_type,
        multipart::join(&[vec![root], own_attachments()].concat(), BOUNDARY),
    )
}

/// The text in ISO-8859-1; what has no place there becomes a character reference.
fn latin1(answer: &str) -> Vec<u8> {
    let answer = answer.replacen("UTF-8", "ISO-8859-1", 1);
    let mut bytes = Vec::with_capacity(answer.len());
    for character in answer.chars() {
        match u8::try_from(u32::from(character)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(format!("&#{};", u32::from(character)).as_bytes()),
        }
    }
    bytes
}

fn xml(content_type: &str, body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, content_type.to_owned())], body).into_response()
}

fn fault(code: &str, text: &str) -> Response {
    let body = format!(
        "{DECLARATION}<SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\">\
         <SOAP-ENV:Body><SOAP-ENV:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>\
         <detail><reason xmlns=\"\">sandbox</reason></detail></SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    );
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        [(header::CONTENT_TYPE, "text/xml; charset=UTF-8")],
        body,
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"e\"><s:Header><id>7</id></s:Header>\
        <s:Body>\n<x:echoMessage xmlns:x=\"y\"><x:echoMessage>Õ</x:echoMessage></x:echoMessage>\n</s:Body></s:Envelope>";

    #[test]
    fn the_answer_is_the_request_under_the_name_of_a_response() {
        let (operation, answer) = response_to(REQUEST).unwrap();
        assert_eq!(operation, "echoMessage");
        let expected = "<s:Body>\n<x:echoMessageResponse xmlns:x=\"y\"><x:echoMessage>Õ</x:echoMessage>\
            </x:echoMessageResponse>\n</s:Body></s:Envelope>";
        assert!(answer.ends_with(expected), "{answer}");
        assert!(answer.contains("<s:Header><id>7</id></s:Header>"));
    }

    #[test]
    fn an_empty_operation_is_answered() {
        let request = "<s:Envelope xmlns:s=\"e\"><s:Body><echoBom/></s:Body></s:Envelope>";
        let (operation, answer) = response_to(request).unwrap();
        assert_eq!(operation, "echoBom");
        assert!(
            answer.ends_with("<s:Body><echoBomResponse/></s:Body></s:Envelope>"),
            "{answer}"
        );
    }

    #[test]
    fn a_message_without_an_operation_is_not_answered() {
        assert!(response_to("<s:Envelope xmlns:s=\"e\"><s:Body></s:Body></s:Envelope>").is_none());
        assert!(response_to("<s:Envelope").is_none());
    }

    #[test]
    fn latin1_keeps_what_it_can_say_and_refers_to_the_rest() {
        assert_eq!(
            latin1("encoding=\"UTF-8\" Õ€"),
            b"encoding=\"ISO-8859-1\" \xd5&#8364;"
        );
    }
}
