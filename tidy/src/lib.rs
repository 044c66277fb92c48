//! The repository checks itself.
//!
//! Each room answers one question about the tree and returns what it finds as sentences; an empty answer means
//! that all is well. `tests/repository.rs` asks every question of this repository, and the tests beside each room
//! show that it does find what it looks for.
//!
//! - [`layers`]: imports go downward only, and binaries link only what they need
//! - [`sources`]: small rooms, documented crates
//! - [`changelog`]: the shape of `CHANGELOG.md`
//! - [`definitions`]: what the appliance consists of is said once
//! - [`documents`]: commands and links named in the documents exist, decisions are numbered

pub mod changelog;
pub mod definitions;
pub mod documents;
pub mod layers;
pub mod sources;

use std::path::{Path, PathBuf};

/// What a check found: one sentence for each thing to mend.
pub type Findings = Vec<String>;

/// The root of this repository: the folder above this crate.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Every file below `root` whose name ends with `.extension`, leaving out build output and hidden folders.
///
/// A folder that cannot be read counts as empty.
pub fn files(root: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(root, extension, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.') || name == "target";
        if path.is_dir() && !hidden {
            collect(&path, extension, found);
        } else if path
            .extension()
            .is_some_and(|found_extension| found_extension == extension)
        {
            found.push(path);
        }
    }
}

/// `path` as it is called inside the repository.
pub fn inside(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
