//! A sandbox comes up, tells everything about itself, lets others join, goes down without a trace, and comes up again.

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
use std::process::Output;

use instance::{Instance, is_built, kiirtee};
use serde_json::Value;

fn sandbox(arguments: &[&str], dir: &Path) -> Output {
    kiirtee()
        .arg("sandbox")
        .args(arguments)
        .arg("--dir")
        .arg(dir)
        .output()
        .unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Ids of processes whose command line names the folder.
fn processes_of(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    commands.filter(|command| command.contains(&dir)).collect()
}

#[test]
fn it_lives_and_leaves_nothing_behind() {
    if !is_built() {
        return;
    }
    let instance = Instance::up(91);
    let dir = instance.dir().to_path_buf();
    for place in [
        "instance",
        "consumer/server_id",
        "consumer/subsystem",
        "consumer/client_http",
        "consumer/client_https",
        "consumer/peer",
        "consumer/ocsp",
        "consumer/metrics",
        "consumer/health",
        "consumer/data_dir",
        "provider/server_id",
        "trust/ca",
        "trust/ocsp",
        "trust/tsa",
        "global_configuration/internal",
        "global_configuration/external",
        "global_configuration/directory",
    ] {
        assert!(!instance.get(place).is_empty(), "{place}");
    }
    let services = instance.json["services"].as_array().unwrap();
    for kind in ["REST", "OPENAPI3", "WSDL"] {
        assert!(services.iter().any(|service| service["type"] == kind), "{kind}");
    }

    let status = sandbox(&["status", "--json"], &dir);
    assert_eq!(status.status.code(), Some(0), "{}", errors(&status));
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["healthy"], true);
    assert_eq!(status["processes"].as_array().unwrap().len(), 10);

    let twice = sandbox(&["up", "--net", "127.0.91"], &dir);
    assert_eq!(twice.status.code(), Some(2));
    assert!(errors(&twice).contains("runs already"), "{}", errors(&twice));

    let down = sandbox(&["down"], &dir);
    assert_eq!(down.status.code(), Some(0), "{}", errors(&down));
    assert_eq!(processes_of(&dir), Vec::<String>::new());
    assert_eq!(sandbox(&["status"], &dir).status.code(), Some(1));

    let again = sandbox(&["up", "--net", "127.0.91"], &dir);
    assert_eq!(again.status.code(), Some(0), "{}", errors(&again));
    assert_eq!(sandbox(&["down"], &dir).status.code(), Some(0));
}

#[test]
fn a_further_server_joins_once() {
    if !is_built() {
        return;
    }
    let instance = Instance::up(92);
    let out = instance.dir().join("other");
    let join = || {
        let mut command = kiirtee();
        command.args([
            "sandbox",
            "join",
            "--server-id",
            "SANDBOX/ORG/3003/other",
            "--address",
            "127.0.92.40",
        ]);
        command
            .arg("--dir")
            .arg(instance.dir())
            .arg("--out")
            .arg(&out)
            .output()
            .unwrap()
    };
    let joined = join();
    assert_eq!(joined.status.code(), Some(0), "{}", errors(&joined));
    let told: Value = serde_json::from_slice(&std::fs::read(out.join("join.json")).unwrap()).unwrap();
    assert_eq!(told["subsystem"], "SANDBOX/ORG/3003/client");

    for (name, subject) in [("sign", "CN = 3003"), ("auth", "CN = other")] {
        let p12 = std::fs::read(out.join(format!("{name}.p12"))).unwrap();
        assert!(p12.len() > 1000);
        if let Some(shown) = openssl_pkcs12(&out.join(format!("{name}.p12"))) {
            assert!(
                shown.contains(subject) && shown.contains("PRIVATE KEY"),
                "{shown}"
            );
        }
    }
    let before = std::fs::read(out.join("sign.p12")).unwrap();
    let again = join();
    assert_eq!(again.status.code(), Some(2));
    assert!(
        errors(&again).contains("registered already"),
        "{}",
        errors(&again)
    );
    assert_eq!(std::fs::read(out.join("sign.p12")).unwrap(), before);
}

fn openssl_pkcs12(file: &Path) -> Option<String> {
    let mut command = std::process::Command::new("openssl");
    command
        .args(["pkcs12", "-passin", "pass:sandbox", "-nodes", "-in"])
        .arg(file);
    match command.output() {
        Ok(shown) => Some(String::from_utf8_lossy(&shown.stdout).into_owned()),
        Err(_) => {
            eprintln!("SKIPPED: openssl is not installed");
            None
        }
    }
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    if !is_built() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("diary.txt"), "dear diary").unwrap();
    let up = sandbox(&["up", "--net", "127.0.93"], folder.path());
    assert_eq!(up.status.code(), Some(2));
    assert!(
        errors(&up).contains("neither empty nor a whole sandbox"),
        "{}",
        errors(&up)
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
