//! Small rooms, documented crates.

use std::path::Path;

use crate::{Findings, files, inside};

/// No source file is longer: one subject a file, and what grows past this has two.
pub const LONGEST_FILE: usize = 800;

/// Source files longer than [`LONGEST_FILE`] lines.
pub fn check_length(root: &Path) -> Findings {
    let long = |path: &std::path::PathBuf| {
        let lines = read(path).lines().count();
        (lines > LONGEST_FILE).then(|| {
            format!(
                "{} has {lines} lines, more than {LONGEST_FILE}",
                inside(root, path)
            )
        })
    };
    files(root, "rs").iter().filter_map(long).collect()
}

/// Crate roots (`lib.rs`, `main.rs`) that do not begin by saying what the crate is.
pub fn check_crate_docs(root: &Path) -> Findings {
    let is_root = |path: &&std::path::PathBuf| path.ends_with("src/lib.rs") || path.ends_with("src/main.rs");
    let silent = |path: &std::path::PathBuf| {
        let first = read(path).lines().next().unwrap_or_default().to_owned();
        (!first.starts_with("//! ")).then(|| format!("{} does not begin with `//! `", inside(root, path)))
    };
    files(root, "rs")
        .iter()
        .filter(is_root)
        .filter_map(silent)
        .collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(source: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("src")).unwrap();
        std::fs::write(root.path().join("src/lib.rs"), source).unwrap();
        root
    }

    #[test]
    fn a_long_file_is_named_with_its_length() {
        let root = tree(&"//! x\n".repeat(LONGEST_FILE + 1));
        assert_eq!(
            check_length(root.path()),
            ["src/lib.rs has 801 lines, more than 800"]
        );
        let root = tree(&"//! x\n".repeat(LONGEST_FILE));
        assert!(check_length(root.path()).is_empty());
    }

    #[test]
    fn a_crate_without_a_word_is_named() {
        assert_eq!(check_crate_docs(tree("use std::fs;\n").path()).len(), 1);
        assert!(check_crate_docs(tree("//! What it is.\n").path()).is_empty());
    }
}
