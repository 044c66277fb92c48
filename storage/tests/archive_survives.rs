//! What archiving promises when the process is killed: every record is in exactly one archive, and the chain holds.
//!
//! The test runs this very test program again as a child that logs, stamps and archives without end, kills it at
//! moments that differ, and looks at the archives. The last run is not killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[allow(dead_code, reason = "shared with other tests")]
mod archive_parts;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use archive_parts::{append, independent_check, names, open, record, settings};
use storage::archive::{Folder, run, verify};
use storage::message_log::MessageLog;

/// Set in children: where the log and the archives are.
const DIRECTORY: &str = "KIIRTEE_TEST_ARCHIVE";
/// Set in children: number of the run, part of the query ids.
const RUN: &str = "KIIRTEE_TEST_RUN";
/// How often archiving is killed.
const KILLS: u64 = 40;
/// The test ends early, but not before half of the kills, when this is over.
const PATIENCE: Duration = Duration::from_secs(50);
/// Archives that a child has begun at least before it is killed.
const BEGUN: usize = 2;

fn places(directory: &Path) -> (PathBuf, PathBuf) {
    (directory.join("log"), directory.join("archive"))
}

/// Logs and stamps records and archives them in files of a few.
fn work(log: &MessageLog, archive: &Path, query_id: &str) {
    for number in 0..6 {
        let id = append(log, record(&format!("{query_id}-{number}"), "EE/GOV/1/a"));
        log.mark_time_stamped(id, b"<stamped/>".to_vec()).unwrap();
    }
    let mut settings = settings(archive);
    settings.max_file_size = 1500;
    settings.batch = 4;
    run(log, &settings, || false).unwrap();
}

#[test]
fn a_child_that_archives_without_end() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else {
        return;
    };
    let run = std::env::var(RUN).unwrap();
    let (log, archive) = places(&directory);
    let log = open(&log);
    for round in 0_u64.. {
        work(&log, &archive, &format!("{run}-{round}"));
    }
}

fn child(directory: &Path, run: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_that_archives_without_end", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(RUN, run.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "the child archived nothing");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn killed_at_any_moment_every_record_is_in_one_archive_and_the_chain_holds() {
    let directory = tempfile::tempdir().unwrap();
    let (log, archive) = places(directory.path());
    std::fs::create_dir_all(&archive).unwrap();
    let started = Instant::now();
    let mut kills = 0;
    while kills < KILLS && (started.elapsed() < PATIENCE || kills < KILLS / 2) {
        let before = names(&archive).len();
        let mut child = child(directory.path(), kills);
        wait_until(|| names(&archive).len() >= before + BEGUN);
        // Another moment each time, in steps of a third of a millisecond.
        std::thread::sleep(Duration::from_micros(kills * 331));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    eprintln!("killed {kills} times");

    let log = open(&log);
    // What only waited for its time-stamp.
    for pending in log.records().pending(1000).unwrap() {
        log.mark_time_stamped(pending.id, b"<stamped/>".to_vec()).unwrap();
    }
    run(&log, &settings(&archive), || false).unwrap();
    assert_eq!(log.records().to_archive(10).unwrap(), []);
    let left = std::fs::read_dir(&archive).unwrap().count();
    assert_eq!(left, names(&archive).len(), "temporary files are left");
    let order = chain(&archive);
    assert_eq!(order.len(), left);
    independent_check(&archive, &order);

    let mut found = BTreeMap::<String, u32>::new();
    for name in &order {
        let zip = zip::ZipArchive::new(File::open(archive.join(name)).unwrap()).unwrap();
        let entries = zip.file_names().map(|entry| entry.unwrap().into_owned());
        for entry in entries.filter(|entry| entry.ends_with(".asice")) {
            *found.entry(entry).or_default() += 1;
        }
    }
    let logged = log.records().range(
        storage::message_log::RecordId::MIN,
        storage::message_log::RecordId::MAX,
    );
    let logged = logged.unwrap().count();
    assert_eq!(found.len(), logged);
    assert!(
        found.values().all(|times| *times == 1),
        "a record was archived twice"
    );
}

/// The archives in the order of their chain; each must be without a fault.
fn chain(archive: &Path) -> Vec<String> {
    let mut all = Folder::default();
    for name in names(archive) {
        all.add(
            &name,
            verify(File::open(archive.join(&name)).unwrap(), None).unwrap(),
        );
    }
    all.check(&[]);
    let mut next = BTreeMap::new();
    for (name, report) in all.reports() {
        assert_eq!(report.problems, [], "{name}");
        next.insert(report.previous.file.clone(), name.to_owned());
    }
    let mut order: Vec<String> = Vec::new();
    while let Some(name) = next.remove(order.last().map_or("", String::as_str)) {
        order.push(name);
    }
    order
}
