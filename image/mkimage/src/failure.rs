//! Why an image cannot be made.

use std::io;
use std::path::{Path, PathBuf};

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program that does part of the work cannot be started.
    #[error("{program} cannot be started ({source}); install it: {package}")]
    NoTool {
        /// Which program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
        /// Why it did not start.
        source: io::Error,
    },
    /// A program that does part of the work failed.
    #[error("{program} failed: {said}")]
    Tool {
        /// Which program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// Something that is read has an unexpected form.
    #[error("{place}: {what}")]
    Unusable {
        /// File, and line or section.
        place: String,
        /// What is there, and what was expected.
        what: String,
    },
    /// The root has what it must not have, or lacks what it needs; one line for each.
    #[error("the root is not as systemd/root.manifest wants it:\n  {}", .0.join("\n  "))]
    Root(Vec<String>),
}

impl Failure {
    /// Something at `place` that is not as it should be.
    pub fn unusable(place: impl std::fmt::Display, what: impl Into<String>) -> Self {
        Self::Unusable {
            place: place.to_string(),
            what: what.into(),
        }
    }
}

/// Says which path an operation of the file system was about.
pub trait At<T> {
    /// The same result, with the path.
    ///
    /// # Errors
    /// [`Failure::Io`].
    fn at(self, path: &Path) -> Result<T, Failure>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Failure> {
        self.map_err(|source| Failure::Io {
            path: path.to_owned(),
            source,
        })
    }
}
