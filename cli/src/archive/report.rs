//! What `kiirtee archive verify` says, as text and as JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use storage::archive::seal::SealDigest;
use storage::archive::{ChainReport, Folder};

use super::contents::Invalid;
use crate::failure::Failure;
use crate::output;

/// The answer.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    valid: bool,
    files: Vec<FileAnswer>,
    /// Absent for a file alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    chain: Option<ChainAnswer>,
    #[serde(skip)]
    places: BTreeMap<String, PathBuf>,
    #[serde(skip)]
    contents: BTreeMap<PathBuf, (usize, Vec<Invalid>)>,
    #[serde(skip)]
    seals: BTreeMap<PathBuf, String>,
}

#[derive(Debug, Serialize)]
struct FileAnswer {
    file: PathBuf,
    valid: bool,
    containers: usize,
    previous_file: String,
    previous_digest: String,
    last_digest: String,
    /// What the kernel holds the file to, if it is sealed where it lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
    problems: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_containers: Option<usize>,
}

#[derive(Debug, Serialize)]
struct ChainAnswer {
    /// Chains that begin in these files, or after the digests given.
    chains: usize,
    /// The last file and digest of each: what the next archive must follow.
    ends: Vec<End>,
}

#[derive(Debug, Serialize)]
struct End {
    file: String,
    last_digest: String,
}

impl Report {
    /// Where a file of this name lies.
    pub(super) fn place(&mut self, name: &str, path: &Path) {
        self.places.insert(name.to_owned(), path.to_owned());
    }

    /// What a file is sealed with.
    pub(super) fn seal(&mut self, path: &Path, digest: SealDigest) {
        self.seals.insert(path.to_owned(), digest.to_string());
    }

    /// What the containers of a file are.
    pub(super) fn containers(&mut self, path: &Path, checked: (usize, Vec<Invalid>)) {
        self.contents.insert(path.to_owned(), checked);
    }

    /// Takes in what was found of the files.
    pub(super) fn finish(&mut self, folder: &Folder, chain: Option<ChainReport>) {
        for (name, found) in folder.reports() {
            let path = self.places.get(name).cloned().unwrap_or_else(|| name.into());
            let contents = self.contents.remove(&path);
            let mut problems: Vec<String> = found.problems.iter().map(ToString::to_string).collect();
            let invalid = contents.iter().flat_map(|(_, invalid)| invalid);
            problems.extend(invalid.map(
                |Invalid {
                     container,
                     code,
                     reason,
                 }| { format!("the container {container} is not valid, {code}: {reason}") },
            ));
            self.files.push(FileAnswer {
                valid: problems.is_empty(),
                containers: found.containers,
                previous_file: found.previous.file.clone(),
                previous_digest: found.previous.digest.clone(),
                last_digest: found.last_digest.clone(),
                seal: self.seals.remove(&path),
                file: path,
                problems,
                valid_containers: contents.map(|(valid, _)| valid),
            });
        }
        self.valid = self.files.iter().all(|file| file.valid);
        self.chain = chain.map(|ChainReport { chains, ends }| ChainAnswer {
            chains,
            ends: ends
                .into_iter()
                .map(|(file, last_digest)| End { file, last_digest })
                .collect(),
        });
    }

    /// Says it, and ends with the right exit code.
    pub(super) fn say(&self, json: bool) -> Result<(), Failure> {
        if json {
            output::json(self)?;
        } else {
            self.say_lines()?;
        }
        let wrong = self.files.iter().filter(|file| !file.valid).count();
        if wrong == 0 {
            Ok(())
        } else {
            Err(Failure::No(format!(
                "{wrong} of {} not as archived",
                self.files.len()
            )))
        }
    }

    fn say_lines(&self) -> Result<(), Failure> {
        for file in &self.files {
            let verdict = if file.valid {
                "as archived"
            } else {
                "NOT AS ARCHIVED"
            };
            let containers = file.containers;
            output::line(&format!(
                "{}: {verdict}, {containers} containers",
                file.file.display()
            ))?;
            for problem in &file.problems {
                output::line(&format!("  {problem}"))?;
            }
            if let Some(seal) = &file.seal {
                output::line(&format!("  sealed       {seal}"))?;
            }
            if let Some(valid) = file.valid_containers {
                output::line(&format!("  {valid} containers are valid evidence"))?;
            }
            if self.chain.is_none() {
                output::line(&format!("  follows      {}", or_none(&file.previous_file)))?;
                output::line(&format!("  last digest  {}", or_none(&file.last_digest)))?;
            }
        }
        for end in self.chain.iter().flat_map(|chain| &chain.ends) {
            output::line(&format!(
                "last of its chain: {}, digest {}",
                end.file, end.last_digest
            ))?;
        }
        Ok(())
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
