//! Replays the corpus of every fuzz target: nothing in it may break what must hold for any bytes.
//!
//! `fuzz/corpus/<target>/` is the only place for such files. `good-…` must be acceptable and `bad-…` refused; all others
//! were found by fuzzing and may be either. A file that once broke something goes there with a name that says what.
#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fuzz_properties::{Check, TARGETS};

/// No file takes longer, in whatever profile and on however busy a machine; the bounds that fuzzing itself applies are
/// in `fuzz/run`.
const LONGEST: Duration = Duration::from_secs(20);

/// No file of the corpus is larger, in bytes.
const LARGEST: usize = 128 * 1024;

fn fuzz() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Calls the check of a target with every file of its corpus.
fn replay(target: &str) {
    let check: Check = TARGETS.iter().find(|(name, _)| *name == target).unwrap().1;
    let mut count = 0;
    for entry in std::fs::read_dir(fuzz().join("corpus").join(target)).unwrap() {
        let path = entry.unwrap().path();
        let (name, bytes) = (
            path.file_name().unwrap().to_string_lossy(),
            std::fs::read(&path).unwrap(),
        );
        assert!(
            bytes.len() <= LARGEST,
            "{target}/{name} has {} bytes",
            bytes.len()
        );
        let begin = Instant::now();
        let accepted = std::panic::catch_unwind(|| check(&bytes))
            .unwrap_or_else(|_| panic!("{target}/{name} breaks what must hold"));
        assert!(
            begin.elapsed() < LONGEST,
            "{target}/{name} took {:?}",
            begin.elapsed()
        );
        for (prefix, expected) in [("good-", true), ("bad-", false)] {
            assert!(
                !name.starts_with(prefix) || accepted == expected,
                "{target}/{name} was {}",
                if accepted { "accepted" } else { "refused" }
            );
        }
        count += 1;
    }
    assert!(count > 1, "{target} has no corpus");
}

macro_rules! replays {
    ($($target:ident)*) => {
        const REPLAYED: &[&str] = &[$(stringify!($target)),*];
        $(#[test] fn $target() { replay(stringify!($target)); })*
    };
}

replays! {
    transport rest_part soap signature_document hash_chain ocsp tsp asic signed_directory signer_socket http
    description content_type identifier
}

#[test]
fn every_target_is_built_and_replayed_and_every_corpus_has_a_target() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(known, REPLAYED.iter().map(|name| (*name).to_owned()).collect());
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(fuzz().join(folder)).unwrap();
        let stem = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        };
        entries.map(stem).collect()
    };
    assert_eq!(known, names("corpus"));
    assert_eq!(known, names("fuzz_targets"));
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for target in known {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target} is not built"
        );
    }
}
