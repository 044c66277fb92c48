//! Measures the message log on this disk: `cargo run -p storage --example group_commit [DIRECTORY]`.
//!
//! For each number of exchanges in flight: durable records a second, the mean number of records that shared a sync,
//! and how long a record waited for its receipt. Each record has 2.5 KB of its own; eight share a signature document.
#![allow(clippy::print_stdout, reason = "the figures are its output")]

use std::collections::VecDeque;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol_message::identifier::ClientId;
use storage::message_log::{Direction, LogError, LogReceipt, MessageKind, MessageLog, Record, Settings};
use time::OffsetDateTime;

const RUN: Duration = Duration::from_secs(3);

type Waiting = VecDeque<(Instant, flume::Receiver<Result<LogReceipt, LogError>>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("kiirtee-group-commit-{}", std::process::id()));
    println!("in flight   records/s   records/sync   wait p50   wait p99");
    for in_flight in [1, 4, 16, 64, 256, 1024] {
        let log = MessageLog::open(&directory, Settings::default())?;
        log.set_time_stamping_provider_configured(true);
        measure(&log, in_flight)?;
        drop(log);
        std::fs::remove_dir_all(&directory)?;
    }
    Ok(())
}

fn measure(log: &MessageLog, in_flight: usize) -> Result<(), Box<dyn Error>> {
    let (mut waiting, mut waits) = (Waiting::new(), Vec::new());
    let started = Instant::now();
    let mut number = 0;
    while started.elapsed() < RUN {
        while waiting.len() < in_flight {
            waiting.push_back((Instant::now(), log.append(record(number))));
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
    let elapsed = started.elapsed().as_secs_f64();
    let figures = log.figures();
    waits.sort_unstable();
    let wait = |percent: usize| {
        waits
            .get(waits.len() * percent / 100)
            .copied()
            .unwrap_or_default()
    };
    let [records, syncs] =
        [figures.records, figures.syncs].map(|figure| u32::try_from(figure).map_or(0.0, f64::from));
    println!(
        "{in_flight:9}   {:9.0}   {:12.1}   {:8.1?}   {:8.1?}",
        records / elapsed,
        records / syncs,
        wait(50),
        wait(99)
    );
    Ok(())
}

fn record(number: u64) -> Record {
    Record {
        time: OffsetDateTime::now_utc(),
        query_id: format!("query-{number}"),
        request_id: None,
        direction: Direction::Request,
        client_side: true,
        client: ClientId::subsystem("EE", "GOV", "1", "sub"),
        service: None,
        kind: MessageKind::Soap,
        message: Bytes::from(vec![b'm'; 1200]),
        signature: Bytes::from(format!("{:06}{}", number / 8, "s".repeat(6000))),
        hash_chain_result: Some(Bytes::from_static(b"<result/>")),
        hash_chain: Some(Bytes::from(vec![b'c'; 1300])),
        body: None,
        truncated: false,
    }
}
