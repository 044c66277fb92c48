//! A signer of a test's own, and `kiirtee keys` with it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::instance::{is_built, kiirtee, wait_until};

/// The PIN of the software token.
pub(crate) const PIN: &str = "Sunny-day-42";

/// Whether there is such a program; if not, says so.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

/// What openssl says; it must succeed.
pub(crate) fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {text}");
    text
}

/// A running signer; it ends when this is dropped.
pub(crate) struct Signer {
    folder: TempDir,
    process: Child,
}

impl Signer {
    /// Nothing where the signer was not built.
    pub(crate) fn start() -> Option<Self> {
        if !is_built() {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let settings = format!(
            "[kiirtee]\nsigner-socket = '{path}/signer.sock'\nstate-directory = '{path}/state'\n\
             kdf-memory = 19456\nkdf-passes = 2\n\
             [signer]\ndevice-configuration-file = '{path}/devices.toml'\n"
        );
        let file = folder.path().join("signer.toml");
        fs::write(&file, settings).unwrap();
        let binary = Path::new(env!("CARGO_BIN_EXE_kiirtee")).with_file_name("kiirtee-signer");
        let mut command = Command::new(binary);
        command.arg("run").arg("--config").arg(file);
        let process = command.env("RUST_LOG", "warn").spawn().unwrap();
        let signer = Self { folder, process };
        wait_until("the signer to listen", || {
            signer.folder.path().join("signer.sock").exists()
        });
        Some(signer)
    }

    /// The path of a file of the test.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// `kiirtee keys` with standard input.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = kiirtee()
            .arg("keys")
            .args(["--socket", &self.file("signer.sock")])
            .args(arguments)
            .env_remove("KIIRTEE_TOKEN_PIN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It need not read it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// The answer of `kiirtee keys … --json`, which must succeed.
    pub(crate) fn json(&self, arguments: &[&str], input: &str) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat(), input);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    /// What a person sees who types these lines at a terminal.
    pub(crate) fn on_a_terminal(&self, command: &str, lines: &[&str]) -> String {
        let kiirtee = env!("CARGO_BIN_EXE_kiirtee");
        let socket = self.file("signer.sock");
        let command = format!("'{kiirtee}' keys --socket '{socket}' {command}");
        let mut script = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &command, "/dev/null"])
            .env_remove("KIIRTEE_TOKEN_PIN")
            .stdin(Stdio::piped())
            .stdout(fs::File::create(self.file("screen")).unwrap())
            .spawn()
            .unwrap();
        let mut keyboard = script.stdin.take().unwrap();
        let screen = || String::from_utf8_lossy(&fs::read(self.file("screen")).unwrap()).into_owned();
        for (number, line) in lines.iter().enumerate() {
            // A question ends with a colon; what is typed before it is thrown away.
            wait_until("the question", || screen().matches(": ").count() > number);
            keyboard.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        script.wait().unwrap();
        screen()
    }

    /// The file of a certificate for a signing request, issued by openssl.
    pub(crate) fn certify(&self, request: &str) -> String {
        let (key, certificate) = (self.file("ca.key"), self.file("signed.pem"));
        let extensions = self.file("extensions");
        fs::write(&extensions, "keyUsage = critical, nonRepudiation\n").unwrap();
        openssl(&[
            "ecparam",
            "-genkey",
            "-name",
            "prime256v1",
            "-noout",
            "-out",
            &key,
        ]);
        openssl(&[
            "x509",
            "-req",
            "-in",
            request,
            "-signkey",
            &key,
            "-force_pubkey",
            &self.public(request),
            "-extfile",
            &extensions,
            "-days",
            "9",
            "-out",
            &certificate,
        ]);
        certificate
    }

    fn public(&self, request: &str) -> String {
        let file = self.file("request.pub");
        fs::write(&file, openssl(&["req", "-in", request, "-noout", "-pubkey"])).unwrap();
        file
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
