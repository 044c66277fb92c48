//! Tokens, keys, requests, certificates.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use signer_client::{
    CertificateStatus, CsrFormat, DigestAlgorithm, KeyAlgorithm, KeySelector, KeyUsage, Pin, RemoteKey,
    Request, Response, SignatureAlgorithm, SignerError, TokenStatus,
};

use crate::harness::{Ca, PIN, Signer, certified_key, subject};

#[test]
fn a_token_is_initialised_once_and_opened_with_its_pin() {
    let signer = Signer::start("");
    let client = signer.client();
    assert_eq!(
        client.status().unwrap().tokens[0].status,
        TokenStatus::NotInitialized
    );
    let failed = client.login("0", Pin::new(PIN)).unwrap_err();
    assert_eq!(failed.fault_code(), "token_not_initialized");
    client.init_token("0", Pin::new(PIN)).unwrap();
    assert_eq!(
        client.init_token("0", Pin::new(PIN)).unwrap_err().fault_code(),
        "invalid_request"
    );
    client.logout("0").unwrap();
    assert_eq!(
        client.login("0", Pin::new("wrong")),
        Err(SignerError::PinIncorrect)
    );
    assert_eq!(client.status().unwrap().tokens[0].status, TokenStatus::LoggedOut);
    client.login("0", Pin::new(PIN)).unwrap();
    assert_eq!(
        client.login("1", Pin::new(PIN)).unwrap_err().fault_code(),
        "token_not_found"
    );
    client
        .change_pin("0", Pin::new(PIN), Pin::new("another"))
        .unwrap();
    assert_eq!(client.login("0", Pin::new(PIN)), Err(SignerError::PinIncorrect));
    client.login("0", Pin::new("another")).unwrap();
}

#[test]
fn openssl_accepts_the_requests() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: openssl is not installed");
        return;
    }
    let (_signer, client) = Signer::ready();
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::EcP256, KeyAlgorithm::EcP384] {
        let key = client
            .generate_key("0", "k", algorithm, KeyUsage::Signing)
            .unwrap();
        let request = Request::GenerateCsr {
            key: key.id,
            subject: subject("Vääna ja Õhtu"),
            dns_names: vec!["ss.example.org".to_owned()],
            client: None,
            format: CsrFormat::Pem,
        };
        let Response::Csr(csr) = client.call(request).unwrap() else {
            panic!("no request")
        };
        let text = openssl(
            &["req", "-verify", "-noout", "-text", "-nameopt", "utf8"],
            &csr.csr,
        );
        assert!(text.contains("verify OK"), "{text}");
        assert!(text.contains("Vääna ja Õhtu"), "{text}");
        assert!(text.contains("DNS:ss.example.org"), "{text}");
    }
}

fn openssl(arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
    String::from_utf8(text).unwrap()
}

#[test]
fn subjects_and_names_that_make_no_sense_are_refused() {
    let (_signer, client) = Signer::ready();
    let key = client
        .generate_key("0", "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let request = |subject, dns_name: &str| Request::GenerateCsr {
        key: key.id.clone(),
        subject,
        dns_names: vec![dns_name.to_owned()],
        client: None,
        format: CsrFormat::Der,
    };
    let mut unknown = subject("x");
    unknown[0].kind = "nonsense".to_owned();
    for wrong in [
        request(Vec::new(), "a"),
        request(unknown, "a"),
        request(subject("x"), "a b"),
        request(subject(""), "a"),
    ] {
        assert_eq!(
            client.call(wrong).unwrap_err().fault_code(),
            "failed_to_generate_certificate_request"
        );
    }
    client.call(request(subject("x"), "a")).unwrap();
    assert_eq!(client.status().unwrap().keys().next().unwrap().csrs.len(), 1);
}

#[test]
fn certificates_belong_to_keys() {
    let (_signer, client) = Signer::ready();
    let key = client
        .generate_key("0", "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let csr = client
        .generate_csr(&key.id, subject("x"), None, CsrFormat::Der)
        .unwrap();
    let ca = Ca::new();
    let import = |der: &[u8]| client.import_certificate(der, CertificateStatus::Saved, None);

    let for_authentication = ca.issue(&csr.csr, KeyUsage::Authentication);
    assert_eq!(
        import(for_authentication.as_der()).unwrap_err().fault_code(),
        "wrong_cert_usage"
    );
    assert_eq!(import(b"garbage").unwrap_err().fault_code(), "cert_import_failed");
    let certificate = ca.issue(&csr.csr, KeyUsage::Signing);
    let imported = import(certificate.to_pem().as_bytes()).unwrap();
    assert!(!imported.active);
    assert_eq!(
        import(certificate.as_der()).unwrap_err().fault_code(),
        "cert_exists"
    );

    let (other_signer, other) = Signer::ready();
    let foreign = other.import_certificate(certificate.as_der(), CertificateStatus::Saved, None);
    assert_eq!(foreign.unwrap_err().fault_code(), "key_not_found");
    drop(other_signer);

    assert_eq!(client.status().unwrap().usable(KeyUsage::Signing).count(), 0);
    client
        .set_certificate_status(imported.sha256, CertificateStatus::Registered)
        .unwrap();
    client.set_certificate_active(imported.sha256, true).unwrap();
    let status = client.status().unwrap();
    let (of_key, found) = status.usable(KeyUsage::Signing).next().unwrap();
    assert_eq!(
        (of_key.id.as_str(), &*found.der),
        (key.id.as_str(), certificate.as_der())
    );
    assert!(of_key.csrs.is_empty(), "the certificate answers the request");
    client.delete_certificate(imported.sha256).unwrap();
    assert_eq!(
        client
            .delete_certificate(imported.sha256)
            .unwrap_err()
            .fault_code(),
        "cert_not_found"
    );
}

#[test]
fn a_deleted_key_signs_no_more() {
    let (_signer, client) = Signer::ready();
    let (key, certificate) = certified_key(&client, KeyAlgorithm::EcP256, KeyUsage::Authentication);
    let algorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);
    let sign = |selector| client.sign_data(selector, algorithm, b"data");
    sign(KeySelector::Key(key.id.clone())).unwrap();
    sign(KeySelector::Certificate(certificate.sha256)).unwrap();
    client.delete_key(&key.id).unwrap();
    assert_eq!(
        sign(KeySelector::Key(key.id.clone())).unwrap_err().fault_code(),
        "key_not_found"
    );
    assert_eq!(
        sign(KeySelector::Certificate(certificate.sha256))
            .unwrap_err()
            .fault_code(),
        "cert_not_found"
    );
    assert_eq!(
        client.delete_key(&key.id).unwrap_err().fault_code(),
        "key_not_found"
    );
}

#[test]
fn authentication_keys_sign_for_tls() {
    use protocol_pki::{
        algorithm::SignatureAlgorithm as Pki, digest::DigestAlgorithm as PkiDigest, public_key::PublicKey,
    };
    let (_signer, client) = Signer::ready();
    let key = client
        .generate_key("0", "tls", KeyAlgorithm::Rsa2048, KeyUsage::Authentication)
        .unwrap();
    let public = PublicKey::from_spki(&key.public_key).unwrap();
    let select = || KeySelector::Key(key.id.clone());
    let sha256 = DigestAlgorithm::Sha256;
    let pss = client
        .sign_data(select(), SignatureAlgorithm::RsaPss(sha256), b"tls")
        .unwrap();
    public
        .verify(Pki::RsaPss(PkiDigest::Sha256), b"tls", &pss)
        .unwrap();
    let digest = PkiDigest::Sha256.digest(b"tls");
    let pkcs1 = client
        .sign_digest(select(), SignatureAlgorithm::RsaPkcs1(sha256), &digest)
        .unwrap();
    public
        .verify(Pki::RsaPkcs1(PkiDigest::Sha256), b"tls", &pkcs1)
        .unwrap();
    let short = client.sign_digest(select(), SignatureAlgorithm::RsaPkcs1(sha256), &digest[1..]);
    assert_eq!(short.unwrap_err().fault_code(), "invalid_request");
    let weak = client.sign_data(
        select(),
        SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha1),
        b"tls",
    );
    assert_eq!(weak.unwrap_err().fault_code(), "unsupported_sign_algorithm");
    client.logout("0").unwrap();
    let closed = client.sign_data(select(), SignatureAlgorithm::RsaPss(sha256), b"tls");
    assert_eq!(closed.unwrap_err().fault_code(), "token_not_active");
}

#[test]
fn a_key_of_the_signer_signs_documents_elsewhere() {
    use protocol_pki::{csr, csr::CertificateRequest, name::DistinguishedName};
    let (_signer, client) = Signer::ready();
    let key = client
        .generate_key("0", "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let remote = RemoteKey::new(client.clone(), &key, DigestAlgorithm::Sha512);
    let name = DistinguishedName::build(&[("CN", "elsewhere")]).unwrap();
    let made = csr::build(&name, &[], &remote).unwrap();
    let read = CertificateRequest::from_der(&made).unwrap();
    assert_eq!(read.public_key().spki_der(), &*key.public_key);
    client.logout("0").unwrap();
    let failure = csr::build(&name, &[], &remote).unwrap_err();
    assert!(matches!(
        failure.downcast_ref(),
        Some(SignerError::TokenNotActive(_))
    ));
}

#[test]
fn tokens_and_keys_have_the_names_that_people_give_them_also_after_a_restart() {
    let (mut signer, client) = Signer::ready();
    let key = client
        .generate_key("0", "first", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let names = |client: &signer_client::Client| {
        let status = client.status().unwrap();
        (
            status.tokens[0].name.clone(),
            status.tokens[0].keys[0].label.clone(),
        )
    };
    let own = names(&client).0;
    client.name_token("0", "Kõrvits").unwrap();
    client.name_key(&key.id, "second").unwrap();
    signer.kill();
    signer.restart();
    let client = signer.client();
    assert_eq!(names(&client), ("Kõrvits".to_owned(), "second".to_owned()));
    client.name_token("0", "").unwrap();
    assert_eq!(names(&client).0, own);
    for (refused, code) in [
        (client.name_token("7", "x"), "token_not_found"),
        (client.name_key("7", "x"), "key_not_found"),
        (client.name_key(&key.id, &"x".repeat(257)), "invalid_request"),
    ] {
        assert_eq!(refused.unwrap_err().fault_code(), code);
    }
}
