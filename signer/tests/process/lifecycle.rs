//! Start, stop, and what happens when either goes wrong.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    process::Command,
    time::{Duration, Instant},
};

use signer_client::{
    DigestAlgorithm, KeyAlgorithm, KeySelector, KeyUsage, Pin, Request, SignatureAlgorithm, SignerError,
    TokenStatus,
};

use crate::harness::{PIN, Signer, certified_key};

const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256);

#[test]
fn keys_survive_kill_and_the_client_comes_back() {
    let (mut signer, client) = Signer::ready();
    let (key, certificate) = certified_key(&client, KeyAlgorithm::EcP256, KeyUsage::Authentication);
    signer.kill();
    let start = Instant::now();
    while client.is_connected() && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(client.status(), Err(SignerError::Disconnected));
    signer.restart();
    assert!(client.wait_until_connected(Duration::from_secs(10)));
    let status = client.status().unwrap();
    assert_eq!(status.tokens[0].status, TokenStatus::LoggedOut);
    let found = status.keys().next().unwrap();
    assert_eq!((&found.id, &found.public_key), (&key.id, &key.public_key));
    assert_eq!(found.certificates, [certificate]);
    let select = || KeySelector::Key(key.id.clone());
    assert_eq!(
        client
            .sign_data(select(), ALGORITHM, b"x")
            .unwrap_err()
            .fault_code(),
        "token_not_active"
    );
    client.login("0", Pin::new(PIN)).unwrap();
    client.sign_data(select(), ALGORITHM, b"x").unwrap();
}

#[test]
fn a_key_whose_record_was_lost_is_adopted() {
    let (mut signer, client) = Signer::ready();
    let first = client
        .generate_key("0", "one", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let second = client
        .generate_key("0", "two", KeyAlgorithm::EcP256, KeyUsage::Authentication)
        .unwrap();
    signer.kill();
    fs::rename(signer.state("keys.json.previous"), signer.state("keys.json")).unwrap();
    signer.restart();
    let status = signer.client().status().unwrap();
    let mut found: Vec<_> = status
        .keys()
        .map(|key| (key.id.clone(), key.label.clone(), key.usage))
        .collect();
    let mut expected: Vec<_> = [first, second].map(|key| (key.id, key.label, key.usage)).into();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(found, expected);
}

#[test]
fn two_signers_never_share_their_state() {
    let (signer, _client) = Signer::ready();
    for name in ["run", "init"] {
        let output = Signer::command(&signer.directory, name).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && text.contains("another signer"),
            "{text}"
        );
    }
}

#[test]
fn the_pin_file_logs_in_at_start() {
    let mut signer = Signer::start("");
    let (pin_file, settings) = (
        signer.directory.path().join("pin"),
        signer.directory.path().join("signer.toml"),
    );
    fs::write(&pin_file, format!("0:{PIN}\n")).unwrap();
    fs::set_permissions(&pin_file, fs::Permissions::from_mode(0o600)).unwrap();
    signer.kill();
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        format!("{text}\npin-file = '{}'\n", pin_file.display()),
    )
    .unwrap();
    assert!(
        Signer::command(&signer.directory, "init")
            .status()
            .unwrap()
            .success()
    );
    assert!(
        !Signer::command(&signer.directory, "init")
            .status()
            .unwrap()
            .success(),
        "once only"
    );
    signer.restart();
    assert_eq!(
        signer.client().status().unwrap().tokens[0].status,
        TokenStatus::LoggedIn
    );

    signer.kill();
    fs::set_permissions(&pin_file, fs::Permissions::from_mode(0o644)).unwrap();
    let output = Signer::command(&signer.directory, "run").output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("0600"));
}

#[test]
fn sigterm_answers_what_was_asked_and_ends_with_success() {
    let (mut signer, client) = Signer::ready();
    let (key, _) = certified_key(&client, KeyAlgorithm::Rsa4096, KeyUsage::Authentication);
    let algorithm = SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256);
    let request = || Request::SignData {
        key: KeySelector::Key(key.id.clone()),
        algorithm,
        data: vec![1].into(),
    };
    let waiting: Vec<_> = (0..40).map(|_| client.submit(request())).collect();
    // The first answer shows that the signer has read the requests.
    waiting[0].recv().unwrap().unwrap();
    Command::new("kill")
        .arg(signer.child.id().to_string())
        .status()
        .unwrap();
    for waiting in &waiting[1..] {
        waiting.recv().unwrap().unwrap();
    }
    assert!(signer.child.wait().unwrap().success());
    assert!(!signer.socket().exists());
}

#[test]
fn settings_with_unknown_names_are_refused() {
    let signer = Signer::start("");
    let settings = signer.directory.path().join("signer.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}\nsignersocket = 'x'\n")).unwrap();
    let mut child = Signer::command(&signer.directory, "run").spawn().unwrap();
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(!child.wait().unwrap().success());
    assert!(text.contains("did you mean signer-socket?"), "{text}");
}

#[test]
fn no_pin_reaches_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let settings = format!(
        "[kiirtee]\nsigner-socket = '{0}/s'\nstate-directory = '{0}/state'\nlog-json = true\n\
         kdf-memory = 19456\nkdf-passes = 2\n",
        directory.path().display()
    );
    fs::write(directory.path().join("signer.toml"), settings).unwrap();
    let mut child = Signer::command(&directory, "run")
        .env("RUST_LOG", "trace")
        .spawn()
        .unwrap();
    let client = signer_client::Client::connect(directory.path().join("s"));
    assert!(client.wait_until_connected(Duration::from_secs(20)));
    client.init_token("0", Pin::new(PIN)).unwrap();
    assert!(client.login("0", Pin::new("Wrong-pin-77")).is_err());
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    child.wait().unwrap();
    assert!(
        log.lines().count() > 3 && log.lines().all(|line| line.starts_with('{')),
        "{log}"
    );
    assert!(!log.contains(PIN) && !log.contains("Wrong-pin"), "{log}");
}
