//! The log with encryption: nothing readable on the disk, keys that change, and keys that do not fit.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::body::CHUNK;
use super::columns::Column;
use super::tests::{NOON, append, open, record};
use super::*;

const SECRET: &str = "salary of the director";

fn try_open(directory: &Path, keys: Option<LogKeys>) -> Result<MessageLog, OpenError> {
    let settings = Settings {
        keys: keys.map(Arc::new),
        ..Settings::default()
    };
    let log = MessageLog::open(directory, settings)?;
    log.set_time_stamping_provider_configured(true);
    Ok(log)
}

fn open_with(directory: &Path, keys: &[(&str, u8)], current: Option<&str>) -> MessageLog {
    try_open(directory, Some(LogKeys::for_tests(keys, current))).unwrap()
}

/// A record whose message and body hold the secret, the body in `length` bytes.
fn secret_record(log: &MessageLog, query_id: &str, length: usize) -> Record {
    let mut body = log.body_writer();
    let content: Vec<u8> = SECRET.bytes().cycle().take(length).collect();
    body.append_blocking(Bytes::from(content)).unwrap();
    Record {
        message: Bytes::from(format!("{query_id}: {SECRET}")),
        body: Some(body.finish().unwrap()),
        ..record(query_id, "<signature/>")
    }
}

fn is_on_disk(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let bytes = fs::read(entry.unwrap().path()).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn read(records: &Records, id: RecordId) -> ContainerParts {
    records.container(id, 1 << 30).unwrap().unwrap()
}

#[test]
fn an_encrypted_log_reads_back_whole_and_shows_nothing_on_the_disk() {
    let plain = tempfile::tempdir().unwrap();
    let log = open(plain.path());
    append(&log, secret_record(&log, "q", CHUNK + 5));
    assert!(is_on_disk(plain.path(), SECRET), "the test looks in vain");

    let directory = tempfile::tempdir().unwrap();
    let log = open_with(directory.path(), &[("k1", 1)], Some("k1"));
    let lengths = [0, 1, CHUNK - 1, CHUNK, 3 * CHUNK + 17];
    let ids = lengths.map(|length| append(&log, secret_record(&log, &format!("q{length}"), length)));
    let check = |records: &Records| {
        for (id, length) in ids.iter().zip(lengths) {
            let parts = read(records, *id);
            assert_eq!(parts.message, format!("q{length}: {SECRET}").into_bytes());
            let body = parts.attachment.unwrap();
            assert_eq!(body.len(), length);
            assert!(body.iter().copied().eq(SECRET.bytes().cycle().take(length)));
        }
        assert_eq!(
            records
                .list(NOON, NOON + time::Duration::days(1))
                .unwrap()
                .count(),
            ids.len()
        );
    };
    check(log.records());
    assert!(!is_on_disk(directory.path(), SECRET));
    drop(log);
    check(open_with(directory.path(), &[("k1", 1)], Some("k1")).records());
    let reader =
        MessageLogReader::open_with_keys(directory.path(), Some(LogKeys::for_tests(&[("k1", 1)], None)));
    check(reader.unwrap().records());
    assert!(!is_on_disk(directory.path(), SECRET));

    // Without the key, and with another, a reader says so and shows nothing.
    let reader = MessageLogReader::open_read_only(directory.path()).unwrap();
    let error = reader.records().get(ids[0]).unwrap_err();
    assert!(
        matches!(&error, ReadError::Locked { key, .. } if key == "k1"),
        "{error}"
    );
    let reader =
        MessageLogReader::open_with_keys(directory.path(), Some(LogKeys::for_tests(&[("k1", 9)], None)));
    let error = reader.unwrap().records().get(ids[0]).unwrap_err();
    assert!(matches!(error, ReadError::NotDecrypted { .. }), "{error}");
}

#[test]
fn a_missing_or_wrong_key_is_told_when_the_log_is_opened_and_the_right_one_opens_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_with(directory.path(), &[("k1", 1)], Some("k1"));
    append(&log, secret_record(&log, "q", 10));
    drop(log);
    let refused = |keys| match try_open(directory.path(), keys).unwrap_err() {
        OpenError::Keys { source, .. } => source,
        other => panic!("{other}"),
    };
    let id = || "k1".to_owned();
    assert_eq!(refused(None), KeyMismatch::Missing { id: id() });
    let other = LogKeys::for_tests(&[("k2", 2)], Some("k2"));
    assert_eq!(refused(Some(other)), KeyMismatch::Missing { id: id() });
    let wrong = LogKeys::for_tests(&[("k1", 2)], Some("k1"));
    assert_eq!(refused(Some(wrong)), KeyMismatch::Wrong { id: id() });
    drop(open_with(directory.path(), &[("k1", 1)], Some("k1")));
}

#[test]
fn keys_change_and_an_old_one_is_needed_until_its_records_are_gone() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_with(directory.path(), &[("k1", 1)], Some("k1"));
    let old = append(&log, secret_record(&log, "old", CHUNK + 1));
    drop(log);
    let both = [("k1", 1), ("k2", 2)];
    let log = open_with(directory.path(), &both, Some("k2"));
    let young = Record {
        time: NOON + time::Duration::days(5),
        ..secret_record(&log, "young", 10)
    };
    let young = append(&log, young);
    let plain_after = |log: &MessageLog| {
        assert_eq!(
            read(log.records(), young).message,
            format!("young: {SECRET}").into_bytes()
        );
    };
    assert_eq!(
        read(log.records(), old).message,
        format!("old: {SECRET}").into_bytes()
    );
    drop(log);
    assert!(
        try_open(
            directory.path(),
            Some(LogKeys::for_tests(&[("k2", 2)], Some("k2")))
        )
        .is_err()
    );
    let log = open_with(directory.path(), &both, Some("k2"));
    log.mark_time_stamped(old, b"<t/>".to_vec()).unwrap();
    let cleaned = log
        .clean(NOON + time::Duration::days(1), Unarchived::Remove)
        .unwrap();
    assert_eq!(cleaned.removed, 1);
    drop(log);
    let log = open_with(directory.path(), &[("k2", 2)], Some("k2"));
    plain_after(&log);
    drop(log);
    // Encryption ends: new records are plain, old ones are read with the key.
    let log = open_with(directory.path(), &[("k2", 2)], None);
    plain_after(&log);
    append(&log, secret_record(&log, "plain", 10));
    assert!(is_on_disk(directory.path(), &format!("plain: {SECRET}")));
}

#[test]
fn what_was_changed_on_the_disk_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let log = open_with(directory.path(), &[("k1", 1)], Some("k1"));
    let id = append(&log, secret_record(&log, "q", 100));
    let db = &log.records().db;
    let column = Column::Body.of(db).unwrap();
    let (key, mut value) = db
        .iterator_cf(column, rocksdb::IteratorMode::Start)
        .next()
        .unwrap()
        .unwrap();
    value[3] ^= 1;
    db.put_cf(column, key, value).unwrap();
    let error = log.records().container(id, 1 << 20).unwrap_err();
    assert!(matches!(error, ReadError::NotDecrypted { .. }), "{error}");
}
