//! Keys, PINs and certificates on a token.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use signer_client::{
    CertificateStatus, CsrFormat, DigestAlgorithm, KeyAlgorithm, KeyUsage, Pin, PinState, SignatureAlgorithm,
    SignerError, TokenStatus,
};

use crate::{
    harness::{Ca, Signer, subject},
    softhsm::{ECDSA, HSM_PIN, Hsm, OFFICER_PIN, RSA, library, token_id, which},
};

fn pkcs11_tool(directory: &Path, arguments: &[&str]) -> Option<String> {
    if which("pkcs11-tool").is_none() {
        eprintln!("SKIPPED: pkcs11-tool is not installed (package opensc)");
        return None;
    }
    let output = Command::new("pkcs11-tool")
        .arg("--module")
        .arg(library().unwrap())
        .args(["--token-label", "sign", "--login", "--pin", HSM_PIN])
        .args(arguments)
        .current_dir(directory)
        .env("SOFTHSM2_CONF", directory.join("softhsm2.conf"))
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{arguments:?}: {said}");
    Some(said)
}

/// `openssl` says that the signature is good, knowing nothing but the public key.
fn openssl_verifies(key: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    fs::write(file("key.der"), key).unwrap();
    fs::write(file("signature"), signature).unwrap();
    fs::write(file("digest"), vec![7; algorithm.digest().length()]).unwrap();
    let mut command = Command::new("openssl");
    command
        .args([
            "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der",
        ])
        .args(["-in", "digest", "-sigfile", "signature"])
        .current_dir(directory.path());
    let digest = match algorithm.digest() {
        DigestAlgorithm::Sha256 => "digest:sha256",
        DigestAlgorithm::Sha384 => "digest:sha384",
        _ => "digest:sha512",
    };
    if !matches!(algorithm, SignatureAlgorithm::Ecdsa(_)) {
        command.args(["-pkeyopt", digest]);
    }
    if matches!(algorithm, SignatureAlgorithm::RsaPss(_)) {
        command.args([
            "-pkeyopt",
            "rsa_padding_mode:pss",
            "-pkeyopt",
            "rsa_pss_saltlen:digest",
        ]);
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{algorithm:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn openssl_verifies_what_keys_of_every_kind_sign() {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
    let Some(hsm) = Hsm::ready("") else { return };
    for (algorithm, signatures) in [
        (
            KeyAlgorithm::Rsa2048,
            vec![
                RsaPkcs1(Sha256),
                RsaPkcs1(Sha384),
                RsaPkcs1(Sha512),
                RsaPss(Sha256),
                RsaPss(Sha512),
            ],
        ),
        (KeyAlgorithm::EcP256, vec![Ecdsa(Sha256), Ecdsa(Sha512)]),
        (KeyAlgorithm::EcP384, vec![Ecdsa(Sha384), Ecdsa(Sha512)]),
        (KeyAlgorithm::EcP521, vec![Ecdsa(Sha512)]),
    ] {
        let key = hsm
            .client
            .generate_key(&token_id("sign"), "a key", algorithm, KeyUsage::Signing)
            .unwrap();
        for name in signatures {
            openssl_verifies(&key.public_key, name, &hsm.sign(&key.id, name).unwrap());
        }
        let other = if algorithm.is_rsa() { ECDSA } else { RSA };
        assert!(matches!(
            hsm.sign(&key.id, other),
            Err(SignerError::UnsupportedSignAlgorithm(_))
        ));
    }
}

#[test]
fn another_tool_sees_the_key_and_it_is_sensitive_and_gone_when_it_is_deleted() {
    let Some(hsm) = Hsm::ready("priv_key_attribute_decrypt = false\npriv_key_attribute_unwrap = false")
    else {
        return;
    };
    let key = hsm
        .client
        .generate_key(
            &token_id("sign"),
            "the label",
            KeyAlgorithm::Rsa2048,
            KeyUsage::Signing,
        )
        .unwrap();
    assert_eq!((key.id.len(), key.label.as_str()), (40, "the label"));
    let folder = hsm.path("");
    let Some(seen) = pkcs11_tool(&folder, &["--list-objects"]) else {
        return;
    };
    assert!(seen.to_ascii_uppercase().contains(&key.id), "{seen}");
    assert!(
        seen.contains("the label") && seen.contains("sensitive") && seen.contains("RSA 2048 bits"),
        "{seen}"
    );
    let usage = seen
        .lines()
        .skip_while(|line| !line.contains("Private Key"))
        .find(|line| line.contains("Usage"));
    assert_eq!(usage.map(str::trim), Some("Usage:      sign"), "{seen}");
    hsm.client.delete_key(&key.id).unwrap();
    let seen = pkcs11_tool(&folder, &["--list-objects"]).unwrap();
    assert!(!seen.to_ascii_uppercase().contains(&key.id), "{seen}");
    assert!(hsm.token("sign").keys.is_empty());
}

#[test]
fn a_key_and_certificate_that_another_tool_put_there_are_found_and_can_be_registered() {
    let Some(hsm) = Hsm::ready("") else { return };
    let folder = hsm.path("");
    let make = [
        "--keypairgen",
        "--key-type",
        "EC:prime256v1",
        "--id",
        "a1b2",
        "--label",
        "made elsewhere",
    ];
    if pkcs11_tool(&folder, &make).is_none() {
        return;
    }
    hsm.client.refresh_devices().unwrap();
    let found = || hsm.token("sign").keys.into_iter().find(|key| key.id == "A1B2");
    hsm.wait_until("the key to be found", |_| found().is_some());
    let key = found().unwrap();
    assert_eq!(
        (key.algorithm, key.label.as_str()),
        (KeyAlgorithm::EcP256, "made elsewhere")
    );
    openssl_verifies(&key.public_key, ECDSA, &hsm.sign("A1B2", ECDSA).unwrap());

    let csr = hsm
        .client
        .generate_csr("A1B2", subject("70000000"), None, CsrFormat::Der)
        .unwrap();
    let certificate = Ca::new().issue(&csr.csr, KeyUsage::Signing);
    fs::write(folder.join("certificate.der"), certificate.as_der()).unwrap();
    let write = [
        "--write-object",
        "certificate.der",
        "--type",
        "cert",
        "--id",
        "a1b2",
    ];
    pkcs11_tool(&folder, &write).unwrap();
    hsm.client.refresh_devices().unwrap();
    hsm.wait_until("the certificate to be found", |_| {
        !found().unwrap().certificates.is_empty()
    });
    let adopted = found().unwrap().certificates[0].clone();
    assert_eq!(
        (&*adopted.der, adopted.status, adopted.active),
        (certificate.as_der(), CertificateStatus::Saved, false)
    );
    let client = Some("EE/GOV/70000000".to_owned());
    let imported = hsm
        .client
        .import_certificate(certificate.as_der(), CertificateStatus::Registered, client)
        .unwrap();
    assert!(imported.is_usable() && found().unwrap().certificates.len() == 1);
    hsm.client.delete_certificate(imported.sha256).unwrap();
    hsm.client.refresh_devices().unwrap();
    assert!(
        found().unwrap().certificates.is_empty(),
        "it was deleted on the token too"
    );
}

#[test]
fn a_wrong_pin_is_refused_and_a_new_one_replaces_the_old() {
    let Some(directory) = Hsm::prepare(&["sign"], "") else {
        return;
    };
    let hsm = Hsm::start(directory);
    let (token, pin) = (token_id("sign"), || Pin::new(HSM_PIN));
    assert_eq!(
        hsm.client.login(&token, Pin::new("0000")),
        Err(SignerError::PinIncorrect)
    );
    assert_eq!(hsm.token("sign").status, TokenStatus::LoggedOut);
    hsm.client.refresh_devices().unwrap();
    assert_eq!(hsm.token("sign").hardware.unwrap().pin, PinState::CountLow);
    hsm.client.login(&token, pin()).unwrap();
    // While somebody is logged in, the token itself would say yes to any PIN.
    assert_eq!(
        hsm.client.login(&token, Pin::new("0000")),
        Err(SignerError::PinIncorrect)
    );
    hsm.client.login(&token, pin()).unwrap();
    assert_eq!(
        hsm.client.change_pin(&token, Pin::new("0000"), Pin::new("97531")),
        Err(SignerError::PinIncorrect)
    );
    hsm.client.change_pin(&token, pin(), Pin::new("97531")).unwrap();
    hsm.client.logout(&token).unwrap();
    assert_eq!(hsm.client.login(&token, pin()), Err(SignerError::PinIncorrect));
    hsm.client.login(&token, Pin::new("97531")).unwrap();
    assert_eq!(hsm.token("sign").status, TokenStatus::LoggedIn);
}

#[test]
fn a_blank_token_gets_label_and_pin_and_then_makes_keys() {
    let Some(directory) = Hsm::prepare(&[], "") else {
        return;
    };
    let hsm = Hsm::start(directory);
    let blank = token_id("");
    assert_eq!(hsm.token("").status, TokenStatus::NotInitialized);
    assert_eq!(
        hsm.client.login(&blank, Pin::new(HSM_PIN)),
        Err(SignerError::TokenNotInitialized(blank.clone()))
    );
    assert!(matches!(
        hsm.client.init_token(&blank, Pin::new(HSM_PIN)),
        Err(SignerError::InvalidRequest(_))
    ));
    let init = |token: &str| {
        hsm.client
            .init_hardware_token(token, "new", Pin::new(OFFICER_PIN), Pin::new(HSM_PIN))
    };
    init(&blank).unwrap();
    assert_eq!(hsm.token("new").status, TokenStatus::LoggedOut);
    assert_eq!(
        init(&token_id("new")),
        Err(SignerError::TokenAlreadyInitialized(token_id("new")))
    );
    assert!(matches!(init("0"), Err(SignerError::InvalidRequest(_))));
    hsm.client.login(&token_id("new"), Pin::new(HSM_PIN)).unwrap();
    let key = hsm
        .client
        .generate_key(&token_id("new"), "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    hsm.sign(&key.id, ECDSA).unwrap();
}

#[test]
fn the_pin_file_opens_both_kinds_of_token_at_start_and_a_wrong_pin_is_entered_once() {
    let Some(hsm) = Hsm::ready("") else { return };
    let key = hsm
        .client
        .generate_key(&token_id("sign"), "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    hsm.client.init_token("0", Pin::new("Sunny-day-42")).unwrap();
    let mut signer = hsm.signer;
    signer.kill();
    let pins = signer.directory.path().join("pins");
    let settings = signer.directory.path().join("signer.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let text = text.replacen(
        "[kiirtee]\n",
        &format!("[kiirtee]\npin-file = '{}'\n", pins.display()),
        1,
    );
    fs::write(&settings, text).unwrap();
    let restart = |signer: &mut Signer, pin: &str| {
        fs::write(&pins, format!("Sunny-day-42\n{}:{pin}\n", token_id("sign"))).unwrap();
        fs::set_permissions(&pins, fs::Permissions::from_mode(0o600)).unwrap();
        signer.restart();
    };
    restart(&mut signer, HSM_PIN);
    let client = signer.client();
    let hsm = Hsm { signer, client };
    let software = hsm
        .status()
        .tokens
        .into_iter()
        .find(|token| token.id == "0")
        .unwrap();
    assert_eq!(
        (software.status, hsm.token("sign").status),
        (TokenStatus::LoggedIn, TokenStatus::LoggedIn)
    );
    hsm.sign(&key.id, ECDSA).unwrap();

    let mut signer = hsm.signer;
    signer.kill();
    restart(&mut signer, "0000");
    let client = signer.client();
    let hsm = Hsm { signer, client };
    assert_eq!(hsm.token("sign").status, TokenStatus::LoggedOut);
    // The token counts wrong PINs: a right one clears its flag, and then nothing sets it again.
    hsm.client.login(&token_id("sign"), Pin::new(HSM_PIN)).unwrap();
    hsm.client.logout(&token_id("sign")).unwrap();
    for _ in 0..3 {
        hsm.client.refresh_devices().unwrap();
    }
    assert_eq!(hsm.token("sign").hardware.unwrap().pin, PinState::Good);
    assert_eq!(hsm.token("sign").status, TokenStatus::LoggedOut);
    assert_eq!(
        hsm.sign(&key.id, ECDSA),
        Err(SignerError::TokenNotActive(token_id("sign")))
    );
}

#[test]
fn a_read_only_device_signs_but_makes_and_destroys_nothing() {
    let Some(hsm) = Hsm::ready("") else { return };
    let make = |hsm: &Hsm| {
        hsm.client
            .generate_key(&token_id("sign"), "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
    };
    let key = make(&hsm).unwrap();
    let mut signer = hsm.signer;
    signer.kill();
    let devices = signer.directory.path().join("devices.toml");
    let text = fs::read_to_string(&devices).unwrap();
    fs::write(&devices, format!("{text}\nread_only = true\n")).unwrap();
    signer.restart();
    let client = signer.client();
    let hsm = Hsm { signer, client };
    hsm.client.login(&token_id("sign"), Pin::new(HSM_PIN)).unwrap();
    hsm.sign(&key.id, ECDSA).unwrap();
    let read_only = SignerError::TokenReadOnly(token_id("sign"));
    assert_eq!(make(&hsm).unwrap_err(), read_only);
    assert_eq!(hsm.client.delete_key(&key.id).unwrap_err(), read_only);
    assert!(hsm.token("sign").hardware.unwrap().read_only);
}

#[test]
fn with_a_pin_for_each_signature_the_token_is_left_after_each() {
    let Some(hsm) = Hsm::ready("sign_verify_pin = true") else {
        return;
    };
    let key = hsm
        .client
        .generate_key(&token_id("sign"), "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    for _ in 0..3 {
        openssl_verifies(&key.public_key, ECDSA, &hsm.sign(&key.id, ECDSA).unwrap());
    }
    hsm.client.logout(&token_id("sign")).unwrap();
    assert_eq!(
        hsm.sign(&key.id, ECDSA),
        Err(SignerError::TokenNotActive(token_id("sign")))
    );
}
