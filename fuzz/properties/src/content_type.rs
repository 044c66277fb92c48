//! `Content-Type` values and their boundaries.

use protocol_message::transport::{ContentType, MAX_BOUNDARY_LENGTH, MAX_CONTENT_TYPE_LENGTH};

/// Acceptable is a multipart type with a boundary.
pub fn check(data: &[u8]) -> bool {
    let value = String::from_utf8_lossy(data);
    let Ok(parsed) = ContentType::parse(value.trim_end()) else {
        return false;
    };
    assert!(parsed.as_str().len() <= MAX_CONTENT_TYPE_LENGTH);
    let recoded = parsed.with_utf8_charset();
    if recoded.len() <= MAX_CONTENT_TYPE_LENGTH {
        let again = ContentType::parse(&recoded);
        let essence = again.as_ref().map(ContentType::essence);
        assert_eq!(essence, Ok(parsed.essence()));
    }
    match parsed.boundary() {
        Ok(boundary) => {
            assert!((1..=MAX_BOUNDARY_LENGTH).contains(&boundary.len()));
            assert!(
                !boundary.contains(['\r', '\n']),
                "a boundary that could end a line"
            );
            true
        }
        Err(_) => false,
    }
}
