//! The table at the end.

use std::fmt::Write;

use super::figures::{CpuFigures, Figures, LatencyFigures, RunFigures, ServerFigures, number};
use super::format::{bytes, count, rate, time};

/// A run as a table.
pub(crate) fn text(run: &RunFigures) -> String {
    let mut text = heading(run);
    text += &outcome(&run.total);
    text += &latencies(run);
    text += &processors(run);
    if !run.servers.is_empty() {
        text += &servers(&run.servers);
    }
    text
}

fn heading(run: &RunFigures) -> String {
    let load = &run.load;
    let mut parts = vec![match &load.rate {
        Some(rate) => format!(
            "open loop, {rate} a second, at most {} connections",
            load.connections
        ),
        None => format!("closed loop, {} connections", load.connections),
    }];
    parts.push(format!("{:.1} s", run.seconds));
    if load.warm_up_s > 0.0 {
        parts.push(format!("after {:.1} s of warm-up", load.warm_up_s));
    }
    if load.threads > 1 {
        parts.push(format!("{} threads", load.threads));
    }
    if !load.reuse {
        parts.push("a connection each".to_owned());
    }
    if run.interrupted {
        parts.push("interrupted".to_owned());
    }
    format!("{} → {}\n\n", parts.join(", "), load.targets.join(", "))
}

fn outcome(total: &Figures) -> String {
    let mut text = line("answered", &[count(total.answered), rate(total.throughput)]);
    text += &line(
        "failed",
        &[count(total.failed), share(total.failed, total.exchanges())],
    );
    for (kind, times) in &total.errors {
        let _ = writeln!(text, "    {:>12} × {kind}", count(*times));
    }
    text += &line(
        "sent, received",
        &[bytes(total.bytes_sent), bytes(total.bytes_received)],
    );
    text += &line("connections made", &[count(total.connects)]);
    text + "\n"
}

fn share(part: u64, whole: u64) -> String {
    format!(
        "{:.2} %",
        100.0 * super::figures::per(number(part), number(whole))
    )
}

fn latencies(run: &RunFigures) -> String {
    let names = ["p50", "p90", "p99", "p99.9", "max", "mean", "answered"];
    let mut text = line("latency", &names.map(str::to_owned));
    text += &latency("all", &run.total.latency, run.total.answered);
    if run.scenarios.len() > 1 {
        for scenario in &run.scenarios {
            text += &latency(
                &scenario.name,
                &scenario.figures.latency,
                scenario.figures.answered,
            );
        }
    }
    let (latency_p99, service_p99) = (run.total.latency.p99, run.total.service_time.p99);
    if run.load.rate.is_some() && latency_p99 > service_p99 {
        text += &latency("once sent", &run.total.service_time, run.total.answered);
    }
    text + "\n"
}

fn latency(name: &str, l: &LatencyFigures, answered: u64) -> String {
    let values = [l.p50, l.p90, l.p99, l.p99_9, l.max, l.mean].map(time);
    line(name, &[values.to_vec(), vec![count(answered)]].concat())
}

fn processors(run: &RunFigures) -> String {
    let names = ["µs/exchange", "user", "kernel", "switches", "memory"];
    let mut text = line("processor time", &names.map(str::to_owned));
    text += &line("kiirtee-load", &cpu(&run.own_cpu));
    let watched = &run.watched;
    for process in &watched.processes {
        let mut cells = cpu(&process.cpu);
        cells.push(format!("{:.2}", process.switches_per_exchange));
        cells.push(if process.ended {
            "ended".to_owned()
        } else {
            bytes(process.resident)
        });
        text += &line(&process.name, &cells);
    }
    if let Some(servers) = &watched.servers_cpu {
        text += &line("security servers", &cpu(servers));
    }
    if watched.processes.len() > 1 {
        text += &line("all watched", &cpu(&watched.cpu));
    }
    text
}

fn cpu(cpu: &CpuFigures) -> Vec<String> {
    let part = |part: f64| super::figures::per(part * cpu.per_exchange, cpu.total);
    [cpu.per_exchange, part(cpu.user), part(cpu.system)]
        .map(|micros| format!("{micros:.1}"))
        .to_vec()
}

fn servers(servers: &[ServerFigures]) -> String {
    let names = [
        "messages",
        "signatures/m",
        "records",
        "records/sync",
        "remembered",
        "verified",
    ];
    let mut text = "\n".to_owned() + &line("what servers count", &names.map(str::to_owned));
    for server in servers {
        let signed = server.messages_signed.map(|messages| format!("{messages:.0}"));
        let signatures = server.signatures_per_message.map(|each| format!("{each:.3}"));
        let cells = [
            signed.unwrap_or_else(|| "-".to_owned()),
            signatures.unwrap_or_else(|| "-".to_owned()),
            format!("{:.0}", server.records_logged),
            format!("{:.1}", server.records_per_sync),
            format!("{:.0}", server.verifications_remembered),
            format!("{:.0}", server.verifications_full),
        ];
        text += &line(&server.name, &cells);
    }
    text
}

/// A name and its cells, right-aligned.
fn line(name: &str, cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell:>12}")).collect();
    format!("  {name:<20}{cells}\n")
}
