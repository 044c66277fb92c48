//! `multipart/related` as the example service reads and writes it: whole messages in memory.
//!
//! Deliberately not the decoder of `protocol-message`: an information system is somebody else's program, and a fault in
//! ours shall not hide behind the same fault here.

/// One part: its header block (without the empty line) and its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Header lines, separated by CRLF.
    pub head: String,
    /// The body, byte by byte.
    pub body: Vec<u8>,
}

/// The value of a parameter of a header value: `boundary` in `multipart/related; boundary="x"`.
pub fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (found, value) = parameter.split_once('=')?;
        found
            .trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The parts of a multipart message, or nothing when `body` is no such message.
pub fn split(body: &[u8], boundary: &str) -> Option<Vec<Part>> {
    let delimiter = format!("--{boundary}");
    let mut rest = after(body, delimiter.as_bytes())?;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let content = after(rest, b"\r\n")?;
        let end = find(content, format!("\r\n{delimiter}").as_bytes())?;
        let (part, next) = content.split_at(end);
        parts.push(read_part(part)?);
        rest = next.get(2 + delimiter.len()..)?;
    }
    Some(parts)
}

fn read_part(part: &[u8]) -> Option<Part> {
    if let Some(body) = part.strip_prefix(b"\r\n") {
        return Some(Part {
            head: String::new(),
            body: body.to_vec(),
        });
    }
    let end = find(part, b"\r\n\r\n")?;
    let head = String::from_utf8(part.get(..end)?.to_vec()).ok()?;
    Some(Part {
        head,
        body: part.get(end + 4..)?.to_vec(),
    })
}

/// The bytes of a multipart message.
pub fn join(parts: &[Part], boundary: &str) -> Vec<u8> {
    let mut message = Vec::new();
    for part in parts {
        let head = if part.head.is_empty() {
            String::new()
        } else {
            format!("{}\r\n", part.head)
        };
        message.extend_from_slice(format!("--{boundary}\r\n{head}\r\n").as_bytes());
        message.extend_from_slice(&part.body);
        message.extend_from_slice(b"\r\n");
    }
    message.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    message
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

fn after<'a>(bytes: &'a [u8], pattern: &[u8]) -> Option<&'a [u8]> {
    bytes.get(find(bytes, pattern)? + pattern.len()..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_joined_is_split_again() {
        let parts = [
            Part {
                head: "Content-Type: text/xml".into(),
                body: b"<a/>".to_vec(),
            },
            Part {
                head: String::new(),
                body: b"\0\r\n\r\n--not".to_vec(),
            },
        ];
        assert_eq!(split(&join(&parts, "b1"), "b1").unwrap(), parts);
    }

    #[test]
    fn a_message_without_an_end_is_refused() {
        assert_eq!(split(b"--b\r\n\r\nhalf", "b"), None);
        assert_eq!(split(b"no boundary at all", "b"), None);
    }

    #[test]
    fn parameters_may_be_quoted() {
        let value = r#"multipart/related; type="text/xml"; Boundary=x1"#;
        assert_eq!(parameter(value, "boundary").as_deref(), Some("x1"));
        assert_eq!(parameter(value, "type").as_deref(), Some("text/xml"));
        assert_eq!(parameter(value, "start"), None);
    }
}
