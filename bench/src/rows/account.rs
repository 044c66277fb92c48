//! Where the CPU goes: by process, and where `perf` is there by thread and by function.

use std::process::{Command, Stdio};
use std::thread;

use cli::failure::{Failure, OrUnusable};
use serde_json::json;

use super::{Finding, Stage};
use crate::cpu;
use crate::load::said;
use crate::measure::{Ask, micros};
use crate::servers::Servers;
use crate::stats::number;

/// Samples a second and processor.
const FREQUENCY: &str = "997";
/// Lines of each list.
const LINES: usize = 30;

/// `account`
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let servers = stage.servers()?;
    let mut findings = vec![by_process(stage, servers)?];
    if Command::new("perf").arg("version").output().is_err() {
        let words = "not measured: no perf (Debian package linux-perf)";
        findings.push(Finding::told("CPU by thread and function", "", words));
        return Ok(findings);
    }
    findings.extend(by_function(stage, servers)?);
    Ok(findings)
}

fn by_process(stage: &Stage<'_>, servers: &Servers) -> Result<Finding, Failure> {
    let bed = stage.bed;
    Ask::ONE.of(servers, bed.connections, 2).run(bed)?;
    let named = servers.named();
    let read = || -> Result<Vec<f64>, Failure> {
        named
            .iter()
            .map(|(_, id)| Ok(micros(cpu::used_by(*id)?)))
            .collect()
    };
    let before = read()?;
    let outcome = Ask::ONE.of(servers, bed.connections, bed.seconds).run(bed)?;
    let after = read()?;
    let each = |(after, before): (&f64, &f64)| (after - before) / outcome.requests.max(1.0);
    let each: Vec<f64> = after.iter().zip(&before).map(each).collect();
    let lines = named
        .iter()
        .zip(&each)
        .map(|((name, _), micros)| format!("{name}: {} µs", number(*micros)));
    let total = number(each.iter().sum());
    Ok(
        Finding::told("CPU by process, µs an exchange", "", format!("{total} together"))
            .with_all(lines)
            .with(Ask::ONE.words()),
    )
}

fn by_function(stage: &Stage<'_>, servers: &Servers) -> Result<Vec<Finding>, Failure> {
    let bed = stage.bed;
    let data = bed.path("perf.data");
    let ids: Vec<String> = servers.named().iter().map(|(_, id)| id.to_string()).collect();
    let load = Ask::ONE.of(servers, bed.connections, bed.seconds + 2);
    let mut perf = Command::new("perf");
    perf.args([
        "record",
        "-q",
        "-F",
        FREQUENCY,
        "-e",
        "cpu-clock",
        "-p",
        &ids.join(","),
    ]);
    perf.arg("-o").arg(&data);
    perf.args(["--", "sleep", &bed.seconds.to_string()]);
    perf.stdin(Stdio::null());
    // The load has a second to get going, and goes on a second longer than is looked.
    let recorded = thread::scope(|scope| {
        let recording = scope.spawn(|| {
            thread::sleep(std::time::Duration::from_secs(1));
            said(&mut perf, "perf record")
        });
        let loaded = load.run(bed);
        let recorded = recording
            .join()
            .map_err(|_| Failure::unusable("perf record could not be run"))?;
        loaded.and(recorded)
    });
    recorded?;
    [("thread", "comm"), ("library", "dso"), ("function", "symbol")]
        .into_iter()
        .map(|(what, sort)| report(&data, what, sort))
        .collect()
}

fn report(data: &std::path::Path, what: &str, sort: &str) -> Result<Finding, Failure> {
    let mut perf = Command::new("perf");
    perf.arg("report").arg("-i").arg(data);
    perf.args(["--stdio", "--no-children", "--sort", sort]);
    perf.stdin(Stdio::null()).stderr(Stdio::null());
    let output = perf.output().or_unusable(|| "start perf report".into())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .take(LINES)
        .map(str::to_owned)
        .collect();
    let first = lines.first().cloned().unwrap_or_default();
    Ok(Finding::told(format!("CPU by {what}"), "", first)
        .from(json!(lines))
        .with_all(lines))
}
