//! When the server must stop because its evidence is no longer time-stamped (wire.md 5.2, "Failure policy").
//!
//! A signature alone proves nothing about *when*. So a server without a time-stamping service logs nothing, and one
//! whose time-stamping has been failing for longer than the acceptable period refuses messages, on both sides, until
//! a round succeeds. [`Policy`] is that rule and nothing else: it reads no clock and does no I/O. The message log
//! keeps one, asks it before each record and persists what it learned.

use time::{Duration, OffsetDateTime};

/// How long time-stamping may fail before messages are refused, when the operator says nothing: 4 hours.
pub const DEFAULT_ACCEPTABLE_FAILURE_PERIOD: Duration = Duration::seconds(14_400);

/// Why no message may be logged now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The server configuration names no time-stamping service.
    #[error("Cannot time-stamp messages: no timestamping services configured")]
    NoProvider,
    /// Time-stamping has been failing for longer than the acceptable period.
    #[error("Cannot time-stamp messages: time-stamping has been failing since {since}")]
    Failing {
        /// When the first failed round began.
        since: OffsetDateTime,
    },
}

impl Refusal {
    /// The fault code of the reference, without the side's prefix (wire.md 1.8).
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::NoProvider => "logging_failed.mlog.no_timestamping_provider_found",
            Self::Failing { .. } => "logging_failed.timestamping_failed",
        }
    }
}

/// How a server time-stamps: what the operator set, as far as the rule needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long time-stamping may fail; zero: for ever (`acceptable-timestamp-failure-period`).
    pub acceptable_failure_period: Duration,
    /// Each message is stamped before it is answered (`timestamp-immediately`): a failure then fails that message by
    /// itself, and the period does not count.
    pub immediately: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            acceptable_failure_period: DEFAULT_ACCEPTABLE_FAILURE_PERIOD,
            immediately: false,
        }
    }
}

/// The state of the rule: pure, small, copied freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    rules: Rules,
    provider_configured: bool,
    failing_since: Option<OffsetDateTime>,
}

impl Policy {
    /// The rule at start, with what an earlier run of the server persisted. No provider is configured until
    /// [`Policy::set_provider_configured`] says so: a server that has not read its configuration logs nothing.
    #[must_use]
    pub const fn new(rules: Rules, failing_since: Option<OffsetDateTime>) -> Self {
        Self {
            rules,
            provider_configured: false,
            failing_since,
        }
    }

    /// Tells the rule whether the server configuration names a time-stamping service.
    pub const fn set_provider_configured(&mut self, configured: bool) {
        self.provider_configured = configured;
    }

    /// A round failed at `at`. Only the first failure in a row counts.
    pub const fn failed(&mut self, at: OffsetDateTime) {
        if self.failing_since.is_none() {
            self.failing_since = Some(at);
        }
    }

    /// A round succeeded (also one asked for by hand): the failures are forgotten.
    pub const fn succeeded(&mut self) {
        self.failing_since = None;
    }

    /// Since when time-stamping has been failing without interruption.
    #[must_use]
    pub const fn failing_since(&self) -> Option<OffsetDateTime> {
        self.failing_since
    }

    /// Whether a message may be logged at `now`.
    ///
    /// # Errors
    /// [`Refusal`], with which the exchange must fail.
    pub fn check(&self, now: OffsetDateTime) -> Result<(), Refusal> {
        if !self.provider_configured {
            return Err(Refusal::NoProvider);
        }
        match self.failing_since {
            Some(since) if self.period_counts() && now - since > self.rules.acceptable_failure_period => {
                Err(Refusal::Failing { since })
            }
            _ => Ok(()),
        }
    }

    fn period_counts(&self) -> bool {
        !self.rules.immediately && self.rules.acceptable_failure_period > Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-01-02 03:04:05 UTC);

    fn policy(seconds: i64, immediately: bool) -> Policy {
        let rules = Rules {
            acceptable_failure_period: Duration::seconds(seconds),
            immediately,
        };
        let mut policy = Policy::new(rules, None);
        policy.set_provider_configured(true);
        policy
    }

    #[test]
    fn refuses_everything_without_a_provider_and_nothing_with_one() {
        let mut policy = Policy::new(Rules::default(), None);
        let refusal = policy.check(START).unwrap_err();
        assert_eq!(
            refusal.fault_code(),
            "logging_failed.mlog.no_timestamping_provider_found"
        );
        policy.set_provider_configured(true);
        assert_eq!(policy.check(START), Ok(()));
    }

    #[test]
    fn refuses_only_after_the_acceptable_period_and_recovers_with_a_success() {
        let mut policy = policy(10, false);
        policy.failed(START);
        policy.failed(START + Duration::seconds(9));
        assert_eq!(policy.check(START + Duration::seconds(10)), Ok(()));
        let refusal = policy.check(START + Duration::seconds(11)).unwrap_err();
        assert_eq!(refusal.fault_code(), "logging_failed.timestamping_failed");
        policy.succeeded();
        assert_eq!(policy.check(START + Duration::days(1)), Ok(()));
    }

    #[test]
    fn never_refuses_when_the_period_is_zero_or_each_message_is_stamped_at_once() {
        for mut policy in [policy(0, false), policy(10, true)] {
            policy.failed(START);
            assert_eq!(policy.check(START + Duration::days(365)), Ok(()));
        }
    }

    #[test]
    fn counts_from_the_failure_that_an_earlier_run_saw() {
        let mut policy = Policy::new(Rules::default(), Some(START));
        policy.set_provider_configured(true);
        assert_eq!(policy.check(START + Duration::hours(4)), Ok(()));
        assert!(policy.check(START + Duration::hours(5)).is_err());
    }
}
