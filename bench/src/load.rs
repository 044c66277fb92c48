//! The load generator: one run, and what came of it.

use std::path::PathBuf;
use std::process::Command;

use clap::ValueEnum;
use cli::failure::{Failure, OrUnusable};
use serde::{Deserialize, Serialize};

use crate::bed::Bed;

/// What makes the load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generator {
    /// wrk, as Debian packages it.
    #[default]
    Wrk,
    /// Our own.
    KiirteeLoad,
}

/// The subsystem that asks.
pub(crate) const CLIENT: &str = "SANDBOX/ORG/1001/client";

/// One run: closed loop, as many requests as `connections` carry.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// What is asked.
    pub(crate) url: String,
    /// Bytes of the request's body; 0 = GET.
    pub(crate) body: usize,
    /// Connections, kept alive.
    pub(crate) connections: u16,
    /// How long.
    pub(crate) seconds: u64,
}

/// What the generator saw.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Requests answered.
    pub(crate) requests: f64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Requests that failed: no connection, no answer, another status than 2xx.
    pub(crate) errors: f64,
    /// Latency in milliseconds, median.
    pub(crate) p50_ms: f64,
    /// Latency in milliseconds, 99 %.
    pub(crate) p99_ms: f64,
}

/// Of a hundred requests, how many may fail in a measurement.
const MAX_FAILED_PERCENT: f64 = 1.0;

impl Outcome {
    /// Nothing, if nearly everything was answered well: a server that refuses is quick, and no measure of anything.
    pub(crate) fn require_answers(&self) -> Result<(), Failure> {
        if self.errors * 100.0 <= self.requests * MAX_FAILED_PERCENT {
            return Ok(());
        }
        Err(Failure::unusable(format!(
            "{} of {} requests failed; nothing was measured",
            self.errors, self.requests
        )))
    }
}

/// What wrk prints at the end, read by [`Outcome`].
const WRK_DONE: &str = r#"
function done(summary, latency, requests)
  local e = summary.errors
  print(string.format('{"requests":%d,"seconds":%.6f,"errors":%d,"p50_ms":%.4f,"p99_ms":%.4f}',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"#;

impl Load {
    /// Runs it to its end.
    pub(crate) fn run(&self, bed: &Bed) -> Result<Outcome, Failure> {
        let outcome = match bed.generator {
            Generator::Wrk => self.wrk(bed),
            Generator::KiirteeLoad => self.kiirtee_load(bed),
        };
        bed.go_on()?;
        outcome
    }

    fn wrk(&self, bed: &Bed) -> Result<Outcome, Failure> {
        let script = self.script(bed)?;
        let mut wrk = Command::new("wrk");
        wrk.arg("-t1")
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}", self.seconds));
        wrk.arg("--latency")
            .arg("--timeout=30s")
            .arg("-s")
            .arg(script)
            .arg(&self.url);
        let said = said(&mut wrk, "wrk")?;
        let line = said.lines().rev().find(|line| line.starts_with('{'));
        let line = line.ok_or_else(|| Failure::unusable(format!("wrk printed no figures:\n{said}")))?;
        serde_json::from_str(line).or_unusable(|| format!("understand what wrk printed: {line}"))
    }

    fn script(&self, bed: &Bed) -> Result<PathBuf, Failure> {
        let mut script = format!("wrk.headers[\"X-Road-Client\"] = \"{CLIENT}\"\n");
        if self.body > 0 {
            script.push_str(&format!(
                "wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", {})\n\
                 wrk.headers[\"Content-Type\"] = \"application/octet-stream\"\n",
                self.body
            ));
        }
        script.push_str(WRK_DONE);
        let path = bed.path("wrk.lua");
        std::fs::write(&path, script).or_unusable(|| format!("write {}", path.display()))?;
        Ok(path)
    }

    fn kiirtee_load(&self, bed: &Bed) -> Result<Outcome, Failure> {
        let figures = bed.path("load.json");
        let mut load = Command::new(bed.generator_program()?);
        load.arg(&self.url)
            .args(["--header", &format!("X-Road-Client: {CLIENT}")]);
        load.args(["--connections", &self.connections.to_string()]);
        load.args(["--duration", &format!("{}s", self.seconds)]);
        load.args(["--quiet", "--max-errors", "100%", "--json"])
            .arg(&figures);
        if self.body > 0 {
            load.args(["--body-size", &self.body.to_string()]);
        }
        said(&mut load, "kiirtee-load")?;
        let doing = || format!("read {}", figures.display());
        let text = std::fs::read(&figures).or_unusable(doing)?;
        let run: Run = serde_json::from_slice(&text).or_unusable(doing)?;
        Ok(run.into())
    }
}

/// The part of what `kiirtee-load --json` saves that is needed here.
#[derive(Debug, Deserialize)]
struct Run {
    seconds: f64,
    total: Total,
}

#[derive(Debug, Deserialize)]
struct Total {
    answered: f64,
    failed: f64,
    latency: Latency,
}

/// In microseconds.
#[derive(Debug, Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
}

impl From<Run> for Outcome {
    fn from(run: Run) -> Self {
        Self {
            requests: run.total.answered,
            seconds: run.seconds,
            errors: run.total.failed,
            p50_ms: run.total.latency.p50 / 1e3,
            p99_ms: run.total.latency.p99 / 1e3,
        }
    }
}

/// Runs a command to its end; what it printed.
pub(crate) fn said(command: &mut Command, name: &str) -> Result<String, Failure> {
    let output = command.output().or_unusable(|| format!("start {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Failure::unusable(format!(
        "{name} failed ({}):\n{text}{errors}",
        output.status
    )))
}
