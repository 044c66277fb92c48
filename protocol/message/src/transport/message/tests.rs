//! Tests of the transport message: what the encoder writes the decoder reads, however the bytes are cut.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::transport::{Encoder, Signature};
use proptest::prelude::*;

/// An event without borrowed data.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Met {
    Small(PartKind, Vec<u8>),
    Body(BodyKind, usize, Option<String>, Vec<u8>),
    End,
}

fn read(content_type: &str, chunks: &[&[u8]]) -> Result<Vec<Met>, TransportError> {
    let mut decoder = TransportDecoder::new(content_type)?;
    let mut met = Vec::new();
    let mut body = None;
    for chunk in chunks {
        let chunk = Bytes::copy_from_slice(chunk);
        let mut rest: &[u8] = &chunk;
        while let Some(event) = decoder.next_of(&chunk, &mut rest)? {
            match event {
                Event::Small(part) => met.push(Met::Small(part.kind, part.bytes.to_vec())),
                Event::BodyStart(part) => body = Some((part, Vec::new())),
                Event::Data(data) => body.as_mut().unwrap().1.extend_from_slice(data),
                Event::BodyEnd => {
                    let (part, bytes) = body.take().unwrap();
                    met.push(Met::Body(
                        part.kind,
                        part.number,
                        part.headers.content_type.map(Into::into),
                        bytes,
                    ));
                }
                Event::End => met.push(Met::End),
            }
        }
        assert!(rest.is_empty());
    }
    decoder.finish().map(|()| met)
}

fn encoder() -> Encoder {
    Encoder::new(&[7; 30])
}

const SIGNATURE: Signature<'static> = Signature {
    hash_chain: Some((b"result", b"chain")),
    document: b"sig",
};

/// A SOAP message with the given attachments.
fn soap(attachments: &[Vec<u8>]) -> (String, Vec<u8>) {
    let (mut encoder, mut out) = (encoder(), Vec::new());
    let content_type = encoder.content_type();
    encoder.ocsp_response(b"ocsp", &mut out);
    encoder
        .soap(&PartHeaders::with_content_type("text/xml"), b"<soap/>", &mut out)
        .unwrap();
    for bytes in attachments {
        encoder
            .start_attachment(&PartHeaders::with_content_type("a/b"), &mut out)
            .unwrap();
        out.extend_from_slice(bytes);
    }
    encoder.signature(SIGNATURE, &mut out);
    encoder.finish(&mut out);
    (content_type, out)
}

fn expected_soap(attachments: &[Vec<u8>]) -> Vec<Met> {
    let mut met = vec![
        Met::Small(PartKind::OcspResponse, b"ocsp".to_vec()),
        Met::Small(PartKind::Soap, b"<soap/>".to_vec()),
    ];
    for (index, bytes) in attachments.iter().enumerate() {
        met.push(Met::Body(
            BodyKind::Attachment,
            index + 1,
            Some("a/b".into()),
            bytes.clone(),
        ));
    }
    met.extend([
        Met::Small(PartKind::HashChainResult, b"result".to_vec()),
        Met::Small(PartKind::HashChain, b"chain".to_vec()),
        Met::Small(PartKind::Signature, b"sig".to_vec()),
        Met::End,
    ]);
    met
}

#[test]
fn reads_a_rest_message_with_an_empty_body() {
    let (mut encoder, mut out) = (encoder(), Vec::new());
    let content_type = encoder.content_type();
    encoder.rest_response(b"200\r\n", &mut out);
    encoder.start_rest_body(&mut out);
    encoder.fault(b"<fault/>", &mut out);
    encoder.finish(&mut out);
    let met = read(&content_type, &[&out]).unwrap();
    assert_eq!(
        met,
        [
            Met::Small(PartKind::RestResponse, b"200\r\n".to_vec()),
            Met::Body(
                BodyKind::RestBody,
                1,
                Some("application/x-road-rest-body".into()),
                Vec::new()
            ),
            Met::Small(PartKind::Fault, b"<fault/>".to_vec()),
            Met::End,
        ]
    );
}

#[test]
fn small_parts_are_slices_of_their_chunk() {
    let (content_type, message) = soap(&[b"body".to_vec()]);
    let chunk = Bytes::from(message);
    for shared in [true, false] {
        let mut decoder = TransportDecoder::new(&content_type).unwrap();
        let mut rest: &[u8] = &chunk;
        let mut small = 0;
        loop {
            let event = if shared {
                decoder.next_of(&chunk, &mut rest)
            } else {
                decoder.next(&mut rest)
            };
            let Some(event) = event.unwrap() else { break };
            if let Event::Small(part) = event {
                small += 1;
                let lies_within = crate::transport::range_within(&chunk, &part.bytes).is_some();
                assert_eq!(lies_within, shared, "{:?}", part.kind);
            }
        }
        assert_eq!(small, 5);
    }
}

#[test]
fn a_cut_message_is_an_error() {
    let (content_type, out) = soap(&[b"one".to_vec(), b"two".to_vec()]);
    let closing = out.len() - 2;
    for end in 0..closing {
        assert_eq!(
            read(&content_type, &[&out[..end]]),
            Err(TransportError::Truncated),
            "{end}"
        );
    }
    assert!(read(&content_type, &[&out[..closing]]).is_ok());
}

#[test]
fn attachments_must_be_closed() {
    let text = "--o\r\ncontent-type: text/xml\r\n\r\nx\r\n\
        --o\r\ncontent-type: multipart/mixed; boundary=i\r\n\r\n\r\n--i\r\n\r\ndata\r\n--o--";
    let content_type = "multipart/mixed; boundary=o";
    assert_eq!(
        read(content_type, &[text.as_bytes()]),
        Err(TransportError::Truncated)
    );
    let closed = text.replace("data", "data\r\n--i--");
    assert!(read(content_type, &[closed.as_bytes()]).is_ok());
}

#[test]
fn parts_are_bounded() {
    let limits = Limits {
        soap: 6,
        ..Limits::DEFAULT
    };
    let (content_type, out) = soap(&[]);
    let mut decoder = TransportDecoder::with_limits(&content_type, limits).unwrap();
    let mut rest = out.as_slice();
    let error = loop {
        match decoder.next(&mut rest) {
            Ok(event) => assert!(event.is_some()),
            Err(error) => break error,
        }
    };
    assert_eq!(
        error,
        TransportError::TooLarge {
            what: "SOAP part",
            limit: 6
        }
    );
    assert!(read(&content_type, &[&out]).is_ok());
}

#[test]
fn only_multipart_mixed_is_a_transport_message() {
    for (content_type, code) in [
        ("multipart/mixed", "invalid_content_type"),
        ("multipart/related; boundary=x", "invalid_content_type"),
        ("text/plain", "invalid_content_type"),
    ] {
        assert_eq!(
            TransportDecoder::new(content_type).unwrap_err().fault_code(),
            code
        );
    }
}

#[test]
fn attachment_data_borrows_from_the_chunk() {
    let (content_type, out) = soap(&[vec![b'x'; 1000]]);
    let mut decoder = TransportDecoder::new(&content_type).unwrap();
    let mut rest = out.as_slice();
    let mut borrowed = 0;
    while let Some(event) = decoder.next(&mut rest).unwrap() {
        if let Event::Data(data) = event {
            borrowed += crate::transport::range_within(&out, data).unwrap().len();
        }
    }
    assert_eq!(borrowed, 1000);
}

/// Many tiny attachments in one chunk must not make the decoder look through the chunk again and again.
#[test]
fn many_attachments_take_linear_time() {
    let attachments = vec![Vec::new(); 9_000];
    let (content_type, out) = soap(&attachments);
    assert_eq!(read(&content_type, &[&out]).unwrap(), expected_soap(&attachments));
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.insert(0, 0);
    at.push(bytes.len());
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        attachments in prop::collection::vec(
            prop_oneof![
                "[\r\n\\-xatop]{0,30}".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..100),
                Just(format!("\r\n--xatt{}", "h".repeat(29)).into_bytes()),
                Just(format!("\r\n--xtop{}", "h".repeat(29)).into_bytes()),
                Just(format!("a\r\n--xtop{}-", "h".repeat(30)).into_bytes()),
            ],
            0..4,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let (content_type, out) = soap(&attachments);
        prop_assert_eq!(read(&content_type, &cut(&out, &cuts)).unwrap(), expected_soap(&attachments));
        let bytes: Vec<&[u8]> = out.chunks(1).collect();
        prop_assert_eq!(read(&content_type, &bytes).unwrap(), expected_soap(&attachments));
    }

    #[test]
    fn hostile_messages_never_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "--o", "--i", "\r\n", "\n", "--", "content-type: text/xml", "content-type: multipart/mixed; boundary=i",
            "content-type: application/x-road-rest-body", "content-type: signature/bdoc-1.0/ts", "x", "\r",
        ]), 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let text = pieces.concat();
        let content_type = "multipart/mixed; boundary=o";
        prop_assert_eq!(
            read(content_type, &cut(text.as_bytes(), &cuts)),
            read(content_type, &[text.as_bytes()])
        );
    }
}
