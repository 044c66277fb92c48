//! What happens, told while it happens: one line for each step with the seconds since the beginning, and at the end a
//! report for machines.

use std::io::Write;
use std::time::Instant;

use serde::Serialize;

use crate::failure::Failure;

/// The story of a run.
#[derive(Debug)]
pub struct Story {
    began: Instant,
    scenarios: Vec<Scenario>,
}

/// What is told of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, unless it ended well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its steps.
    pub steps: Vec<Step>,
    /// What was measured, by name; the unit is the end of the name.
    pub figures: serde_json::Map<String, serde_json::Value>,
}

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The image does what it promises.
    Passed,
    /// It does not.
    Failed,
    /// It could not be tried.
    Unusable,
    /// Something that the scenario needs was not given.
    Skipped,
}

/// A step of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Seconds since the beginning of the run.
    pub at: f64,
    /// What happened.
    pub what: String,
}

impl Default for Story {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            scenarios: Vec::new(),
        }
    }
}

impl Story {
    /// Tells what happened.
    pub fn tell(&mut self, what: impl Into<String>) {
        let (at, what) = (self.seconds(), what.into());
        line(&format!("{at:8.1} s  {what}"));
        if let Some(scenario) = self.scenarios.last_mut() {
            scenario.steps.push(Step { at, what });
        }
    }

    /// Tells a figure, and keeps it for the report.
    pub fn figure(&mut self, name: &str, value: f64) {
        let rounded = (value * 100.0).round() / 100.0;
        self.tell(format!("{name}: {rounded}"));
        if let Some(scenario) = self.scenarios.last_mut() {
            scenario.figures.insert(name.to_owned(), rounded.into());
        }
    }

    /// Begins a scenario.
    pub fn begin(&mut self, name: &str) {
        line(&format!("\n{name}"));
        self.scenarios.push(Scenario {
            name: name.to_owned(),
            outcome: Outcome::Unusable,
            why: None,
            seconds: self.seconds(),
            steps: Vec::new(),
            figures: serde_json::Map::new(),
        });
    }

    /// Ends the scenario that was begun last.
    pub fn end(&mut self, result: &Result<(), Failure>) {
        let now = self.seconds();
        let Some(scenario) = self.scenarios.last_mut() else {
            return;
        };
        scenario.seconds = now - scenario.seconds;
        scenario.outcome = match result {
            Ok(()) => Outcome::Passed,
            Err(Failure::Wrong(_)) => Outcome::Failed,
            Err(Failure::Unusable(_)) => Outcome::Unusable,
            Err(Failure::Skipped(_)) => Outcome::Skipped,
        };
        scenario.why = result.as_ref().err().map(ToString::to_string);
        let why = scenario.why.clone().map(|why| format!(": {why}"));
        let told = format!(
            "{now:8.1} s  {} {:?} in {:.1} s{}",
            scenario.name,
            scenario.outcome,
            scenario.seconds,
            why.unwrap_or_default()
        );
        line(&told);
    }

    /// All scenarios.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// 0 when nothing failed, 1 when the image does not do what it promises, 2 when that could not be tried.
    pub fn exit_code(&self) -> u8 {
        let any = |outcome| self.scenarios.iter().any(|scenario| scenario.outcome == outcome);
        if any(Outcome::Failed) {
            1
        } else if any(Outcome::Unusable) || !any(Outcome::Passed) {
            2
        } else {
            0
        }
    }

    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// Writes a line to standard output, at once.
pub fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nothing is left to tell it to when standard output is closed; the exit code still tells.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_worst_outcome_and_a_skipped_run_is_no_success() {
        let mut story = Story::default();
        assert_eq!(story.exit_code(), 2);
        let mut after = |result: Result<(), Failure>| {
            story.begin("x");
            story.end(&result);
            story.exit_code()
        };
        assert_eq!(after(Err(Failure::Skipped("no v2".into()))), 2);
        assert_eq!(after(Ok(())), 0);
        assert_eq!(after(Err(Failure::unusable("no qemu"))), 2);
        assert_eq!(after(Err(Failure::wrong("boots unsigned"))), 1);
    }
}
