//! `kiirtee diagnose` as a process, against an appliance that is made up.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use serde_json::{Value, json};

/// Answers `/status`, `/health` and `/metrics`.
fn appliance(healthy: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap(), healthy);
        }
    });
    address
}

fn answer(mut stream: TcpStream, healthy: bool) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let reason = (!healthy).then_some("refused\u{1b}[2J\nby peer");
    let body = match head.first().and_then(|line| line.split(' ').nth(1)) {
        Some("/status") => json!({
            "id": "3f09-a1b2-77c4", "version": "3", "slot": "root-a", "stage": "healthy", "uptime": 90,
            "health": {"healthy": healthy, "since": "2026-03-01T09:00:00Z", "checks": [
                {"name": "message", "ok": healthy, "reason": reason, "since": "2026-03-01T09:00:00Z"}]},
            "unknown": {"of": "a newer version"},
        })
        .to_string(),
        Some("/health") => r#"{"status":"ok","checks":[]}"#.to_owned(),
        _ => "xroad_records_logged_total 12\n".to_owned(),
    };
    let length = body.len();
    let _gone = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}

fn diagnose(address: SocketAddr, more: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_kiirtee"))
        .args([
            "diagnose",
            &format!("http://{address}"),
            "--proxy",
            &format!("http://{address}"),
        ])
        .args(more)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_healthy_one_and_one_that_is_not() {
    let (code, said, _) = diagnose(appliance(true), &[]);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "3f09-a1b2-77c4",
        "healthy since 2026-03-01T09:00:00Z",
        "3 in root-a",
        "records logged  ",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    let (code, said, why) = diagnose(appliance(false), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("FAILING") && said.contains("NOT HEALTHY") && why.contains("not healthy"),
        "{said}"
    );
    assert!(!said.contains('\u{1b}') && said.contains("by peer"), "{said}");
}

#[test]
fn json_has_everything() {
    let (code, said, _) = diagnose(appliance(true), &["--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(said.pointer("/status/health/healthy"), Some(&json!(true)));
    assert_eq!(said.pointer("/proxy/figures/0/value"), Some(&json!(12.0)));
}

#[test]
fn what_cannot_be_asked_is_told_so() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, _, why) = diagnose(nobody, &[]);
    assert_eq!(code, Some(2), "{why}");
    assert!(why.contains("/status"), "{why}");
    let output = Command::new(env!("CARGO_BIN_EXE_kiirtee"))
        .args(["diagnose", "10.77.0.40"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
