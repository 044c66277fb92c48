//! When the next round of time-stamping is, and how many records it takes (wire.md 5.2). Reads no clock.

use std::time::{Duration, Instant};

use crate::settings::Settings;

/// Shortest interval that the global configuration can set.
const MIN_INTERVAL: Duration = Duration::from_secs(60);
/// Longest interval that the global configuration can set.
const MAX_INTERVAL: Duration = Duration::from_secs(86_400);
/// Shortest interval that the operator can set, for sandboxes.
const MIN_OVERRIDE: Duration = Duration::from_secs(1);
/// When the first round is at the latest: records may wait from the last run.
const FIRST_ROUND: Duration = Duration::from_secs(5);

/// What became of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that it took is stamped; `full` when it took as many as it may, so that more may wait.
    Stamped {
        /// Whether more may wait.
        full: bool,
    },
    /// No time-stamp was obtained, or it could not be kept.
    Failed,
}

/// Why the next round is when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing was tried yet.
    Starting,
    /// After a round that left nothing.
    Regular,
    /// After a round that left more, or when there is reason to try now.
    AtOnce,
    /// After a failure: one record, until that succeeds.
    Retrying,
    /// The same, but now.
    RetryingAtOnce,
}

/// The plan.
#[derive(Debug)]
pub struct Schedule {
    interval_override: Option<Duration>,
    retry_delay: Duration,
    limit: usize,
    mode: Mode,
    last: Instant,
}

impl Schedule {
    /// The plan at start; `failing` when time-stamping failed when the last run ended.
    #[must_use]
    pub fn new(settings: &Settings, failing: bool, now: Instant) -> Self {
        Self {
            interval_override: settings
                .kiirtee
                .timestamp_interval_override
                .map(Duration::from_secs),
            retry_delay: settings.message_log.timestamp_retry_delay,
            limit: settings.message_log.timestamp_records_limit,
            mode: if failing {
                Mode::RetryingAtOnce
            } else {
                Mode::Starting
            },
            last: now,
        }
    }

    /// How many records the round takes that is due now; `None`: none is due. `interval` is the global
    /// configuration's, in seconds.
    #[must_use]
    pub fn due(&self, interval: Option<u32>, now: Instant) -> Option<usize> {
        let elapsed = now.saturating_duration_since(self.last);
        let retrying = matches!(self.mode, Mode::Retrying | Mode::RetryingAtOnce);
        let limit = if retrying { 1 } else { self.limit };
        (elapsed >= self.delay(interval)).then_some(limit)
    }

    fn delay(&self, interval: Option<u32>) -> Duration {
        let interval = self.interval(interval);
        match self.mode {
            Mode::Starting => interval.min(FIRST_ROUND),
            Mode::Regular => interval,
            Mode::Retrying => self.retry_delay.min(interval),
            Mode::AtOnce | Mode::RetryingAtOnce => Duration::ZERO,
        }
    }

    fn interval(&self, configured: Option<u32>) -> Duration {
        match self.interval_override {
            Some(interval) => interval.max(MIN_OVERRIDE),
            None => {
                let configured =
                    configured.map_or(MIN_INTERVAL, |seconds| Duration::from_secs(seconds.into()));
                configured.clamp(MIN_INTERVAL, MAX_INTERVAL)
            }
        }
    }

    /// How long to wait for something else: `most`, or not at all while a round is to follow at once.
    #[must_use]
    pub const fn patience(&self, most: Duration) -> Duration {
        match self.mode {
            Mode::AtOnce | Mode::RetryingAtOnce => Duration::ZERO,
            _ => most,
        }
    }

    /// A round ended.
    pub const fn after(&mut self, outcome: Outcome, now: Instant) {
        self.last = now;
        self.mode = match (outcome, self.mode) {
            (Outcome::Failed, _) => Mode::Retrying,
            // It works again: now all that waits.
            (Outcome::Stamped { .. }, Mode::Retrying | Mode::RetryingAtOnce) => Mode::AtOnce,
            (Outcome::Stamped { full: true }, _) => Mode::AtOnce,
            (Outcome::Stamped { full: false }, _) => Mode::Regular,
        };
    }

    /// Somebody's own request succeeded: if rounds were failing, the next one is now.
    pub const fn stamped_on_request(&mut self) {
        if matches!(self.mode, Mode::Retrying | Mode::RetryingAtOnce) {
            self.mode = Mode::AtOnce;
        }
    }

    /// Other services are configured: if rounds were failing, they are tried now.
    pub const fn services_changed(&mut self) {
        if matches!(self.mode, Mode::Retrying) {
            self.mode = Mode::RetryingAtOnce;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn schedule(interval_override: Option<u64>, failing: bool) -> (Schedule, Instant) {
        let now = Instant::now();
        let text = "[kiirtee]\ndata-dir = '/d'\nserver-configuration = '/s'\nglobal-configuration = '/g'\n\
                    ocsp-cache = '/o'\nsigner-socket = '/x'";
        let mut settings = Settings::from_text(text, None).unwrap();
        settings.kiirtee.timestamp_interval_override = interval_override;
        (Schedule::new(&settings, failing, now), now)
    }

    #[test]
    fn rounds_follow_the_interval_of_the_global_configuration_within_its_bounds() {
        let (mut schedule, start) = schedule(None, false);
        assert_eq!(schedule.due(Some(600), start), None);
        assert_eq!(schedule.due(Some(600), start + FIRST_ROUND), Some(10_000));
        schedule.after(Outcome::Stamped { full: false }, start);
        assert_eq!(schedule.due(Some(600), start + SECOND * 599), None);
        assert_eq!(schedule.due(Some(600), start + SECOND * 600), Some(10_000));
        assert_eq!(schedule.due(Some(1), start + SECOND * 59), None);
        assert_eq!(schedule.due(Some(1), start + SECOND * 60), Some(10_000));
        assert_eq!(schedule.due(Some(u32::MAX), start + MAX_INTERVAL), Some(10_000));
    }

    #[test]
    fn the_operators_interval_goes_before_the_global_configurations() {
        let (mut schedule, start) = schedule(Some(2), false);
        schedule.after(Outcome::Stamped { full: false }, start);
        assert_eq!(schedule.due(Some(600), start + SECOND), None);
        assert_eq!(schedule.due(Some(600), start + SECOND * 2), Some(10_000));
    }

    #[test]
    fn a_full_round_is_followed_by_another_at_once() {
        let (mut schedule, start) = schedule(None, false);
        schedule.after(Outcome::Stamped { full: true }, start);
        assert_eq!(schedule.patience(SECOND), Duration::ZERO);
        assert_eq!(schedule.due(Some(600), start), Some(10_000));
    }

    #[test]
    fn after_a_failure_one_record_is_tried_each_delay_and_after_success_all() {
        let (mut schedule, start) = schedule(None, false);
        schedule.after(Outcome::Failed, start);
        assert_eq!(schedule.due(Some(600), start + SECOND * 59), None);
        assert_eq!(schedule.due(Some(600), start + SECOND * 60), Some(1));
        schedule.after(Outcome::Failed, start + SECOND * 60);
        assert_eq!(schedule.due(Some(600), start + SECOND * 119), None);
        schedule.after(Outcome::Stamped { full: true }, start + SECOND * 120);
        assert_eq!(schedule.due(Some(600), start + SECOND * 120), Some(10_000));
        schedule.after(Outcome::Stamped { full: false }, start + SECOND * 120);
        assert_eq!(schedule.due(Some(600), start + SECOND * 121), None);
    }

    #[test]
    fn a_failing_server_tries_again_at_start_and_with_other_services() {
        let (mut schedule, start) = schedule(None, true);
        assert_eq!(schedule.due(Some(600), start), Some(1));
        schedule.after(Outcome::Failed, start);
        assert_eq!(schedule.due(Some(600), start), None);
        schedule.services_changed();
        assert_eq!(schedule.due(Some(600), start), Some(1));
        schedule.after(Outcome::Failed, start);
        schedule.stamped_on_request();
        assert_eq!(schedule.due(Some(600), start), Some(10_000));
    }
}
