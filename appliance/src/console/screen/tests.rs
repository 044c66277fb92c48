//! What stands on the screen in each stage (`snapshots/`); and that nothing on it steers the terminal.

use serde_json::json;

use super::*;
use crate::monitor::verdict::Verdict;

fn check(name: &str, reason: Option<&str>) -> Check {
    Check {
        name: name.to_owned(),
        ok: reason.is_none(),
        reason: reason.map(str::to_owned),
        since: "2026-03-01T09:00:00Z".to_owned(),
    }
}

fn status(stage: Stage, checks: Vec<Check>) -> Status {
    Status {
        id: Some("4f1c-77aa".to_owned()),
        version: Some("3".to_owned()),
        slot: Some("root-a".to_owned()),
        addresses: vec!["10.77.0.40/24 (eth0)".to_owned()],
        stage,
        health: Verdict {
            healthy: !checks.is_empty() && checks.iter().all(|check| check.ok),
            since: "2026-03-01T09:00:05Z".to_owned(),
            checks,
        },
        written: "2026-03-01T10:00:00Z".to_owned(),
        uptime: 3_720,
        ..Status::default()
    }
}

fn certificate(usage: &str, digit: &str) -> Certificate {
    Certificate {
        usage: usage.to_owned(),
        subject: format!("CN=ss1, O=Example {usage}, C=EE"),
        sha256: digit.repeat(64),
        not_after: "2027-03-01T00:00:00Z".to_owned(),
        status: Some("registered".to_owned()),
    }
}

fn all_good() -> Vec<Check> {
    let names = "clock space_configuration space_evidence kiirtee_signer kiirtee_confclient kiirtee_proxy proxy \
                 global_configuration server_configuration signer authentication_key signing_keys time_stamping message \
                 message_time_stamp";
    names.split(' ').map(|name| check(name, None)).collect()
}

#[test]
fn unprovisioned() {
    let status = Status {
        id: None,
        addresses: Vec::new(),
        ..status(Stage::Unprovisioned, Vec::new())
    };
    insta::assert_snapshot!(screen(&status, Ink::Plain));
}

#[test]
fn a_medium_that_was_refused() {
    let problem = "appliance.toml: [admin] listen: 10.0.0.9: expected one of [network] addresses, or a loopback address";
    let outcome = json!({
        "state": "unprovisioned", "appliance_id": "3f09-a1b2-77c4", "version": "0.1.0", "source": "medium",
        "changed": [], "problems": [problem], "pin_is_kept": false, "factory_reset": false,
    });
    let status = Status {
        provisioning: serde_json::from_value(outcome).unwrap(),
        ..status(Stage::Unprovisioned, Vec::new())
    };
    insta::assert_snapshot!(screen(&status, Ink::Plain));
}

#[test]
fn waiting_for_time() {
    let checks = vec![check(
        "clock",
        Some("the clock is not synchronised: evidence needs the right time"),
    )];
    insta::assert_snapshot!(screen(&status(Stage::WaitingForTime, checks), Ink::Plain));
}

#[test]
fn enrolling() {
    let checks = vec![
        check("clock", None),
        check(
            "signing_keys",
            Some("no signing certificate is registered, valid and good by OCSP for TEST/GOV/1"),
        ),
    ];
    let status = Status {
        requests: vec!["authentication.pem".to_owned(), "signing.pem".to_owned()],
        ..status(Stage::Enrolling, checks)
    };
    insta::assert_snapshot!(screen(&status, Ink::Plain));
}

#[test]
fn healthy() {
    let status = Status {
        certificates: vec![certificate("signing", "a"), certificate("authentication", "b")],
        pcr11: Some("52818a40".repeat(8)),
        ..status(Stage::Healthy, all_good())
    };
    insta::assert_snapshot!(screen(&status, Ink::Plain));
}

#[test]
fn failing() {
    let mut checks = all_good();
    checks.truncate(12);
    let reason = "the message to itself got status 500: Server.ClientProxy.NetworkError: Could not connect to any target host";
    checks.push(check("message", Some(reason)));
    let line = LogLine {
        time: "2026-03-01T09:59:58Z".to_owned(),
        priority: 3,
        unit: "kiirtee-proxy.service".to_owned(),
        message: "time-stamping failed error=connect http://10.77.0.1:8899: Connection refused".to_owned(),
    };
    let status = Status {
        last_errors: vec![line; 6],
        ..status(Stage::Failing, checks)
    };
    insta::assert_snapshot!(screen(&status, Ink::Plain));
}

#[test]
fn update_under_way() {
    let status = Status {
        update: Some(json!({"step": "installing", "version": "4", "reason": null})),
        ..status(Stage::Updating, all_good())
    };
    insta::assert_snapshot!(screen(&status, Ink::Plain));
}

#[test]
fn the_monitor_is_silent() {
    insta::assert_snapshot!(silent(Ink::Plain));
}

#[test]
fn nothing_that_others_wrote_steers_the_terminal_or_breaks_a_line() {
    let evil = "x\u{1b}[2J\u{1b}]0;y\u{7}\r\n\u{9b}1m";
    let mut status = status(Stage::Failing, vec![check(evil, Some(evil))]);
    status.id = Some(evil.to_owned());
    status.version = Some(evil.to_owned());
    status.addresses = vec![evil.to_owned()];
    status.written = evil.to_owned();
    status.pcr11 = Some(evil.to_owned());
    status.certificates = vec![Certificate {
        subject: evil.to_owned(),
        usage: evil.to_owned(),
        ..Certificate::default()
    }];
    status.last_errors = vec![LogLine {
        message: evil.to_owned(),
        unit: evil.to_owned(),
        ..LogLine::default()
    }];
    let plain = screen(&status, Ink::Plain);
    assert!(!plain.chars().any(|c| c.is_control() && c != '\n'), "{plain:?}");
    // What is ours are colours and places: with them taken away nothing is left that steers.
    let mut painted = screen(&status, Ink::Terminal { rows: 100 });
    for own in [
        "\u{1b}[?25l",
        "\u{1b}[H",
        "\u{1b}[J",
        "\u{1b}[K",
        "\u{1b}[0m",
        "\u{1b}[1m",
        "\u{1b}[2m",
        "\u{1b}[1;31m",
        "\r\n",
    ] {
        painted = painted.replace(own, "");
    }
    assert!(!painted.chars().any(char::is_control), "{painted:?}");
}

#[test]
fn every_line_fits() {
    let mut checks = all_good();
    checks.push(check("message", Some(&"ä".repeat(300))));
    let status = Status {
        certificates: vec![certificate("signing", "a"); 20],
        addresses: vec!["2001:db8:1111:2222:3333:4444:5555:6666/64 (enp1s0f0np0)".to_owned(); 10],
        last_errors: vec![
            LogLine {
                message: "m".repeat(400),
                ..LogLine::default()
            };
            10
        ],
        ..status(Stage::Failing, checks)
    };
    let painted = screen(&status, Ink::Terminal { rows: 24 });
    assert_eq!(painted.matches("\r\n").count(), 23);
    let plain = screen(&status, Ink::Plain);
    for line in plain.lines() {
        assert!(line.chars().count() <= COLUMNS, "{line}");
    }
}
