//! Certificate requests and certificates, read by openssl and by us.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use common::{NOT_AFTER, NOT_BEFORE, authority, has_program, name};
use proptest::prelude::*;
use protocol_pki::certificate::{Certificate, KeyUsage};
use protocol_pki::csr::{CertificateRequest, RequestError, build};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::{Extension, Purpose, Template};
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::pem;
use std::process::Command;

#[test]
fn a_request_reads_back_and_a_changed_one_does_not() {
    let key = SoftwareKey::generate(KeySpec::P384).unwrap();
    let names = ["ss1.example.org".to_owned(), "localhost".to_owned()];
    let der = build(&name("server"), &names, &key.signer(DigestAlgorithm::Sha384)).unwrap();
    let request = CertificateRequest::from_der(&der).unwrap();
    assert_eq!(request.subject(), &name("server"));
    assert_eq!(request.dns_names(), names);
    assert_eq!(request.public_key().spki_der(), key.spki_der());
    let text = pem::encode("CERTIFICATE REQUEST", &der);
    assert_eq!(
        CertificateRequest::from_der_or_pem(text.as_bytes()).unwrap(),
        request
    );
    let mut changed = der;
    let position = changed.windows(6).position(|window| window == b"server").unwrap();
    changed[position] = b'S';
    assert!(matches!(
        CertificateRequest::from_der(&changed),
        Err(RequestError::Signature(_))
    ));
}

#[test]
fn openssl_accepts_our_requests_and_certificates_and_we_its_requests() {
    if !has_program("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
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
    for spec in [KeySpec::Rsa2048, KeySpec::P256] {
        let key = SoftwareKey::generate(spec).unwrap();
        let der = build(
            &name("ours"),
            &["a.example".to_owned()],
            &key.signer(DigestAlgorithm::Sha256),
        )
        .unwrap();
        std::fs::write(folder.path().join("ours.der"), &der).unwrap();
        let said = run(&[
            "req", "-inform", "DER", "-in", "ours.der", "-verify", "-noout", "-text",
        ]);
        assert!(
            said.contains("verify OK") && said.contains("DNS:a.example"),
            "{said}"
        );
        std::fs::write(folder.path().join("key.der"), &*key.to_pkcs8().unwrap()).unwrap();
        run(&["pkey", "-inform", "DER", "-in", "key.der", "-out", "key.pem"]);
        run(&[
            "req",
            "-new",
            "-key",
            "key.pem",
            "-subj",
            "/C=EE/O=GOV/CN=1",
            "-out",
            "theirs.pem",
        ]);
        let theirs = std::fs::read(folder.path().join("theirs.pem")).unwrap();
        let theirs = CertificateRequest::from_der_or_pem(&theirs).unwrap();
        assert_eq!(theirs.subject().readable(), "CN=1,O=GOV,C=EE");
        assert_eq!(theirs.public_key().spki_der(), key.spki_der());
    }
    let root = authority(None, "Root", None);
    std::fs::write(folder.path().join("root.pem"), root.certificate.to_pem()).unwrap();
    let key = SoftwareKey::generate(KeySpec::Rsa2048).unwrap();
    let certificate = full_certificate(&root, &key);
    std::fs::write(folder.path().join("leaf.pem"), certificate.to_pem()).unwrap();
    run(&["verify", "-CAfile", "root.pem", "leaf.pem"]);
    let text = run(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    for expected in [
        "OCSP - URI:http://ocsp",
        "Digital Signature, Key Encipherment",
        "DNS:b.example",
        "Client Authentication",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

fn full_certificate(root: &common::Identity, key: &SoftwareKey) -> Certificate {
    let issuer_bits = root.certificate.public_key().bits();
    let public = protocol_pki::public_key::PublicKey::from_spki(key.spki_der()).unwrap();
    let template = Template {
        serial: &[0x80, 1],
        issuer: root.certificate.subject(),
        subject: &name("leaf"),
        not_before: NOT_BEFORE,
        not_after: NOT_AFTER,
        spki: key.spki_der(),
        extensions: vec![
            Extension::end_entity(),
            Extension::key_usage(KeyUsage::DIGITAL_SIGNATURE.and(KeyUsage::KEY_ENCIPHERMENT)),
            Extension::extended_key_usage(&[Purpose::ClientAuth, Purpose::ServerAuth], false),
            Extension::dns_names(&["b.example".to_owned()]),
            Extension::ocsp_url("http://ocsp"),
            Extension::subject_key_identifier(public.bits()),
            Extension::authority_key_identifier(issuer_bits),
        ],
    };
    let certificate = template.sign(&root.key.signer(DigestAlgorithm::Sha256)).unwrap();
    assert_eq!(certificate.serial_decimal(), "32769");
    assert_eq!(certificate.ocsp_urls(), ["http://ocsp"]);
    assert_eq!(certificate.dns_names(), ["b.example"]);
    assert!(certificate.may_authenticate() && !certificate.may_sign_messages());
    assert!(certificate.is_issued_by(&root.certificate) && !root.certificate.is_issued_by(&certificate));
    certificate
}

/// DER of a certificate with every extension known, and its issuer, made once.
fn sample() -> &'static (Vec<u8>, Certificate) {
    static SAMPLE: std::sync::OnceLock<(Vec<u8>, Certificate)> = std::sync::OnceLock::new();
    SAMPLE.get_or_init(|| {
        let root = authority(None, "Root", None);
        let key = SoftwareKey::generate(KeySpec::Rsa2048).unwrap();
        (full_certificate(&root, &key).as_der().to_vec(), root.certificate)
    })
}

proptest! {
    #[test]
    fn damaged_certificates_are_refused_or_no_longer_issued(
        position in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let (sound, issuer) = sample();
        prop_assert!(Certificate::from_der(sound).unwrap().is_issued_by(issuer));
        let mut der = sound.clone();
        let position = position.index(der.len());
        prop_assume!(der[position] != value);
        der[position] = value;
        if let Ok(certificate) = Certificate::from_der(&der) {
            prop_assert_eq!(certificate.as_der(), &der[..]);
            prop_assert!(!certificate.is_issued_by(issuer));
        }
    }
}
