//! SoftHSM 2 with tokens of a test's own, and what signs with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use signer_client::{
    Client, DigestAlgorithm, KeyAlgorithm, KeyUsage, Pin, Request, SignatureAlgorithm, SignedMessages,
    SignerError, Status, TokenInfo, TokenStatus,
};
use tempfile::TempDir;

use crate::{
    harness::{Signer, certified_key, certified_key_on},
    signing::{message, sign, verify, verify_all},
};

pub(crate) const HSM_PIN: &str = "2468135";
pub(crate) const OFFICER_PIN: &str = "86427531";

/// Where SoftHSM's library is; nowhere if it is not installed, and then says so.
pub(crate) fn library() -> Option<PathBuf> {
    let places = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
    ];
    let found = places.iter().map(PathBuf::from).find(|path| path.exists());
    if found.is_none() || which("softhsm2-util").is_none() {
        eprintln!("SKIPPED: SoftHSM 2 is not installed (package softhsm2)");
        return None;
    }
    found
}

pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// The id of a token of the device `[hsm]`, as the format of [`Hsm::prepare`] makes it.
pub(crate) fn token_id(label: &str) -> String {
    format!("hsm-{label}")
        .bytes()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A signer with SoftHSM tokens.
pub(crate) struct Hsm {
    pub(crate) signer: Signer,
    pub(crate) client: Client,
}

impl Hsm {
    /// A folder with tokens of these labels and a device `[hsm]`; `device` are further settings of it.
    pub(crate) fn prepare(labels: &[&str], device: &str) -> Option<TempDir> {
        let library = library()?;
        let directory = tempfile::tempdir().unwrap();
        let tokens = directory.path().join("tokens");
        fs::create_dir(&tokens).unwrap();
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            tokens.display()
        );
        fs::write(directory.path().join("softhsm2.conf"), conf).unwrap();
        for label in labels {
            make_token(directory.path(), label);
        }
        let devices = format!(
            "[hsm]\nlibrary = '{}'\ntoken_id_format = '{{moduleType}}-{{label}}'\n{device}\n",
            library.display()
        );
        fs::write(directory.path().join("devices.toml"), devices).unwrap();
        Some(directory)
    }

    pub(crate) fn start(directory: TempDir) -> Self {
        let settings = format!(
            "[signer]\nmodule-manager-update-interval = 1\ndevice-configuration-file = '{}/devices.toml'",
            directory.path().display()
        );
        let signer = Signer::start_in(directory, &settings);
        let client = signer.client();
        Self { signer, client }
    }

    /// A signer with one token, `sign`, logged in.
    pub(crate) fn ready(device: &str) -> Option<Self> {
        let hsm = Self::start(Self::prepare(&["sign"], device)?);
        hsm.client.login(&token_id("sign"), Pin::new(HSM_PIN)).unwrap();
        Some(hsm)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.signer.directory.path().join(name)
    }

    pub(crate) fn status(&self) -> Status {
        self.client.status().unwrap()
    }

    pub(crate) fn token(&self, label: &str) -> TokenInfo {
        let id = token_id(label);
        let status = self.status();
        let found = status.tokens.iter().find(|token| token.id == id);
        found
            .unwrap_or_else(|| panic!("no token {label}: {status:?}"))
            .clone()
    }

    pub(crate) fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(
                start.elapsed() < Duration::from_secs(30),
                "waited in vain for {what}: {:?}",
                self.status()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Signs a digest.
    pub(crate) fn sign(&self, key: &str, algorithm: SignatureAlgorithm) -> Result<Vec<u8>, SignerError> {
        let digest = vec![7; algorithm.digest().length()];
        let selector = signer_client::KeySelector::Key(key.to_owned());
        self.client
            .sign_digest(selector, algorithm, &digest)
            .map(|value| value.to_vec())
    }
}

pub(crate) fn softhsm(directory: &Path, arguments: &[&str]) {
    let output = Command::new("softhsm2-util")
        .args(arguments)
        .env("SOFTHSM2_CONF", directory.join("softhsm2.conf"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

pub(crate) fn make_token(directory: &Path, label: &str) {
    let arguments = [
        "--init-token",
        "--free",
        "--label",
        label,
        "--pin",
        HSM_PIN,
        "--so-pin",
        OFFICER_PIN,
    ];
    softhsm(directory, &arguments);
}

pub(crate) const RSA: SignatureAlgorithm = SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha512);
pub(crate) const ECDSA: SignatureAlgorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha512);

#[test]
fn messages_are_signed_with_keys_of_every_kind_that_never_leave_the_token() {
    let Some(hsm) = Hsm::ready("sessions = 3") else {
        return;
    };
    let algorithms = [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::EcP256,
        KeyAlgorithm::EcP384,
        KeyAlgorithm::EcP521,
    ];
    for algorithm in algorithms {
        let (key, certificate) =
            certified_key_on(&token_id("sign"), &hsm.client, algorithm, KeyUsage::Signing);
        assert_eq!(key.algorithm, algorithm);
        for parts in [1, 3] {
            let message = message(certificate.sha256, 1, parts);
            let signed = sign(&hsm.client, &message).unwrap();
            verify(&message, &signed);
        }
    }
    let token = hsm.token("sign");
    assert_eq!(
        (token.status, token.keys.len()),
        (TokenStatus::LoggedIn, algorithms.len())
    );
    assert!(token.keys.iter().all(|key| key.available));
    assert!(hsm.status().devices_work());
}

#[test]
fn a_device_whose_mechanism_is_pss_signs_messages_with_pss_and_others_do_not() {
    for (device, mgf1) in [("sign_mechanism = 'CKM_RSA_PKCS_PSS'", true), ("", false)] {
        let Some(hsm) = Hsm::ready(device) else { return };
        let (_, certificate) = certified_key_on(
            &token_id("sign"),
            &hsm.client,
            KeyAlgorithm::Rsa2048,
            KeyUsage::Signing,
        );
        let message = message(certificate.sha256, 1, 1);
        let signed = sign(&hsm.client, &message).unwrap();
        verify(&message, &signed);
        let xml = String::from_utf8_lossy(&signed.signature_xml).into_owned();
        assert_eq!(xml.contains("rsa-MGF1"), mgf1, "{xml}");
    }
}

#[test]
fn waiting_messages_share_a_signature_unless_the_device_forbids_it() {
    for (device, shared) in [
        ("developer_sign_delay_ms = 50", true),
        (
            "developer_sign_delay_ms = 50\nbatch_signing_enabled = false",
            false,
        ),
    ] {
        let Some(hsm) = Hsm::ready(device) else { return };
        let (_, certificate) = certified_key_on(
            &token_id("sign"),
            &hsm.client,
            KeyAlgorithm::EcP256,
            KeyUsage::Signing,
        );
        let before = hsm.status().counters;
        let waiting: Vec<_> = (0..16)
            .map(|number| {
                hsm.client
                    .submit(Request::SignMessages(message(certificate.sha256, number, 1)))
            })
            .collect();
        for (number, waiting) in waiting.iter().enumerate() {
            let signed: SignedMessages = waiting.recv().unwrap().unwrap().try_into().unwrap();
            verify_all(&message(certificate.sha256, number, 1), signed);
        }
        let batches = hsm.status().counters.batches - before.batches;
        assert_eq!(batches < 8, shared, "{batches} signatures for 16 messages");
    }
}

#[test]
fn a_token_with_several_sessions_signs_at_the_same_time_and_one_with_one_session_does_not() {
    for (sessions, longest) in [(8, 700), (1, 5_000)] {
        let device = format!("sessions = {sessions}\ndeveloper_sign_delay_ms = 150");
        let Some(hsm) = Hsm::ready(&device) else { return };
        let key = hsm
            .client
            .generate_key(&token_id("sign"), "k", KeyAlgorithm::EcP256, KeyUsage::Signing)
            .unwrap();
        let digest = vec![7; 64];
        let start = Instant::now();
        let waiting: Vec<_> = (0..8)
            .map(|_| {
                hsm.client.submit(Request::SignDigest {
                    key: signer_client::KeySelector::Key(key.id.clone()),
                    algorithm: ECDSA,
                    digest: digest.as_slice().into(),
                })
            })
            .collect();
        for waiting in waiting {
            waiting.recv().unwrap().unwrap();
        }
        let took = start.elapsed();
        assert!(
            took < Duration::from_millis(longest),
            "{sessions} sessions: {took:?}"
        );
        assert_eq!(
            took < Duration::from_millis(1_100),
            sessions > 1,
            "{sessions} sessions: {took:?}"
        );
    }
}

#[test]
fn several_tokens_of_a_device_and_the_software_token_work_side_by_side() {
    let Some(directory) = Hsm::prepare(&["one", "two"], "") else {
        return;
    };
    let hsm = Hsm::start(directory);
    hsm.client.init_token("0", Pin::new("Sunny-day-42")).unwrap();
    for label in ["one", "two"] {
        assert_eq!(hsm.token(label).status, TokenStatus::LoggedOut);
        hsm.client.login(&token_id(label), Pin::new(HSM_PIN)).unwrap();
    }
    let signs = |certificate: signer_client::CertificateInfo| {
        let message = message(certificate.sha256, 1, 2);
        verify(&message, &sign(&hsm.client, &message).unwrap());
    };
    for label in ["one", "two"] {
        let (key, certificate) = certified_key_on(
            &token_id(label),
            &hsm.client,
            KeyAlgorithm::EcP256,
            KeyUsage::Signing,
        );
        assert_eq!(key.token, token_id(label));
        signs(certificate);
    }
    signs(certified_key(&hsm.client, KeyAlgorithm::EcP256, KeyUsage::Signing).1);
    // Logging out of one leaves the others alone.
    hsm.client.logout(&token_id("one")).unwrap();
    let of = |label: &str| hsm.token(label).keys[0].id.clone();
    assert_eq!(
        hsm.sign(&of("one"), ECDSA),
        Err(SignerError::TokenNotActive(token_id("one")))
    );
    hsm.sign(&of("two"), ECDSA).unwrap();
}

#[test]
fn only_the_slots_of_the_settings_are_looked_at_and_a_device_that_cannot_be_loaded_is_told() {
    let Some(directory) = Hsm::prepare(&["sign"], "slot_ids = '4711'") else {
        return;
    };
    let hsm = Hsm::start(directory);
    let status = hsm.status();
    assert_eq!(status.devices[0].problem.as_deref(), Some("no slot has a token"));
    assert!(status.tokens.iter().all(|token| token.id == "0") && !status.devices_work());
    drop(hsm);

    let directory = Hsm::prepare(&["sign"], "[gone]\nlibrary = '/nonexistent/library.so'").unwrap();
    let hsm = Hsm::start(directory);
    let problem = |name: &str| {
        let status = hsm.status();
        status
            .devices
            .iter()
            .find(|device| device.name == name)
            .unwrap()
            .problem
            .clone()
    };
    assert_eq!(problem("hsm"), None);
    assert!(
        problem("gone").unwrap().contains("/nonexistent/library.so"),
        "{:?}",
        problem("gone")
    );
}

#[test]
fn sigterm_ends_a_signer_whose_hardware_tokens_are_looked_at() {
    let Some(mut hsm) = Hsm::ready("") else { return };
    let id = hsm.signer.child.id().to_string();
    Command::new("kill").arg(id).status().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = hsm.signer.child.try_wait().unwrap() {
            break status;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
}
