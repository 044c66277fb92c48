//! GnuPG, as operators and auditors have it: makes keys, decrypts what we encrypt.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A GnuPG home of its own.
pub(crate) struct Gpg(tempfile::TempDir);

impl Gpg {
    /// `None`, said loudly, where there is no GnuPG.
    pub(crate) fn new() -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        fs::DirBuilder::new()
            .mode(0o700)
            .create(home.path().join("home"))
            .unwrap();
        let gpg = Self(home);
        if Command::new("gpg").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no gpg");
            return None;
        }
        Some(gpg)
    }

    /// Runs it, and expects that it succeeds.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// What is in an encrypted file; none: it is for others.
    pub(crate) fn decrypt(&self, file: &Path) -> Option<Vec<u8>> {
        let decrypt = ["--decrypt", file.to_str().unwrap()];
        let output = self.command(&decrypt).output().unwrap();
        output.status.success().then_some(output.stdout)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("gpg");
        let options = ["--batch", "--no-tty", "--yes", "--trust-model", "always"];
        command.args(options);
        command.args(["--pinentry-mode", "loopback", "--passphrase", "", "--homedir"]);
        command.arg(self.0.path().join("home")).args(arguments);
        command
    }

    /// Makes a key of a kind and puts its public part into a folder.
    pub(crate) fn key(&self, user: &str, kind: &[&str], folder: &Path, file: &str) {
        match kind {
            [] => self.rsa_key(user),
            kind => drop(self.run(&[&["--quick-generate-key", user], kind].concat())),
        }
        let public = self.run(&["--armor", "--export", user]).stdout;
        fs::write(folder.join(file), public).unwrap();
    }

    /// As the reference's script makes the server's key: one RSA key for everything.
    fn rsa_key(&self, user: &str) {
        let parameters = self.path("parameters");
        let text =
            format!("Key-Type: 1\nKey-Length: 3072\nName-Real: {user}\nExpire-Date: 0\n%no-protection\n");
        fs::write(&parameters, text).unwrap();
        self.run(&["--gen-key", parameters.to_str().unwrap()]);
    }

    pub(crate) fn private(&self, user: &str) -> PathBuf {
        let path = self.0.path().join("private.asc");
        fs::write(&path, self.run(&["--armor", "--export-secret-keys", user]).stdout).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let home = self.0.path().join("home");
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(home)
            .args(["--kill", "all"])
            .output();
    }
}

/// See [`Gpg::rsa_key`].
pub(crate) const RSA: &[&str] = &[];
/// What GnuPG makes today: an Ed25519 key with a Curve25519 subkey for encryption.
pub(crate) const MODERN: &[&str] = &["future-default", "default", "never"];
