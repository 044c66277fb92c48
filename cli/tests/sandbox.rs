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
use protocol_pki::certificate::Certificate;
use protocol_pki::csr;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
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

/// Writes a signing request for a new key; gives the key.
fn request(file: &Path, common_name: &str, pem: bool) -> SoftwareKey {
    let key = SoftwareKey::generate(KeySpec::P256).unwrap();
    let subject = DistinguishedName::build(&[("C", "FI"), ("O", "Newcomers"), ("CN", common_name)]).unwrap();
    let der = csr::build(&subject, &[], &key.signer(DigestAlgorithm::Sha256)).unwrap();
    let text = || protocol_pki::pem::encode("CERTIFICATE REQUEST", &der).into_bytes();
    std::fs::write(file, if pem { text() } else { der.clone() }).unwrap();
    key
}

#[test]
fn a_server_with_keys_of_its_own_joins() {
    if !is_built() {
        return;
    }
    let instance = Instance::up(94);
    let out = instance.dir().join("own");
    let file = |name: &str| instance.dir().join(name).display().to_string();
    let sign = request(Path::new(&file("sign.csr")), "4004", true);
    let auth = request(Path::new(&file("auth.csr")), "own", false);
    std::fs::write(file("broken.csr"), "no request").unwrap();
    let join = |sign: &str, auth: &str| {
        let mut command = kiirtee();
        command.args(["sandbox", "join", "--server-id", "SANDBOX/ORG/4004/own"]);
        command.args(["--address", "127.0.94.40", "--sign-request", &file(sign)]);
        command
            .args(["--auth-request", &file(auth), "--dir"])
            .arg(instance.dir());
        command.arg("--out").arg(&out).output().unwrap()
    };
    for (auth, why) in [
        ("sign.csr", "are of one key"),
        ("broken.csr", "expected a signing request"),
    ] {
        let refused = join("sign.csr", auth);
        assert_eq!(refused.status.code(), Some(2));
        assert!(errors(&refused).contains(why), "{}", errors(&refused));
        assert!(!out.exists());
    }
    let joined = join("sign.csr", "auth.csr");
    assert_eq!(joined.status.code(), Some(0), "{}", errors(&joined));

    let told: Value = serde_json::from_slice(&std::fs::read(out.join("join.json")).unwrap()).unwrap();
    assert!(told.get("password").is_none());
    assert!(out.join("anchor.xml").exists() && !out.join("sign.p12").exists());
    let certificate = |place: &str| {
        let file = told[place].as_str().unwrap();
        Certificate::from_der_or_pem(&std::fs::read(file).unwrap()).unwrap()
    };
    let (signing, authenticating) = (certificate("sign_certificate"), certificate("auth_certificate"));
    assert!(signing.may_sign_messages() && authenticating.may_authenticate());
    assert_eq!(signing.spki_der(), sign.spki_der());
    assert_eq!(authenticating.spki_der(), auth.spki_der());
}

#[test]
fn addresses_that_no_interface_has_are_told() {
    if !is_built() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let up = sandbox(&["up", "--net", "10.254.253"], folder.path());
    assert_eq!(up.status.code(), Some(2));
    let told = errors(&up);
    assert!(
        told.contains("expected an interface of this machine with the addresses of --net 10.254.253"),
        "{told}"
    );
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
