//! multipart/related requests: SOAP with attachments, and MTOM.

use super::options::Multipart;

/// What separates the parts.
const BOUNDARY: &str = "kiirtee-load-boundary-7d1b6f0c";

/// A message with attachments: its content type and its bytes. Every attachment is `filling`.
pub(super) fn package(
    form: Multipart,
    envelope: &str,
    attachments: u16,
    filling: &[u8],
) -> (String, Vec<u8>) {
    let (root_type, parameters) = match form {
        Multipart::Swa => ("text/xml; charset=UTF-8", "type=\"text/xml\""),
        Multipart::Mtom => (
            "application/xop+xml; charset=UTF-8; type=\"text/xml\"",
            "type=\"application/xop+xml\"; start-info=\"text/xml\"",
        ),
    };
    let content_type =
        format!("multipart/related; boundary=\"{BOUNDARY}\"; {parameters}; start=\"<message@kiirtee-load>\"");
    let mut bytes = part(root_type, "message@kiirtee-load", envelope.as_bytes());
    for number in 1..=attachments {
        bytes.extend(part("application/octet-stream", &attachment_id(number), filling));
    }
    bytes.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    (content_type, bytes)
}

/// The content id of an attachment, by its number from 1.
pub(super) fn attachment_id(number: u16) -> String {
    format!("attachment-{number}@kiirtee-load")
}

fn part(content_type: &str, id: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{id}>\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n"].concat()
}
