//! Tests of the multipart reader: what it finds, however the bytes are cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use proptest::prelude::*;

/// Reads a whole message cut into chunks; data is joined per part.
fn read(boundary: &str, chunks: &[&[u8]]) -> Result<Vec<(PartHeaders, Vec<u8>)>, TransportError> {
    let mut reader = Multipart::new(boundary)?;
    let mut parts: Vec<(PartHeaders, Vec<u8>)> = Vec::new();
    let mut open = false;
    for chunk in chunks {
        let mut rest: &[u8] = chunk;
        while let Some(event) = reader.next(&mut rest)? {
            match event {
                Event::PartStart(headers) => {
                    assert!(!open);
                    open = true;
                    parts.push((headers, Vec::new()));
                }
                Event::Data(data) => {
                    assert!(open && !data.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(data);
                }
                Event::PartEnd => {
                    assert!(open);
                    open = false;
                }
                Event::End => assert!(!open),
            }
        }
        assert!(rest.is_empty(), "everything is taken");
    }
    reader.finish().map(|()| parts)
}

fn bodies(text: &str) -> Result<Vec<String>, TransportError> {
    let whole = read("b", &[text.as_bytes()]);
    let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(read("b", &bytes), whole, "byte by byte");
    Ok(whole?
        .into_iter()
        .map(|(_, body)| String::from_utf8(body).unwrap())
        .collect())
}

#[test]
fn finds_parts() {
    assert_eq!(
        bodies("--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n").unwrap(),
        ["one", "two"]
    );
    assert_eq!(
        bodies("preamble\r\n--b \t\r\nA: b\r\n\r\none\r\n--b--epilogue").unwrap(),
        ["one"]
    );
    assert_eq!(bodies("\r\n--b\r\n\r\n\r\n--b--").unwrap(), [""]);
    assert_eq!(
        bodies("--b\r\n\r\n--b--").unwrap(),
        [""],
        "no line break before the boundary"
    );
    assert_eq!(
        bodies("--b\n\none\n--b\n\ntwo\r\n\n--b--\n").unwrap(),
        ["one", "two\r\n"]
    );
    assert_eq!(bodies("--b--").unwrap(), Vec::<String>::new());
}

#[test]
fn what_looks_like_a_boundary_is_data() {
    for body in [
        "x--b",
        "--bc",
        "\r\n--bc",
        "\r\n--",
        "\r",
        "\r\r\n\r",
        "\n",
        "\r\n--b-",
        "\r\n--b-x",
        "\r\n--b\u{0}",
        "a\r\n--\r\n--bx\r",
    ] {
        let text = format!("--b\r\n\r\n{body}\r\n--b--\r\n");
        assert_eq!(bodies(&text).unwrap(), [body], "{body:?}");
    }
}

#[test]
fn a_cut_message_is_an_error() {
    let whole = "--b\r\nA: b\r\n\r\none\r\n--b--";
    assert!(bodies(whole).is_ok());
    for end in 0..whole.len() {
        assert_eq!(bodies(&whole[..end]), Err(TransportError::Truncated), "{end}");
    }
    assert_eq!(
        bodies("--b\r\n\r\none\r\n--b x\r\n"),
        Err(TransportError::MalformedBoundary)
    );
}

#[test]
fn data_borrows_from_the_chunk() {
    let message = b"--b\r\n\r\nlong enough body\r\n--b--\r\n".to_vec();
    let mut reader = Multipart::new("b").unwrap();
    let mut rest: &[u8] = &message;
    let mut ranges = Vec::new();
    while let Some(event) = reader.next(&mut rest).unwrap() {
        if let Event::Data(data) = event {
            ranges.push(crate::transport::range_within(&message, data));
        }
    }
    assert_eq!(ranges, [Some(7..23)]);
}

#[test]
fn refuses_impossible_boundaries() {
    for wrong in ["", "a\r\nb", "ö", &"x".repeat(201)] {
        assert!(Multipart::new(wrong).is_err(), "{wrong:?}");
    }
}

/// Cuts `bytes` at the given places.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.insert(0, 0);
    at.push(bytes.len());
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_parts(
        bodies in prop::collection::vec("[\r\n\\-bc]{0,20}", 0..4),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        prop_assume!(bodies.iter().all(|body| !format!("\n{body}\n").contains("\n--b\n")
            && !body.contains("--b\r") && !body.contains("--b--")));
        let mut text = String::new();
        for body in &bodies {
            text += &format!("\r\n--b\r\nX: y\r\n\r\n{body}");
        }
        text += "\r\n--b--\r\n";
        let parts = read("b", &cut(text.as_bytes(), &cuts)).unwrap();
        let found: Vec<&[u8]> = parts.iter().map(|(_, body)| body.as_slice()).collect();
        let expected: Vec<&[u8]> = bodies.iter().map(String::as_bytes).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn hostile_bytes_never_panic(
        bytes in prop::collection::vec(prop::sample::select(b"\r\n-b: x".to_vec()), 0..80),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        prop_assert_eq!(read("b", &cut(&bytes, &cuts)), read("b", &[&bytes]));
    }
}
