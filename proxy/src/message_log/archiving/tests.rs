#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use storage::archive::verify;
use storage::message_log::Direction;

use super::*;
use crate::message_log::time_stamping::tests::support::{Message, Mode, Tsa, World};

fn archives(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).map(|files| files.map(|file| file.unwrap().path()));
    let mut files: Vec<PathBuf> = files.map(Iterator::collect).unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "zip"));
    files.sort();
    files
}

#[test]
fn stamped_records_are_archived_on_schedule_and_the_command_is_run_after_them() {
    let tsa = Tsa::start(Mode::Granted);
    let told = tempfile::tempdir().unwrap();
    let told = told.path().join("told");
    let settings = format!(
        "[message-log]\narchive-interval = '* * * * * ?'\narchive-transfer-command = 'echo done >> {}'",
        told.display()
    );
    let mut world = World::new(&settings, vec![tsa.service()]);
    let stamping = world.start();
    let record = world.log(&Message::new("archived", Direction::Request));
    world.stamp_now(record).unwrap();
    tsa.set(Mode::Rejected);
    let unstamped = world.log(&Message::new("unstamped", Direction::Request));
    let archiving = start(&world.process).unwrap();
    world.wait("the archive", || told.exists());

    let files = archives(&world.process.settings.archive_dir());
    assert_eq!(files.len(), 1);
    let report = verify(File::open(&files[0]).unwrap(), Some("")).unwrap();
    assert_eq!((report.containers, report.problems), (1, vec![]));
    let records = world.process.log.records();
    assert_eq!(records.to_archive(10).unwrap(), []);
    assert!(records.get(unstamped).unwrap().is_some());
    let metrics = &world.process.metrics.archive;
    assert_eq!((metrics.records_archived.get(), metrics.failures.get()), (1, 0));
    assert!(metrics.last_archive.get() > 0.0);
    assert!(archiving.stop(Duration::from_secs(20)) && stamping.stop(Duration::from_secs(20)));
}

#[test]
fn a_folder_that_cannot_be_written_is_told_and_the_records_stay() {
    let tsa = Tsa::start(Mode::Granted);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    let settings = format!(
        "[message-log]\narchive-interval = '* * * * * ?'\narchive-path = '{}'",
        path.display()
    );
    let mut world = World::new(&settings, vec![tsa.service()]);
    let stamping = world.start();
    let archiving = start(&world.process).unwrap();
    fs::remove_dir(&path).unwrap();
    File::create(&path).unwrap();
    let record = world.log(&Message::new("archived", Direction::Request));
    world.stamp_now(record).unwrap();
    let metrics = &world.process.metrics.archive;
    world.wait("a failure", || {
        metrics.failures.get() > 0 && metrics.records_waiting.get() == 1
    });

    // Once the folder is back, the next round does it.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    world.wait("the archive", || metrics.records_archived.get() == 1);
    assert!(archiving.stop(Duration::from_secs(20)) && stamping.stop(Duration::from_secs(20)));
}

#[test]
fn the_transfer_command_is_killed_when_the_server_stops_and_its_failure_is_known() {
    let mut background = Background::new();
    let (sender, receiver) = flume::bounded(3);
    let work = move |stop: &Stop| {
        sender.send(transfer::run("exit 0", stop)).unwrap();
        sender
            .send(transfer::run("echo wrong >&2; exit 3", stop))
            .unwrap();
        sender.send(transfer::run("sleep 600", stop)).unwrap();
    };
    background.spawn("transfer", work).unwrap();
    assert_eq!((receiver.recv(), receiver.recv()), (Ok(true), Ok(false)));
    assert!(background.stop(Duration::from_secs(20)));
    assert_eq!(receiver.recv(), Ok(false));
}

#[test]
fn keys_that_cannot_be_used_are_told_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[message-log]\narchive-encryption-enabled = true\narchive-gpg-home-directory = '{}'",
        folder.path().display()
    );
    let world = World::new(&settings, Vec::new());
    let error = start(&world.process).unwrap_err();
    assert!(error.to_string().contains("no OpenPGP public key"), "{error}");
    // Downloads need them even where nothing is archived.
    let world = World::new(&format!("archiving = false\n{settings}"), Vec::new());
    assert!(matches!(start(&world.process), Err(ArchivingError::Keys(_))));
    let world = World::new("archiving = false", Vec::new());
    assert!(start(&world.process).unwrap().stop(Duration::from_secs(20)));
}
