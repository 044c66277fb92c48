//! Sealing of archives: when, in which order, and what happens where it can't be.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

#[allow(dead_code, reason = "shared with other tests")]
mod archive_parts;

use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use archive_parts::{Log, names, settings};
use storage::archive::seal::{self, FsVerity, SealDigest, SealError, Sealer, Sealing};
use storage::archive::{ArchiveError, run, verify};

const DIGEST: SealDigest = SealDigest([7; 32]);

type Answer = fn() -> Result<SealDigest, SealError>;

/// Notes the files that it shall seal, each with what it was like then.
struct Fake<'a> {
    log: &'a Log,
    answer: Answer,
    asked: RefCell<Vec<PathBuf>>,
}

impl std::fmt::Debug for Fake<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

impl<'a> Fake<'a> {
    fn new(log: &'a Log, answer: Answer) -> Self {
        Self {
            log,
            answer,
            asked: RefCell::default(),
        }
    }
}

impl Sealer for Fake<'_> {
    fn seal(&self, path: &Path) -> Result<SealDigest, SealError> {
        let report = verify(File::open(path).unwrap(), Some("")).unwrap();
        assert_eq!(report.problems, [], "the file is complete");
        assert_eq!(names(path.parent().unwrap()), [""; 0], "it has no name yet");
        let records = self.log.log.records();
        assert_eq!(records.prepared_archives().unwrap().len(), 1, "it is known");
        assert_eq!(
            records.count_to_archive().unwrap(),
            1,
            "its record is not archived yet"
        );
        self.asked.borrow_mut().push(path.to_owned());
        (self.answer)()
    }
}

const fn seals() -> Result<SealDigest, SealError> {
    Ok(DIGEST)
}

const fn cannot() -> Result<SealDigest, SealError> {
    Err(SealError::Unsupported)
}

fn fails() -> Result<SealDigest, SealError> {
    Err(SealError::Io(io::Error::from_raw_os_error(5)))
}

fn archived(
    folder: &Path,
    sealing: Sealing,
    sealer: &dyn Sealer,
    log: &Log,
) -> Result<Vec<Option<SealDigest>>, ArchiveError> {
    let mut settings = settings(folder);
    settings.sealing = sealing;
    settings.sealer = sealer;
    let done = run(&log.log, &settings, || false)?;
    Ok(done.files.iter().map(|file| file.seal).collect())
}

#[test]
fn a_file_is_sealed_when_it_is_complete_and_before_it_has_its_name() {
    for sealing in [Sealing::Auto, Sealing::Required] {
        let (log, folder) = (Log::new(), tempfile::tempdir().unwrap());
        log.stamped("a", "EE/GOV/1/a");
        let fake = Fake::new(&log, seals);
        let seals = archived(folder.path(), sealing, &fake, &log).unwrap();
        assert_eq!(seals, [Some(DIGEST)]);
        assert_eq!(fake.asked.borrow().len(), 1);
        assert_eq!(names(folder.path()).len(), 1);
    }
}

#[test]
fn where_it_cannot_be_sealed_a_file_is_archived_unless_sealing_is_required() {
    let (log, folder) = (Log::new(), tempfile::tempdir().unwrap());
    log.stamped("a", "EE/GOV/1/a");
    let fake = Fake::new(&log, cannot);
    let refused = archived(folder.path(), Sealing::Required, &fake, &log).unwrap_err();
    assert!(
        matches!(
            &refused,
            ArchiveError::Seal {
                source: SealError::Unsupported,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(names(folder.path()), [""; 0]);
    // Tried again, it is the same file; nothing is archived twice.
    archived(folder.path(), Sealing::Required, &fake, &log).unwrap_err();
    let asked = fake.asked.take();
    assert_eq!(asked[0], asked[1]);
    assert_eq!(
        archived(folder.path(), Sealing::Auto, &fake, &log).unwrap(),
        [None]
    );
    assert_eq!(log.log.records().count_to_archive().unwrap(), 0);
    let report = verify(
        File::open(folder.path().join(&names(folder.path())[0])).unwrap(),
        Some(""),
    )
    .unwrap();
    assert_eq!((report.containers, report.problems), (1, vec![]));
}

#[test]
fn a_disk_that_fails_is_no_reason_to_leave_a_file_open_to_change() {
    let (log, folder) = (Log::new(), tempfile::tempdir().unwrap());
    log.stamped("a", "EE/GOV/1/a");
    let failed = archived(folder.path(), Sealing::Auto, &Fake::new(&log, fails), &log).unwrap_err();
    assert!(
        matches!(
            &failed,
            ArchiveError::Seal {
                source: SealError::Io(_),
                ..
            }
        ),
        "{failed}"
    );
    let sealed = archived(folder.path(), Sealing::Auto, &Fake::new(&log, seals), &log).unwrap();
    assert_eq!(sealed, [Some(DIGEST)]);
}

#[test]
fn off_seals_nothing() {
    let (log, folder) = (Log::new(), tempfile::tempdir().unwrap());
    log.stamped("a", "EE/GOV/1/a");
    let fake = Fake::new(&log, fails);
    assert_eq!(
        archived(folder.path(), Sealing::Off, &fake, &log).unwrap(),
        [None]
    );
    assert_eq!(fake.asked.borrow().len(), 0);
}

/// Where the kernel and the file system of `KIIRTEE_VERITY_FOLDER`, or of temporary files, have fs-verity.
#[test]
fn the_kernel_lets_nobody_change_a_sealed_archive() {
    let place = std::env::var_os("KIIRTEE_VERITY_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(place).unwrap();
    if let Err(error) = seal::try_in(folder.path(), &FsVerity) {
        assert!(matches!(error, SealError::Unsupported), "{error}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "the trial leaves nothing"
        );
        eprintln!("SKIPPED: fs-verity: {error}");
        return;
    }
    let log = Log::new();
    log.stamped("a", "EE/GOV/1/a");
    let seals = archived(folder.path(), Sealing::Required, &FsVerity, &log).unwrap();
    let path = folder.path().join(&names(folder.path())[0]);
    let file = File::open(&path).unwrap();
    assert_eq!(seals, [seal::measure(&file).unwrap()]);
    let refused = OpenOptions::new().append(true).open(&path).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    assert_eq!(verify(file, Some("")).unwrap().problems, []);
    // Sealing again changes nothing.
    assert_eq!(FsVerity.seal(&path).unwrap(), seals[0].unwrap());
}

#[test]
fn a_file_that_was_never_sealed_has_no_seal() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(seal::measure(file.as_file()).unwrap(), None);
}

#[test]
fn a_digest_is_written_as_the_tools_of_fs_verity_do() {
    assert_eq!(DIGEST.to_string(), format!("sha256:{}", "07".repeat(32)));
}
