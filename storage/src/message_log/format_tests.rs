//! What format 3 changed: the index, shared hash chains, and what comes of older logs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::path::Path;

use bytes::Bytes;
use protocol_message::identifier::ClientId;
use time::Duration;

use super::columns::Column;
use super::tests::{NOON, append, client, open, record};
use super::*;

fn keys(log: &MessageLog, column: Column) -> Vec<Box<[u8]>> {
    let db = &log.records().db;
    db.iterator_cf(column.of(db).unwrap(), rocksdb::IteratorMode::Start)
        .map(|entry| entry.unwrap().0)
        .collect()
}

fn at_hour(log: &MessageLog, hour: i64, query_id: &str) -> RecordId {
    let record = Record {
        time: NOON + Duration::hours(hour),
        ..record(query_id, "<s/>")
    };
    append(log, record)
}

#[test]
fn a_query_id_is_found_in_all_the_hours_in_which_it_was_used() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut used = Vec::new();
    for hour in [0, 1, 3, 50, 51, 400] {
        // Others around it, before and behind in the order of digests.
        for other in 0..20 {
            at_hour(&log, hour, &format!("{hour}-{other}"));
        }
        used.push(at_hour(&log, hour, "q"));
    }
    assert_eq!(log.records().find(&client(), "q").unwrap(), used);
    assert_eq!(log.records().find(&client(), "unknown").unwrap(), []);
    let another: ClientId = "EE/GOV/1".parse().unwrap();
    assert_eq!(log.records().find(&another, "q").unwrap(), []);
}

#[test]
fn an_index_entry_of_another_record_or_of_none_finds_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let other = append(&log, record("other", "<s/>"));
    let digest = codec::index_digest(&client(), "q", &mut Vec::new());
    let db = &log.records().db;
    for id in [other, other.next()] {
        db.put_cf(Column::Index.of(db).unwrap(), codec::index_key(digest, id), [])
            .unwrap();
    }
    assert_eq!(log.records().find(&client(), "q").unwrap(), []);
    assert_eq!(log.records().find(&client(), "other").unwrap(), [other]);
}

#[test]
fn a_hash_chain_is_stored_once_for_the_records_of_a_signature_document() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let ids: Vec<RecordId> = (0..10)
        .map(|number| {
            append(
                &log,
                record(&number.to_string(), if number < 8 { "<a/>" } else { "<b/>" }),
            )
        })
        .collect();
    let chain = |number: usize| Bytes::from(if number < 8 { "<chain-a/>" } else { "<chain-b/>" });
    log.mark_batch_time_stamped(SharedTimeStamp {
        now: NOON,
        token: b"token".to_vec(),
        hash_chain_result: b"<result/>".to_vec(),
        records: ids
            .iter()
            .enumerate()
            .map(|(number, id)| (*id, chain(number)))
            .collect(),
    })
    .unwrap();
    assert_eq!(keys(&log, Column::TimeStamp).len(), 3);
    for (number, id) in ids.iter().enumerate() {
        let stamp = log
            .records()
            .container(*id, 0)
            .unwrap()
            .unwrap()
            .time_stamp
            .unwrap();
        assert_eq!(stamp.hash_chain, chain(number));
        assert_eq!(stamp.token, b"token");
    }
    let after = append(&log, record("later", "<s/>"));
    drop(log);
    let log = open(directory.path());
    assert!(append(&log, record("after a restart", "<s/>")) > after);
}

#[test]
fn records_stamped_meanwhile_keep_their_stamp_whatever_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let ids = ["a", "b", "c", "d"].map(|query_id| append(&log, record(query_id, "<s/>")));
    log.mark_time_stamped(ids[1], b"<stamped/>".to_vec()).unwrap();
    let order = [ids[3], ids[1], ids[0], RecordId::new(7), ids[2]];
    log.mark_batch_time_stamped(SharedTimeStamp {
        now: NOON,
        token: b"token".to_vec(),
        hash_chain_result: b"<result/>".to_vec(),
        records: order.map(|id| (id, Bytes::from_static(b"<c/>"))).to_vec(),
    })
    .unwrap();
    assert_eq!(log.records().pending(10).unwrap(), []);
    for id in ids {
        let alone = matches!(
            log.records().time_stamp(id).unwrap().unwrap(),
            TimeStampEvidence::Single { .. }
        );
        assert_eq!(alone, id == ids[1]);
    }
    assert_eq!(keys(&log, Column::Stamp).len(), 4);
}

#[test]
fn the_queue_of_time_stamping_begins_behind_what_was_stamped() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let ids = ["a", "b", "c"].map(|query_id| append(&log, record(query_id, "<s/>")));
    for id in &ids[..2] {
        log.mark_time_stamped(*id, b"<t/>".to_vec()).unwrap();
        assert!(log.records().pending(1).unwrap()[0].id > *id);
    }
    let later = append(&log, record("d", "<s/>"));
    let waiting = log.records().pending(10).unwrap();
    assert_eq!(
        waiting.iter().map(|record| record.id).collect::<Vec<_>>(),
        [ids[2], later]
    );
}

#[test]
fn a_log_of_format_2_is_taken_over_and_its_records_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let ids: Vec<RecordId> = (0..50).map(|number| at_hour(&log, number, "q")).collect();
    // As it was: the client's name and the query id in the key, and the hash chain in the stamp.
    let db = &log.records().db;
    let index = Column::Index.of(db).unwrap();
    for (key, id) in keys(&log, Column::Index).into_iter().zip(&ids) {
        db.delete_cf(index, key).unwrap();
        let old = [
            &b"\0\x02EE\0\x03GOV\0\x011\x01\0\x03sub\0\x01q"[..],
            &id.to_key()[..],
        ]
        .concat();
        db.put_cf(index, old, []).unwrap();
    }
    let stamp = codec::Stamp::Batch(RecordId::new(7), b"<old chain/>".to_vec());
    db.put_cf(Column::Stamp.of(db).unwrap(), ids[0].to_key(), stamp.encode())
        .unwrap();
    let shared = codec::encode_time_stamp(b"token", b"<result/>");
    db.put_cf(
        Column::TimeStamp.of(db).unwrap(),
        RecordId::new(7).to_key(),
        shared,
    )
    .unwrap();
    db.put(b"format", 2_u32.to_le_bytes()).unwrap();
    drop(log);
    assert!(MessageLogReader::open_read_only(directory.path()).is_err());

    let log = open(directory.path());
    assert_eq!(log.records().find(&client(), "q").unwrap(), ids);
    assert_eq!(keys(&log, Column::Index).len(), 50);
    let stamp = log.records().time_stamp(ids[0]).unwrap().unwrap();
    assert!(matches!(stamp, TimeStampEvidence::Batch { hash_chain, .. } if hash_chain == b"<old chain/>"));
    drop(log);
    assert!(MessageLogReader::open_read_only(directory.path()).is_ok());
}

/// Bytes of table and blob files.
fn size_of_tables(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let tables = files.filter(|file| {
        let path = file.path();
        path.extension()
            .is_some_and(|extension| extension == "sst" || extension == "blob")
    });
    tables.map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn cleaning_gives_the_space_of_small_records_and_of_their_index_back() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut ids = Vec::new();
    for day in 0..4 {
        for number in 0..1000 {
            let record = Record {
                time: NOON + Duration::days(day),
                message: Bytes::from(vec![7; 4000]),
                ..record(&format!("{day}-{number}"), "<s/>")
            };
            ids.push(append(&log, record));
        }
        let stamped = ids[ids.len() - 1000..].iter();
        // The last of each day waits for its time-stamp.
        let records = stamped
            .take(999)
            .map(|id| (*id, Bytes::from_static(b"<c/>")))
            .collect();
        log.mark_batch_time_stamped(SharedTimeStamp {
            now: NOON + Duration::days(day),
            token: vec![1; 1000],
            hash_chain_result: Vec::new(),
            records,
        })
        .unwrap();
        let db = &log.records().db;
        for column in Column::ALL {
            db.flush_cf(column.of(db).unwrap()).unwrap();
        }
    }
    let before = size_of_tables(directory.path());
    assert!(before > 16 << 20, "{before}");
    let cleaned = log.clean(NOON + Duration::days(3), Unarchived::Remove).unwrap();
    assert_eq!((cleaned.removed, cleaned.kept_pending), (3 * 999, 3));
    let left = [Column::Record, Column::Index, Column::Stamp, Column::ToArchive]
        .map(|column| keys(&log, column).len());
    assert_eq!(left, [1003, 1003, 999, 999]);
    for day in 0..3 {
        let query_id = format!("{day}-999");
        let kept = ids[day * 1000 + 999];
        assert_eq!(log.records().find(&client(), &query_id).unwrap(), [kept]);
        assert_eq!(
            log.records().container(kept, 0).unwrap().unwrap().message.len(),
            4000
        );
        assert_eq!(log.records().find(&client(), &format!("{day}-5")).unwrap(), []);
    }
    // Files go when nobody reads them any more, which RocksDB finds out by itself.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while size_of_tables(directory.path()) > before / 4 + (1 << 20) {
        assert!(
            std::time::Instant::now() < deadline,
            "{}",
            size_of_tables(directory.path())
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn memory_stays_in_its_budget_while_much_is_logged() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut most = 0;
    for round in 0..40 {
        let answers: Vec<_> = (0..64)
            .map(|number| {
                log.append(Record {
                    message: Bytes::from(vec![7; 60_000]),
                    ..record(&format!("{round}-{number}"), "<s/>")
                })
            })
            .collect();
        answers
            .iter()
            .for_each(|answer| drop(answer.recv().unwrap().unwrap()));
        let memory = log.memory().unwrap();
        most = most.max(memory.memtables + memory.tables);
    }
    // What waits to be flushed may exceed it by a memtable.
    assert!(
        most > 0 && most < u64::try_from(columns::BUDGET).unwrap() + (16 << 20),
        "{most}"
    );
}
