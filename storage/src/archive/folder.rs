//! Checking the files of a folder together: does each follow the one that it says it follows, and is none missing?

use std::collections::BTreeMap;

use super::{FileReport, Problem};

/// The files of a folder, by name.
#[derive(Debug, Default)]
pub struct Folder {
    files: BTreeMap<String, FileReport>,
}

/// What the files are together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChainReport {
    /// Chains that begin in the folder or at the digest given.
    pub chains: usize,
    /// The last digest of each chain, with the name of its last file: what the next archive must follow.
    pub ends: Vec<(String, String)>,
}

/// Whether a file is an archive by its name.
#[must_use]
pub fn is_archive_name(name: &str) -> bool {
    name.starts_with("mlog-") && (name.ends_with(".zip") || name.ends_with(".zip.gpg"))
}

impl Folder {
    /// Adds a file that was checked by itself.
    pub fn add(&mut self, name: &str, mut report: FileReport) {
        let beginning = report.last_digest.get(..16).unwrap_or_default();
        if !report.last_digest.is_empty() && !name.contains(&format!("-{beginning}.")) {
            report.problems.push(Problem::Name(beginning.to_owned()));
        }
        self.files.insert(name.to_owned(), report);
    }

    /// Checks how the files follow one another and adds what is wrong to their reports. `since` are the last digests
    /// of files that were moved elsewhere: a chain may begin after them.
    pub fn check(&mut self, since: &[String]) -> ChainReport {
        let mut chain = ChainReport::default();
        let mut found: Vec<(String, Problem)> = Vec::new();
        let files: BTreeMap<&str, &FileReport> =
            self.reports().map(|(name, file)| (plain(name), file)).collect();
        let readable = || self.reports().filter(|(_, file)| !file.last_digest.is_empty());
        let mut followed: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for (name, file) in readable() {
            let previous = &file.previous;
            match files.get(plain(&previous.file)) {
                Some(before) if before.last_digest == previous.digest => {}
                Some(before) => {
                    let problem = Problem::Previous {
                        expected: before.last_digest.clone(),
                        found: previous.digest.clone(),
                    };
                    found.push((name.to_owned(), problem));
                }
                None if previous.digest.is_empty() || since.contains(&previous.digest) => chain.chains += 1,
                None => found.push((name.to_owned(), Problem::MissingFile(previous.file.clone()))),
            }
            if let Some(other) = followed.insert((group(name), plain(&previous.file)), name) {
                found.push((name.to_owned(), Problem::Fork(other.to_owned())));
            }
        }
        let ends = readable().filter(|(name, _)| !followed.contains_key(&(group(name), plain(name))));
        chain.ends = ends
            .map(|(name, file)| (name.to_owned(), file.last_digest.clone()))
            .collect();
        for (name, problem) in found {
            if let Some(report) = self.files.get_mut(&name) {
                report.problems.push(problem);
            }
        }
        chain
    }

    /// Names and reports, by name.
    pub fn reports(&self) -> impl Iterator<Item = (&str, &FileReport)> {
        self.files.iter().map(|(name, report)| (name.as_str(), report))
    }
}

/// The name that a file has once it is decrypted: it is still the one that the next file names.
fn plain(name: &str) -> &str {
    name.strip_suffix(".gpg").unwrap_or(name)
}

/// The part of a name that is the same for all files of a chain.
fn group(name: &str) -> &str {
    let mut cut = name.rsplitn(4, '-');
    cut.nth(3).unwrap_or(name)
}
