//! What leaves the log: what is old, time-stamped and in an archive, and nothing else.

use std::path::{Path, PathBuf};

use serde_json::Value;
use storage::message_log::{
    Direction, LoggedRecord, MessageLog, Record, RecordId, Settings, SharedTimeStamp, TimeStampEvidence,
};
use time::{Duration, OffsetDateTime};

use super::instance::{Instance, is_built, wait_until};
use super::server::{ALWAYS, LATER, archive_folder, exchange, records, set, set_and};
use super::verifying::{entries, verify, verify_with_evidence};

const SERVER: &str = "provider";

#[test]
fn old_records_leave_the_log_only_once_they_are_in_an_archive() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(162);
    exchange(&instance, "first");
    wait_until("the records to be time-stamped", || {
        is_stamped(&instance, "first")
    });
    // No time-stamps, no archives, and cleaning each second: a record that was never stamped is as old as one that was.
    instance.control_trust(r#"{"tsa":{"mode":"unavailable"}}"#);
    let log = PathBuf::from(instance.get("provider/message_log"));
    let cleaning = [
        ("clean-interval", ALWAYS.into()),
        ("archive-interval", LATER.into()),
    ];
    set_and(&mut instance, SERVER, &cleaning, || make_old(&log));
    let kept = "removed=0 kept_pending=1 kept_unarchived=1 days=30";
    wait_until("a round of cleaning", || {
        instance.log("provider-proxy").contains(kept)
    });
    exchange(&instance, "young");
    let counts = |instance: &Instance| ["old", "old-unstamped", "young"].map(|id| count(instance, id));
    assert_eq!(counts(&instance), [1, 1, 2]);

    // Archived, the old one that is stamped goes.
    set(&mut instance, SERVER, &[("archive-interval", ALWAYS.into())]);
    wait_until("the archived record to leave the log", || {
        count(&instance, "old") == 0
    });
    assert_eq!(counts(&instance), [0, 1, 2]);
    let folder = archive_folder(&instance, SERVER);
    assert_eq!(
        (archived(&folder, "old"), archived(&folder, "old-unstamped")),
        (1, 0)
    );

    // Stamped, the other one follows it; the young ones are archived and stay.
    instance.control_trust(r#"{"tsa":{"mode":"granted"}}"#);
    wait_until("the stamped record to leave the log", || {
        count(&instance, "old-unstamped") == 0
    });
    wait_until("all records to be archived", || {
        verify(&[&folder]).sum("containers") == 4
    });
    assert_eq!(
        (counts(&instance), archived(&folder, "old-unstamped")),
        ([0, 0, 2], 1)
    );
    verify_with_evidence(&instance, &folder);
}

fn is_stamped(instance: &Instance, id: &str) -> bool {
    let records = records(instance, SERVER);
    let stamped = |record: &&Value| record["query_id"] == id && record["time_stamped"] == true;
    records.iter().filter(stamped).count() == 2
}

/// How many records a message has in the log.
fn count(instance: &Instance, id: &str) -> usize {
    let mut found = Vec::new();
    wait_until("the log to be read", || {
        found = records(instance, SERVER);
        !found.is_empty()
    });
    found.iter().filter(|record| record["query_id"] == id).count()
}

/// How many containers of a message are in the archives.
fn archived(folder: &Path, id: &str) -> usize {
    let archives = super::server::archives(folder).into_iter();
    let names = archives.flat_map(|archive| entries(&std::fs::read(folder.join(archive)).unwrap()));
    let of_message = |name: &str| name.starts_with(&format!("{id}-re"));
    names.filter(|(name, _)| of_message(name)).count()
}

/// Puts a log in place of the log that has the same exchange as if of forty days ago: its request with its time-stamp,
/// its response without. Records can't be added before others, so it is a new one.
fn make_old(path: &Path) {
    let before = path.with_extension("before");
    drop(open(path));
    std::fs::rename(path, &before).unwrap();
    let (before, log) = (open(&before), open(path));
    log.set_time_stamping_provider_configured(true);
    let records = before.records().range(RecordId::MIN, RecordId::MAX).unwrap();
    let append = |record: LoggedRecord| {
        let is_request = record.direction == Direction::Request;
        let old = as_if_old(&before, &record, if is_request { "old" } else { "old-unstamped" });
        let id = log.append(old).recv().unwrap().unwrap().id();
        (id, is_request.then_some(record.id))
    };
    let ids: Vec<_> = records.map(Result::unwrap).map(append).collect();
    // What is of today is logged last, since ids follow the clock.
    for (id, stamped) in ids {
        if let Some(stamped) = stamped {
            stamp(&log, id, before.records().time_stamp(stamped).unwrap().unwrap());
        }
    }
}

fn stamp(log: &MessageLog, id: RecordId, evidence: TimeStampEvidence) {
    let stamped = match evidence {
        TimeStampEvidence::Single { signature } => log.mark_time_stamped(id, signature),
        TimeStampEvidence::Batch {
            token,
            hash_chain_result,
            hash_chain,
        } => log.mark_batch_time_stamped(SharedTimeStamp {
            now: OffsetDateTime::now_utc(),
            token,
            hash_chain_result,
            records: vec![(id, hash_chain.into())],
        }),
    };
    stamped.unwrap();
}

/// The proxy was killed, and the kernel closes its files last.
fn open(path: &Path) -> MessageLog {
    let mut log = None;
    wait_until("the log to be let go", || {
        log = match MessageLog::open(path, Settings::default()) {
            Err(error) if error.is_in_use() => None,
            opened => Some(opened.unwrap()),
        };
        log.is_some()
    });
    log.unwrap()
}

fn as_if_old(log: &MessageLog, record: &LoggedRecord, query_id: &str) -> Record {
    let evidence = log.records().signature(record.signature).unwrap();
    let record = record.clone();
    Record {
        time: OffsetDateTime::now_utc() - Duration::days(40),
        query_id: query_id.into(),
        request_id: record.request_id,
        direction: record.direction,
        client_side: record.client_side,
        client: record.client,
        service: record.service,
        kind: record.kind,
        message: record.message.into(),
        signature: evidence.signature.into(),
        hash_chain_result: evidence.hash_chain_result.map(Into::into),
        hash_chain: record.hash_chain.map(Into::into),
        body: None,
        truncated: record.truncated,
    }
}
