//! The programs together: signer, central server, configuration client, and curl.
//!
//! The other programs are taken from the folder that this test's own is in; where they were not built, the test says
//! that it skips.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const CENTRAL: &str = env!("CARGO_BIN_EXE_kiirtee-central");

fn sibling(name: &str) -> Option<PathBuf> {
    let path = Path::new(CENTRAL).with_file_name(name);
    if !path.exists() {
        eprintln!("SKIPPED: {} was not built", path.display());
        return None;
    }
    Some(path)
}

/// A child process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap(),
        )
    }

    fn terminate(mut self) -> Option<i32> {
        Command::new("kill")
            .arg("-TERM")
            .arg(self.0.id().to_string())
            .status()
            .unwrap();
        self.0.wait().unwrap().code()
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn registry(authority: &str, member_name: &str) -> String {
    format!(
        r#"
instance = "TEST"
address = "{authority}"

[management_service]
address = "https://cs:4001/managementservice/"
provider = "TEST/GOV/1/MANAGEMENT"

[[member_class]]
code = "GOV"
description = "Government"

[[member]]
id = "TEST/GOV/1"
name = "{member_name}"
subsystem = [{{ code = "MANAGEMENT" }}]
"#
    )
}

#[test]
fn configuration_goes_from_the_registry_to_the_configuration_client() {
    let (Some(signer), Some(confclient)) = (sibling("kiirtee-signer"), sibling("kiirtee-confclient")) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let authority = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();

    std::fs::write(path("pin"), "correct-Horse-7\n").unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path("pin"), private).unwrap();
    let signer_toml = format!(
        "[kiirtee]\nstate-directory = {:?}\nsigner-socket = {:?}\npin-file = {:?}\n",
        path("signer"),
        path("signer.sock"),
        path("pin")
    );
    std::fs::write(path("signer.toml"), signer_toml).unwrap();
    succeed(
        Command::new(&signer)
            .arg("init")
            .arg("--config")
            .arg(path("signer.toml")),
    );
    let _signer = Running::start(
        Command::new(&signer)
            .arg("run")
            .arg("--config")
            .arg(path("signer.toml")),
    );

    std::fs::write(path("registry.toml"), registry(&authority, "First name")).unwrap();
    let central_toml = format!(
        "registry = {:?}\nstate_directory = {:?}\nsigner_socket = {:?}\nlisten = {authority:?}\n",
        path("registry.toml"),
        path("central"),
        path("signer.sock")
    );
    std::fs::write(path("central.toml"), central_toml).unwrap();
    let printed = succeed(
        Command::new(CENTRAL)
            .arg("init")
            .arg("--config")
            .arg(path("central.toml")),
    );
    let anchor = printed.lines().next().unwrap().to_owned();
    assert!(
        anchor.ends_with("configuration_anchor_TEST_internal.xml"),
        "{printed}"
    );
    // A second init makes no other keys.
    let keys = std::fs::read_to_string(path("central/signing-keys.toml")).unwrap();
    succeed(
        Command::new(CENTRAL)
            .arg("init")
            .arg("--config")
            .arg(path("central.toml")),
    );
    assert_eq!(
        std::fs::read_to_string(path("central/signing-keys.toml")).unwrap(),
        keys
    );

    let central = Running::start(
        Command::new(CENTRAL)
            .arg("run")
            .arg("--config")
            .arg(path("central.toml")),
    );
    let curl = |url: &str| Command::new("curl").args(["-s", "-f", url]).output().unwrap();
    let url = format!("http://{authority}/internalconf?version=6");
    eventually("the directory is served", || curl(&url).status.success());
    let body = String::from_utf8(curl(&url).stdout).unwrap();
    assert!(
        body.starts_with("Content-Type: multipart/related; charset=UTF-8; boundary="),
        "{body}"
    );
    let unversioned = String::from_utf8(curl(&format!("http://{authority}/externalconf")).stdout).unwrap();
    assert!(unversioned.contains("\r\nVersion: 2\r\n"));
    for missing in [
        "internalconf?version=7",
        "internalconf?version=x",
        "V6/../../etc/passwd",
    ] {
        assert!(
            !curl(&format!("http://{authority}/{missing}")).status.success(),
            "{missing}"
        );
    }

    let download = || {
        let mut command = Command::new(&confclient);
        succeed(
            command
                .args(["download", "--anchor", &anchor, "--dir"])
                .arg(path("globalconf")),
        );
        std::fs::read_to_string(path("globalconf/TEST/shared-params.xml")).unwrap()
    };
    assert!(download().contains("First name"));
    std::fs::write(path("registry.toml"), registry(&authority, "Second name")).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(
        download().contains("Second name"),
        "a changed registry is published within a second"
    );

    // A registry that contradicts itself leaves what was published.
    std::fs::write(path("registry.toml"), "instance = 1").unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(download().contains("Second name"));
    assert_eq!(central.terminate(), Some(0));
}
