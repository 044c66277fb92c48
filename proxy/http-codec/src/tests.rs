use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::date::HttpDate;
use super::decoder::{BodyDecoder, Decoded};
use super::encode::{ResponseFraming, encode_chunk_size, encode_request, encode_response};
use super::framing::{BodyFraming, BodyLength, keeps_alive, request_framing, response_framing};
use super::parse::{HeadScanner, parse_request, parse_response};
use super::{MAX_CHUNK_EXTENSIONS, MAX_CHUNK_LINE, MAX_HEAD_LENGTH, MAX_HEADER_COUNT, MAX_TRAILER_LENGTH};
use crate::error::{BodyError, HeadError, HttpError};
use crate::head::{Method, RequestHead, ResponseHead, Target, Version};

/// What a server makes of a request head: where the body ends, or why it is refused.
fn request(text: &str) -> Result<(RequestHead, BodyFraming), HeadError> {
    let end = HeadScanner::default()
        .find_end(text.as_bytes())?
        .expect("a complete head");
    let head = parse_request(&Bytes::copy_from_slice(&text.as_bytes()[..end]))?;
    let framing = request_framing(&head)?;
    Ok((head, framing))
}

fn framing(fields: &str) -> Result<BodyFraming, HeadError> {
    request(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).map(|(_, framing)| framing)
}

fn response(text: &str, to_head: bool) -> Result<BodyFraming, HeadError> {
    let head = parse_response(&Bytes::copy_from_slice(text.as_bytes()))?;
    response_framing(&head, to_head)
}

#[test]
fn a_request_is_taken_apart() {
    let text = "POST /r1/EE/COM/1%2F2/sub/svc?a=b&c HTTP/1.1\r\nHost: ss\r\nX-Road-Client:  EE/GOV/1/x \r\nEmpty:\r\n\r\n";
    let (head, framing) = request(text).unwrap();
    assert_eq!(head.method, "POST");
    assert_eq!(head.target.path(), "/r1/EE/COM/1%2F2/sub/svc");
    assert_eq!(head.target.query(), Some("a=b&c"));
    assert_eq!(head.headers.get("x-road-client"), Some("EE/GOV/1/x"));
    assert_eq!(head.headers.get("EMPTY"), Some(""));
    assert_eq!(framing, BodyFraming::Empty);
    assert!(keeps_alive(head.version, &head.headers));
}

#[test]
fn targets_have_the_forms_of_rfc_9112() {
    let parse = |text: &'static str| Target::parse(Bytes::from_static(text.as_bytes()));
    let absolute = parse("http://ss:8080/a/b?q").unwrap();
    assert_eq!(
        (absolute.path(), absolute.query(), absolute.authority()),
        ("/a/b", Some("q"), Some("ss:8080"))
    );
    let bare = parse("HTTP://ss?q").unwrap();
    assert_eq!((bare.path(), bare.query()), ("/", Some("q")));
    let origin = parse("/").unwrap();
    assert_eq!(
        (origin.path(), origin.query(), origin.authority()),
        ("/", None, None)
    );
    assert_eq!(parse("*").unwrap().path(), "*");
    for refused in ["", "a/b", "/a#b", "ftp://a/b", "http:///b", "ss:8080"] {
        assert_eq!(parse(refused), None, "{refused}");
    }
}

#[test]
fn framing_follows_the_headers() {
    assert_eq!(framing("Content-Length: 5\r\n"), Ok(BodyFraming::Length(5)));
    assert_eq!(framing("Content-Length: 0\r\n"), Ok(BodyFraming::Empty));
    assert_eq!(
        framing("Content-Length: 18446744073709551615\r\n"),
        Ok(BodyFraming::Length(u64::MAX))
    );
    assert_eq!(
        framing("Transfer-Encoding: chunked\r\n"),
        Ok(BodyFraming::Chunked)
    );
    assert_eq!(framing("transfer-encoding:CHUNKED\r\n"), Ok(BodyFraming::Chunked));
}

#[test]
fn ambiguous_framing_is_refused() {
    use HeadError::*;
    let cases = [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", ContentLength),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", ContentLength),
        ("Content-Length: 5, 5\r\n", ContentLength),
        ("Content-Length: +5\r\n", ContentLength),
        ("Content-Length: -5\r\n", ContentLength),
        ("Content-Length: 0x5\r\n", ContentLength),
        ("Content-Length: 5 5\r\n", ContentLength),
        ("Content-Length:\r\n", ContentLength),
        ("Content-Length: 18446744073709551616\r\n", ContentLength),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            ConflictingFraming,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            ConflictingFraming,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            ConflictingFraming,
        ),
        ("Transfer-Encoding: gzip, chunked\r\n", TransferCoding),
        ("Transfer-Encoding: chunked, identity\r\n", TransferCoding),
        ("Transfer-Encoding: xchunked\r\n", TransferCoding),
        ("Transfer-Encoding: \"chunked\"\r\n", TransferCoding),
        ("Transfer-Encoding:\r\n", TransferCoding),
    ];
    for (fields, expected) in cases {
        assert_eq!(framing(fields), Err(expected), "{fields:?}");
    }
    let old = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(request(old).unwrap_err(), ConflictingFraming);
}

#[test]
fn malformed_heads_are_refused() {
    let cases = [
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tfolded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\x0b: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET /\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for text in cases {
        let error = request(text).unwrap_err();
        assert_eq!(error.status(), 400, "{text:?} {error:?}");
    }
    for (text, status) in [
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ] {
        assert_eq!(request(text).unwrap_err().status(), status, "{text:?}");
    }
}

#[test]
fn bare_line_feeds_are_refused() {
    for text in [
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\n",
    ] {
        assert_eq!(request(text).unwrap_err(), HeadError::BareLineFeed, "{text:?}");
    }
}

#[test]
fn heads_are_bounded() {
    let target = format!("GET /{} HTTP/1.1\r\n", "a".repeat(MAX_HEAD_LENGTH));
    assert_eq!(
        HeadScanner::default().find_end(target.as_bytes()),
        Err(HeadError::TargetTooLong)
    );
    let long = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(MAX_HEAD_LENGTH));
    assert_eq!(
        HeadScanner::default().find_end(long.as_bytes()),
        Err(HeadError::TooLong)
    );
    let fields = |count| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(count));
    assert!(request(&fields(MAX_HEADER_COUNT - 1)).is_ok());
    let error = request(&fields(MAX_HEADER_COUNT)).unwrap_err();
    assert_eq!((error.status(), error), (431, HeadError::TooManyHeaders));
}

#[test]
fn a_head_too_long_is_refused_alike_however_split() {
    let long = "a".repeat(MAX_HEAD_LENGTH);
    for (text, expected) in [
        (format!("GET /{long} HTTP/1.1\n"), HeadError::TargetTooLong),
        (format!("GET / HTTP/1.1\r\nX: {long}\n"), HeadError::TooLong),
    ] {
        for size in [1, 1000, text.len()] {
            let mut scanner = HeadScanner::default();
            let mut received = (1..).map(|count| text.len().min(count * size));
            let refused = received.find_map(|end| scanner.find_end(&text.as_bytes()[..end]).err());
            assert_eq!(refused, Some(expected.clone()), "in pieces of {size}");
        }
    }
}

#[test]
fn responses_are_framed_by_status_and_method() {
    let sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    assert_eq!(response(sized, false), Ok(BodyFraming::Length(5)));
    assert_eq!(response(sized, true), Ok(BodyFraming::Empty));
    assert_eq!(
        response("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", false),
        Ok(BodyFraming::Empty)
    );
    assert_eq!(
        response("HTTP/1.1 304 \r\nTransfer-Encoding: chunked\r\n\r\n", false),
        Ok(BodyFraming::Empty)
    );
    assert_eq!(
        response("HTTP/1.1 200 OK\r\n\r\n", false),
        Ok(BodyFraming::UntilClose)
    );
    assert_eq!(
        response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        Ok(BodyFraming::Chunked)
    );
    assert_eq!(
        response("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", false),
        Ok(BodyFraming::Empty)
    );
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(response(both, false), Err(HeadError::ConflictingFraming));
    assert_eq!(
        response("HTTP/1.1 099 OK\r\n\r\n", false).unwrap_err().status(),
        400
    );
}

#[test]
fn connections_persist_by_version_and_option() {
    let keeps = |version: Version, field: &str| {
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        let (head, _) = request(&text).unwrap();
        keeps_alive(version, &head.headers)
    };
    assert!(keeps(Version::Http11, ""));
    assert!(!keeps(Version::Http11, "Connection: foo , Close\r\n"));
    assert!(!keeps(
        Version::Http11,
        "Connection: keep-alive\r\nConnection: close\r\n"
    ));
    assert!(!keeps(Version::Http10, ""));
    assert!(keeps(Version::Http10, "Connection: Keep-Alive\r\n"));
}

#[test]
fn what_is_written_can_be_read_back() {
    let head = RequestHead::new(Method::POST, "/a?b")
        .with("Host", "ss")
        .with("content-length", "999")
        .with("Transfer-Encoding", "gzip");
    let mut out = BytesMut::new();
    encode_request(&head, BodyLength::Known(7), &mut out).unwrap();
    assert_eq!(
        &out[..],
        b"POST /a?b HTTP/1.1\r\nHost: ss\r\nContent-Length: 7\r\n\r\n"
    );
    assert_eq!(
        request(std::str::from_utf8(&out).unwrap()).unwrap().1,
        BodyFraming::Length(7)
    );

    let mut out = BytesMut::new();
    let framed = ResponseFraming {
        length: BodyLength::Chunked,
        close: true,
        keep_alive: false,
        date: Some(HttpDate::EPOCH),
    };
    encode_response(&ResponseHead::new(200).with("A", "b"), framed, &mut out).unwrap();
    let expected = "HTTP/1.1 200 OK\r\nConnection: close\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nA: b\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn a_head_cannot_be_split_by_its_values() {
    let mut out = BytesMut::from("kept");
    for (name, value) in [
        ("A", "b\r\nC: d"),
        ("A\r\nB", "c"),
        ("A", "\0"),
        ("", "b"),
        ("A B", "c"),
        ("A", "b\nc"),
    ] {
        let head = RequestHead::new(Method::GET, "/").with(name, value);
        let error = encode_request(&head, BodyLength::None, &mut out).unwrap_err();
        assert!(matches!(error, HttpError::InvalidHeader(_)), "{name:?} {value:?}");
    }
    for target in ["", "/a b", "/a\r\nX: y"] {
        assert!(encode_request(&RequestHead::new(Method::GET, target), BodyLength::None, &mut out).is_err());
    }
    assert!(
        encode_request(
            &RequestHead::new(Method::new("G T"), "/"),
            BodyLength::None,
            &mut out
        )
        .is_err()
    );
    assert_eq!(&out[..], b"kept");
}

#[test]
fn dates_are_written_as_rfc_9110_says() {
    let text = |seconds| String::from_utf8(HttpDate::from_unix_seconds(seconds).as_bytes().to_vec()).unwrap();
    assert_eq!(text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(text(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(text(1_709_210_096), "Thu, 29 Feb 2024 12:34:56 GMT");
    assert_eq!(text(4_107_542_399), "Sun, 28 Feb 2100 23:59:59 GMT");
    assert_eq!(text(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
}

/// Decodes a body given in pieces: its bytes and what was left over.
fn decode<'a>(
    framing: BodyFraming,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Vec<u8>, Vec<u8>, BodyDecoder), BodyError> {
    let mut decoder = BodyDecoder::new(framing);
    let (mut buffer, mut body) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Decoded::Data(data) = decoder.decode(&mut buffer)? {
            assert!(!data.is_empty());
            body.extend_from_slice(&data);
        }
    }
    decoder.end_of_input()?;
    Ok((body, buffer.to_vec(), decoder))
}

fn chunked(text: &str) -> Result<(Vec<u8>, Vec<u8>, BodyDecoder), BodyError> {
    decode(BodyFraming::Chunked, [text.as_bytes()])
}

#[test]
fn chunks_are_joined_and_trailers_kept() {
    let (body, rest, decoder) =
        chunked("5\r\nhello\r\n6 ;a=b;c=\"d\"\r\n world\r\n000\r\nX-Sum: 1\r\n\r\nGET /").unwrap();
    assert_eq!(body, b"hello world");
    assert_eq!(rest, b"GET /");
    assert_eq!(decoder.trailers().get("x-sum"), Some("1"));
    let (body, ..) = chunked("A\r\n0123456789\r\na \r\n0123456789\r\n0\r\n\r\n").unwrap();
    assert_eq!(body.len(), 20);
}

#[test]
fn malformed_chunks_are_refused() {
    let cases = [
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "\r\n",
        ";a\r\n",
        "-5\r\n",
        "0x5\r\n",
        "+5\r\n",
        " 5\r\n",
        "5 5\r\n",
        "g\r\n",
        "5;\n\r\n",
        "5;a\0b\r\n",
        "5\rX",
        "5;a\rX",
        "10000000000000000\r\n",
        "00000000000000005\r\nhello\r\n",
        "0\r\n X: folded\r\n\r\n",
        "0\r\nX: a\r\n b\r\n\r\n",
        "0\r\nX: a\n\r\n",
        "0\r\nbad\r\n\r\n",
    ];
    for text in cases {
        let result = chunked(text);
        assert!(
            matches!(result, Err(BodyError::Chunk(_) | BodyError::Trailer)),
            "{text:?} {result:?}"
        );
    }
    for cut in [
        "",
        "5",
        "5\r\n",
        "5\r\nhell",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\nX: y\r\n",
    ] {
        assert!(matches!(chunked(cut), Err(BodyError::Truncated)), "{cut:?}");
    }
}

#[test]
fn chunk_framing_is_bounded() {
    let line = format!("5;{}", "a".repeat(MAX_CHUNK_LINE));
    assert!(matches!(chunked(&line), Err(BodyError::Chunk(_))));
    let many = "1;aaaaaaaaa\r\nx\r\n".repeat(MAX_CHUNK_EXTENSIONS / 9 + 1);
    assert!(matches!(
        chunked(&many),
        Err(BodyError::Chunk("too many extensions"))
    ));
    let few = "1;aaaaaaaaa\r\nx\r\n".repeat(100) + "0\r\n\r\n";
    assert!(chunked(&few).is_ok());
    let trailers = "0\r\n".to_owned()
        + &"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".repeat(140)
        + "\r\n";
    assert!(trailers.len() > MAX_TRAILER_LENGTH);
    assert!(matches!(chunked(&trailers), Err(BodyError::Trailer)));
}

#[test]
fn other_framings_end_where_they_should() {
    let (body, rest, _) = decode(BodyFraming::Length(5), [&b"hel"[..], b"loGET"]).unwrap();
    assert_eq!((&body[..], &rest[..]), (&b"hello"[..], &b"GET"[..]));
    assert!(matches!(
        decode(BodyFraming::Length(5), [&b"hell"[..]]),
        Err(BodyError::Truncated)
    ));
    assert_eq!(
        decode(BodyFraming::UntilClose, [&b"ab"[..], b"c"]).unwrap().0,
        b"abc"
    );
    assert_eq!(decode(BodyFraming::Empty, [&b"next"[..]]).unwrap().1, b"next");
}

/// Cuts bytes at the given places.
fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_split_of_a_chunked_body_decodes_alike(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 0..10),
        places in prop::collection::vec(any::<usize>(), 0..20),
        rest in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut wire = BytesMut::new();
        for chunk in &chunks {
            encode_chunk_size(chunk.len(), &mut wire);
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\nA: b\r\n\r\n");
        wire.extend_from_slice(&rest);
        let (body, left, decoder) = decode(BodyFraming::Chunked, cut(&wire, &places)).unwrap();
        prop_assert_eq!(body, chunks.concat());
        prop_assert_eq!(left, rest);
        prop_assert_eq!(decoder.trailers().get("a"), Some("b"));
    }

    #[test]
    fn arbitrary_bytes_decode_alike_however_split(
        bytes in prop::collection::vec(prop::sample::select(b"0123456789aAfFgxX;= \t\r\n\0-+\x80".to_vec()), 0..60),
        places in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let outcome = |pieces: Vec<&[u8]>| {
            decode(BodyFraming::Chunked, pieces)
                .map(|(body, left, _)| (body, left))
                .map_err(|error| error.to_string())
        };
        prop_assert_eq!(outcome(vec![&bytes]), outcome(cut(&bytes, &places)));
    }

    #[test]
    fn chunk_sizes_are_written_as_read(length in 1_usize..1 << 40) {
        let mut out = BytesMut::new();
        encode_chunk_size(length, &mut out);
        prop_assert_eq!(String::from_utf8(out.to_vec()).unwrap(), format!("{length:x}\r\n"));
    }

    #[test]
    fn arbitrary_heads_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = HeadScanner::default().find_end(&bytes);
        let _ = parse_request(&Bytes::from(bytes.clone()));
        let _ = parse_response(&Bytes::from(bytes));
    }

    #[test]
    fn heads_are_found_alike_however_split(
        lines in prop::collection::vec("[a-zA-Z: ]{1,20}", 0..6),
        places in prop::collection::vec(any::<usize>(), 0..10),
    ) {
        let text = lines.join("\r\n") + if lines.is_empty() { "\r\n" } else { "\r\n\r\n" };
        let mut scanner = HeadScanner::default();
        let mut found = None;
        let mut buffer = Vec::new();
        for piece in cut(text.as_bytes(), &places) {
            buffer.extend_from_slice(piece);
            if found.is_none() {
                found = scanner.find_end(&buffer).unwrap();
            }
        }
        prop_assert_eq!(found, Some(text.len()));
    }

    #[test]
    fn a_parsed_head_is_written_as_it_was(
        fields in prop::collection::vec(("[A-Za-z][A-Za-z0-9-]{0,12}", "[!-~][ -~]{0,20}[!-~]"), 0..8),
    ) {
        let framing = ["content-length", "transfer-encoding", "host"];
        let fields: Vec<_> =
            fields.into_iter().filter(|(name, _)| !framing.contains(&name.to_lowercase().as_str())).collect();
        let mut text = "GET /x HTTP/1.1\r\nHost: a\r\n".to_owned();
        for (name, value) in &fields {
            text += &format!("{name}: {value}\r\n");
        }
        text += "\r\n";
        let (head, _) = request(&text).unwrap();
        let mut out = BytesMut::new();
        encode_request(&head, BodyLength::None, &mut out).unwrap();
        prop_assert_eq!(&out[..], text.as_bytes());
    }
}
