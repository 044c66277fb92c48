//! How a sandbox is.

use std::path::PathBuf;

use serde::Serialize;

use super::description::Description;
use super::layout::{CONSUMER, Folders, PROVIDERS};
use super::{central, process, security_server, trust};
use crate::failure::Failure;
use crate::output::{self, Table};

#[derive(Debug, Serialize)]
struct Status {
    dir: PathBuf,
    healthy: bool,
    processes: Vec<ProcessStatus>,
}

#[derive(Debug, Serialize)]
struct ProcessStatus {
    name: String,
    pid: u32,
    running: bool,
    /// What it answers when asked how it is; nothing for processes that cannot be asked.
    health: Option<String>,
}

/// Shows every process of a sandbox.
///
/// # Errors
/// [`Failure::No`] when a process does not run or is not healthy.
pub fn show(folders: &Folders, json: bool) -> Result<(), Failure> {
    let description = Description::read(folders)?;
    let processes: Vec<ProcessStatus> = description
        .processes
        .iter()
        .map(|(name, id)| look(&description, name, *id))
        .collect();
    let healthy = processes.iter().all(ProcessStatus::is_well);
    let status = Status {
        dir: folders.root().to_path_buf(),
        healthy,
        processes,
    };
    if json {
        output::json(&status)?
    } else {
        output::line(&table(&status, &description))?
    }
    if healthy {
        Ok(())
    } else {
        Err(Failure::No("not every process is well".into()))
    }
}

fn look(description: &Description, name: &str, pid: u32) -> ProcessStatus {
    let net = description.net;
    let running = process::is_running(pid);
    let asked = match name {
        _ if !running => None,
        trust::NAME => Some(trust::ready(net)),
        central::NAME => Some(central::ready(net)),
        _ => std::iter::once(&CONSUMER)
            .chain(&PROVIDERS)
            .find(|server| security_server::proxy_name(server) == name)
            .map(|server| security_server::is_healthy(net, server)),
    };
    let health = asked.map(|answer| answer.map_or_else(|failure| failure.to_string(), |()| "ok".into()));
    ProcessStatus {
        name: name.to_owned(),
        pid,
        running,
        health,
    }
}

impl ProcessStatus {
    fn is_well(&self) -> bool {
        self.running && self.health.as_deref().is_none_or(|health| health == "ok")
    }
}

fn table(status: &Status, description: &Description) -> String {
    let mut table = Table::new(&["process", "pid", "state", "health"]);
    for process in &status.processes {
        let state = if process.running { "runs" } else { "does not run" };
        let health = process.health.clone().unwrap_or_else(|| "-".into());
        table.row([
            process.name.clone(),
            process.pid.to_string(),
            state.into(),
            health,
        ]);
    }
    let places = format!(
        "\n\nconsumer  {}  ({})\nprovider  {}  ({})",
        description.consumer.client_http,
        description.consumer.subsystem,
        description.provider.client_http,
        description.provider.subsystem,
    );
    table.render() + &places
}
