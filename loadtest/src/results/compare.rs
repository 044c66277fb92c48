//! A run beside a saved one: what has changed, and whether it is more than what changes by itself.

use std::fmt::Write;

use super::figures::{CpuFigures, IntervalFigures, LatencyFigures, RunFigures, per};
use super::format::{rate, time};

/// How many standard errors a change must have to be called one. Intervals next to each other are alike, so the
/// standard error is too small; therefore three and not two.
const STANDARD_ERRORS: f64 = 3.0;
/// Fewer intervals than these say nothing about noise.
const LEAST_INTERVALS: usize = 3;

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Its name.
    name: &'static str,
    before: f64,
    after: f64,
    /// How it is written.
    unit: Unit,
    /// Which change may come by itself, as a share; `None` when that is not known.
    noise: Option<f64>,
    /// Whether it decides about `--fail-if-slower`.
    decides: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// A second; more is better.
    Rate,
    /// Microseconds; less is better.
    Time,
}

/// What a change amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    WithinNoise,
    Unknown,
}

/// A latency that is compared: its name, whether it decides, and where it stands.
type LatencyRow = (&'static str, bool, fn(&LatencyFigures) -> f64);

/// The latencies that are compared.
const LATENCIES: [LatencyRow; 4] = [
    ("latency p50", true, |latency| latency.p50),
    ("latency p90", false, |latency| latency.p90),
    ("latency p99", true, |latency| latency.p99),
    ("latency mean", false, |latency| latency.mean),
];

/// A comparison of two runs.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// What differs in what was asked for.
    differences: Vec<String>,
    changes: Vec<Change>,
}

/// Compares a run with a saved one.
pub(crate) fn compare(before: &RunFigures, after: &RunFigures) -> Comparison {
    let (old, new) = (&before.intervals, &after.intervals);
    let latency = |(name, decides, what): LatencyRow| Change {
        name,
        before: what(&before.total.latency),
        after: what(&after.total.latency),
        unit: Unit::Time,
        noise: noise(old, new, |interval| what(&interval.latency)),
        decides,
    };
    let mut changes = vec![Change {
        name: "throughput",
        before: before.total.throughput,
        after: after.total.throughput,
        unit: Unit::Rate,
        noise: noise(old, new, |interval| interval.throughput),
        decides: true,
    }];
    changes.extend(LATENCIES.map(latency));
    let cpu = |name, before: &CpuFigures, after: &CpuFigures| Change {
        name,
        before: before.per_exchange,
        after: after.per_exchange,
        unit: Unit::Time,
        noise: None,
        decides: false,
    };
    changes.push(cpu("own CPU/exchange", &before.own_cpu, &after.own_cpu));
    if let (Some(before), Some(after)) = (&before.watched.servers_cpu, &after.watched.servers_cpu) {
        changes.push(cpu("servers' CPU/exchange", before, after));
    }
    Comparison {
        differences: differences(before, after),
        changes,
    }
}

/// What differs in what was asked for: then the comparison is one of different things.
fn differences(before: &RunFigures, after: &RunFigures) -> Vec<String> {
    let requests = |run: &RunFigures| -> Vec<(String, u32, u64)> {
        let scenarios = run.scenarios.iter();
        scenarios
            .map(|s| (s.name.clone(), s.weight, s.request_bytes))
            .collect()
    };
    let (old, new) = (&before.load, &after.load);
    let all = [
        ("loop", old.loop_kind != new.loop_kind),
        ("rate", old.rate != new.rate),
        ("connections", old.connections != new.connections),
        ("connection reuse", old.reuse != new.reuse),
        (
            "expected interval",
            old.expected_interval != new.expected_interval,
        ),
        ("interval", old.interval_s != new.interval_s),
        ("requests", requests(before) != requests(after)),
    ];
    let different = all.iter().filter(|(_, differs)| *differs);
    different.map(|(name, _)| (*name).to_owned()).collect()
}

/// Which relative change of the mean may come by itself, from how the intervals of both runs scatter.
fn noise(
    before: &[IntervalFigures],
    after: &[IntervalFigures],
    what: impl Fn(&IntervalFigures) -> f64,
) -> Option<f64> {
    let relative_error = |intervals: &[IntervalFigures]| {
        let whole = intervals.iter().filter(|interval| interval.answered > 0);
        let values: Vec<f64> = whole.map(&what).collect();
        if values.len() < LEAST_INTERVALS {
            return None;
        }
        let count = super::figures::number(values.len() as u64);
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (squares / (count - 1.0) / count).sqrt();
        Some(per(error, mean))
    };
    let (before, after) = (relative_error(before)?, relative_error(after)?);
    Some(STANDARD_ERRORS * before.hypot(after))
}

impl Change {
    fn ratio(&self) -> f64 {
        per(self.after, self.before)
    }

    /// By which share it is worse; negative when it is better.
    fn worse_by(&self) -> f64 {
        match self.unit {
            _ if self.before <= 0.0 => 0.0,
            Unit::Rate if self.after <= 0.0 => f64::INFINITY,
            Unit::Rate => self.before / self.after - 1.0,
            Unit::Time => self.ratio() - 1.0,
        }
    }

    fn verdict(&self) -> Verdict {
        let worse = self.worse_by();
        match self.noise {
            None => Verdict::Unknown,
            Some(noise) if worse.abs() <= noise => Verdict::WithinNoise,
            Some(_) if worse > 0.0 => Verdict::Worse,
            Some(_) => Verdict::Better,
        }
    }
}

impl Comparison {
    /// Whether the later run is slower by more than `percent`, and that beyond the noise (where it is known).
    pub(crate) fn is_slower(&self, percent: f64) -> bool {
        let deciding = self.changes.iter().filter(|change| change.decides);
        let mut slower = deciding.filter(|change| change.worse_by() * 100.0 > percent);
        slower.any(|change| matches!(change.verdict(), Verdict::Worse | Verdict::Unknown))
    }

    /// The comparison as a table.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "\n  {:<22} {:>12} {:>12} {:>8} {:>8}\n",
            "compared", "before", "now", "ratio", "noise"
        );
        for change in &self.changes {
            let shown = |value| match change.unit {
                Unit::Rate => rate(value),
                Unit::Time if value < 1000.0 => format!("{value:.1} µs"),
                Unit::Time => time(value),
            };
            let noise = change.noise.map(|noise| format!("±{:.1} %", noise * 100.0));
            let _ = writeln!(
                text,
                "  {:<22} {:>12} {:>12} {:>8.3} {:>8}  {}",
                change.name,
                shown(change.before),
                shown(change.after),
                change.ratio(),
                noise.unwrap_or_default(),
                change.verdict().text(),
            );
        }
        if !self.differences.is_empty() {
            let _ = writeln!(text, "  asked for differently: {}", self.differences.join(", "));
        }
        text
    }
}

impl Verdict {
    fn text(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::WithinNoise => "within the noise",
            Self::Unknown => "",
        }
    }
}

/// Reads a saved run.
///
/// # Errors
/// Why it cannot be used, and what was expected.
pub(crate) fn read(path: &std::path::Path) -> Result<RunFigures, String> {
    let unusable = |error: String| format!("compare {}: {error}; expected a file of --json", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
    let saved: RunFigures = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    if saved.format != super::figures::FORMAT {
        return Err(unusable(format!("its format is {}", saved.format)));
    }
    Ok(saved)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::results::figures::tests::run;
    use proptest::prelude::*;

    #[test]
    fn a_drop_beyond_the_noise_is_slower_and_one_within_it_is_not() {
        let steady = run(&[1000.0, 1010.0, 990.0, 1000.0]);
        let slower = run(&[900.0, 910.0, 890.0, 900.0]);
        assert!(compare(&steady, &slower).is_slower(5.0));
        assert!(
            !compare(&steady, &slower).is_slower(20.0),
            "less than was allowed"
        );
        assert!(!compare(&slower, &steady).is_slower(5.0), "faster is not slower");
        let restless = run(&[1500.0, 300.0, 1200.0, 600.0]);
        let comparison = compare(&restless, &slower);
        assert!(!comparison.is_slower(5.0), "{}", comparison.text());
        assert!(
            comparison.text().contains("within the noise"),
            "{}",
            comparison.text()
        );
    }

    #[test]
    fn too_few_intervals_leave_the_bare_difference() {
        assert!(compare(&run(&[1000.0]), &run(&[900.0])).is_slower(5.0));
        assert!(!compare(&run(&[1000.0]), &run(&[990.0])).is_slower(5.0));
    }

    #[test]
    fn what_was_asked_for_differently_is_said() {
        let (before, mut after) = (run(&[1.0]), run(&[1.0]));
        assert!(!compare(&before, &after).text().contains("differently"));
        after.load.connections = "128".into();
        assert!(
            compare(&before, &after)
                .text()
                .contains("differently: connections")
        );
    }

    #[test]
    fn what_is_no_saved_run_is_refused_with_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert!(read(&path).unwrap_err().contains("expected a file of --json"));
        let mut saved = run(&[1.0]);
        std::fs::write(&path, serde_json::to_string(&saved).unwrap()).unwrap();
        assert!(read(&path).is_ok());
        saved.format = 99;
        std::fs::write(&path, serde_json::to_string(&saved).unwrap()).unwrap();
        assert!(read(&path).unwrap_err().contains("its format is 99"));
    }

    proptest! {
        #[test]
        fn a_run_is_never_slower_than_itself(values in prop::collection::vec(0.0..1e5_f64, 1..20)) {
            let run = run(&values);
            prop_assert!(!compare(&run, &run).is_slower(0.0));
        }

        #[test]
        fn not_both_of_two_runs_are_slower_than_the_other_in_throughput(
            before in prop::collection::vec(1.0..1e5_f64, 3..20), after in prop::collection::vec(1.0..1e5_f64, 3..20),
        ) {
            let (before, after) = (run(&before), run(&after));
            let throughput = |from: &RunFigures, to: &RunFigures| compare(from, to).changes[0].verdict();
            prop_assert!(throughput(&before, &after) != Verdict::Worse || throughput(&after, &before) != Verdict::Worse);
        }
    }
}
