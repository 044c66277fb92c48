//! A message log with stamped records, and a check of archives that shares no code with the archiver.

use std::fs;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use protocol_message::identifier::ClientId;
use storage::archive::seal::{FsVerity, Sealing};
use storage::archive::{DEFAULT_BATCH, DEFAULT_MAX_FILE_SIZE, DigestAlgorithm, Grouping, Settings};
use storage::message_log::{
    Direction, MessageKind, MessageLog, Record, RecordId, Settings as LogSettings, SharedTimeStamp,
};
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);

/// What the reference's verifier checks, in another language: the previous digest of each file is the last of the one
/// before, the names are those of the linking information, and each digest follows from the one before and the bytes.
const CHECK: &str = r#"
import hashlib, sys, zipfile
previous = ''
name = '-'
for path in sys.argv[1:]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        lines = archive.read('linkinginfo').decode().splitlines()
        assert archive.namelist()[-1] == 'linkinginfo'
        before, file, algorithm = lines[0].split()
        assert (before.replace('-', ''), file.removesuffix('.gpg')) == (previous, name), (before, file, previous, name)
        make = {'SHA-512': hashlib.sha512, 'SHA-256': hashlib.sha256}[algorithm]
        containers = [entry for entry in archive.namelist() if entry.endswith('.asice')]
        linked = [line.split() for line in lines[1:]]
        assert containers == [entry for _, entry in linked], (containers, linked)
        for entry, (digest, _) in zip(containers, linked):
            assert archive.getinfo(entry).compress_type == zipfile.ZIP_DEFLATED
            own = make(archive.read(entry)).hexdigest()
            previous = make((previous + own).encode()).hexdigest()
            assert previous == digest, entry
    name = path.rsplit('/', 1)[-1]
    assert name.endswith('-' + previous[:16] + '.zip'), (name, previous)
"#;

/// Checks the files (decrypted ones without `.gpg`), which must follow one another from the first of a chain, with Python.
pub(crate) fn independent_check(folder: &Path, files: &[String]) {
    let paths = files.iter().map(|file| folder.join(file));
    let checked = Command::new("python3").arg("-c").arg(CHECK).args(paths).output();
    match checked {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => eprintln!("SKIPPED: python3: {error}"),
    }
}

/// The archives of a folder by name.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("mlog-")).collect();
    names.sort();
    names
}

pub(crate) fn settings(folder: &Path) -> Settings<'_> {
    Settings {
        folder,
        grouping: Grouping::None,
        algorithm: DigestAlgorithm::Sha512,
        max_file_size: DEFAULT_MAX_FILE_SIZE,
        batch: DEFAULT_BATCH,
        keyring: None,
        sealing: Sealing::Auto,
        sealer: &FsVerity,
    }
}

pub(crate) struct Log {
    pub(crate) log: MessageLog,
    _folder: tempfile::TempDir,
}

impl Log {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            log: open(folder.path()),
            _folder: folder,
        }
    }

    pub(crate) fn append(&self, query_id: &str, client: &str) -> RecordId {
        append(&self.log, record(query_id, client))
    }

    pub(crate) fn stamp(&self, id: RecordId) {
        self.log.mark_time_stamped(id, b"<stamped/>".to_vec()).unwrap();
    }

    pub(crate) fn stamped(&self, query_id: &str, client: &str) -> RecordId {
        let id = self.append(query_id, client);
        self.stamp(id);
        id
    }

    /// Records with a signature document and a time-stamp that they share.
    pub(crate) fn batch_stamped(&self, query_ids: &[&str], client: &str) -> Vec<RecordId> {
        let ids: Vec<RecordId> = query_ids.iter().map(|id| self.append(id, client)).collect();
        let stamp = SharedTimeStamp {
            now: NOON,
            token: b"token".to_vec(),
            hash_chain_result: b"<result/>".to_vec(),
            records: ids.iter().map(|id| (*id, b"<chain/>".to_vec().into())).collect(),
        };
        self.log.mark_batch_time_stamped(stamp).unwrap();
        ids
    }
}

pub(crate) fn open(folder: &Path) -> MessageLog {
    let log = MessageLog::open(folder, LogSettings::default()).unwrap();
    log.set_time_stamping_provider_configured(true);
    log
}

pub(crate) fn append(log: &MessageLog, record: Record) -> RecordId {
    log.append(record).recv().unwrap().unwrap().id()
}

pub(crate) fn record(query_id: &str, client: &str) -> Record {
    let client: ClientId = client.parse().unwrap();
    Record {
        time: NOON,
        query_id: query_id.into(),
        request_id: None,
        direction: Direction::Request,
        client_side: true,
        client,
        service: None,
        kind: MessageKind::Rest,
        message: Bytes::from(format!("message of {query_id}")),
        signature: Bytes::from_static(b"<signature/>"),
        hash_chain_result: None,
        hash_chain: None,
        body: None,
        truncated: false,
    }
}
