//! Tokens that go away, come back, are slow or hang.

use std::{
    fs,
    time::{Duration, Instant},
};

use signer_client::{KeyAlgorithm, KeyInfo, KeyUsage, Pin, Request, SignerError, TokenStatus};

use crate::{
    harness::certified_key_on,
    signing::{message, sign, verify},
    softhsm::{ECDSA, HSM_PIN, Hsm, OFFICER_PIN, softhsm, token_id},
};

fn make_key(hsm: &Hsm, label: &str) -> KeyInfo {
    hsm.client
        .generate_key(&token_id(label), "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap()
}

fn is_available(hsm: &Hsm, label: &str) -> bool {
    let token = hsm.token(label);
    !token.keys.is_empty() && token.keys.iter().all(|key| key.available)
}

#[test]
fn a_token_that_is_taken_away_fails_its_own_keys_and_works_again_when_it_is_back() {
    let Some(directory) = Hsm::prepare(&["one"], "") else {
        return;
    };
    let hsm = Hsm::start(directory);
    hsm.client.init_token("0", Pin::new("Sunny-day-42")).unwrap();
    hsm.client.login(&token_id("one"), Pin::new(HSM_PIN)).unwrap();
    let key = make_key(&hsm, "one");
    let other = hsm
        .client
        .generate_key("0", "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    hsm.sign(&key.id, ECDSA).unwrap();

    fs::rename(hsm.path("tokens"), hsm.path("away")).unwrap();
    fs::create_dir(hsm.path("tokens")).unwrap();
    hsm.wait_until("the key to be unavailable", |hsm| !is_available(hsm, "one"));
    let error = hsm.sign(&key.id, ECDSA).unwrap_err();
    assert!(
        matches!(error.fault_code(), "token_not_available" | "key_not_available"),
        "{error:?}"
    );
    hsm.sign(&other.id, ECDSA).unwrap();

    fs::remove_dir_all(hsm.path("tokens")).unwrap();
    fs::rename(hsm.path("away"), hsm.path("tokens")).unwrap();
    hsm.wait_until("the key to be available", |hsm| is_available(hsm, "one"));
    hsm.sign(&key.id, ECDSA).unwrap();
}

#[test]
fn a_token_that_is_away_at_start_is_told_with_its_keys_and_they_come_with_it() {
    let Some(hsm) = Hsm::ready("") else { return };
    let (key, certificate) = certified_key_on(
        &token_id("sign"),
        &hsm.client,
        KeyAlgorithm::EcP256,
        KeyUsage::Signing,
    );
    let mut signer = hsm.signer;
    signer.kill();
    let tokens = signer.directory.path().join("tokens");
    let away = signer.directory.path().join("away");
    fs::rename(&tokens, &away).unwrap();
    fs::create_dir(&tokens).unwrap();
    signer.restart();
    let client = signer.client();
    let hsm = Hsm { signer, client };
    let token = hsm.token("sign");
    assert_eq!(
        (token.status, token.name.as_str()),
        (TokenStatus::NotAvailable, "hsm-sign")
    );
    assert!(token.keys.len() == 1 && !token.keys[0].available);
    let not_available = SignerError::TokenNotAvailable(token_id("sign"));
    assert_eq!(hsm.sign(&key.id, ECDSA).unwrap_err(), not_available);
    assert_eq!(
        sign(&hsm.client, &message(certificate.sha256, 1, 1)).unwrap_err(),
        not_available
    );
    assert_eq!(
        hsm.client
            .login(&token_id("sign"), Pin::new(HSM_PIN))
            .unwrap_err(),
        not_available
    );

    fs::remove_dir_all(&tokens).unwrap();
    fs::rename(&away, &tokens).unwrap();
    hsm.wait_until("the token to be back", |hsm| {
        hsm.token("sign").status == TokenStatus::LoggedOut
    });
    hsm.client.login(&token_id("sign"), Pin::new(HSM_PIN)).unwrap();
    let message = message(certificate.sha256, 1, 1);
    verify(&message, &sign(&hsm.client, &message).unwrap());
}

#[test]
fn a_token_that_is_initialised_anew_has_lost_its_keys_and_its_old_pin_is_entered_once() {
    let Some(hsm) = Hsm::ready("") else { return };
    let key = make_key(&hsm, "sign");
    let folder = hsm.path("");
    softhsm(&folder, &["--delete-token", "--token", "sign"]);
    softhsm(
        &folder,
        &[
            "--init-token",
            "--free",
            "--label",
            "sign",
            "--pin",
            "1122334455",
            "--so-pin",
            OFFICER_PIN,
        ],
    );
    hsm.wait_until("the old login to be over", |hsm| {
        hsm.token("sign").status == TokenStatus::LoggedOut
    });
    let error = hsm.sign(&key.id, ECDSA).unwrap_err();
    assert_eq!(error, SignerError::TokenNotActive(token_id("sign")));
    hsm.client
        .login(&token_id("sign"), Pin::new("1122334455"))
        .unwrap();
    assert_eq!(
        hsm.sign(&key.id, ECDSA).unwrap_err(),
        SignerError::KeyNotAvailable(key.id.clone())
    );
    assert!(hsm.token("sign").keys.iter().all(|key| !key.available));
    let new = make_key(&hsm, "sign");
    hsm.sign(&new.id, ECDSA).unwrap();
}

#[test]
fn a_signature_that_takes_too_long_fails_its_batch_and_nothing_else() {
    let device = "developer_sign_delay_ms = 3000\nsign_timeout = 1\ntoken_id_format = '{moduleType}-{label}'";
    let Some(directory) = Hsm::prepare(&["sign"], "") else {
        return;
    };
    // A second copy of the library is a device of its own.
    let copy = directory.path().join("slow.so");
    fs::copy(crate::softhsm::library().unwrap(), &copy).unwrap();
    let path = directory.path().join("devices.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        format!("{text}\n[slow]\nlibrary = '{}'\n{device}\n", copy.display()),
    )
    .unwrap();
    let hsm = Hsm::start(directory);
    let slow: String = "slow-sign".bytes().map(|byte| format!("{byte:02x}")).collect();
    hsm.client.login(&token_id("sign"), Pin::new(HSM_PIN)).unwrap();
    hsm.client.login(&slow, Pin::new(HSM_PIN)).unwrap();
    let quick_key = make_key(&hsm, "sign");
    let slow_key = hsm
        .client
        .generate_key(&slow, "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let start = Instant::now();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            hsm.client.submit(Request::SignDigest {
                key: signer_client::KeySelector::Key(slow_key.id.clone()),
                algorithm: ECDSA,
                digest: vec![7; 64].into(),
            })
        })
        .collect();
    while start.elapsed() < Duration::from_millis(900) {
        hsm.sign(&quick_key.id, ECDSA).unwrap();
    }
    for waiting in waiting {
        let error = waiting.recv().unwrap().unwrap_err();
        assert_eq!(
            (&error, error.fault_code()),
            (&SignerError::TimedOut, "internal_error")
        );
    }
    assert!(
        start.elapsed() < Duration::from_millis(2_900),
        "{:?}",
        start.elapsed()
    );
    let hanging = |hsm: &Hsm| {
        let status = hsm.status();
        let token = status.tokens.into_iter().find(|token| token.id == slow).unwrap();
        token.hardware.unwrap().hanging_calls
    };
    assert!(hanging(&hsm) >= 1);
    hsm.wait_until("the calls to come back", |hsm| hanging(hsm) == 0);
    hsm.sign(&quick_key.id, ECDSA).unwrap();
    // The slow token still answers everything but signatures.
    hsm.client.refresh_devices().unwrap();
    hsm.client.logout(&slow).unwrap();
    hsm.client.login(&slow, Pin::new(HSM_PIN)).unwrap();
}
