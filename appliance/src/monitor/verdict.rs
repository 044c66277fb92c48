//! From what was seen to checks, and to healthy or not. No input or output.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How long a message may wait for its time-stamp. Rounds are 60 s apart or what the global configuration says; a failed one
/// is tried again after a minute.
pub const STAMP_PATIENCE: Duration = Duration::from_secs(300);

/// One condition, as it was seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name: lower case, words joined by underscores.
    pub name: String,
    /// Whether it holds; the reason if not.
    pub result: Result<(), String>,
}

impl Finding {
    /// A finding by this name.
    pub fn new(name: impl Into<String>, result: Result<(), String>) -> Self {
        Self {
            name: name.into(),
            result,
        }
    }
}

/// One condition for being healthy, with its history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Since when it has been so, RFC 3339 in UTC.
    pub since: String,
}

/// Healthy or not. The default: nothing was seen yet, so not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// All checks hold, and there is one.
    pub healthy: bool,
    /// Since when it has been so, RFC 3339 in UTC; empty before the first look.
    pub since: String,
    /// Each condition.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// The verdict over these findings, `self` being the one before them.
    #[must_use]
    pub fn next(&self, findings: Vec<Finding>, now: OffsetDateTime) -> Self {
        let now = told(now);
        let checks: Vec<Check> = findings
            .into_iter()
            .map(|finding| self.check(finding, &now))
            .collect();
        let healthy = !checks.is_empty() && checks.iter().all(|check| check.ok);
        let lasts = !self.since.is_empty() && self.healthy == healthy;
        Self {
            healthy,
            since: if lasts { self.since.clone() } else { now },
            checks,
        }
    }

    fn check(&self, finding: Finding, now: &str) -> Check {
        let ok = finding.result.is_ok();
        let before = self
            .checks
            .iter()
            .find(|check| check.name == finding.name && check.ok == ok);
        Check {
            since: before.map_or_else(|| now.to_owned(), |check| check.since.clone()),
            name: finding.name,
            ok,
            reason: finding.result.err(),
        }
    }

    /// The checks that do not hold.
    pub fn failing(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.ok)
    }
}

/// Whether the messages to itself got time-stamps.
///
/// The proxy tells until when everything that it logged has its time-stamp. A message is stamped once that is later than
/// its answer; until then the oldest one that waits is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stamps {
    /// A message got one since the monitor started.
    had: bool,
    /// When the oldest message was answered that has none, by the clock of the machine.
    waiting: Option<OffsetDateTime>,
}

impl Stamps {
    /// A message was answered.
    pub fn message(&mut self, at: OffsetDateTime) {
        self.waiting.get_or_insert(at);
    }

    /// Everything logged before `until` has its time-stamp.
    pub fn stamped(&mut self, until: OffsetDateTime) {
        if self.waiting.is_some_and(|answered| answered < until) {
            self.had = true;
            self.waiting = None;
        }
    }

    /// Whether there was a time-stamp after a message, and no message has waited too long for one.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, now: OffsetDateTime) -> Result<(), String> {
        let Some(waiting) = self.waiting else {
            let none = "no message was sent to itself yet that could get a time-stamp";
            return if self.had { Ok(()) } else { Err(none.to_owned()) };
        };
        let waited = (now - waiting).whole_seconds().max(0);
        if self.had && waited.unsigned_abs() <= STAMP_PATIENCE.as_secs() {
            return Ok(());
        }
        Err(format!(
            "a message to itself of {} has no time-stamp yet",
            told(waiting)
        ))
    }
}

/// A time as everything of the monitor tells it: RFC 3339, whole seconds.
#[must_use]
pub fn told(at: OffsetDateTime) -> String {
    let whole = at.replace_nanosecond(0).unwrap_or(at);
    whole.format(&Rfc3339).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(seconds)
    }

    fn seen(message: Result<(), &str>, clock: Result<(), &str>) -> Vec<Finding> {
        let own = |result: Result<(), &str>| result.map_err(ToOwned::to_owned);
        vec![
            Finding::new("message", own(message)),
            Finding::new("clock", own(clock)),
        ]
    }

    #[test]
    fn healthy_is_when_all_hold_and_there_is_something_to_hold() {
        let first = Verdict::default();
        assert!(!first.healthy);
        assert!(!first.next(Vec::new(), at(1)).healthy);
        assert!(first.next(seen(Ok(()), Ok(())), at(1)).healthy);
        let failing = first.next(seen(Ok(()), Err("not synchronised")), at(1));
        assert!(!failing.healthy);
        let names: Vec<_> = failing.failing().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["clock"]);
    }

    #[test]
    fn since_is_the_last_change_of_each_check_and_of_the_whole() {
        let one = Verdict::default().next(seen(Err("no signer"), Ok(())), at(1));
        let two = one.next(seen(Err("no answer"), Ok(())), at(2));
        assert_eq!(two.since, one.since);
        assert_eq!(two.checks.first().unwrap().since, one.since);
        // The reason is the newest one.
        assert_eq!(two.checks.first().unwrap().reason.as_deref(), Some("no answer"));
        let three = two.next(seen(Ok(()), Ok(())), at(3));
        assert_eq!(three.since, "1970-01-01T00:00:03Z");
        let sinces: Vec<_> = three.checks.iter().map(|check| check.since.as_str()).collect();
        assert_eq!(sinces, ["1970-01-01T00:00:03Z", "1970-01-01T00:00:01Z"]);
    }

    #[test]
    fn a_time_stamp_counts_only_after_the_message() {
        let mut stamps = Stamps::default();
        stamps.stamped(at(5));
        assert!(
            stamps.check(at(6)).is_err(),
            "before the first message nothing is shown"
        );
        stamps.message(at(10));
        stamps.stamped(at(10));
        assert!(
            stamps.check(at(11)).is_err(),
            "that round began before the message was logged"
        );
        stamps.stamped(at(12));
        assert_eq!(stamps.check(at(13)), Ok(()));
    }

    #[test]
    fn a_message_may_wait_for_a_round_but_not_for_ever() {
        let mut stamps = Stamps::default();
        stamps.message(at(0));
        stamps.stamped(at(1));
        stamps.message(at(60));
        // The next one waits longer than this one, which counts.
        stamps.message(at(120));
        assert_eq!(stamps.check(at(360)), Ok(()));
        let late = stamps.check(at(361)).unwrap_err();
        assert!(late.contains("of 1970-01-01T00:01:00Z"), "{late}");
        stamps.stamped(at(362));
        assert_eq!(stamps.check(at(363)), Ok(()));
    }
}
