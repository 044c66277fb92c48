//! The interop ledger (docs/interop.md): every case of the reference's proxy test suite, run through two security
//! servers of ours, a scripted peer in place of one where the case says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../information_system/mod.rs"]
mod information_system;
#[path = "../instance/mod.rs"]
mod instance;
#[path = "../scripted_peer/mod.rs"]
mod scripted_peer;

mod cases;
mod exchange;
mod honest;
mod ledger;
mod misbehaving;
mod peers;
mod vectors;
mod world;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ledger::{Case, Ledger, Run, State};
use world::{Got, World};

#[test]
fn every_case_of_the_reference_goes_as_the_ledger_says() {
    if !instance::is_built() || vectors::folder().is_none() {
        return;
    }
    let wanted = std::env::var("KIIRTEE_LEDGER_CASE").unwrap_or_default();
    let ledger = Ledger::read();
    let mut world = World::up(30);
    let mut table = format!("{:<58} {:<54} got\n", "case", "expected");
    let mut failed = Vec::new();
    for case in &ledger.cases {
        let Some(run) = case.run.filter(|_| case.name.contains(&wanted)) else {
            continue;
        };
        let got = catch_unwind(AssertUnwindSafe(|| play(&mut world, case, run)));
        let got = got.unwrap_or_else(|_| Err("the test panicked".into()));
        let met = got.as_ref().is_ok_and(|got| case.is_met_by(got));
        let shown = got.unwrap_or_else(|problem| problem.chars().take(2000).collect());
        writeln!(table, "{:<58} {:<54} {shown}", case.name, case.wanted()).unwrap();
        if !met {
            failed.push(format!("{}: expected {}, got {shown}", case.name, case.wanted()));
        }
    }
    eprintln!("\n{table}");
    let count = |state| ledger.count(state);
    let (same, differ, open) = (count(State::Same), count(State::Differs), count(State::Open));
    eprintln!(
        "{} cases: {same} same, {differ} differ, {open} open",
        ledger.cases.len()
    );
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
}

fn play(world: &mut World, case: &Case, run: Run) -> Got {
    match run {
        Run::Exchange => exchange::run(world, case),
        Run::ScriptedProvider => peers::provider(world, case),
        Run::ScriptedConsumer => peers::consumer(world, case),
        Run::Own => {
            let found = cases::OWN.iter().find(|(name, _)| *name == case.name);
            (found.unwrap().1)(world, case)
        }
    }
}

/// Bytes without a pattern that could hide a lost or swapped piece.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let words = (0..length.div_ceil(8)).flat_map(|_| next().to_le_bytes());
    words.take(length).collect()
}
