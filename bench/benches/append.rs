//! What appending to the message log costs: `cargo bench -p bench --bench append`.
//!
//! Groups of 1, 8, 16 and 64 records, each handed in at once and awaited; messages of 1, 6 and 100 KB; a signature document
//! shared by the group or one a record. Criterion measures the time; the processor time a record of the whole process, with
//! RocksDB's threads, is printed before it. `KIIRTEE_BENCH_DIRECTORY` names a folder on the disk to be measured.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench: it stops where it cannot measure"
)]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol_message::identifier::ClientId;
use storage::message_log::{Direction, MessageKind, MessageLog, Record, Settings};
use time::OffsetDateTime;

const GROUPS: [usize; 4] = [1, 8, 16, 64];
const MESSAGES: [usize; 3] = [1 << 10, 6 << 10, 100 << 10];
/// Groups over which processor time is taken.
const COUNTED: usize = 100;

/// Nanoseconds of all threads of this process.
fn processor_time() -> u64 {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let spent = tasks.filter_map(|task| {
        let spent = fs::read_to_string(task.path().join("schedstat")).ok()?;
        spent.split(' ').next()?.parse::<u64>().ok()
    });
    spent.sum()
}

fn record(log: &MessageLog, number: u64, message: &Bytes, document: &Bytes) -> Record {
    let mut body = None;
    let mut message = message.clone();
    if message.len() > 32 << 10 {
        // As of a REST message: a small head and a body.
        let mut writer = log.body_writer();
        writer.append_blocking(message.split_off(512)).unwrap();
        body = Some(writer.finish().unwrap());
    }
    Record {
        time: OffsetDateTime::now_utc(),
        query_id: format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        request_id: None,
        direction: Direction::Request,
        client_side: true,
        client: ClientId::subsystem("EE", "GOV", "70000001", "consumer"),
        service: None,
        kind: MessageKind::Rest,
        message,
        signature: document.clone(),
        hash_chain_result: Some(Bytes::from_static(b"<HashChainResult/>")),
        hash_chain: Some(Bytes::from(vec![b'c'; 1300])),
        body,
        truncated: false,
    }
}

fn append_group(log: &MessageLog, number: &mut u64, group: usize, message: &Bytes, shared: bool) {
    let document = |number: u64| Bytes::from(format!("{number:020}{}", "s".repeat(6000)));
    let first = document(*number);
    let answers: Vec<_> = (0..group)
        .map(|_| {
            *number += 1;
            let document = if shared { first.clone() } else { document(*number) };
            log.append(record(log, *number, message, &document))
        })
        .collect();
    for answer in answers {
        let _receipt = answer.recv().unwrap().unwrap();
    }
}

/// Groups of records of one kind of message.
struct Row<'a> {
    log: &'a MessageLog,
    group: usize,
    message: Bytes,
    /// Whether a group has one signature document.
    shared: bool,
}

impl Row<'_> {
    /// Processor time a record, of all threads, in microseconds.
    fn processor_time(&self, number: &mut u64) -> f64 {
        let before = processor_time();
        for _ in 0..COUNTED {
            append_group(self.log, number, self.group, &self.message, self.shared);
        }
        let records = f64::from(u32::try_from(COUNTED * self.group).unwrap());
        Duration::from_nanos(processor_time() - before).as_secs_f64() * 1e6 / records
    }
}

fn append(criterion: &mut Criterion) {
    let parent = std::env::var_os("KIIRTEE_BENCH_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(parent).unwrap();
    let mut number = 0;
    for (shared, name) in [
        (true, "append, shared document"),
        (false, "append, own documents"),
    ] {
        let mut benches = criterion.benchmark_group(name);
        for (size, group) in MESSAGES
            .into_iter()
            .flat_map(|size| GROUPS.map(|group| (size, group)))
        {
            let path = directory.path().join(format!("{shared}-{size}-{group}"));
            let log = MessageLog::open(&path, Settings::default()).unwrap();
            log.set_time_stamping_provider_configured(true);
            let row = Row {
                log: &log,
                group,
                message: Bytes::from(vec![b'm'; size]),
                shared,
            };
            let spent = row.processor_time(&mut number);
            println!("{name}, {size} bytes, groups of {group}: {spent:.1} µs CPU a record");
            benches.throughput(Throughput::Elements(u64::try_from(group).unwrap()));
            benches.bench_function(BenchmarkId::new(size.to_string(), group), |bencher| {
                bencher.iter(|| append_group(&log, &mut number, group, &row.message, shared));
            });
            drop(log);
            fs::remove_dir_all(&path).unwrap();
        }
        benches.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = append
}
criterion_main!(benches);
