//! The frames' bytes are a contract between processes of different versions: these may only grow, never change.
//!
//! `data/frames.txt`: direction (`>` to the signer, `<` from it), name, payload in hexadecimal. `data/hostile.txt`: payloads
//! that must be refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use proptest::prelude::*;
use signer_client::{
    Blob, CertificateSha256, CertificateStatus, DigestAlgorithm, Failures, ImportCertificate, KeyAlgorithm,
    KeyFigures, KeySelector, KeyUsage, PartDigests, Pin, Request, Response, SignMessages, SignatureAlgorithm,
    SignedBatch, SignedMessages, SignerError, Status,
    frame::{self, ClientFrame, FrameError, FrameReader, ServerFrame},
};

fn blob(bytes: &[u8]) -> Blob {
    Blob::from(bytes)
}

fn to_signer() -> Vec<(&'static str, ClientFrame)> {
    let certificate = CertificateSha256([0xab; 32]);
    let messages = SignMessages {
        certificate,
        intermediates: vec![blob(&[4])],
        ocsp_responses: vec![blob(&[5, 6])],
        messages: vec![
            PartDigests::new([&[1, 2][..]]),
            PartDigests::new([&[3][..], &[4][..]]),
        ],
    };
    let import = ImportCertificate {
        certificate: blob(&[7]),
        status: CertificateStatus::Registered,
        client: Some("EE/GOV/1".to_owned()),
    };
    let sign = Request::SignDigest {
        key: KeySelector::Certificate(certificate),
        algorithm: SignatureAlgorithm::RsaPss(DigestAlgorithm::Sha384),
        digest: blob(&[8]),
    };
    let generate = Request::GenerateKey {
        token: "0".to_owned(),
        label: "l".to_owned(),
        algorithm: KeyAlgorithm::EcP384.into(),
        usage: KeyUsage::Authentication,
    };
    let request = |body| ClientFrame::Request { id: 300, body };
    vec![
        ("hello", ClientFrame::hello("peer")),
        ("status", request(Request::Status)),
        (
            "login",
            request(Request::Login {
                token: "0".to_owned(),
                pin: Pin::new("1234"),
            }),
        ),
        ("generate-key", request(generate)),
        ("import-certificate", request(Request::ImportCertificate(import))),
        ("sign-messages", request(Request::SignMessages(messages))),
        ("sign-digest", request(sign)),
        (
            "name-token",
            request(Request::NameToken {
                token: "0".to_owned(),
                name: "n".to_owned(),
            }),
        ),
        (
            "name-key",
            request(Request::NameKey {
                key: "k".to_owned(),
                name: "n".to_owned(),
            }),
        ),
    ]
}

fn from_signer() -> Vec<(&'static str, ServerFrame)> {
    let reply = |outcome| ServerFrame::Reply { id: 300, outcome };
    let signed = SignedMessages(vec![
        SignedBatch::Plain {
            signature_xml: blob(b"<a/>"),
        },
        SignedBatch::Chained {
            signature_xml: blob(b"<a/>"),
            hash_chain_result: blob(b"<b/>"),
            hash_chains: vec![blob(b"<c/>"), blob(b"<d/>")],
        },
    ]);
    vec![
        ("hello", ServerFrame::Hello { version: 2 }),
        (
            "refused",
            ServerFrame::Refused {
                reason: "no".to_owned(),
            },
        ),
        ("done", reply(Ok(Response::Done))),
        ("status", reply(Ok(Response::Status(Status::default())))),
        ("figures", reply(Ok(Response::Status(figures())))),
        ("signed-messages", reply(Ok(Response::SignedMessages(signed)))),
        ("signature", reply(Ok(Response::Signature(blob(&[9]))))),
        ("disconnected", reply(Err(SignerError::Disconnected))),
        ("internal", reply(Err(SignerError::Internal("x".to_owned())))),
        ("not-permitted", reply(Err(SignerError::NotPermitted))),
    ]
}

fn figures() -> Status {
    let failures = vec![Failures {
        code: "cannot_sign".to_owned(),
        requests: 10,
    }];
    let key = KeyFigures {
        key: "k".to_owned(),
        messages: 1,
        batches: 2,
        largest_batch: 3,
        digests: 4,
        waiting: 5,
        longest_queue: 6,
        begun: 7,
        waited: 8,
        longest_wait: 9,
        failures,
    };
    Status {
        figures: vec![key],
        ..Status::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn line<T: serde::Serialize>(direction: char, name: &str, value: &T) -> String {
    let mut out = Vec::new();
    frame::encode(value, &mut out).unwrap();
    format!("{direction} {name} {}\n", hex(&out[4..]))
}

#[test]
fn frames_have_the_recorded_bytes() {
    let mut written: String = to_signer()
        .iter()
        .map(|(name, frame)| line('>', name, frame))
        .collect();
    written.extend(from_signer().iter().map(|(name, frame)| line('<', name, frame)));
    assert_eq!(written, include_str!("data/frames.txt"), "written:\n{written}");
}

#[test]
fn recorded_frames_are_read_and_cut_ones_refused() {
    for line in include_str!("data/frames.txt").lines() {
        let [direction, name, payload] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let payload = unhex(payload);
        let read = |payload: &[u8]| match direction {
            ">" => frame::decode::<ClientFrame>(payload).map(drop),
            _ => frame::decode::<ServerFrame>(payload).map(drop),
        };
        read(&payload).unwrap();
        for end in 0..payload.len() {
            assert!(read(&payload[..end]).is_err(), "{name} cut to {end}");
        }
        let longer = [&payload[..], &[0]].concat();
        assert!(
            matches!(read(&longer), Err(FrameError::TrailingBytes(1))),
            "{name}"
        );
    }
}

#[test]
fn hostile_payloads_are_refused() {
    for line in include_str!("data/hostile.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (payload, why) = line.split_once(' ').unwrap();
        assert!(frame::decode::<ClientFrame>(&unhex(payload)).is_err(), "{why}");
        assert!(frame::decode::<ServerFrame>(&unhex(payload)).is_err(), "{why}");
    }
}

#[test]
fn borrowed_requests_are_encoded_like_owned_ones() {
    for (name, owned) in to_signer() {
        let ClientFrame::Request { id, body } = &owned else {
            continue;
        };
        let (mut borrowed, mut whole) = (Vec::new(), Vec::new());
        frame::encode_request(*id, body, &mut borrowed).unwrap();
        frame::encode(&owned, &mut whole).unwrap();
        assert_eq!(borrowed, whole, "{name}");
    }
}

#[test]
fn a_frame_that_is_too_long_leaves_the_buffer_as_it_was() {
    let mut out = vec![1, 2, 3];
    let long = blob(&vec![0; frame::MAX_FRAME]);
    assert!(matches!(
        frame::encode(&long, &mut out),
        Err(FrameError::TooLong(_))
    ));
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn no_secret_is_shown_by_debug() {
    for (_, frame) in to_signer() {
        assert!(!format!("{frame:?}").contains("1234"));
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = frame::decode::<ClientFrame>(&bytes);
        let _ = frame::decode::<ServerFrame>(&bytes);
        let mut frames = FrameReader::default();
        let mut stream = &bytes[..];
        while frames.fill(&mut stream).is_ok() {
            while let Ok(Some(payload)) = frames.next_payload() {
                prop_assert!(!payload.is_empty() && payload.len() < bytes.len());
            }
        }
    }

    #[test]
    fn frames_are_found_however_the_stream_is_cut(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
        cut in 1..30_usize,
    ) {
        let mut stream = Vec::new();
        for payload in &payloads {
            frame::encode(&Blob::from(payload.as_slice()), &mut stream).unwrap();
        }
        let (mut frames, mut found) = (FrameReader::default(), Vec::new());
        for mut piece in stream.chunks(cut) {
            frames.fill(&mut piece).unwrap();
            while let Some(payload) = frames.next_payload().unwrap() {
                found.push(frame::decode::<Blob>(payload).unwrap().to_vec());
            }
        }
        prop_assert_eq!(found, payloads);
        prop_assert_eq!(frames.buffered(), 0);
    }
}
