//! What is to be done: everything decided before the first connection is opened.

pub(crate) mod arrivals;
mod file;
mod options;
pub(crate) mod profile;
pub(crate) mod units;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use options::LoadOptions;

use crate::engine::tls;
use crate::request::{Built, ScenarioOptions, Target, Template, build};
use arrivals::Spacing;
use profile::Profile;

/// How long a run takes unless something says otherwise.
const DURATION: Duration = Duration::from_secs(10);
/// Connections unless said otherwise.
const CONNECTIONS: f64 = 64.0;
/// Most connections.
const MAX_CONNECTIONS: f64 = 100_000.0;
/// Most threads.
const MAX_THREADS: u32 = 256;
/// How long an answer is waited for, unless said otherwise.
const TIME_OUT: Duration = Duration::from_secs(30);
/// How long a connection may take to be made, unless said otherwise.
const CONNECT_TIME_OUT: Duration = Duration::from_secs(5);
/// How long outstanding exchanges may take after the end, unless said otherwise.
const DRAIN: Duration = Duration::from_secs(5);
/// Shortest interval of the course over time.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// A run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The servers.
    pub(crate) targets: Vec<Target>,
    /// The requests.
    pub(crate) scenarios: Vec<Scenario>,
    /// How they are sent.
    pub(crate) mode: Mode,
    /// Threads.
    pub(crate) threads: NonZeroU32,
    /// Load before anything is counted.
    pub(crate) warm_up: Duration,
    /// When it ends.
    pub(crate) end: End,
    /// Whether connections are used again.
    pub(crate) reuse: bool,
    /// How long an answer is waited for.
    pub(crate) time_out: Duration,
    /// How long a connection may take to be made.
    pub(crate) connect_time_out: Duration,
    /// How long outstanding exchanges may take after the end.
    pub(crate) drain: Duration,
    /// Length of the intervals of the course over time.
    pub(crate) interval: Duration,
    /// What chance begins with.
    pub(crate) seed: u64,
    /// How HTTPS is spoken; `None` where nothing does.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
}

/// A request with its share and its expectation.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// Its name in the results.
    pub(crate) name: String,
    /// Its share, by the sum of all.
    pub(crate) weight: u32,
    /// Its place in [`Plan::targets`].
    pub(crate) target: usize,
    /// Its bytes.
    pub(crate) template: Template,
    /// The status that counts as success; `None`: 200 to 299.
    pub(crate) expect: Option<u16>,
    /// Whether the answer may be a SOAP fault.
    pub(crate) soap: bool,
    /// Whether the answer has no body.
    pub(crate) to_head: bool,
}

/// How requests are sent.
#[derive(Debug, Clone)]
pub(crate) enum Mode {
    /// Each connection sends its next request when it has its answer.
    Closed {
        /// How many connections.
        connections: Profile,
        /// At which distance requests should have come: what a stall kept from being sent is added.
        expected_interval: Option<Duration>,
    },
    /// Requests are sent at their instants, and latency is counted from these.
    Open {
        /// Requests a second.
        rate: Profile,
        /// How they lie.
        spacing: Spacing,
        /// Most connections.
        connections: u32,
    },
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// After a time (the warm-up not counted).
    After(Duration),
    /// After so many exchanges.
    Count(u64),
}

impl Plan {
    /// How many connections there are at most.
    pub(crate) fn connections(&self) -> u32 {
        match &self.mode {
            Mode::Closed { connections, .. } => ceil(connections.peak()),
            Mode::Open { connections, .. } => *connections,
        }
    }

    /// Makes a plan of the flags, and of a scenario file if there is one. Flags win.
    ///
    /// # Errors
    /// What is wrong, where, and what was expected.
    pub(crate) fn make(
        file: Option<&Path>,
        request: &ScenarioOptions,
        load: &LoadOptions,
    ) -> Result<Self, String> {
        let run = run_name();
        let (load, named) = match file {
            None => (load.clone(), vec![("flags".to_owned(), request.clone())]),
            Some(path) => file::read(path, request, load)?,
        };
        let mut plan = load_plan(&load)?;
        for (place, options) in &named {
            let built = build(options, &run).map_err(|error| with_place(place, &error))?;
            plan.add(options, built);
        }
        if plan.targets.iter().any(|target| target.tls) {
            plan.tls = Some(Arc::new(tls::client_config(&load)?));
        }
        if plan.scenarios.iter().all(|scenario| scenario.weight == 0) {
            return Err("weight: expected at least one scenario with a weight above 0".to_owned());
        }
        Ok(plan)
    }

    fn add(&mut self, options: &ScenarioOptions, built: Built) {
        let known = self.targets.iter().position(|target| *target == built.target);
        let target = known.unwrap_or(self.targets.len());
        if known.is_none() {
            self.targets.push(built.target);
        }
        let number = self.scenarios.len() + 1;
        self.scenarios.push(Scenario {
            name: options
                .name
                .clone()
                .unwrap_or_else(|| format!("scenario {number}")),
            weight: options.weight.unwrap_or(1),
            target,
            template: built.template,
            expect: options.expect,
            soap: built.soap,
            to_head: built.to_head,
        });
    }
}

/// The place of an error in front of it, where there is more than the command line.
fn with_place(place: &str, error: &str) -> String {
    if place == "flags" {
        error.to_owned()
    } else {
        format!("{place}: {error}")
    }
}

/// Everything but the requests.
fn load_plan(load: &LoadOptions) -> Result<Plan, String> {
    let mode = mode(load)?;
    let end = end(load, &mode)?;
    let interval = load.interval.map_or(Duration::from_secs(1), |span| span.0);
    if interval < SHORTEST_INTERVAL {
        return Err("interval: expected at least 50ms".to_owned());
    }
    let threads = load.threads.unwrap_or(1);
    let threads = NonZeroU32::new(threads)
        .filter(|threads| threads.get() <= MAX_THREADS)
        .ok_or_else(|| format!("threads {threads}: expected 1 to {MAX_THREADS}"))?;
    Ok(Plan {
        targets: Vec::new(),
        scenarios: Vec::new(),
        mode,
        threads,
        warm_up: load.warm_up.map_or(Duration::ZERO, |span| span.0),
        end,
        reuse: !load.no_reuse,
        time_out: load.time_out.map_or(TIME_OUT, |span| span.0),
        connect_time_out: load.connect_time_out.map_or(CONNECT_TIME_OUT, |span| span.0),
        drain: load.drain.map_or(DRAIN, |span| span.0),
        interval,
        seed: load.seed.unwrap_or(1),
        tls: None,
    })
}

fn mode(load: &LoadOptions) -> Result<Mode, String> {
    let connections = load.connections.clone();
    let connections = connections.unwrap_or_else(|| Profile::constant(CONNECTIONS));
    let peak = connections.peak();
    if !(1.0..=MAX_CONNECTIONS).contains(&peak) {
        return Err(format!(
            "connections {connections}: expected 1 to {MAX_CONNECTIONS}"
        ));
    }
    let Some(rate) = load.rate.clone() else {
        if load.arrivals.is_some() {
            return Err("arrivals: only for an open loop; expected a rate too".to_owned());
        }
        return Ok(Mode::Closed {
            connections,
            expected_interval: load.expected_interval.map(|span| span.0),
        });
    };
    if load.expected_interval.is_some() {
        return Err("expected-interval: only for a closed loop; an open loop needs no correction".to_owned());
    }
    if connections.length().is_some() {
        return Err(format!(
            "connections {connections}: expected one number with a rate; ramp the rate instead"
        ));
    }
    Ok(Mode::Open {
        rate,
        spacing: load.arrivals.unwrap_or_default(),
        connections: ceil(peak),
    })
}

fn end(load: &LoadOptions, mode: &Mode) -> Result<End, String> {
    let profile = match mode {
        Mode::Closed { connections, .. } => connections,
        Mode::Open { rate, .. } => rate,
    };
    match (load.duration, load.count) {
        (Some(_), Some(_)) => Err("duration, count: expected one of them".to_owned()),
        (None, Some(0)) => Err("count 0: expected at least 1".to_owned()),
        (None, Some(count)) => Ok(End::Count(count)),
        (Some(span), None) if span.0.is_zero() => Err("duration: expected more than 0".to_owned()),
        (Some(span), None) => Ok(End::After(span.0)),
        (None, None) => Ok(End::After(profile.length().unwrap_or(DURATION))),
    }
}

/// A number of connections out of a level.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "levels are between 0 and MAX_CONNECTIONS; what is not saturates"
)]
pub(crate) fn ceil(level: f64) -> u32 {
    level.ceil() as u32
}

/// What the message ids of this run begin with.
fn run_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("load-{:x}-{:x}", now.as_millis(), std::process::id())
}
