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
#[allow(dead_code, reason = "shared with other tests")]
mod gnupg;

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use archive_parts::{Log, independent_check, names, settings};
use gnupg::{Gpg, MODERN, RSA};
use storage::archive::openpgp::{Keyring, KeyringSettings, OpenPgpError, SecretKeys, is_encrypted};
use storage::archive::{ArchiveError, Folder, Grouping, Sink, run, verify};

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
        decrypted_files_are_a_chain(plain.path(), &files);
    }
}

/// Though each names the file before it as it was, encrypted.
fn decrypted_files_are_a_chain(folder: &Path, files: &[String]) {
    let mut chain = Folder::default();
    for name in files {
        chain.add(
            name,
            verify(File::open(folder.join(name)).unwrap(), None).unwrap(),
        );
    }
    let report = chain.check(&[]);
    assert_eq!((report.chains, report.ends.len()), (1, 1));
    assert_eq!(report.ends[0].0, *files.last().unwrap());
    assert!(chain.reports().all(|(_, report)| report.problems.is_empty()));
}

/// Where nothing can be written.
#[derive(Debug)]
struct FullDisk;

impl Write for FullDisk {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_as_such_where_an_archive_is_encrypted_onto_it() {
    let Some(gpg) = Gpg::new() else { return };
    let keys = tempfile::tempdir().unwrap();
    gpg.key("server", MODERN, keys.path(), "server.asc");
    let recipients = keyring(keys.path(), None, None)
        .unwrap()
        .recipients(None)
        .unwrap();
    let write = |megabytes| {
        let mut sink = Sink::new(FullDisk, Some(recipients.clone()))?;
        for _ in 0..megabytes {
            sink.write_all(&[0; 1 << 20])?;
        }
        sink.finish()
    };
    // Noticed at the end, and on the way to it.
    for megabytes in [0, 8] {
        let error = write(megabytes).unwrap_err().to_string();
        assert!(error.contains("no storage space"), "{megabytes}: {error}");
    }
    let mut sink = Sink::new(Vec::new(), Some(recipients.clone())).unwrap();
    sink.write_all(b"kept").unwrap();
    assert!(is_encrypted(&sink.finish().unwrap()));
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
