//! The whole program, asked by openssl and curl.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running `kiirtee-trust` in a directory of its own.
struct Running {
    process: Child,
    urls: serde_json::Value,
    folder: tempfile::TempDir,
}

impl Running {
    fn start(key: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = trust(
            folder.path(),
            &["init", "--dir", "pki", "--instance", "SANDBOX", "--key", key],
        )
        .output()
        .unwrap();
        assert!(made.status.success(), "{made:?}");
        let again = trust(folder.path(), &["init", "--dir", "pki", "--instance", "OTHER"])
            .output()
            .unwrap();
        assert!(!again.status.success());
        Self::serve(folder)
    }

    fn serve(folder: tempfile::TempDir) -> Self {
        let arguments = [
            "serve",
            "--dir",
            "pki",
            "--ca-port",
            "0",
            "--ocsp-port",
            "0",
            "--tsa-port",
            "0",
            "--json",
        ];
        let mut process = trust(folder.path(), &arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            urls: serde_json::from_str(&line).unwrap(),
            folder,
        }
    }

    fn url(&self, service: &str) -> String {
        self.urls[service].as_str().unwrap().to_owned()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> (ExitStatus, String) {
        let output = Command::new(program)
            .current_dir(self.folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status, said)
    }

    fn must(&self, program: &str, arguments: &[&str]) -> String {
        let (status, said) = self.run(program, arguments);
        assert!(status.success(), "{program} {arguments:?}: {said}");
        said
    }

    fn control(&self, behaviour: &str) {
        self.must("curl", &["-sf", "-d", behaviour, &self.url("control")]);
    }

    /// Makes a request for this subject and has it certified into `NAME.pem`.
    fn certify(&self, name: &str, usage: &str, subject: &str) {
        let (key, request, out) = (
            format!("{name}.key"),
            format!("{name}.csr"),
            format!("{name}.pem"),
        );
        let algorithm = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let rest = [
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &request,
            "-subj",
            subject,
            "-addext",
            "subjectAltName=DNS:ss1.test",
        ];
        self.must("openssl", &[&["req", "-new"][..], &algorithm, &rest].concat());
        let url = format!("{}/ca/sign?usage={usage}", self.url("ca"));
        self.must(
            "curl",
            &["-sf", "--data-binary", &format!("@{request}"), "-o", &out, &url],
        );
        self.must(
            "openssl",
            &["verify", "-x509_strict", "-CAfile", "pki/ca.pem", &out],
        );
    }

    fn status(&self, name: &str, options: &[&str]) -> String {
        let certificate = format!("{name}.pem");
        let url = self.url("ocsp");
        let arguments = [
            "-issuer",
            "pki/ca.pem",
            "-cert",
            &certificate,
            "-CAfile",
            "pki/ca.pem",
            "-url",
            &url,
        ];
        self.run("openssl", &[&["ocsp"][..], options, &arguments].concat())
            .1
    }

    fn terminate(mut self) -> tempfile::TempDir {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.process.wait().unwrap().success());
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _gone_already = self.process.wait();
    }
}

fn trust(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiirtee-trust"));
    command.current_dir(folder).args(arguments);
    command
}

fn tools() -> bool {
    let present = |tool: &str| Command::new(tool).arg("--help").output().is_ok();
    let all = present("openssl") && present("curl");
    if !all {
        eprintln!("SKIPPED: openssl or curl is not installed");
    }
    all
}

#[test]
fn certificates_are_issued_checked_and_revoked_and_remembered() {
    if !tools() {
        return;
    }
    let running = Running::start("rsa2048");
    running.certify("member", "sign", "/C=EE/O=GOV/CN=123");
    running.certify("server", "auth", "/C=EE/O=owner/CN=ss1");
    let member = running.must("openssl", &["x509", "-in", "member.pem", "-noout", "-text"]);
    assert!(
        member.contains("Non Repudiation") && member.contains(&format!("OCSP - URI:{}", running.url("ocsp"))),
        "{member}"
    );
    let server = running.must("openssl", &["x509", "-in", "server.pem", "-noout", "-text"]);
    assert!(
        server.contains("TLS Web Client Authentication") && server.contains("DNS:ss1.test"),
        "{server}"
    );
    assert!(running.status("member", &[]).contains("member.pem: good"));
    assert!(
        running
            .status("server", &["-sha256"])
            .contains("server.pem: good")
    );

    let serial = running.must("openssl", &["x509", "-in", "server.pem", "-noout", "-serial"]);
    let serial = serial.trim().strip_prefix("serial=").unwrap().to_owned();
    running.must(
        "curl",
        &[
            "-sf",
            "-X",
            "POST",
            &format!("{}/ca/revoke?serial={serial}", running.url("ca")),
        ],
    );
    let unknown = format!("{}/ca/revoke?sha1=00", running.url("ca"));
    assert!(!running.run("curl", &["-sf", "-X", "POST", &unknown]).0.success());
    assert!(running.status("server", &[]).contains("server.pem: revoked"));

    let served = running.must("curl", &["-sf", &format!("{}/ca/ca.pem", running.url("ca"))]);
    assert_eq!(
        served,
        std::fs::read_to_string(running.folder.path().join("pki/ca.pem")).unwrap()
    );
    let running = Running::serve(running.terminate());
    assert!(running.status("server", &[]).contains("server.pem: revoked"));
    assert!(running.status("member", &[]).contains("member.pem: good"));
}

#[test]
fn requests_that_name_no_member_or_are_forged_are_refused() {
    if !tools() {
        return;
    }
    let running = Running::start("p256");
    let request = [
        "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "r", "-subj", "/CN=x",
    ];
    running.must("openssl", &request);
    let url = format!("{}/ca/sign?usage=sign", running.url("ca"));
    let code = |body: &str| {
        running.must(
            "curl",
            &[
                "-s",
                "-o",
                "out",
                "-w",
                "%{http_code}",
                "--data-binary",
                body,
                &url,
            ],
        )
    };
    assert_eq!(code("@r"), "400");
    assert_eq!(code("nonsense"), "400");
    let missing_usage = format!("{}/ca/sign", running.url("ca"));
    let answer = running.must(
        "curl",
        &[
            "-s",
            "-o",
            "out",
            "-w",
            "%{http_code}",
            "--data-binary",
            "@r",
            &missing_usage,
        ],
    );
    assert_eq!(answer, "400");
}

#[test]
fn the_responder_lies_when_asked_to() {
    if !tools() {
        return;
    }
    let running = Running::start("p256");
    running.certify("member", "sign", "/C=EE/O=GOV/CN=123");
    running.control(r#"{"ocsp": {"mode": "unknown"}}"#);
    assert!(running.status("member", &[]).contains("member.pem: unknown"));
    running.control(r#"{"ocsp": {"mode": "revoked"}}"#);
    assert!(running.status("member", &[]).contains("member.pem: revoked"));
    running.control(r#"{"ocsp": {"this_update_offset_seconds": -7200}}"#);
    let stale = running.status("member", &["-status_age", "3600"]);
    assert!(
        stale.contains("status too old") && stale.contains("good"),
        "{stale}"
    );
    running.control(r#"{"ocsp": {"mode": "unavailable"}}"#);
    assert!(!running.status("member", &[]).contains("member.pem:"));
    running.control(r#"{"ocsp": {"delay_ms": 300}}"#);
    let before = std::time::Instant::now();
    assert!(
        running
            .status("member", &["-status_age", "3600"])
            .contains("member.pem: good")
    );
    assert!(before.elapsed().as_millis() >= 300);
    assert!(
        !running
            .run("curl", &["-sf", "-d", r#"{"oscp": {}}"#, &running.url("control")])
            .0
            .success()
    );
}

#[test]
fn ocsp_is_answered_by_get_and_at_the_root_too() {
    if !tools() {
        return;
    }
    let running = Running::start("p256");
    running.certify("member", "sign", "/C=EE/O=GOV/CN=123");
    running.must(
        "openssl",
        &[
            "ocsp",
            "-issuer",
            "pki/ca.pem",
            "-cert",
            "member.pem",
            "-no_nonce",
            "-reqout",
            "request.der",
        ],
    );
    let encoded = running.must("openssl", &["base64", "-A", "-in", "request.der"]);
    let encoded = encoded
        .trim()
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D");
    let root = running.url("ocsp").replace("/ocsp", "");
    for base in [root.clone(), running.url("ocsp")] {
        running.must(
            "curl",
            &["-sf", "-o", "response.der", &format!("{base}/{encoded}")],
        );
        let said = running.must(
            "openssl",
            &[
                "ocsp",
                "-no_nonce",
                "-respin",
                "response.der",
                "-issuer",
                "pki/ca.pem",
                "-cert",
                "member.pem",
                "-CAfile",
                "pki/ca.pem",
            ],
        );
        assert!(
            said.contains("Response verify OK") && said.contains("member.pem: good"),
            "{said}"
        );
    }
    let posted = [
        "-sf",
        "-o",
        "response.der",
        "--data-binary",
        "@request.der",
        &root,
    ];
    running.must("curl", &posted);
}

#[test]
fn time_stamps_are_given_refused_and_withheld() {
    if !tools() {
        return;
    }
    for key in ["rsa2048", "p256"] {
        let running = Running::start(key);
        std::fs::write(running.folder.path().join("data"), b"data").unwrap();
        let verify = [
            "ts",
            "-verify",
            "-in",
            "reply",
            "-data",
            "data",
            "-CAfile",
            "pki/ca.pem",
        ];
        let ask = |query: &[&str]| {
            running.must(
                "openssl",
                &[
                    &["ts", "-query", "-data", "data", "-sha512", "-out", "query"][..],
                    query,
                ]
                .concat(),
            );
            running.run(
                "curl",
                &[
                    "-sf",
                    "-H",
                    "Content-Type: application/timestamp-query",
                    "--data-binary",
                    "@query",
                    "-o",
                    "reply",
                    &running.url("tsa"),
                ],
            )
        };
        assert!(ask(&["-cert"]).0.success());
        running.must("openssl", &verify);
        assert!(ask(&["-no_nonce"]).0.success());
        running.must("openssl", &[&verify[..], &["-untrusted", "pki/tsa.pem"]].concat());

        running.control(r#"{"tsa": {"mode": "rejected"}}"#);
        assert!(ask(&[]).0.success());
        let said = running.must("openssl", &["ts", "-reply", "-in", "reply", "-text"]);
        assert!(said.contains("Status: Rejected"), "{said}");
        running.control(r#"{"tsa": {"mode": "unavailable"}}"#);
        assert!(!ask(&[]).0.success());
    }
}
