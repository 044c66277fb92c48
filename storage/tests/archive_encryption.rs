//! Encrypted archives against GnuPG, both ways: what we encrypt it decrypts, what it encrypts we decrypt.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[allow(dead_code, reason = "shared with other tests")]
mod archive_parts;

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use archive_parts::{Log, independent_check, names, settings};
use storage::archive::openpgp::{Keyring, KeyringSettings, OpenPgpError, SecretKeys, is_encrypted};
use storage::archive::{ArchiveError, Grouping, run, verify};

/// A GnuPG home of its own.
struct Gpg(tempfile::TempDir);

impl Gpg {
    /// `None`, said loudly, where there is no GnuPG.
    fn new() -> Option<Self> {
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

    fn run(&self, arguments: &[&str]) -> Output {
        let home = self.0.path().join("home");
        let output = Command::new("gpg")
            .args([
                "--batch",
                "--no-tty",
                "--yes",
                "--trust-model",
                "always",
                "--pinentry-mode",
                "loopback",
            ])
            .args(["--passphrase", "", "--homedir"])
            .arg(home)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Makes a key of a kind and puts its public part into a folder.
    fn key(&self, user: &str, kind: &[&str], folder: &Path, file: &str) {
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

    fn private(&self, user: &str) -> PathBuf {
        let path = self.0.path().join("private.asc");
        fs::write(&path, self.run(&["--armor", "--export-secret-keys", user]).stdout).unwrap();
        path
    }

    fn path(&self, name: &str) -> PathBuf {
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
const RSA: &[&str] = &[];
/// What GnuPG makes today: an Ed25519 key with a Curve25519 subkey for encryption.
const MODERN: &[&str] = &["future-default", "default", "never"];

fn keyring(
    folder: &Path,
    default_key: Option<&str>,
    mapping: Option<PathBuf>,
) -> Result<Keyring, OpenPgpError> {
    Keyring::load(&KeyringSettings {
        folder: folder.to_owned(),
        default_key: default_key.map(str::to_owned),
        mapping,
    })
}

#[test]
fn gnupg_decrypts_our_archives_and_an_independent_check_accepts_them() {
    let Some(gpg) = Gpg::new() else { return };
    for (user, kind) in [("server key", RSA), ("archive@example.org", MODERN)] {
        let (keys, archive, plain) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        gpg.key(user, kind, keys.path(), "server.asc");
        let keyring = keyring(keys.path(), None, None).unwrap();
        let log = Log::new();
        let mut settings = settings(archive.path());
        settings.keyring = Some(&keyring);
        let mut files = Vec::new();
        for round in 0..2 {
            log.stamped(&format!("q-{round}"), "EE/GOV/1/a");
            run(&log.log, &settings, || false).unwrap();
        }
        for name in names(archive.path()) {
            let encrypted = archive.path().join(&name);
            assert!(name.ends_with(".zip.gpg"), "{name}");
            let bytes = fs::read(&encrypted).unwrap();
            assert!(is_encrypted(&bytes) && !bytes.windows(4).any(|window| window == b"q-0-"));
            let out = plain.path().join(name.strip_suffix(".gpg").unwrap());
            gpg.run(&[
                "--output",
                out.to_str().unwrap(),
                "--decrypt",
                encrypted.to_str().unwrap(),
            ]);
            files.push(out.file_name().unwrap().to_str().unwrap().to_owned());
        }
        // By time the names may be equal, so the order is that of the chain.
        files.sort_by_key(|file| {
            let report = verify(File::open(plain.path().join(file)).unwrap(), None).unwrap();
            !report.previous.file.is_empty()
        });
        for file in &files {
            assert_eq!(
                verify(File::open(plain.path().join(file)).unwrap(), None)
                    .unwrap()
                    .problems,
                []
            );
        }
        independent_check(plain.path(), &files);
    }
}

#[test]
fn we_decrypt_what_gnupg_encrypts_and_notice_what_was_changed() {
    let Some(gpg) = Gpg::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    gpg.key("server key", RSA, folder.path(), "server.asc");
    gpg.key("other", MODERN, folder.path(), "other.asc");
    let content: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(gpg.path("plain"), &content).unwrap();
    let (plain, sealed) = (gpg.path("plain"), gpg.path("sealed"));
    // As the reference calls it.
    gpg.run(&[
        "--encrypt",
        "--sign",
        "--compress-algo",
        "none",
        "--cipher-algo",
        "AES-256",
        "--digest-algo",
        "SHA256",
        "--recipient",
        "server key",
        "--output",
        sealed.to_str().unwrap(),
        plain.to_str().unwrap(),
    ]);
    let decrypt = |keys: &SecretKeys, bytes: &[u8]| {
        let mut plain = keys.decrypt(Cursor::new(bytes.to_vec()), tempfile::tempfile().unwrap())?;
        let mut content = Vec::new();
        plain.read_to_end(&mut content)?;
        Ok::<_, OpenPgpError>(content)
    };
    let keys = SecretKeys::read([gpg.private("server key").as_path()], None).unwrap();
    let bytes = fs::read(&sealed).unwrap();
    assert!(decrypt(&keys, &bytes).unwrap() == content);
    let others = SecretKeys::read([gpg.private("other").as_path()], None).unwrap();
    assert!(matches!(decrypt(&others, &bytes), Err(OpenPgpError::NotForUs)));
    let mut changed = bytes;
    let at = changed.len() - 5000;
    changed[at] ^= 1;
    assert!(decrypt(&keys, &changed).is_err());
}

#[test]
fn members_get_their_own_archives_and_what_cannot_be_used_is_told() {
    let Some(gpg) = Gpg::new() else { return };
    let (keys, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(matches!(
        keyring(keys.path(), None, None),
        Err(OpenPgpError::NoKeys { .. })
    ));
    gpg.key("server", MODERN, keys.path(), "server.asc");
    gpg.key("Member One <one@example.org>", MODERN, keys.path(), "one.asc");
    assert!(matches!(
        keyring(keys.path(), None, None),
        Err(OpenPgpError::NoDefault { count: 2 })
    ));
    assert!(matches!(
        keyring(keys.path(), Some("nobody"), None),
        Err(OpenPgpError::Unknown { .. })
    ));
    assert!(matches!(
        keyring(keys.path(), Some("e"), None),
        Err(OpenPgpError::Ambiguous { .. })
    ));
    let mapping = keys.path().join("mapping.ini");
    fs::write(&mapping, "EE/GOV/1 = one@example.org\n").unwrap();
    let keyring_of = |default| keyring(keys.path(), default, Some(mapping.clone()));
    let keyring = keyring_of(Some("=server")).unwrap();

    let log = Log::new();
    log.stamped("mine", "EE/GOV/1/a");
    log.stamped("other", "EE/COM/2/b");
    let mut settings = settings(archive.path());
    settings.grouping = Grouping::Subsystem;
    settings.keyring = Some(&keyring);
    run(&log.log, &settings, || false).unwrap();
    let one = SecretKeys::read([gpg.private("one@example.org").as_path()], None).unwrap();
    let server = SecretKeys::read([gpg.private("server").as_path()], None).unwrap();
    let opens = |keys: &SecretKeys, group: &str| {
        let name = names(archive.path())
            .into_iter()
            .find(|name| name.contains(group))
            .unwrap();
        let file = File::open(archive.path().join(name)).unwrap();
        keys.decrypt(file, tempfile::tempfile().unwrap())
            .map(|plain| verify(plain, Some("")).unwrap().problems.is_empty())
    };
    assert!(opens(&one, "EE_GOV_1_a").unwrap() && opens(&server, "EE_COM_2_b").unwrap());
    assert!(matches!(
        opens(&server, "EE_GOV_1_a"),
        Err(OpenPgpError::NotForUs)
    ));
    assert!(matches!(opens(&one, "EE_COM_2_b"), Err(OpenPgpError::NotForUs)));

    // A key that has expired, or is private, is refused; records stay in the log.
    let expired = tempfile::tempdir().unwrap();
    gpg.run(&[
        "--faked-system-time",
        "20200101T000000",
        "--quick-generate-key",
        "old",
        "rsa2048",
        "default",
        "1d",
    ]);
    fs::write(
        expired.path().join("old.asc"),
        gpg.run(&["--armor", "--export", "old"]).stdout,
    )
    .unwrap();
    let refused = Keyring::load(&KeyringSettings {
        folder: expired.path().to_owned(),
        default_key: None,
        mapping: None,
    });
    assert!(
        matches!(refused, Err(OpenPgpError::Unusable { .. })),
        "{refused:?}"
    );
    fs::copy(gpg.private("server"), keys.path().join("secret.asc")).unwrap();
    assert!(matches!(
        keyring_of(Some("server")),
        Err(OpenPgpError::Private { .. })
    ));
    let nowhere = archive.path().join("nowhere");
    settings.folder = &nowhere;
    log.stamped("kept", "EE/GOV/1/a");
    assert!(matches!(
        run(&log.log, &settings, || false),
        Err(ArchiveError::Io { .. })
    ));
    assert_eq!(log.log.records().to_archive(10).unwrap().len(), 1);
}
