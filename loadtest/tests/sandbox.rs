//! Two security servers of ours under load: what is sent is X-Road, and what is measured is theirs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod server;

use std::path::{Path, PathBuf};
use std::process::Command;

use server::load;

/// A sandbox on loopback addresses of its own, ended with the test.
struct Sandbox {
    kiirtee: PathBuf,
    folder: tempfile::TempDir,
    http: String,
    https: String,
}

impl Sandbox {
    /// Starts one on `127.0.<net>.*`; `None` where the other processes are not built.
    fn up(net: u8) -> Option<Self> {
        let folder = Path::new(env!("CARGO_BIN_EXE_kiirtee-load")).parent().unwrap();
        let needed = [
            "kiirtee",
            "kiirtee-proxy",
            "kiirtee-signer",
            "kiirtee-confclient",
            "kiirtee-central",
            "kiirtee-trust",
        ];
        if let Some(missing) = needed.iter().find(|name| !folder.join(name).exists()) {
            eprintln!("SKIPPED: {missing} is not built; run `cargo build --workspace` first");
            return None;
        }
        let sandbox = Self {
            kiirtee: folder.join("kiirtee"),
            folder: tempfile::tempdir().unwrap(),
            http: format!("http://127.0.{net}.10:8080"),
            https: format!("https://127.0.{net}.10:8443"),
        };
        let up = sandbox
            .command(&["up", "--net", &format!("127.0.{net}")])
            .output()
            .unwrap();
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        Some(sandbox)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kiirtee);
        command
            .arg("sandbox")
            .args(arguments)
            .arg("--dir")
            .arg(self.folder.path());
        command
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.command(&["down"]).output();
    }
}

const CLIENT: &str = "SANDBOX/ORG/1001/client";
const PROVIDER: &str = "SANDBOX/ORG/2002/provider";

#[test]
fn two_servers_are_measured_with_their_processor_time_signatures_and_records() {
    let Some(sandbox) = Sandbox::up(192) else { return };
    let service = format!("{PROVIDER}/echo");
    let request = [
        "--server",
        &sandbox.http,
        "--client",
        CLIENT,
        "--path",
        "/bytes?size=1024",
        "-c",
        "8",
        "-n",
        "60",
    ];
    let watched = ["--watch-sandbox", &sandbox.path("")];
    let said = load(&[&request[..], &["--service", &service], &watched[..]].concat());
    assert_eq!(
        (said.code, said.json["total"]["answered"].as_u64()),
        (Some(0), Some(60)),
        "{:#}",
        said.json
    );
    assert!(
        said.json["watched"]["servers_cpu"]["per_exchange"]
            .as_f64()
            .unwrap()
            > 10.0,
        "{:#}",
        said.json
    );
    for server in said.json["servers"].as_array().unwrap() {
        assert_eq!(server["messages_signed"], 60.0, "{server:#}");
        assert_eq!(
            server["records_logged"], 120.0,
            "a request and a response each: {server:#}"
        );
        let signatures = server["signatures_per_message"].as_f64().unwrap();
        assert!(signatures > 0.0 && signatures <= 1.0, "{server:#}");
    }

    // The mirror: a service that is not there is a fault, counted by its code.
    let service = format!("{PROVIDER}/nothing");
    let said = load(&[&request[..], &["--service", &service]].concat());
    assert_eq!(said.code, Some(1));
    let errors = &said.json["total"]["errors"];
    assert_eq!(
        errors["fault server.serverproxy.unknown_service"], 60,
        "{errors:#}"
    );
}

#[test]
fn a_mix_of_rest_soap_and_attachments_goes_through_https() {
    let Some(sandbox) = Sandbox::up(193) else { return };
    let mix = sandbox.path("mix.toml");
    let text = format!(
        r#"
        [load]
        connections = 6
        count = 90

        [defaults]
        server = "{}"
        client = "{CLIENT}"

        [[scenario]]
        name = "document"
        weight = 2
        service = "{PROVIDER}/echo"
        method = "PUT"
        body-size = "40k"

        [[scenario]]
        name = "letter"
        kind = "soap"
        style = "rpc"
        service = "{PROVIDER}/echoMessage/v1"
        body-size = "2k"

        [[scenario]]
        name = "swa"
        kind = "soap"
        service = "{PROVIDER}/echoMessage/v1"
        attachments = 3
        attachment-size = "20k"

        [[scenario]]
        name = "mtom"
        kind = "soap"
        service = "{PROVIDER}/echoMtom/v1"
        attachments = 1
        multipart = "mtom"
        "#,
        sandbox.https
    );
    std::fs::write(&mix, text).unwrap();
    let certificate = sandbox.path("consumer/internal-tls.pem");
    let said = load(&["--scenarios", &mix, "--ca", &certificate]);
    assert_eq!(said.code, Some(0), "{:#}", said.json["total"]);
    for scenario in said.json["scenarios"].as_array().unwrap() {
        assert!(scenario["answered"].as_u64().unwrap() > 5, "{scenario:#}");
    }
    // The mirror: a server whose certificate is not trusted gets no request.
    let other = sandbox.path("other.pem");
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=other",
            "-keyout",
        ])
        .args([&sandbox.path("other.key"), "-out", &other])
        .output();
    if made.is_ok_and(|made| made.status.success()) {
        let said = load(&["--scenarios", &mix, "--ca", &other]);
        assert_eq!(
            (said.code, said.json["total"]["answered"].as_u64()),
            (Some(1), Some(0)),
            "{:#}",
            said.json["total"]
        );
    } else {
        eprintln!("SKIPPED: the mirror of trust, openssl is not installed");
    }
}
