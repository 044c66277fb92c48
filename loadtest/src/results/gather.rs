//! Puts together what the threads report.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::figures::{Figures, IntervalFigures, LatencyFigures, ScenarioFigures, number, per};
use crate::engine::{Report, Tally, new_histogram};
use crate::plan::Plan;

/// What has been reported.
#[derive(Debug)]
pub(crate) struct Gathered {
    scenarios: Vec<Tally>,
    intervals: BTreeMap<usize, Interval>,
}

#[derive(Debug)]
struct Interval {
    answered: u64,
    failed: u64,
    latency: Histogram<u64>,
    /// How many threads have reported it.
    reports: u32,
}

/// An interval that all threads have reported.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    /// Its number.
    pub(crate) interval: usize,
    /// Exchanges answered as expected.
    pub(crate) answered: u64,
    /// Exchanges that were not.
    pub(crate) failed: u64,
    /// Latency of what ended in it.
    pub(crate) latency: &'a Histogram<u64>,
}

impl Gathered {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            scenarios: plan.scenarios.iter().map(|_| Tally::new()).collect(),
            intervals: BTreeMap::new(),
        }
    }

    /// Takes a report; the interval, if it is whole now.
    pub(crate) fn take(&mut self, report: &Report, threads: u32) -> Option<Whole<'_>> {
        let interval = self.intervals.entry(report.interval).or_insert_with(|| Interval {
            answered: 0,
            failed: 0,
            latency: new_histogram(),
            reports: 0,
        });
        for (number, tally) in &report.scenarios {
            interval.answered += tally.counts.answered;
            interval.failed += tally.counts.failed();
            // All histograms have the same bounds.
            let _ = interval.latency.add(&tally.latency);
            if let Some(scenario) = self.scenarios.get_mut(*number) {
                scenario.add(tally);
            }
        }
        interval.reports += 1;
        (interval.reports == threads).then_some(Whole {
            interval: report.interval,
            answered: interval.answered,
            failed: interval.failed,
            latency: &interval.latency,
        })
    }

    /// All scenarios together.
    pub(crate) fn total(&self) -> Tally {
        let mut total = Tally::new();
        for scenario in &self.scenarios {
            total.add(scenario);
        }
        total
    }

    /// Each scenario.
    pub(crate) fn scenarios(&self, plan: &Plan, seconds: f64) -> Vec<ScenarioFigures> {
        let tallies = plan.scenarios.iter().zip(&self.scenarios);
        tallies
            .map(|(scenario, tally)| ScenarioFigures {
                name: scenario.name.clone(),
                weight: scenario.weight,
                request_bytes: scenario.template.len() as u64,
                figures: Figures::of(tally, seconds),
            })
            .collect()
    }

    /// The course over `seconds`, in intervals of `length`. What was answered after the end belongs to no interval.
    pub(crate) fn intervals(&self, length: Duration, seconds: f64) -> Vec<IntervalFigures> {
        let length = length.as_secs_f64();
        let begins = |number: usize| length * u32::try_from(number).map_or(f64::MAX, f64::from);
        let within = self
            .intervals
            .iter()
            .map(|(at, interval)| (begins(*at), interval));
        let within = within.filter(|(begins, _)| seconds - begins > length / 100.0);
        within
            .map(|(begins, interval)| {
                let seconds = length.min(seconds - begins);
                IntervalFigures {
                    begins_s: begins,
                    seconds,
                    answered: interval.answered,
                    failed: interval.failed,
                    throughput: per(number(interval.answered), seconds),
                    latency: LatencyFigures::of(&interval.latency),
                }
            })
            .collect()
    }
}
