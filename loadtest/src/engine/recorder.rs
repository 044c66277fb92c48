//! What a thread counts, interval by interval.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Longest latency that is told apart, in nanoseconds: an hour.
const LONGEST: u64 = 3_600_000_000_000;
/// Digits that are kept of a latency.
const DIGITS: u8 = 3;

/// A histogram of nanoseconds.
pub(crate) fn new_histogram() -> Histogram<u64> {
    // The bounds are constants within what the crate accepts.
    #[expect(clippy::expect_used, reason = "constant arguments")]
    Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("constant bounds")
}

/// Numbers that are added up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Exchanges answered as expected.
    pub(crate) answered: u64,
    /// Of these, those that were answered before the end.
    pub(crate) in_time: u64,
    /// Exchanges that were not, by what happened.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Bytes sent, heads included.
    pub(crate) bytes_sent: u64,
    /// Bytes received, heads included.
    pub(crate) bytes_received: u64,
    /// Connections made.
    pub(crate) connects: u64,
}

impl Counts {
    /// How many exchanges were not answered as expected.
    pub(crate) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.in_time += other.in_time;
        for (error, count) in &other.errors {
            *self.errors.entry(error.clone()).or_default() += count;
        }
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.connects += other.connects;
    }
}

/// Counts and latencies of one scenario, or of all.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// The numbers.
    pub(crate) counts: Counts,
    /// Latency in nanoseconds, from when a request was due.
    pub(crate) latency: Histogram<u64>,
    /// Time in nanoseconds from when a request was sent: without what it waited for.
    pub(crate) service: Histogram<u64>,
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            counts: Counts::default(),
            latency: new_histogram(),
            service: new_histogram(),
        }
    }

    /// Adds another one.
    pub(crate) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        // All histograms have the same bounds.
        let _ = self.latency.add(&other.latency);
        let _ = self.service.add(&other.service);
    }

    fn is_empty(&self) -> bool {
        self.counts.answered == 0 && self.counts.errors.is_empty() && self.counts.connects == 0
    }
}

/// What a thread counted in an interval.
#[derive(Debug)]
pub(crate) struct Report {
    /// The interval's number from the beginning of the counting.
    pub(crate) interval: usize,
    /// Scenarios by number, those in which something happened.
    pub(crate) scenarios: Vec<(usize, Tally)>,
}

/// What a thread counts.
#[derive(Debug)]
pub(crate) struct Recorder {
    begin: Instant,
    end: Option<Instant>,
    length: Duration,
    /// The interval that is being counted.
    current: usize,
    scenarios: Vec<Tally>,
    /// Nanoseconds of the expected interval of a closed loop.
    expected_interval: Option<u64>,
}

/// When an exchange was due, sent and over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    /// When it should have been sent: what latency counts from.
    pub(crate) due: Instant,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// When it was over.
    pub(crate) over: Instant,
}

impl Recorder {
    pub(crate) fn new(
        scenarios: usize,
        begin: Instant,
        end: Option<Instant>,
        length: Duration,
        expected_interval: Option<Duration>,
    ) -> Self {
        Self {
            begin,
            end,
            length,
            current: 0,
            scenarios: (0..scenarios).map(|_| Tally::new()).collect(),
            expected_interval: expected_interval.map(nanoseconds),
        }
    }

    /// When the interval that is being counted ends.
    pub(crate) fn next_boundary(&self) -> Instant {
        let intervals = u32::try_from(self.current + 1).unwrap_or(u32::MAX);
        self.begin + self.length * intervals
    }

    /// Whether what was due at this instant counts.
    pub(crate) fn counts(&self, due: Instant) -> bool {
        due >= self.begin
    }

    /// An exchange that was answered as expected.
    pub(crate) fn answered(&mut self, scenario: usize, moments: Moments) {
        if !self.counts(moments.due) {
            return;
        }
        let in_time = self.end.is_none_or(|end| moments.over <= end);
        let expected = self.expected_interval;
        let Some(tally) = self.scenarios.get_mut(scenario) else {
            return;
        };
        tally.counts.answered += 1;
        tally.counts.in_time += u64::from(in_time);
        record(tally, moments, expected);
    }

    /// An exchange that was not. `waited`: for so long that leaving it out would make the rest look better.
    pub(crate) fn failed(&mut self, scenario: usize, what: &str, moments: Moments, waited: bool) {
        if !self.counts(moments.due) {
            return;
        }
        let expected = self.expected_interval;
        let Some(tally) = self.scenarios.get_mut(scenario) else {
            return;
        };
        match tally.counts.errors.get_mut(what) {
            Some(count) => *count += 1,
            None => drop(tally.counts.errors.insert(what.to_owned(), 1)),
        }
        if waited {
            record(tally, moments, expected);
        }
    }

    /// Bytes of an exchange that was due at this instant.
    pub(crate) fn bytes(&mut self, scenario: usize, due: Instant, sent: u64, received: u64) {
        if self.counts(due)
            && let Some(tally) = self.scenarios.get_mut(scenario)
        {
            tally.counts.bytes_sent += sent;
            tally.counts.bytes_received += received;
        }
    }

    /// A connection that was made.
    pub(crate) fn connected(&mut self, scenario: usize, due: Instant) {
        if self.counts(due)
            && let Some(tally) = self.scenarios.get_mut(scenario)
        {
            tally.counts.connects += 1;
        }
    }

    /// What has been counted since the last report; begins the interval in which `now` is.
    pub(crate) fn report(&mut self, now: Instant) -> Report {
        let interval = self.current;
        let since = now.saturating_duration_since(self.begin).as_nanos() / self.length.as_nanos().max(1);
        self.current = usize::try_from(since).unwrap_or(interval).max(interval + 1);
        let full = self.scenarios.iter_mut().enumerate();
        let full = full.filter(|(_, tally)| !tally.is_empty());
        Report {
            interval,
            scenarios: full
                .map(|(number, tally)| (number, std::mem::replace(tally, Tally::new())))
                .collect(),
        }
    }
}

fn record(tally: &mut Tally, moments: Moments, expected_interval: Option<u64>) {
    let latency = nanoseconds(moments.over.saturating_duration_since(moments.due));
    let service = nanoseconds(moments.over.saturating_duration_since(moments.sent));
    match expected_interval {
        None => tally.latency.saturating_record(latency),
        // Cannot fail: the value is within the bounds.
        Some(interval) => {
            let _ = tally.latency.record_correct(latency.min(LONGEST), interval);
        }
    }
    tally.service.saturating_record(service);
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(begin: Instant, due: u64, sent: u64, over: u64) -> Moments {
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        Moments {
            due: at(due),
            sent: at(sent),
            over: at(over),
        }
    }

    fn recorder(begin: Instant, expected: Option<Duration>) -> Recorder {
        let end = begin + Duration::from_secs(10);
        Recorder::new(2, begin, Some(end), Duration::from_secs(1), expected)
    }

    #[test]
    fn latency_counts_from_when_a_request_was_due_and_service_time_from_when_it_was_sent() {
        let begin = Instant::now();
        let mut recorder = recorder(begin, None);
        recorder.answered(1, moments(begin, 100, 600, 700));
        let report = recorder.report(begin + Duration::from_secs(1));
        assert_eq!(
            (report.interval, report.scenarios.len(), report.scenarios[0].0),
            (0, 1, 1)
        );
        let tally = &report.scenarios[0].1;
        assert!(tally.latency.equivalent(tally.latency.max(), 600_000_000));
        assert!(tally.service.equivalent(tally.service.max(), 100_000_000));
    }

    #[test]
    fn the_warm_up_does_not_count_and_what_comes_after_the_end_is_not_in_time() {
        let start = Instant::now();
        let mut recorder = recorder(start + Duration::from_secs(5), None);
        recorder.answered(0, moments(start, 4_999, 4_999, 6_000));
        recorder.failed(0, "closed", moments(start, 4_999, 4_999, 6_000), true);
        recorder.answered(0, moments(start, 14_000, 14_000, 15_001));
        let report = recorder.report(start + Duration::from_secs(16));
        let counts = &report.scenarios[0].1.counts;
        assert_eq!((counts.answered, counts.in_time, counts.failed()), (1, 0, 0));
    }

    #[test]
    fn a_closed_loop_is_corrected_only_when_asked() {
        let begin = Instant::now();
        let recorded = |expected| {
            let mut recorder = recorder(begin, expected);
            recorder.answered(0, moments(begin, 0, 0, 1000));
            recorder.report(begin).scenarios[0].1.latency.len()
        };
        assert_eq!(
            (recorded(None), recorded(Some(Duration::from_millis(100)))),
            (1, 10)
        );
    }

    #[test]
    fn failures_that_waited_are_in_the_latency_and_quick_ones_are_not() {
        let begin = Instant::now();
        let mut recorder = recorder(begin, None);
        recorder.failed(0, "status 503", moments(begin, 0, 0, 1), false);
        recorder.failed(0, "time-out", moments(begin, 0, 0, 30_000), true);
        let report = recorder.report(begin);
        let tally = &report.scenarios[0].1;
        assert_eq!((tally.counts.failed(), tally.latency.len()), (2, 1));
    }
}
