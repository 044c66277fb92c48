//! `kiirtee keys figures`: what the signer has done, in all and with each key.

use serde::Serialize;
use signer_client::{Counters, KeyFigures, Status};

use super::Console;
use super::list::short;
use crate::failure::Failure;
use crate::output::Table;

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    counters: Counters,
    mean_batch: f64,
    keys: Vec<ShownKey<'a>>,
}

/// Times in milliseconds.
#[derive(Debug, Serialize)]
struct ShownKey<'a> {
    key: &'a str,
    label: &'a str,
    token: &'a str,
    messages: u64,
    batches: u64,
    mean_batch: f64,
    largest_batch: u64,
    digests: u64,
    waiting: u64,
    longest_queue: u64,
    mean_wait_ms: f64,
    longest_wait_ms: f64,
    failures: std::collections::BTreeMap<&'a str, u64>,
}

const MICROSECONDS_A_MILLISECOND: f64 = 1000.0;

fn key<'a>(status: &'a Status, figures: &'a KeyFigures) -> ShownKey<'a> {
    let key = status.keys().find(|key| key.id == figures.key);
    let failures = figures
        .failures
        .iter()
        .map(|failure| (failure.code.as_str(), failure.requests));
    ShownKey {
        key: &figures.key,
        label: key.map_or("", |key| &key.label),
        token: key.map_or("", |key| &key.token),
        messages: figures.messages,
        batches: figures.batches,
        mean_batch: figures.mean_batch(),
        largest_batch: figures.largest_batch,
        digests: figures.digests,
        waiting: figures.waiting,
        longest_queue: figures.longest_queue,
        mean_wait_ms: figures.mean_wait() / MICROSECONDS_A_MILLISECOND,
        // Exact below 2^52 microseconds.
        longest_wait_ms: figures.longest_wait as f64 / MICROSECONDS_A_MILLISECOND,
        failures: failures.collect(),
    }
}

pub(super) fn figures(console: &Console) -> Result<(), Failure> {
    let status = console.status()?;
    let shown = Shown {
        counters: status.counters,
        mean_batch: status.counters.mean_batch(),
        keys: status
            .figures
            .iter()
            .map(|figures| key(&status, figures))
            .collect(),
    };
    console.tell(&shown, || {
        format!("{}\n\n{}", in_all(&shown), by_key(&shown.keys))
    })
}

fn in_all(shown: &Shown<'_>) -> String {
    let mut table = Table::new(&["what", "since start"]);
    for (what, count) in [
        ("messages signed", shown.counters.messages),
        ("batches", shown.counters.batches),
        ("largest batch", shown.counters.largest_batch),
        ("signatures of any kind", shown.counters.signatures),
        ("longest queue", shown.counters.longest_queue),
        ("waited too long", shown.counters.expired),
        ("refused, queue full", shown.counters.refused),
    ] {
        table.row([what.to_owned(), count.to_string()]);
    }
    table.row(["messages a batch".to_owned(), format!("{:.1}", shown.mean_batch)]);
    table.render()
}

fn by_key(keys: &[ShownKey<'_>]) -> String {
    let mut table = Table::new(&[
        "key",
        "label",
        "messages",
        "batches",
        "mean, largest batch",
        "digests",
        "waiting",
        "mean, longest wait (ms)",
        "failures",
    ]);
    for key in keys {
        let failures = key
            .failures
            .iter()
            .map(|(code, requests)| format!("{code} {requests}"));
        let failures: Vec<_> = failures.collect();
        table.row([
            short(key.key),
            key.label.to_owned(),
            key.messages.to_string(),
            key.batches.to_string(),
            format!("{:.1}, {}", key.mean_batch, key.largest_batch),
            key.digests.to_string(),
            key.waiting.to_string(),
            format!("{:.1}, {:.1}", key.mean_wait_ms, key.longest_wait_ms),
            if failures.is_empty() {
                "-".to_owned()
            } else {
                failures.join(", ")
            },
        ]);
    }
    table.render()
}
