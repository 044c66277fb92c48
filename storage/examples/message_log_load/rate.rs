//! How many records a second, and what one costs.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use storage::message_log::{LogError, LogReceipt, MessageLog, Settings};

use crate::Outcome;
use crate::cpu::Cpu;
use crate::records::Maker;

/// Exchanges in flight, one after the other.
const IN_FLIGHT: [u64; 5] = [1, 8, 16, 64, 256];
/// Bytes of a message where none are asked for.
const MESSAGE: u64 = 1024;
/// Records that share a signature document.
const BATCH: u64 = 16;

/// Records that were handed in and since when.
type Waiting = VecDeque<(Instant, flume::Receiver<Result<LogReceipt, LogError>>)>;

/// Prints the table.
pub(crate) fn run(directory: &Path, seconds: u64, bytes: Option<u64>, only: Option<u64>) -> Outcome {
    let maker = Maker::new(BATCH);
    println!(
        "in flight  records/s  records/sync  wait p50  wait p99   µs CPU a record: all  writer  flush  compaction  caller"
    );
    let numbers = only.map_or_else(|| IN_FLIGHT.to_vec(), |only| vec![only]);
    for in_flight in numbers {
        let in_flight = usize::try_from(in_flight)?;
        let _ = fs::remove_dir_all(directory);
        let log = MessageLog::open(directory, Settings::default())?;
        log.set_time_stamping_provider_configured(true);
        measure(
            &log,
            &maker,
            (in_flight, usize::try_from(bytes.unwrap_or(MESSAGE))?),
            Duration::from_secs(seconds),
        )?;
        drop(log);
        fs::remove_dir_all(directory)?;
    }
    Ok(())
}

fn measure(log: &MessageLog, maker: &Maker, (in_flight, bytes): (usize, usize), time: Duration) -> Outcome {
    let (mut waiting, mut waits) = (Waiting::new(), Vec::new());
    let (started, before) = (Instant::now(), Cpu::now());
    let mut number = 0;
    while started.elapsed() < time {
        while waiting.len() < in_flight {
            waiting.push_back((Instant::now(), log.append(maker.record(log, number, bytes)?)));
            number += 1;
        }
        if let Some((since, answer)) = waiting.pop_front() {
            let _receipt = answer.recv()??;
            waits.push(since.elapsed());
        }
    }
    for (_, answer) in waiting {
        let _receipt = answer.recv()??;
    }
    let (elapsed, after) = (started.elapsed().as_secs_f64(), Cpu::now());
    let figures = log.figures();
    waits.sort_unstable();
    let [records, syncs] = [figures.records, figures.syncs].map(float);
    let cpu = |threads: &str| after.since(&before, threads) / records;
    let caller = cpu("") - cpu("message-log") - cpu("rocksdb");
    println!(
        "{in_flight:9}  {:9.0}  {:12.1}  {:8.1?}  {:8.1?}  {:21.1}  {:6.1}  {:5.1}  {:10.1}  {caller:6.1}",
        records / elapsed,
        records / syncs,
        percentile(&waits, 50),
        percentile(&waits, 99),
        cpu(""),
        cpu("message-log"),
        cpu("rocksdb:high"),
        cpu("rocksdb:low"),
    );
    Ok(())
}

/// A count as a number to divide by.
pub(crate) fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// Of sorted waits.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let at = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(at).copied().unwrap_or_default()
}
