//! Whether the log is as quick after a quarter of an hour as in the first minute.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use storage::message_log::{MessageLog, Settings, SharedTimeStamp, Unarchived};
use time::OffsetDateTime;

use crate::Outcome;
use crate::cpu::{self, Cpu};
use crate::rate::{float, percentile};
use crate::records::Maker;

/// Exchanges in flight.
const IN_FLIGHT: usize = 64;
/// Records that share a signature document.
const BATCH: u64 = 16;
/// Bytes of a message.
const MESSAGE: usize = 1024;
/// How much slower the last minute may be.
const ALLOWED: f64 = 1.5;
/// One line of figures.
const LINE: Duration = Duration::from_secs(60);
/// Records stamped together.
const STAMPED: usize = 10_000;
/// Records older than this are removed, so that the disk does not fill and cleaning is in the soak.
const KEPT: time::Duration = time::Duration::seconds(240);

/// Fails where the last minute is slower than allowed.
pub(crate) fn run(directory: &Path, seconds: u64) -> Outcome {
    let _ = fs::remove_dir_all(directory);
    let log = MessageLog::open(directory, Settings::default())?;
    log.set_time_stamping_provider_configured(true);
    let end = AtomicBool::new(false);
    let minutes = std::thread::scope(|scope| {
        let housekeeping = scope.spawn(|| keep_house(&log, &end));
        let minutes = load(&log, Duration::from_secs(seconds));
        end.store(true, Ordering::Relaxed);
        let kept = housekeeping
            .join()
            .map_err(|_| "housekeeping panicked".to_owned());
        kept.and_then(|kept| kept).and(minutes)
    })?;
    drop(log);
    fs::remove_dir_all(directory)?;
    judge(&minutes)
}

fn judge(minutes: &[Duration]) -> Outcome {
    let (Some(first), Some(last)) = (minutes.first(), minutes.last()) else {
        return Err("not a line of figures".into());
    };
    let ratio = last.as_secs_f64() / first.as_secs_f64();
    println!("p99 of the last minute / first: {ratio:.2} (at most {ALLOWED})");
    if ratio > ALLOWED {
        return Err("the log became slower".into());
    }
    Ok(())
}

/// The p99 of each minute.
fn load(log: &MessageLog, time: Duration) -> Result<Vec<Duration>, String> {
    let maker = Maker::new(BATCH);
    let (mut number, mut minutes) = (0, Vec::new());
    println!("minute  records/s  records/sync   p50       p99       max    µs CPU a record  resident MiB");
    let started = Instant::now();
    while started.elapsed() + LINE / 2 < time {
        let (from, before, figures) = (Instant::now(), Cpu::now(), log.figures());
        let mut waits = minute(log, &maker, &mut number).map_err(|error| error.to_string())?;
        waits.sort_unstable();
        let (cpu, now) = (Cpu::now().since(&before, ""), log.figures());
        let (records, syncs) = (
            float(now.records - figures.records),
            float(now.syncs - figures.syncs),
        );
        println!(
            "{:6}  {:9.0}  {:12.1}  {:8.1?}  {:8.1?}  {:8.1?}  {:15.1}  {:12}",
            minutes.len() + 1,
            records / from.elapsed().as_secs_f64(),
            records / syncs,
            percentile(&waits, 50),
            percentile(&waits, 99),
            percentile(&waits, 100),
            cpu / records,
            cpu::resident(),
        );
        minutes.push(percentile(&waits, 99));
    }
    Ok(minutes)
}

fn minute(
    log: &MessageLog,
    maker: &Maker,
    number: &mut u64,
) -> Result<Vec<Duration>, Box<dyn std::error::Error>> {
    let (mut waiting, mut waits) = (VecDeque::new(), Vec::new());
    let started = Instant::now();
    while started.elapsed() < LINE {
        while waiting.len() < IN_FLIGHT {
            waiting.push_back((Instant::now(), log.append(maker.record(log, *number, MESSAGE)?)));
            *number += 1;
        }
        if let Some((since, answer)) = waiting.pop_front() {
            let _receipt = answer.recv()??;
            waits.push(since.elapsed());
        }
    }
    for (since, answer) in waiting {
        let _receipt = answer.recv()??;
        waits.push(since.elapsed());
    }
    Ok(waits)
}

/// Time-stamps and cleans as a server does, beside the load.
fn keep_house(log: &MessageLog, end: &AtomicBool) -> Result<(), String> {
    let chain = Bytes::from(vec![b'c'; 2000]);
    let mut cleaned = Instant::now();
    while !end.load(Ordering::Relaxed) {
        let pending = log
            .records()
            .pending(STAMPED)
            .map_err(|error| error.to_string())?;
        if cleaned.elapsed() > LINE {
            cleaned = Instant::now();
            let kept = log.clean(OffsetDateTime::now_utc() - KEPT, Unarchived::Remove);
            kept.map_err(|error| error.to_string())?;
        }
        if pending.len() < STAMPED {
            std::thread::sleep(Duration::from_secs(1));
        }
        for step in pending.chunks(500) {
            let stamp = SharedTimeStamp {
                now: OffsetDateTime::now_utc(),
                token: vec![1; 3000],
                hash_chain_result: vec![2; 300],
                records: step.iter().map(|record| (record.id, chain.clone())).collect(),
            };
            log.mark_batch_time_stamped(stamp)
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
