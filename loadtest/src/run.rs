//! A run from its plan to its figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use crate::engine::{Engine, Tally, Times};
use crate::plan::{End, Mode, Plan};
use crate::progress::Progress;
use crate::results::figures::{CpuFigures, FORMAT, Figures, LoadFigures, RunFigures, course, number};
use crate::results::gather::Gathered;
use crate::watch::own::{OwnCpu, own_cpu};
use crate::watch::{Watch, WatchReading};

/// How long threads get to be ready.
const GET_READY: Duration = Duration::from_millis(20);
/// How often the end and an interruption are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its figures.
    pub(crate) figures: RunFigures,
    /// All exchanges together, with the whole distribution.
    pub(crate) total: Tally,
}

/// What is read when the counting begins and ends.
struct Reading {
    at: Instant,
    own: OwnCpu,
    watched: WatchReading,
}

/// Puts the load on and measures.
///
/// # Errors
/// What could not be started.
pub(crate) fn run(
    plan: &Arc<Plan>,
    watch: &Watch,
    progress: &Progress,
    interrupted: &AtomicBool,
) -> Result<Outcome, String> {
    let start = Instant::now() + GET_READY;
    let begin = start + plan.warm_up;
    let end = match plan.end {
        End::After(duration) => Some(begin + duration),
        End::Count(_) => None,
    };
    let times = Times { start, begin, end };
    let engine = Engine::start(plan, times).map_err(|error| format!("threads: {error}"))?;
    let mut gathered = Gathered::new(plan);
    let (mut before, mut after) = (None, None);
    loop {
        let now = Instant::now();
        if before.is_none() && now >= begin {
            before = Some(read(watch));
        }
        if after.is_none() && end.is_some_and(|end| now >= end) {
            after = Some(read(watch));
        }
        if interrupted.load(Ordering::Relaxed) {
            engine.stop();
        }
        let next = if before.is_none() {
            Some(begin)
        } else {
            end.filter(|_| after.is_none())
        };
        let wait = next.map_or(LOOK, |next| next.saturating_duration_since(now).min(LOOK));
        match engine.reports.recv_timeout(wait) {
            Ok(report) => {
                if let Some(whole) = gathered.take(&report, plan.threads.get()) {
                    progress.interval(plan, &whole);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    progress.end();
    engine.join().map_err(|error| format!("load: {error}"))?;
    let after = after.unwrap_or_else(|| read(watch));
    let before = before.unwrap_or_else(|| read(watch));
    let interrupted = interrupted.load(Ordering::Relaxed);
    Ok(figures(plan, watch, &gathered, (&before, &after), interrupted))
}

fn read(watch: &Watch) -> Reading {
    Reading {
        at: Instant::now(),
        own: own_cpu(),
        watched: watch.read(),
    }
}

/// The figures of a run out of everything that was read.
fn figures(
    plan: &Plan,
    watch: &Watch,
    gathered: &Gathered,
    (before, after): (&Reading, &Reading),
    interrupted: bool,
) -> Outcome {
    let seconds = match plan.end {
        // What was answered in time was so by the plan, not by when we looked.
        End::After(duration) if !interrupted => duration.as_secs_f64(),
        _ => after.at.saturating_duration_since(before.at).as_secs_f64(),
    };
    let total = gathered.total();
    let exchanges = number(total.counts.in_time + total.counts.failed());
    let own = after.own.since(before.own);
    let figures = RunFigures {
        format: FORMAT,
        tool: format!("kiirtee-load {}", env!("CARGO_PKG_VERSION")),
        load: describe(plan),
        seconds,
        interrupted,
        total: Figures::of(&total, seconds),
        scenarios: gathered.scenarios(plan, seconds),
        intervals: gathered.intervals(plan.interval, seconds),
        own_cpu: CpuFigures::of(own.user, own.system, exchanges),
        watched: watch.processes(&before.watched, &after.watched, exchanges),
        servers: watch.servers(&before.watched, &after.watched),
        latency_course: course(&total.latency),
        service_time_course: course(&total.service),
    };
    Outcome { figures, total }
}

fn describe(plan: &Plan) -> LoadFigures {
    let (loop_kind, rate, connections, expected) = match &plan.mode {
        Mode::Closed {
            connections,
            expected_interval,
        } => ("closed", None, connections.to_string(), *expected_interval),
        Mode::Open {
            rate, connections, ..
        } => ("open", Some(rate.to_string()), connections.to_string(), None),
    };
    LoadFigures {
        loop_kind: loop_kind.to_owned(),
        rate,
        connections,
        threads: plan.threads.get(),
        warm_up_s: plan.warm_up.as_secs_f64(),
        reuse: plan.reuse,
        interval_s: plan.interval.as_secs_f64(),
        targets: plan
            .targets
            .iter()
            .map(|target| target.authority.clone())
            .collect(),
        expected_interval: expected.map(|interval| interval.as_secs_f64() * 1e6),
    }
}
