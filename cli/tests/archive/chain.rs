//! Archives as they are and as they must not be.

use std::io::Write;
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;

use super::instance::{Instance, is_built, wait_until};
use super::reference::Reference;
use super::server::{ALWAYS, archive_folder, archives, exchange, set};
use super::verifying::{Archive, Verdict, entries, name, verify, verify_with_evidence};

#[test]
fn archives_of_a_schedule_are_accepted_and_what_was_changed_in_them_is_told() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(160);
    for id in ["archive-1", "archive-2"] {
        exchange(&instance, id);
    }
    // A file a record at the consumer's server.
    let (always, small) = (ALWAYS.into(), 1.into());
    set(
        &mut instance,
        "consumer",
        &[("archive-interval", always), ("archive-max-filesize", small)],
    );
    set(&mut instance, "provider", &[("archive-interval", ALWAYS.into())]);
    let folders = ["consumer", "provider"].map(|server| archive_folder(&instance, server));
    for folder in &folders {
        wait_until("two exchanges to be archived", || {
            verify(&[folder]).sum("containers") == 4
        });
        let (verdict, containers) = verify_with_evidence(&instance, folder);
        assert_eq!((containers, &verdict.answer["chain"]["chains"]), (4, &1.into()));
        the_reference_agrees(&verdict.chain());
    }
    let chain = verify(&[&folders[0]]).accepted().chain();
    assert_eq!(chain.len(), 4);
    only_the_file_before_is_the_file_before(&chain);
    let shelf = Shelf(chain);
    shelf.a_flipped_byte_is_told_with_its_container();
    shelf.a_file_that_is_gone_is_told_by_the_next();
    shelf.a_wrong_beginning_is_told();
}

fn the_reference_agrees(chain: &[Archive]) {
    let Some(reference) = Reference::find() else {
        return;
    };
    for archive in chain {
        let accepted = reference.verify(&archive.path, &archive.previous_digest);
        assert_eq!(accepted.as_deref(), Ok(archive.last_digest.as_str()));
        let refused = reference.verify(&archive.path, &archive.last_digest);
        assert!(refused.unwrap_err().contains("differ"));
    }
}

/// A file alone, with what is known of the one before.
fn only_the_file_before_is_the_file_before(chain: &[Archive]) {
    let with =
        |file: &Archive, arguments: &[&str]| verify(&[&[file.path.to_str().unwrap()], arguments].concat());
    with(&chain[0], &["--first"]).accepted();
    with(&chain[1], &["--previous", &chain[0].last_digest]).accepted();
    let not_first = with(&chain[1], &["--first"]).refused();
    assert!(
        not_first[0].1.starts_with("it follows the digest"),
        "{not_first:?}"
    );
    let other = with(&chain[1], &["--previous", &chain[2].last_digest]).refused();
    assert!(other[0].1.contains(&chain[2].last_digest), "{other:?}");
}

/// Archives of one chain.
struct Shelf(Vec<Archive>);

impl Shelf {
    /// What is said of a copy of the files after a change to one of them; unchanged they are accepted.
    fn changed(&self, which: usize, change: impl FnOnce(&Path)) -> (Verdict, PathBuf, tempfile::TempDir) {
        let copy = tempfile::tempdir().unwrap();
        for archive in &self.0 {
            std::fs::copy(&archive.path, copy.path().join(name(&archive.path))).unwrap();
        }
        assert_eq!(archives(copy.path()).len(), self.0.len());
        verify(&[copy.path()]).accepted();
        let file = copy.path().join(name(&self.0[which].path));
        change(&file);
        (verify(&[copy.path()]), file, copy)
    }

    fn a_flipped_byte_is_told_with_its_container(&self) {
        let (verdict, file, _copy) = self.changed(1, |file| {
            let mut bytes = std::fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(file, bytes).unwrap();
        });
        let container = &entries(&std::fs::read(&self.0[1].path).unwrap())[0].0;
        let told = format!("the digest of the container {container} does not match");
        assert_eq!(verdict.refused(), [(name(&file), told)]);
        if let Some(reference) = Reference::find() {
            let refused = reference.verify(&file, &self.0[0].last_digest);
            assert!(refused.unwrap_err().contains(container));
        }
    }

    fn a_file_that_is_gone_is_told_by_the_next(&self) {
        let (verdict, gone, _copy) = self.changed(1, |file| std::fs::remove_file(file).unwrap());
        let told = format!("the file that it follows is missing: {}", name(&gone));
        assert_eq!(verdict.refused(), [(name(&self.0[2].path), told)]);
    }

    /// The first line of `linkinginfo` has another digest: that of no file, so that the container's own does not
    /// follow from it either.
    fn a_wrong_beginning_is_told(&self) {
        let right = &self.0[1].previous_digest;
        let wrong = "0".repeat(right.len());
        let (verdict, file, _copy) = self.changed(1, |file| {
            rewrite_linking_info(file, |text| text.replacen(right.as_str(), &wrong, 1));
        });
        let refused = verdict.refused();
        let told = |beginning: &str| {
            let mut problems = refused.iter();
            problems.any(|(of, problem)| *of == name(&file) && problem.starts_with(beginning))
        };
        let follows = format!("it follows the digest \"{wrong}\", expected \"{right}\"");
        assert!(
            told(&follows) && told("the digest of the container"),
            "{refused:?}"
        );
        assert_eq!(refused.len(), 2, "{refused:?}");
        if let Some(reference) = Reference::find() {
            assert!(reference.verify(&file, right).unwrap_err().contains("differ"));
            assert!(
                reference
                    .verify(&file, &wrong)
                    .unwrap_err()
                    .contains("do not match")
            );
        }
    }
}

fn rewrite_linking_info(file: &Path, change: impl Fn(&str) -> String) {
    let entries = entries(&std::fs::read(file).unwrap());
    let mut zip = zip::ZipWriter::new(std::fs::File::create(file).unwrap());
    for (name, mut content) in entries {
        if name == "linkinginfo" {
            content = change(std::str::from_utf8(&content).unwrap()).into_bytes();
        }
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap();
}
