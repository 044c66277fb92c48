//! Time-stamps: what is made here verifies, with openssl too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use common::{Identity, NOW, authority, has_program, with_purpose};
use proptest::prelude::*;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::Purpose;
use protocol_pki::tsp::{
    Imprint, Request, Response, Status, TimeStampToken, TokenContents, TspError, grant, issue_token, reject,
    request,
};
use std::process::Command;

fn token(tsa: &Identity, imprint: Imprint, include_certificate: bool) -> TimeStampToken {
    let contents = TokenContents {
        imprint,
        gen_time: NOW,
        policy: "1.2.3",
        serial: &[0, 200, 1],
        nonce: None,
        include_certificate,
    };
    issue_token(
        &contents,
        &tsa.certificate,
        &tsa.key.signer(DigestAlgorithm::Sha512),
    )
    .unwrap()
}

fn tsa() -> Identity {
    with_purpose(&authority(None, "Root", None), "TSA", 8, Purpose::TimeStamping)
}

#[test]
fn a_round_from_request_to_verified_token() {
    let tsa = tsa();
    let imprint = Imprint::of(DigestAlgorithm::Sha512, b"signature value");
    let asked = Request::from_der(&request(&imprint)).unwrap();
    assert_eq!(
        asked,
        Request {
            imprint,
            policy: None,
            nonce: None,
            wants_certificate: false
        }
    );
    let response = Response::parse(&grant(&token(&tsa, asked.imprint, false))).unwrap();
    assert_eq!(response.status(), Status::Granted);
    let token = response.into_token().unwrap();
    assert_eq!(
        (token.gen_time(), token.policy(), token.serial_decimal().as_str()),
        (NOW, "1.2.3", "51201")
    );
    let authorities = [tsa.certificate.clone()];
    assert_eq!(
        token.verify_answer(&imprint, &authorities).unwrap(),
        tsa.certificate
    );
    assert!(token.certificates().is_empty());
    let complete = token.with_certificate(&tsa.certificate).unwrap();
    assert_eq!(complete.certificates(), authorities);
    assert_eq!(complete.with_certificate(&tsa.certificate).unwrap(), complete);
    complete.verify_data(b"signature value", &authorities).unwrap();
    assert_eq!(
        complete.verify_data(b"other", &authorities),
        Err(TspError::ImprintMismatch)
    );
}

#[test]
fn a_refusal_tells_why() {
    let refused = Response::parse(&reject("not today"))
        .unwrap()
        .into_token()
        .unwrap_err();
    assert_eq!(
        refused,
        TspError::NotGranted {
            status: Status::Rejection,
            text: "not today".to_owned()
        }
    );
    assert_eq!(refused.fault_code(), "mlog.timestamp_non_granted_response");
}

#[test]
fn a_token_of_the_same_name_and_serial_but_another_key_is_refused() {
    let (one, two) = (tsa(), tsa());
    let imprint = Imprint::of(DigestAlgorithm::Sha512, b"x");
    let token = token(&one, imprint, true);
    let error = token
        .verify(&imprint.digest, std::slice::from_ref(&two.certificate))
        .unwrap_err();
    assert_eq!(error.fault_code(), "mlog.timestamp_signer_verification_failed");
    let both = [two.certificate, one.certificate.clone()];
    assert_eq!(token.verify(&imprint.digest, &both).unwrap(), one.certificate);
}

/// The same element with every constructed length made indefinite.
fn indefinite(der: &[u8]) -> Vec<u8> {
    let mut ber = Vec::new();
    let mut rest = der;
    while let [tag, first, ..] = rest {
        let digits = if *first < 0x80 {
            0
        } else {
            usize::from(first & 0x7f)
        };
        let length = if *first < 0x80 {
            usize::from(*first)
        } else {
            rest[2..2 + digits]
                .iter()
                .fold(0, |length, digit| length << 8 | usize::from(*digit))
        };
        let header = 2 + digits;
        if tag & 0x20 == 0 {
            ber.extend_from_slice(&rest[..header + length]);
        } else {
            ber.extend_from_slice(&[*tag, 0x80]);
            ber.extend(indefinite(&rest[header..header + length]));
            ber.extend_from_slice(&[0, 0]);
        }
        rest = &rest[header + length..];
    }
    ber
}

#[test]
fn a_token_in_indefinite_lengths_verifies() {
    let tsa = tsa();
    let imprint = Imprint::of(DigestAlgorithm::Sha512, b"x");
    let made = token(&tsa, imprint, true);
    let ber = indefinite(made.as_der());
    assert_eq!(TimeStampToken::parse(&ber).unwrap(), made);
    let response = Response::parse(&indefinite(&grant(&made))).unwrap();
    let read = response.into_token().unwrap();
    assert_eq!(
        read.verify(&imprint.digest, &read.certificates()).unwrap(),
        tsa.certificate
    );
}

#[test]
fn openssl_and_we_understand_each_other() {
    if !has_program("openssl") {
        return;
    }
    let root = authority(None, "Root", None);
    let tsa = with_purpose(&root, "TSA", 8, Purpose::TimeStamping);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("data"), b"some data").unwrap();
    std::fs::write(path("root.pem"), root.certificate.to_pem()).unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .current_dir(folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    };
    run(&[
        "ts",
        "-query",
        "-data",
        "data",
        "-sha512",
        "-no_nonce",
        "-out",
        "theirs.tsq",
    ]);
    let imprint = Imprint::of(DigestAlgorithm::Sha512, b"some data");
    let theirs = std::fs::read(path("theirs.tsq")).unwrap();
    assert_eq!(Request::from_der(&theirs).unwrap().imprint, imprint);
    assert_eq!(theirs, request(&imprint));

    std::fs::write(path("response.tsr"), grant(&token(&tsa, imprint, true))).unwrap();
    let said = run(&[
        "ts",
        "-verify",
        "-in",
        "response.tsr",
        "-queryfile",
        "theirs.tsq",
        "-CAfile",
        "root.pem",
        "-no_check_time",
    ]);
    assert!(said.contains("Verification: OK"), "{said}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _token = TimeStampToken::parse(&bytes);
        let _response = Response::parse(&bytes);
        let _request = Request::from_der(&bytes);
    }
}
