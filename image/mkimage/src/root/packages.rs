//! The unpacked packages (`CACHE/trees/PACKAGE`), looked at as one tree.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::failure::{At, Failure};

/// The unpacked packages.
#[derive(Debug)]
pub struct Packages {
    trees: Vec<PathBuf>,
}

impl Packages {
    /// All packages below a folder.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let mut trees = Vec::new();
        for entry in std::fs::read_dir(folder).at(folder)? {
            let path = entry.at(folder)?.path();
            if path.is_dir() {
                trees.push(path);
            }
        }
        trees.sort();
        Ok(Self { trees })
    }

    /// Everything that a pattern of absolute paths stands for: path in the root, path in a package.
    ///
    /// # Errors
    /// When the pattern is none.
    pub fn find(&self, pattern: &str) -> Result<BTreeMap<PathBuf, PathBuf>, Failure> {
        let mut found = BTreeMap::new();
        for tree in &self.trees {
            let escaped = glob::Pattern::escape(&tree.display().to_string());
            let whole = format!("{escaped}{pattern}");
            let paths = glob::glob(&whole).map_err(|error| Failure::unusable(pattern, error.to_string()))?;
            for path in paths.flatten() {
                if let Ok(inside) = path.strip_prefix(tree) {
                    found.insert(Path::new("/").join(inside), path);
                }
            }
        }
        Ok(found)
    }

    /// The file at a path of the root, in whatever package it is; links are not followed.
    #[must_use]
    pub fn file(&self, path: &Path) -> Option<PathBuf> {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let mut candidates = self.trees.iter().map(|tree| tree.join(inside));
        candidates.find(|candidate| candidate.symlink_metadata().is_ok())
    }

    /// The package that a file of the root came from.
    #[must_use]
    pub fn owner(&self, path: &Path) -> Option<String> {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let tree = self
            .trees
            .iter()
            .find(|tree| tree.join(inside).symlink_metadata().is_ok())?;
        Some(tree.file_name()?.to_string_lossy().into_owned())
    }
}

/// What the root calls a file of its tree.
#[must_use]
pub fn inside(tree: &Path, file: &Path) -> PathBuf {
    Path::new("/").join(file.strip_prefix(tree).unwrap_or(file))
}

/// The path in the root that a link at `link` with this target means.
#[must_use]
pub fn resolve(link: &Path, target: &Path) -> PathBuf {
    let base = link.parent().unwrap_or_else(|| Path::new("/"));
    let mut path = PathBuf::from("/");
    for component in base.join(target).components() {
        match component {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(part) => path.push(part),
            _ => {}
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_from_where_they_are() {
        let resolved = |link: &str, target: &str| resolve(Path::new(link), Path::new(target));
        assert_eq!(
            resolved("/usr/lib64/ld.so", "../lib/x/ld.so"),
            Path::new("/usr/lib/x/ld.so")
        );
        assert_eq!(resolved("/usr/bin/a", "b"), Path::new("/usr/bin/b"));
        assert_eq!(resolved("/usr/bin/a", "/b"), Path::new("/b"));
        assert_eq!(resolved("/a", "../../b"), Path::new("/b"));
    }
}
