//! How a command ends when it does not end well.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

/// Why a command ends with another exit code than 0.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command did its work and the answer is no; it has said so on standard output. Exit code 1.
    #[error("{0}")]
    No(String),
    /// The input or the environment cannot be used: what, where, and what was expected. Exit code 2.
    #[error("{what}")]
    Unusable {
        /// What could not be done, with the place.
        what: String,
        /// Why.
        #[source]
        why: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl Failure {
    /// Input or environment that cannot be used, without a deeper cause.
    pub fn unusable(what: impl Into<String>) -> Self {
        Self::Unusable {
            what: what.into(),
            why: None,
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::No(_) => ExitCode::from(1),
            Self::Unusable { .. } => ExitCode::from(2),
        }
    }
}

/// Says what was being done when something failed.
pub trait OrUnusable<T> {
    /// Turns an error into [`Failure::Unusable`]; `what` tells what could not be done, and where.
    ///
    /// # Errors
    /// The error, with what was being done.
    fn or_unusable(self, what: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrUnusable<T> for Result<T, E> {
    fn or_unusable(self, what: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|why| Failure::Unusable {
            what: what(),
            why: Some(why.into()),
        })
    }
}

/// Writes the failure and its causes to standard error.
pub fn report(failure: &Failure) {
    let mut text = format!("kiirtee: {failure}\n");
    let mut cause = failure.source();
    while let Some(error) = cause {
        text.push_str(&format!("  because: {error}\n"));
        cause = error.source();
    }
    // Nothing is left to tell it to when standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_and_keeps_why() {
        let failed: Result<(), _> = Err(std::io::Error::other("no such disk"));
        let failure = failed.or_unusable(|| "read /x".into()).unwrap_err();
        assert_eq!(failure.to_string(), "read /x");
        assert_eq!(failure.source().unwrap().to_string(), "no such disk");
    }
}
