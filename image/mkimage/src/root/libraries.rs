//! Brings the libraries that the root's programs need, and those of the libraries.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::elf;
use super::keep::Root;
use super::manifest::Entry;
use crate::failure::Failure;

/// Where the loader looks by itself.
const FOLDERS: [&str; 3] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/lib64"];

/// Takes every library that some file of the root needs, until nothing is missing.
///
/// # Errors
/// [`Failure::Root`] with every library that is nowhere, and who needs it.
pub fn complete(tree: &Path, root: &Root<'_>, entries: &[Entry]) -> Result<(), Failure> {
    let mut search = Search {
        tree,
        root,
        seen: BTreeSet::new(),
        queue: VecDeque::new(),
        missing: Vec::new(),
    };
    for entry in entries {
        if let Entry::Dlopen(name) = entry {
            search.need("systemd/root.manifest", name, &[])?;
        }
    }
    let files = walkdir::WalkDir::new(tree)
        .sort_by_file_name()
        .into_iter()
        .flatten();
    for file in files.filter(|entry| entry.file_type().is_file()) {
        search.queue.push_back(file.into_path());
    }
    search.run()
}

struct Search<'a> {
    tree: &'a Path,
    root: &'a Root<'a>,
    seen: BTreeSet<String>,
    queue: VecDeque<PathBuf>,
    missing: Vec<String>,
}

impl Search<'_> {
    fn run(mut self) -> Result<(), Failure> {
        while let Some(file) = self.queue.pop_front() {
            if let Some(linked) = elf::linked(&file)? {
                let who = file
                    .strip_prefix(self.tree)
                    .unwrap_or(&file)
                    .display()
                    .to_string();
                for name in &linked.libraries {
                    self.need(&who, name, &linked.folders)?;
                }
            }
        }
        if self.missing.is_empty() {
            Ok(())
        } else {
            Err(Failure::Root(self.missing))
        }
    }

    fn need(&mut self, who: &str, name: &str, folders: &[String]) -> Result<(), Failure> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let own = folders
            .iter()
            .map(String::as_str)
            .filter(|folder| folder.starts_with('/'));
        for folder in own.chain(FOLDERS) {
            let path = Path::new(folder).join(name);
            let is_there = self.root.place(&path).exists();
            if is_there || self.root.take(&path)? {
                self.queue.push_back(self.root.place(&path));
                return Ok(());
            }
        }
        self.missing.push(format!(
            "{who} needs {name}, and no package of image/packages.list has it"
        ));
        Ok(())
    }
}
