//! REST from outside: curl at one server, the example information system behind the other, all processes real.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../curl/mod.rs"]
mod curl;
#[path = "../instance/mod.rs"]
mod instance;
#[path = "../../../proxy/tests/jsse/mod.rs"]
mod jsse;

mod configure;
mod connection_modes;
mod exchanges;
mod failures;
mod https_services;
mod identifiers;
mod loggable;
mod stock_peer;

use std::path::{Path, PathBuf};

use curl::{Answer, curl};
use instance::Instance;

/// The header that names the sandbox's service client.
const CLIENT: &str = "X-Road-Client: SANDBOX/ORG/1001/client";

fn can_run() -> bool {
    instance::is_built() && curl::is_installed()
}

/// Calls a service of the provider as the consumer's subsystem.
fn call(instance: &Instance, service_and_path: &str, arguments: &[&str]) -> Answer {
    let url = instance.url(service_and_path);
    curl(&[&["-H", CLIENT], arguments, &[&url]].concat())
}

/// The code of a fault, after checking that status, header and body agree on it.
fn fault(answer: &Answer) -> String {
    let code = answer
        .header("x-road-error")
        .unwrap_or_else(|| panic!("no fault: {answer:?}"));
    assert_eq!(
        answer.status,
        if code.starts_with("server.") { 500 } else { 400 },
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.headers("date").len(), 1);
    let body = answer.json();
    assert_eq!(body["type"], code);
    assert!(!body["message"].as_str().unwrap().is_empty());
    assert!(!body["detail"].as_str().unwrap().is_empty());
    code.to_owned()
}

fn file_of(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Bytes without a pattern that could hide a lost or swapped piece.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8))
        .flat_map(|_| next().to_le_bytes())
        .collect();
    bytes.truncate(length);
    bytes
}
