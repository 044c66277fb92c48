//! What one key does, or its token fails to do, is no matter of another key.

use std::{fs, io::Write};

use protocol_pki::digest::DigestAlgorithm as PkiDigest;
use signer_client::{
    Client, DigestAlgorithm, Failures, KeyAlgorithm, KeyFigures, KeyInfo, KeySelector, KeyUsage, Outcome,
    Pin, Request, SignerError,
};

use crate::{
    harness::{PIN, Signer, certified_key_on},
    signing::{message, request, sign, verify, verify_all},
    softhsm::{HSM_PIN, Hsm, token_id},
};

fn key(client: &Client, token: &str, algorithm: KeyAlgorithm) -> KeyInfo {
    client
        .generate_key(token, "k", algorithm, KeyUsage::Signing)
        .unwrap()
}

fn figures(client: &Client, key: &str) -> KeyFigures {
    let status = client.status().unwrap();
    let found = status.figures.iter().find(|figures| figures.key == key);
    found
        .unwrap_or_else(|| panic!("no figures of {key}: {status:?}"))
        .clone()
}

fn one_signature(key: &KeyInfo) -> Request {
    Request::SignDigest {
        key: KeySelector::Key(key.id.clone()),
        algorithm: key.algorithm.message_signature(DigestAlgorithm::Sha512),
        digest: PkiDigest::Sha512.digest(b"storm").as_bytes().into(),
    }
}

/// Requests that all wait for a key at the same time.
struct Storm<'a> {
    client: &'a Client,
    key: &'a KeyInfo,
    answers: Vec<Answer>,
}

type Answer = Box<dyn Fn() -> Outcome>;

impl<'a> Storm<'a> {
    fn of(client: &'a Client, key: &'a KeyInfo, requests: usize) -> Self {
        let answer = |_| {
            let waiting = client.submit(one_signature(key));
            Box::new(move || waiting.recv().unwrap()) as Answer
        };
        let answers = (0..requests).map(answer).collect();
        let storm = Self { client, key, answers };
        // The status is answered after the requests were read: they wait in the queue of the key.
        assert!(storm.waiting() > requests * 3 / 4, "the storm is too weak");
        storm
    }

    fn waiting(&self) -> usize {
        usize::try_from(figures(self.client, &self.key.id).waiting).unwrap()
    }

    /// Signatures of the stormed key while five of another are made, one after the other.
    fn passed_by(&self, other: &KeyInfo) -> usize {
        let before = self.waiting();
        for _ in 0..5 {
            self.client.call(one_signature(other)).unwrap();
        }
        let after = self.waiting();
        assert!(after > 0, "the storm was over before the other key was heard");
        before - after
    }

    fn over(self) {
        for answer in self.answers {
            answer().unwrap();
        }
    }
}

#[test]
fn a_key_in_a_storm_does_not_hold_up_another_key_of_the_software_token() {
    let (_signer, client) = Signer::ready();
    let stormed = key(&client, "0", KeyAlgorithm::Rsa4096);
    let quiet = key(&client, "0", KeyAlgorithm::EcP256);
    let storm = Storm::of(&client, &stormed, 400);
    // Behind the storm it would be 400. The machine is shared with other tests; the keys share it fairly.
    let passed = storm.passed_by(&quiet);
    assert!(
        passed < 100,
        "{passed} signatures of the other key in five of this one"
    );
    storm.over();
    let figures = [&stormed, &quiet].map(|key| figures(&client, &key.id));
    assert_eq!((figures[0].digests, figures[1].digests), (400, 5));
    assert!(figures[0].mean_wait() > figures[1].mean_wait(), "{figures:?}");
    assert!(
        figures.iter().all(|figures| figures.failures.is_empty()),
        "{figures:?}"
    );
}

#[test]
fn a_key_in_a_storm_does_not_hold_up_another_key_of_its_slow_token_nor_of_another_token() {
    // 20 signatures a second, one at a time.
    let Some(hsm) = Hsm::ready("developer_sign_delay_ms = 50") else {
        return;
    };
    hsm.client.init_token("0", Pin::new(PIN)).unwrap();
    let token = token_id("sign");
    let stormed = key(&hsm.client, &token, KeyAlgorithm::EcP256);
    let neighbour = key(&hsm.client, &token, KeyAlgorithm::EcP256);
    let elsewhere = key(&hsm.client, "0", KeyAlgorithm::EcP256);
    let storm = Storm::of(&hsm.client, &stormed, 60);
    // In turn: a signature of the one, a signature of the other; one more was under way.
    let passed = storm.passed_by(&neighbour);
    assert!(
        passed <= 12,
        "{passed} signatures of the other key in five of this one"
    );
    let passed = storm.passed_by(&elsewhere);
    assert!(
        passed <= 12,
        "{passed} signatures of another token in five of this one"
    );
    storm.over();
}

#[test]
fn a_batch_that_its_token_does_not_sign_in_time_fails_whole_and_no_other_batch_does() {
    let Some(hsm) = Hsm::ready("") else { return };
    hsm.client.init_token("0", Pin::new(PIN)).unwrap();
    let certify = |token: &str| certified_key_on(token, &hsm.client, KeyAlgorithm::EcP256, KeyUsage::Signing);
    let (slow_key, slow) = certify(&token_id("sign"));
    let (quick_key, quick) = certify("0");
    let (mut signer, _) = (hsm.signer, hsm.client);
    signer.kill();
    let mut devices = fs::OpenOptions::new()
        .append(true)
        .open(signer.directory.path().join("devices.toml"))
        .unwrap();
    devices
        .write_all(b"developer_sign_delay_ms = 2500\nsign_timeout = 1\n")
        .unwrap();
    signer.restart();
    let client = signer.client();
    client.login("0", Pin::new(PIN)).unwrap();
    client.login(&token_id("sign"), Pin::new(HSM_PIN)).unwrap();

    let failing = client.submit(Request::SignMessages(request(slow.sha256, 0..10, 2)));
    let mut signed = 0;
    let outcome = loop {
        let several = request(quick.sha256, signed..signed + 2, 2);
        verify_all(&several, client.sign_messages(several.clone()).unwrap());
        signed += 2;
        if let Ok(outcome) = failing.try_recv() {
            break outcome;
        }
    };
    let error = outcome.unwrap_err();
    assert_eq!(
        (&error, error.fault_code()),
        (&SignerError::TimedOut, "internal_error")
    );
    let (failed, good) = (figures(&client, &slow_key.id), figures(&client, &quick_key.id));
    let internal_error = |requests| Failures {
        code: "internal_error".to_owned(),
        requests,
    };
    assert_eq!((failed.messages, failed.failures), (0, vec![internal_error(1)]));
    assert_eq!(
        (good.messages, good.failures),
        (u64::try_from(signed).unwrap(), vec![])
    );
    let next = message(quick.sha256, 99, 1);
    verify(&next, &sign(&client, &next).unwrap());
}

#[test]
fn messages_of_a_token_that_is_taken_away_fail_with_its_fault_while_another_goes_on() {
    let Some(hsm) = Hsm::ready("") else { return };
    hsm.client.init_token("0", Pin::new(PIN)).unwrap();
    let certify = |token: &str| certified_key_on(token, &hsm.client, KeyAlgorithm::EcP256, KeyUsage::Signing);
    let (gone_key, gone) = certify(&token_id("sign"));
    let (stays_key, stays) = certify("0");
    fs::rename(hsm.path("tokens"), hsm.path("away")).unwrap();
    fs::create_dir(hsm.path("tokens")).unwrap();
    hsm.wait_until("the token to be away", |hsm| {
        hsm.token("sign").keys.iter().all(|key| !key.available)
    });
    for number in 0..20 {
        let error = sign(&hsm.client, &message(gone.sha256, number, 1)).unwrap_err();
        assert!(
            matches!(error.fault_code(), "token_not_available" | "key_not_available"),
            "{error:?}"
        );
        let good = message(stays.sha256, number, 1);
        verify(&good, &sign(&hsm.client, &good).unwrap());
    }
    let failures = figures(&hsm.client, &gone_key.id).failures;
    assert_eq!(failures.iter().map(|failure| failure.requests).sum::<u64>(), 20);
    assert_eq!(figures(&hsm.client, &stays_key.id).failures, []);
    assert_eq!(figures(&hsm.client, &stays_key.id).messages, 20);
}
