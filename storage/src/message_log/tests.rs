#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::io::Read;
use std::path::Path;
use std::time::{Duration as Wait, Instant};

use bytes::Bytes;
use protocol_message::identifier::{ClientId, ServiceId};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::columns::Column;
use super::*;

pub(super) const NOON: OffsetDateTime = datetime!(2026-01-02 12:00 UTC);

pub(super) fn open(directory: &Path) -> MessageLog {
    let log = MessageLog::open(directory, Settings::default()).unwrap();
    log.set_time_stamping_provider_configured(true);
    log
}

pub(super) fn client() -> ClientId {
    "EE/GOV/1/sub".parse().unwrap()
}

pub(super) fn record(query_id: &str, signature: &str) -> Record {
    Record {
        time: NOON,
        query_id: query_id.into(),
        request_id: Some("r-1".into()),
        direction: Direction::Request,
        client_side: true,
        client: client(),
        service: Some(ServiceId {
            provider: "EE/COM/2/x".parse().unwrap(),
            service_code: "s".into(),
            service_version: None,
        }),
        kind: MessageKind::Rest,
        message: Bytes::from(format!("message of {query_id}")),
        signature: Bytes::from(signature.to_owned()),
        hash_chain_result: Some(Bytes::from_static(b"<result/>")),
        hash_chain: Some(Bytes::from(format!("<chain {query_id}/>"))),
        body: None,
        truncated: false,
    }
}

pub(super) fn append(log: &MessageLog, record: Record) -> RecordId {
    log.append(record).recv().unwrap().unwrap().id()
}

fn keys(log: &MessageLog, column: Column) -> usize {
    let db = &log.records().db;
    db.iterator_cf(column.of(db).unwrap(), rocksdb::IteratorMode::Start)
        .count()
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Wait::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "did not happen within 10 s");
        std::thread::sleep(Wait::from_millis(20));
    }
}

#[test]
fn a_record_is_found_again_whole_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let id = append(&log, record("q1", "<signature/>"));
    let other = append(&log, record("q2", "<other/>"));
    assert!(id < other);
    drop(log);

    let log = open(directory.path());
    let records = log.records();
    assert_eq!(records.find(&client(), "q1").unwrap(), [id]);
    assert_eq!(records.find(&client().member(), "q1").unwrap(), []);
    assert_eq!(records.find(&client(), "q").unwrap(), []);
    let read = records.get(id).unwrap().unwrap();
    assert_eq!(
        (read.time, read.query_id.as_str(), read.client_side),
        (NOON, "q1", true)
    );
    assert_eq!(read.request_id.as_deref(), Some("r-1"));
    assert_eq!(read.service.as_ref().unwrap().to_string(), "EE/COM/2/x/s");
    let parts = records.container(id, 0).unwrap().unwrap();
    assert_eq!(parts.message, b"message of q1");
    assert_eq!(parts.signature, b"<signature/>");
    assert_eq!(parts.hash_chain_result.unwrap(), b"<result/>");
    assert_eq!(parts.hash_chain.unwrap(), b"<chain q1/>");
    assert_eq!((parts.time_stamp, parts.attachment), (None, None));
    assert!(records.get(RecordId::new(1)).unwrap().is_none());
}

#[test]
fn ids_grow_over_restarts_and_steps_of_the_clock() {
    let directory = tempfile::tempdir().unwrap();
    let mut ids = Vec::new();
    for step in [0, 10, -100, -200, 20] {
        let log = open(directory.path());
        ids.push(append(
            &log,
            Record {
                time: NOON + Duration::seconds(step),
                ..record("q", "<s/>")
            },
        ));
    }
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert_eq!(ids[4].time(), NOON + Duration::seconds(20));
}

#[test]
fn many_who_wait_share_a_sync_and_each_gets_its_own_receipt() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let answers: Vec<_> = (0..500)
        .map(|n| log.append(record(&format!("q{n}"), "<batch/>")))
        .collect();
    let ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.recv().unwrap().unwrap().id())
        .collect();
    assert!(ids.is_sorted_by(|a, b| a < b));
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(log.records().get(*id).unwrap().unwrap().query_id, format!("q{n}"));
    }
    let figures = log.figures();
    assert_eq!(figures.records, 500);
    assert!(figures.syncs < 250, "{figures:?}");
    // One signature document for all of them.
    assert_eq!(keys(&log, Column::Signature), 1);
}

#[test]
fn the_log_of_writes_is_synced_before_each_receipt_and_not_for_chunks() {
    let directory = tempfile::tempdir().unwrap();
    let cache = columns::cache();
    let mut options = columns::writer_options(&cache);
    options.enable_statistics();
    let log = MessageLog::open_with(directory.path(), Settings::default(), (&options, &cache)).unwrap();
    log.set_time_stamping_provider_configured(true);
    let synced = || options.get_ticker_count(rocksdb::statistics::Ticker::WalFileSynced);
    for number in 0..20 {
        let before = synced();
        append(&log, record(&number.to_string(), "<s/>"));
        assert_eq!(synced(), before + 1);
    }
    let before = synced();
    let mut writer = log.body_writer();
    writer.append_blocking(Bytes::from(vec![0; CHUNK * 10])).unwrap();
    wait_until(|| keys(&log, Column::Body) == 10);
    assert_eq!(synced(), before);
    let body = Some(writer.finish().unwrap());
    append(
        &log,
        Record {
            body,
            ..record("body", "<s/>")
        },
    );
    assert_eq!(synced(), before + 1);
}

#[test]
fn records_of_a_time_are_listed_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for second in 0..5 {
        append(
            &log,
            Record {
                time: NOON + Duration::seconds(second),
                ..record(&second.to_string(), "<s/>")
            },
        );
    }
    let at = |second| NOON + Duration::seconds(second);
    let list = log.records().list(at(1), at(4)).unwrap();
    let found: Vec<_> = list.map(|record| record.unwrap().query_id).collect();
    assert_eq!(found, ["1", "2", "3"]);
}

#[test]
fn a_body_streams_in_before_its_record_and_comes_back_whole() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let bytes: Vec<u8> = (0..CHUNK * 5 + 77)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let mut writer = log.body_writer();
    for part in bytes.chunks(10_000) {
        writer.append_blocking(Bytes::copy_from_slice(part)).unwrap();
    }
    let body = writer.finish().unwrap();
    let id = append(
        &log,
        Record {
            body: Some(body),
            ..record("big", "<s/>")
        },
    );
    let mut small = log.body_writer();
    small.append_blocking(Bytes::from_static(b"tiny")).unwrap();
    let small = append(
        &log,
        Record {
            body: Some(small.finish().unwrap()),
            ..record("small", "<s/>")
        },
    );
    let empty = append(
        &log,
        Record {
            body: Some(log.body_writer().finish().unwrap()),
            ..record("e", "<s/>")
        },
    );
    drop(log);

    let log = open(directory.path());
    let attachment = |id| log.records().container(id, 1 << 30).unwrap().unwrap().attachment;
    assert_eq!(attachment(id).unwrap(), bytes);
    let mut streamed = Vec::new();
    let big = log.records().get(id).unwrap().unwrap();
    log.records()
        .body_reader(&big)
        .read_to_end(&mut streamed)
        .unwrap();
    assert_eq!(streamed, bytes);
    assert_eq!(attachment(small).unwrap(), b"tiny");
    assert_eq!(attachment(empty).unwrap(), b"");
    assert_eq!(keys(&log, Column::Body), 7);
    // Nothing marks them as abandoned any more: only the version of the format is left.
    assert_eq!(keys(&log, Column::Meta), 1);
    let error = log.records().container(id, 1000).unwrap_err();
    assert!(matches!(error, ReadError::BodyTooLarge { length, .. } if length == bytes.len() as u64));
}

#[test]
fn an_abandoned_body_is_removed_while_running_and_when_opening() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut writer = log.body_writer();
    writer.append_blocking(Bytes::from(vec![1; CHUNK * 3])).unwrap();
    wait_until(|| keys(&log, Column::Body) == 3);
    drop(writer);
    wait_until(|| keys(&log, Column::Body) == 0);
    assert_eq!(keys(&log, Column::Meta), 1);

    let mut writer = log.body_writer();
    writer.append_blocking(Bytes::from(vec![1; CHUNK * 3])).unwrap();
    wait_until(|| keys(&log, Column::Body) == 3);
    // The process ends while the body is being written.
    drop(log);
    let log = open(directory.path());
    assert_eq!((keys(&log, Column::Body), keys(&log, Column::Meta)), (0, 1));
    drop(writer);
}

#[test]
fn a_body_belongs_to_its_log() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (log, other) = (open(here.path()), open(there.path()));
    let body = other.body_writer().finish().unwrap();
    let answer = log
        .append(Record {
            body: Some(body),
            ..record("q", "<s/>")
        })
        .recv()
        .unwrap();
    assert!(matches!(answer, Err(LogError::ForeignBody)));
}

#[test]
fn single_and_batch_time_stamps_are_kept_with_their_records() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let ids: Vec<_> = ["a", "b", "c"]
        .iter()
        .map(|q| append(&log, record(q, "<shared/>")))
        .collect();
    let pending = log.records().pending(10).unwrap();
    assert_eq!(pending.iter().map(|pending| pending.id).collect::<Vec<_>>(), ids);
    assert!(
        pending
            .iter()
            .all(|other| other.signature == pending[0].signature)
    );
    assert_eq!(
        log.records().signature(pending[1].signature).unwrap().signature,
        b"<shared/>"
    );
    assert_eq!(log.records().pending(2).unwrap().len(), 2);

    log.mark_time_stamped(ids[0], b"<stamped/>".to_vec()).unwrap();
    let stamp = SharedTimeStamp {
        now: NOON,
        token: b"token".to_vec(),
        hash_chain_result: b"<ts-result/>".to_vec(),
        // The first has its stamp already and keeps it.
        records: ids
            .iter()
            .map(|id| (*id, format!("<ts {id}/>").into_bytes().into()))
            .collect(),
    };
    log.mark_batch_time_stamped(stamp).unwrap();
    assert!(log.records().pending(10).unwrap().is_empty());
    let again = log.mark_time_stamped(ids[0], b"<again/>".to_vec());
    assert!(matches!(again, Err(MarkError::NotPending { id }) if id == ids[0]));

    drop(log);
    let log = open(directory.path());
    let parts = |id| log.records().container(id, 0).unwrap().unwrap();
    assert_eq!(
        (parts(ids[0]).signature.as_slice(), parts(ids[0]).time_stamp),
        (b"<stamped/>".as_slice(), None)
    );
    assert_eq!(parts(ids[1]).signature, b"<shared/>");
    let time_stamp = parts(ids[2]).time_stamp.unwrap();
    assert_eq!(
        (
            time_stamp.token.as_slice(),
            time_stamp.hash_chain_result.as_slice()
        ),
        (&b"token"[..], &b"<ts-result/>"[..])
    );
    assert_eq!(time_stamp.hash_chain, format!("<ts {}/>", ids[2]).into_bytes());
    // The time-stamp and the two different hash chains.
    assert_eq!(keys(&log, Column::TimeStamp), 3);
    // A stamp takes an id of the same sequence; records go on after it.
    assert!(append(&log, record("d", "<s/>")) > ids[2]);
}

#[test]
fn messages_are_refused_by_the_time_stamping_rule_also_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let log = MessageLog::open(directory.path(), Settings::default()).unwrap();
    let code = |log: &MessageLog, time| {
        let answer = log
            .append(Record {
                time,
                ..record("q", "<s/>")
            })
            .recv()
            .unwrap();
        answer.map(|_| ()).map_err(|error| error.fault_code())
    };
    assert_eq!(
        code(&log, NOON),
        Err("logging_failed.mlog.no_timestamping_provider_found")
    );
    log.set_time_stamping_provider_configured(true);
    assert_eq!(code(&log, NOON), Ok(()));
    log.time_stamping_failed(NOON).unwrap();
    log.time_stamping_failed(NOON + Duration::hours(3)).unwrap();
    assert_eq!(code(&log, NOON + Duration::hours(4)), Ok(()));
    drop(log);

    let log = open(directory.path());
    assert_eq!(log.time_stamping_policy().failing_since(), Some(NOON));
    assert_eq!(
        code(&log, NOON + Duration::hours(5)),
        Err("logging_failed.timestamping_failed")
    );
    log.time_stamping_succeeded().unwrap();
    assert_eq!(code(&log, NOON + Duration::hours(5)), Ok(()));
}

#[test]
fn cleaning_removes_old_stamped_records_whole_and_keeps_the_others() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let at = |day| NOON + Duration::days(day);
    let stamp = |records: &[RecordId], now| {
        let records = records
            .iter()
            .map(|id| (*id, Bytes::from_static(b"<c/>")))
            .collect();
        let (token, hash_chain_result) = (b"token".to_vec(), b"<r/>".to_vec());
        log.mark_batch_time_stamped(SharedTimeStamp {
            now,
            token,
            hash_chain_result,
            records,
        })
        .unwrap();
    };
    let mut ids = Vec::new();
    for day in 0..6 {
        let mut body = log.body_writer();
        body.append_blocking(Bytes::from(vec![7; CHUNK + 1])).unwrap();
        let record = Record {
            time: at(day),
            body: Some(body.finish().unwrap()),
            ..record("q", &format!("<s {day}/>"))
        };
        ids.push(append(&log, record));
        // Record 1 waits for its time-stamp; record 3 is stamped with record 4, on the day of the latter.
        match day {
            2 => stamp(&[ids[0], ids[2]], at(2)),
            4 => stamp(&[ids[3], ids[4]], at(4)),
            _ => {}
        }
    }

    let cleaned = log.clean(at(4), Unarchived::Remove).unwrap();
    assert_eq!(
        cleaned,
        Cleaned {
            removed: 3,
            kept_pending: 1,
            kept_unarchived: 0
        }
    );
    assert_eq!(
        log.clean(at(4), Unarchived::Remove).unwrap(),
        Cleaned {
            removed: 0,
            kept_pending: 1,
            kept_unarchived: 0
        }
    );
    assert_eq!(
        log.records().find(&client(), "q").unwrap(),
        [ids[1], ids[4], ids[5]]
    );
    for (id, day) in [(ids[1], 1), (ids[4], 4), (ids[5], 5)] {
        let parts = log.records().container(id, 1 << 20).unwrap().unwrap();
        assert_eq!(parts.signature, format!("<s {day}/>").into_bytes());
        assert_eq!(parts.attachment.unwrap().len(), CHUNK + 1);
        assert_eq!(parts.time_stamp.is_some(), day == 4);
    }
    let left = [
        Column::Record,
        Column::Signature,
        Column::Body,
        Column::Index,
        Column::Stamp,
        Column::TimeStamp,
    ];
    assert_eq!(left.map(|column| keys(&log, column)), [3, 3, 6, 3, 1, 3]);
}

fn size_of_blob_files(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let blobs = files.filter(|file| {
        file.path()
            .extension()
            .is_some_and(|extension| extension == "blob")
    });
    blobs.map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn cleaning_gives_the_space_of_bodies_back() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    for day in 0..4 {
        for _ in 0..4 {
            let mut body = log.body_writer();
            body.append_blocking(Bytes::from(vec![7; 1 << 20])).unwrap();
            let body = Some(body.finish().unwrap());
            let id = append(
                &log,
                Record {
                    time: NOON + Duration::days(day),
                    body,
                    ..record("q", "<s/>")
                },
            );
            log.mark_time_stamped(id, b"<t/>".to_vec()).unwrap();
        }
        log.records()
            .db
            .flush_cf(Column::Body.of(&log.records().db).unwrap())
            .unwrap();
    }
    assert!(size_of_blob_files(directory.path()) > 16 << 20);
    assert_eq!(
        log.clean(NOON + Duration::days(3), Unarchived::Remove)
            .unwrap()
            .removed,
        12
    );
    wait_until(|| size_of_blob_files(directory.path()) < 5 << 20);
    assert_eq!(keys(&log, Column::Body), 4 * 16);
}

#[test]
fn cleaning_everything_gives_no_id_twice() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let id = append(&log, record("q", "<s/>"));
    log.mark_time_stamped(id, b"<t/>".to_vec()).unwrap();
    assert_eq!(
        log.clean(NOON + Duration::days(1), Unarchived::Remove)
            .unwrap()
            .removed,
        1
    );
    drop(log);
    let log = open(directory.path());
    assert!(
        append(
            &log,
            Record {
                time: NOON - Duration::days(1),
                ..record("q", "<s/>")
            }
        ) > id
    );
}

#[test]
fn a_reader_sees_what_was_logged_while_the_writer_runs() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let mut writer = log.body_writer();
    writer.append_blocking(Bytes::from(vec![9; CHUNK * 2])).unwrap();
    let first = append(
        &log,
        Record {
            body: Some(writer.finish().unwrap()),
            ..record("q", "<s/>")
        },
    );
    let reader = MessageLogReader::open_read_only(directory.path()).unwrap();
    let body = |reader: &MessageLogReader| {
        reader
            .records()
            .container(first, 1 << 20)
            .unwrap()
            .unwrap()
            .attachment
    };
    assert_eq!(body(&reader).unwrap(), vec![9; CHUNK * 2]);
    let second = append(&log, record("q", "<s/>"));
    reader.refresh().unwrap();
    assert_eq!(reader.records().find(&client(), "q").unwrap(), [first, second]);
    // Also when the writer has moved everything from its log of writes into tables and blob files.
    let db = &log.records().db;
    for column in [
        Column::Record,
        Column::Body,
        Column::Index,
        Column::Signature,
        Column::Meta,
    ] {
        db.flush_cf(column.of(db).unwrap()).unwrap();
    }
    let third = append(&log, record("q", "<s/>"));
    let reader = MessageLogReader::open_read_only(directory.path()).unwrap();
    assert_eq!(body(&reader).unwrap(), vec![9; CHUNK * 2]);
    assert_eq!(
        reader.records().find(&client(), "q").unwrap(),
        [first, second, third]
    );
}

#[test]
fn a_reader_that_opens_under_load_sees_all_that_was_acknowledged_before() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let acknowledged = std::sync::atomic::AtomicUsize::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // Bodies fill memtables, so that logs of writes are closed and used again meanwhile.
                let mut body = log.body_writer();
                body.append_blocking(Bytes::from(vec![7; CHUNK * 8])).unwrap();
                append(
                    &log,
                    Record {
                        body: Some(body.finish().unwrap()),
                        ..record("q", "<s/>")
                    },
                );
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
        });
        let reading = scope.spawn(|| {
            let started = Instant::now();
            while started.elapsed() < Wait::from_secs(3) {
                let before = acknowledged.load(Ordering::Relaxed);
                let reader = MessageLogReader::open_read_only(directory.path()).unwrap();
                let found = reader.records().find(&client(), "q").unwrap();
                assert!(found.len() >= before, "{} of {before}", found.len());
                if let Some(last) = found.last() {
                    // Column families are moved into files one by one: a record may show a moment after its index.
                    let whole = |records: &Records| {
                        let container = records.container(*last, 1 << 20)?;
                        container.ok_or(ReadError::Missing {
                            what: "all",
                            id: *last,
                        })
                    };
                    let attachment = reader.settled(whole).unwrap().attachment;
                    assert_eq!(attachment.unwrap().len(), CHUNK * 8);
                }
            }
        });
        let outcome = reading.join();
        done.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    assert!(acknowledged.into_inner() > 50);
}

#[test]
fn a_reader_refuses_a_directory_without_a_log() {
    let directory = tempfile::tempdir().unwrap();
    assert!(MessageLogReader::open_read_only(directory.path()).is_err());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn only_one_process_writes() {
    let directory = tempfile::tempdir().unwrap();
    let _log = open(directory.path());
    let second = MessageLog::open(directory.path(), Settings::default());
    assert!(second.unwrap_err().is_in_use());
}

#[test]
fn a_format_of_the_future_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    log.records().db.put(b"format", 4_u32.to_le_bytes()).unwrap();
    drop(log);
    let error = MessageLog::open(directory.path(), Settings::default()).unwrap_err();
    assert!(
        matches!(&error, OpenError::Format { found, known: 3, .. } if found == "4"),
        "{error}"
    );
    assert!(!error.is_in_use());
    assert!(MessageLogReader::open_read_only(directory.path()).is_err());
}

#[test]
fn a_log_of_format_1_is_taken_over_and_all_that_is_stamped_waits_for_the_archive() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let [single, first, second, _pending] =
        ["a", "b", "c", "d"].map(|query_id| append(&log, record(query_id, "<s/>")));
    log.mark_time_stamped(single, b"<t/>".to_vec()).unwrap();
    let stamp = SharedTimeStamp {
        now: NOON,
        token: b"token".to_vec(),
        hash_chain_result: b"<result/>".to_vec(),
        records: vec![
            (first, Bytes::from_static(b"<b/>")),
            (second, Bytes::from_static(b"<c/>")),
        ],
    };
    log.mark_batch_time_stamped(stamp).unwrap();
    let entries = |log: &MessageLog| {
        let entries = log.records().to_archive_entries().unwrap();
        entries.map(Result::unwrap).collect::<Vec<_>>()
    };
    let before = entries(&log);
    assert_eq!(before.len(), 3);
    let db = &log.records().db;
    let column = Column::ToArchive.of(db).unwrap();
    for (id, _) in &before {
        db.delete_cf(column, id.to_key()).unwrap();
    }
    db.put(b"format", 1_u32.to_le_bytes()).unwrap();
    drop(log);
    assert!(MessageLogReader::open_read_only(directory.path()).is_err());
    let log = open(directory.path());
    assert_eq!(entries(&log), before);
    drop(log);
    assert!(MessageLogReader::open_read_only(directory.path()).is_ok());
}

#[test]
fn a_full_queue_is_said_and_what_was_taken_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        queue: 2,
        ..Settings::default()
    };
    let log = MessageLog::open(directory.path(), settings).unwrap();
    log.set_time_stamping_provider_configured(true);
    let answers: Vec<_> = (0..2000)
        .map(|n| log.append(record(&n.to_string(), "<s/>")))
        .collect();
    let answers: Vec<_> = answers.iter().map(|answer| answer.recv().unwrap()).collect();
    let logged = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(
        answers
            .iter()
            .flat_map(Result::as_ref)
            .all(|receipt| receipt.id() > RecordId::MIN)
    );
    let refused = answers
        .iter()
        .filter(|answer| matches!(answer, Err(LogError::Overloaded { .. })))
        .count();
    assert!(refused > 0 && logged > 0);
    assert_eq!(logged + refused, 2000);
    assert_eq!(keys(&log, Column::Record), logged);
}

#[test]
fn records_handed_over_together_are_bounded_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        queue: 100,
        ..Settings::default()
    };
    let log = MessageLog::open(directory.path(), settings).unwrap();
    log.set_time_stamping_provider_configured(true);
    let hand_over = |count: usize| {
        let (replies, answers): (Vec<_>, Vec<_>) = (0..count).map(|_| reply::channel()).unzip();
        log.append_all(replies.into_iter().map(|reply| (record("q", "<s/>"), reply)));
        let answers = answers.iter().map(|answer| answer.recv().unwrap());
        answers.partition::<Vec<_>, _>(Result::is_ok)
    };
    let (logged, refused) = hand_over(300);
    assert_eq!((logged.len(), refused.len()), (100, 200));
    assert!(
        refused
            .iter()
            .all(|answer| matches!(answer, Err(LogError::Overloaded { waiting: 100 })))
    );
    assert_eq!((log.figures().refused, log.figures().waiting), (200, 0));
    let (logged, refused) = hand_over(100);
    assert_eq!((logged.len(), refused.len()), (100, 0));
    assert_eq!(keys(&log, Column::Record), 200);
}

#[test]
fn records_that_wait_are_bounded_by_their_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        queue_bytes: 100_000,
        ..Settings::default()
    };
    let log = MessageLog::open(directory.path(), settings).unwrap();
    log.set_time_stamping_provider_configured(true);
    let of = |bytes: usize| Record {
        message: Bytes::from(vec![b'm'; bytes]),
        ..record("q", "<s/>")
    };
    // Larger than everything that may wait, but alone.
    append(&log, of(150_000));
    let (replies, answers): (Vec<_>, Vec<_>) = (0..4).map(|_| reply::channel()).unzip();
    log.append_all(replies.into_iter().map(|reply| (of(40_000), reply)));
    let logged = answers.iter().map(|answer| answer.recv().unwrap().is_ok());
    assert_eq!(logged.collect::<Vec<_>>(), [true, true, false, false]);
}
