//! What is said while the load runs: a bar on a terminal, else a line for each interval, on standard error.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::plan::{End, Plan};
use crate::results::figures::{LatencyFigures, number, per};
use crate::results::format::{count, rate, time};
use crate::results::gather::Whole;

/// Where progress is told.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Nowhere.
    Quiet,
    /// A line for each interval.
    Lines(Duration),
    /// A bar.
    Bar(ProgressBar, Duration),
}

impl Progress {
    /// On a terminal a bar, else lines; nothing when `quiet`.
    pub(crate) fn new(plan: &Plan, quiet: bool) -> Self {
        if quiet {
            return Self::Quiet;
        }
        if !std::io::stderr().is_terminal() {
            return Self::Lines(plan.interval);
        }
        let bar = ProgressBar::new(match plan.end {
            End::After(duration) => (plan.warm_up + duration).as_secs(),
            End::Count(count) => count,
        });
        // The template is a constant.
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} {bar:30} {msg}") {
            bar.set_style(style);
        }
        bar.set_message("connecting");
        Self::Bar(bar, plan.interval)
    }

    /// An interval is whole in all threads.
    pub(crate) fn interval(&self, plan: &Plan, whole: &Whole<'_>) {
        let (Self::Lines(length) | Self::Bar(_, length)) = self else {
            return;
        };
        let ends = length.as_secs_f64() * (number(whole.interval as u64) + 1.0);
        if matches!(plan.end, End::After(duration) if ends > duration.as_secs_f64() + length.as_secs_f64() / 2.0)
        {
            return; // What came back after the end is no interval.
        }
        let latency = LatencyFigures::of(whole.latency);
        let text = format!(
            "{:>10}  p50 {:>8}  p99 {:>8}  max {:>8}  {} failed",
            rate(per(number(whole.answered), length.as_secs_f64())),
            time(latency.p50),
            time(latency.p99),
            time(latency.max),
            count(whole.failed),
        );
        match self {
            Self::Quiet => {}
            // Nothing is left to tell when standard error is closed.
            Self::Lines(_) => drop(writeln!(std::io::stderr(), "{ends:7.1} s {text}")),
            Self::Bar(bar, _) => {
                bar.set_message(text);
                match plan.end {
                    End::After(_) => bar.set_position(
                        plan.warm_up.as_secs() + length.as_secs() * (whole.interval as u64 + 1),
                    ),
                    End::Count(_) => bar.inc(whole.answered + whole.failed),
                }
            }
        }
    }

    /// The load is over.
    pub(crate) fn end(&self) {
        if let Self::Bar(bar, _) = self {
            bar.finish_and_clear();
        }
    }
}
