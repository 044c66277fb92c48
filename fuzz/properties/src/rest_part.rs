//! The request and response parts of REST messages (wire.md 1.4), and endpoint matching on their paths (6.2).

use protocol_message::rest::{EndpointPath, EndpointPattern, RequestPart, ResponsePart};

/// Acceptable is what is a request part or a response part.
pub fn check(data: &[u8]) -> bool {
    let request = RequestPart::parse(data);
    if let Ok(part) = &request {
        check_request(part);
    }
    let response = ResponsePart::parse(data);
    if let Ok(part) = &response {
        check_response(part, data);
    }
    request.is_ok() || response.is_ok()
}

fn check_request(part: &RequestPart) {
    let canonical = part.canonical_bytes();
    let again = RequestPart::parse(&canonical);
    assert_eq!(
        again.as_ref().map(RequestPart::canonical_bytes),
        Ok(canonical),
        "a canonical part stays as it is"
    );
    assert!(
        RequestPart::parse(&part.filtered()).is_ok(),
        "what is logged without a body is a part"
    );
    if let Ok(path) = EndpointPath::from_raw(part.service_path()) {
        for value in part.headers().map(|header| header.value) {
            check_pattern(value, &path);
        }
        check_pattern("**", &path);
    }
}

/// Longest pattern and path that are also judged by [`plainly`], in bytes.
const SHORT: usize = 24;

fn check_pattern(pattern: &str, path: &EndpointPath) {
    let Ok(parsed) = EndpointPattern::parse(pattern) else {
        return;
    };
    let matches = parsed.matches(path);
    if pattern.len() <= SHORT && path.as_str().len() <= SHORT && pattern.matches("**").count() <= 3 {
        assert_eq!(
            matches,
            plainly(pattern.as_bytes(), path.as_str().as_bytes()),
            "{pattern:?} and {path:?}"
        );
    }
    assert!(pattern != "**" || matches, "the whole service has every path");
}

/// What a pattern means, tried out in every way (wire.md 6.2).
fn plainly(pattern: &[u8], path: &[u8]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [b'\\', literal @ (b'*' | b'\\'), rest @ ..] => starts(*literal, rest, path),
        [b'*', b'*', rest @ ..] => {
            let stars = rest.iter().take_while(|byte| **byte == b'*').count();
            let rest = rest.get(stars..).unwrap_or_default();
            (0..=path.len()).any(|from| path.get(from..).is_some_and(|tail| plainly(rest, tail)))
        }
        [b'*', rest @ ..] => {
            let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
            plainly(rest, path.get(end..).unwrap_or_default())
        }
        [literal, rest @ ..] => starts(*literal, rest, path),
    }
}

fn starts(literal: u8, rest: &[u8], path: &[u8]) -> bool {
    matches!(path, [first, tail @ ..] if *first == literal && plainly(rest, tail))
}

fn check_response(part: &ResponsePart, data: &[u8]) {
    assert_eq!(part.to_bytes(), data);
    assert!(
        ResponsePart::parse(&part.filtered()).is_ok(),
        "what is logged without a body is a part"
    );
}
