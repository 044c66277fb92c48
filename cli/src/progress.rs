//! Telling a person what is going on.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::ProgressBar;

/// A line that says what is being done, on standard error: a spinner on a terminal, plain lines elsewhere.
#[derive(Debug)]
pub struct Progress {
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// Begins to tell.
    pub fn new() -> Self {
        let spinner = std::io::stderr().is_terminal().then(ProgressBar::new_spinner);
        if let Some(spinner) = &spinner {
            spinner.enable_steady_tick(Duration::from_millis(100));
        }
        Self { spinner }
    }

    /// Says what is being done now.
    pub fn step(&self, what: &str) {
        match &self.spinner {
            Some(spinner) => spinner.set_message(what.to_owned()),
            // Nobody listens when standard error is closed.
            None => drop(std::io::stderr().write_all(format!("{what}\n").as_bytes())),
        }
    }

    /// Ends, and leaves no trace on a terminal.
    pub fn done(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done();
    }
}
