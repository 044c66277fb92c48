//! Two security servers whose keys are in hardware tokens: SoftHSM 2, through PKCS #11.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod instance;

use std::path::Path;

use instance::{CLIENT, Instance, agent, is_built, kiirtee, wait_until};
use serde_json::Value;

fn has_softhsm() -> bool {
    let found = Path::new("/usr/bin/softhsm2-util").exists();
    if !found {
        eprintln!("SKIPPED: SoftHSM 2 is not installed (package softhsm2)");
    }
    found
}

/// Status and fault code of an exchange.
fn exchange(instance: &Instance) -> (u16, String) {
    let url = instance.url("echo/hello");
    let mut answer = agent().get(&url).header(CLIENT.0, CLIENT.1).call().unwrap();
    let code = answer
        .headers()
        .get("X-Road-Error")
        .map(|code| code.to_str().unwrap().to_owned());
    let _ = answer.body_mut().read_to_vec();
    (answer.status().as_u16(), code.unwrap_or_default())
}

/// What `kiirtee keys` shows of a server's signer.
fn keys(instance: &Instance, server: &str, what: &str) -> Value {
    let socket = instance.get(&format!("{server}/signer_socket"));
    let shown = kiirtee()
        .args(["keys", "--socket", &socket, what, "--json"])
        .output()
        .unwrap();
    serde_json::from_slice(&shown.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&shown.stderr)))
}

/// What the signer says of the token `sandbox`.
fn token(instance: &Instance, server: &str) -> Value {
    let list = keys(instance, server, "list");
    let tokens = list.as_array().unwrap();
    let found = tokens.iter().find(|token| token["name"] == "softhsm-sandbox");
    found.unwrap_or_else(|| panic!("{list}")).clone()
}

#[test]
fn messages_signed_by_hardware_tokens_are_exchanged_and_a_token_may_go_and_come_back() {
    if !is_built() || !has_softhsm() {
        return;
    }
    let mut instance = Instance::up_with(200, &["--token", "softhsm"]);
    assert_eq!(exchange(&instance), (200, String::new()));
    for server in ["consumer", "provider"] {
        let keys = token(&instance, server)["keys"].as_array().unwrap().len();
        assert_eq!(keys, 1, "the signing key of {server}");
    }

    // The provider's token is taken away: its answers cannot be signed.
    let folder = Path::new(&instance.get("provider/data_dir")).join("signer");
    let (tokens, away) = (folder.join("softhsm"), folder.join("away"));
    std::fs::rename(&tokens, &away).unwrap();
    std::fs::create_dir(&tokens).unwrap();
    let mut last = (200, String::new());
    wait_until("exchanges to fail", || {
        last = exchange(&instance);
        last.0 == 500
    });
    assert!(last.1.starts_with("server."), "{last:?}");

    std::fs::remove_dir_all(&tokens).unwrap();
    std::fs::rename(&away, &tokens).unwrap();
    wait_until("exchanges to succeed", || exchange(&instance).0 == 200);

    // A signer that starts again logs in with its PIN file.
    let killed = instance.kill("consumer-signer");
    instance.restart(&killed);
    wait_until("exchanges with the new signer", || exchange(&instance).0 == 200);
}

#[test]
fn a_token_of_twenty_signatures_a_second_does_not_hold_up_a_hundred_clients() {
    if !is_built() || !has_softhsm() {
        return;
    }
    let instance = Instance::up_with(201, &["--token", "softhsm", "--token-delay", "50"]);
    assert_eq!(exchange(&instance).0, 200);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| (0..3).map(|_| exchange(&instance)).collect::<Vec<_>>()))
            .collect();
        for client in clients {
            for answer in client.join().unwrap() {
                assert_eq!(answer, (200, String::new()));
            }
        }
    });
    // Handshakes are signed in software; what gathers in 50 ms is signed together.
    for server in ["consumer", "provider"] {
        let figures = keys(&instance, server, "figures");
        let of = |name: &str| figures[name].as_u64().unwrap();
        assert_eq!(of("messages"), 301);
        assert!(of("batches") * 3 < of("messages"), "{server}: {figures}");
        assert!(of("largest_batch") >= 8, "{server}: {figures}");
    }
}
