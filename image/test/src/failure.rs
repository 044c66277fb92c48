//! How a scenario ends when it does not end well.

use std::fmt::Display;

/// Why a scenario did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The image does not do what it promises.
    #[error("{0}")]
    Wrong(String),
    /// What is needed for trying it is not there: a program, a file, a right. Nothing is said about the image.
    #[error("{0}")]
    Unusable(String),
    /// What the scenario needs was not given, on purpose; it says nothing about the image either.
    #[error("skipped: {0}")]
    Skipped(String),
}

impl Failure {
    /// The image does not do what it promises.
    pub fn wrong(what: impl Into<String>) -> Self {
        Self::Wrong(what.into())
    }

    /// Something that is needed for trying it is not there.
    pub fn unusable(what: impl Into<String>) -> Self {
        Self::Unusable(what.into())
    }
}

/// Says what was being done when something on this side failed.
pub trait OrUnusable<T> {
    /// Turns an error into [`Failure::Unusable`]; `what` could not be done.
    ///
    /// # Errors
    /// The error, with what was being done.
    fn or_unusable(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Display> OrUnusable<T> for Result<T, E> {
    fn or_unusable(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|why| Failure::Unusable(format!("{}: {why}", what())))
    }
}

/// Fails with `what` unless `holds`.
///
/// # Errors
/// [`Failure::Wrong`]
pub fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::Wrong(what()))
    }
}
