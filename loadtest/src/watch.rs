//! What is measured beside the load: processor time, and what servers count themselves.

pub(crate) mod counters;
pub(crate) mod own;
pub(crate) mod processes;
mod sandbox;

use std::path::{Path, PathBuf};

use crate::results::figures::{CpuFigures, ProcessFigures, ServerFigures, WatchedFigures, number, per};
use counters::{Counters, Server};
use processes::ProcessReading;

/// What to watch.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    processes: Vec<Process>,
    servers: Vec<Server>,
}

/// A process under test.
#[derive(Debug)]
struct Process {
    name: String,
    pid: u32,
    /// Whether it is part of a security server.
    of_server: bool,
}

/// What was read at one moment.
#[derive(Debug, Default)]
pub(crate) struct WatchReading {
    processes: Vec<Option<ProcessReading>>,
    servers: Vec<Counters>,
}

impl Watch {
    /// Finds out what the flags name.
    ///
    /// # Errors
    /// What is not there, and what was expected.
    pub(crate) fn new(
        pids: &[u32],
        sandbox: Option<&Path>,
        metrics: &[String],
        kiirtee: Option<&Path>,
    ) -> Result<Self, String> {
        let mut watch = Self::default();
        for pid in pids {
            let name = processes::name(*pid)
                .ok_or_else(|| format!("watch {pid}: expected the id of a running process"))?;
            watch.add(name, *pid, false);
        }
        if let Some(folder) = sandbox {
            let found = sandbox::read(folder, &kiirtee_command(kiirtee))?;
            for (name, pid, of_server) in found.processes {
                watch.add(name, pid, of_server);
            }
            watch.servers = found.servers;
        }
        watch
            .servers
            .extend(metrics.iter().map(|url| Server::by_url(url)));
        // What cannot be read now could not be read later either.
        for server in &watch.servers {
            server.read()?;
        }
        Ok(watch)
    }

    fn add(&mut self, name: String, pid: u32, of_server: bool) {
        self.processes.push(Process { name, pid, of_server });
    }

    /// Reads everything: processor time first, as that is what goes on.
    pub(crate) fn read(&self) -> WatchReading {
        WatchReading {
            processes: self
                .processes
                .iter()
                .map(|process| processes::read(process.pid))
                .collect(),
            servers: self
                .servers
                .iter()
                .map(|server| server.read().unwrap_or_default())
                .collect(),
        }
    }

    /// What the processes used between two readings.
    pub(crate) fn processes(
        &self,
        before: &WatchReading,
        after: &WatchReading,
        exchanges: f64,
    ) -> WatchedFigures {
        let readings = before.processes.iter().zip(&after.processes);
        let processes: Vec<ProcessFigures> = self
            .processes
            .iter()
            .zip(readings)
            .map(|(process, (before, after))| used(process, before.as_ref(), after.as_ref(), exchanges))
            .collect();
        let sum = |of_servers: bool| {
            let parts = self.processes.iter().zip(&processes);
            let parts = parts.filter(|(process, _)| process.of_server || !of_servers);
            let (user, system) = parts.fold((0.0, 0.0), |(user, system), (_, figures)| {
                (user + figures.cpu.user, system + figures.cpu.system)
            });
            CpuFigures::of(user, system, exchanges)
        };
        WatchedFigures {
            cpu: sum(false),
            servers_cpu: self
                .processes
                .iter()
                .any(|process| process.of_server)
                .then(|| sum(true)),
            processes,
        }
    }

    /// What the servers counted between two readings.
    pub(crate) fn servers(&self, before: &WatchReading, after: &WatchReading) -> Vec<ServerFigures> {
        let readings = before.servers.iter().zip(&after.servers);
        let servers = self.servers.iter().zip(readings);
        servers
            .map(|(server, (before, after))| counters::figures(&server.name, before, after))
            .collect()
    }
}

fn used(
    process: &Process,
    before: Option<&ProcessReading>,
    after: Option<&ProcessReading>,
    exchanges: f64,
) -> ProcessFigures {
    let ended = after.is_none();
    let before = before.copied().unwrap_or_default();
    let after = after.copied().unwrap_or(before);
    let switches = after.switches.saturating_sub(before.switches);
    ProcessFigures {
        name: process.name.clone(),
        pid: process.pid,
        cpu: CpuFigures::of(
            after.cpu.user - before.cpu.user,
            after.cpu.system - before.cpu.system,
            exchanges,
        ),
        switches_per_exchange: per(number(switches), exchanges),
        resident: after.resident,
        ended,
    }
}

/// The operator's command, which asks signers what they did: as told, beside this program, or on the path.
fn kiirtee_command(told: Option<&Path>) -> PathBuf {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        let command = own.parent()?.join("kiirtee");
        command.exists().then_some(command)
    };
    told.map(Path::to_path_buf)
        .or_else(beside)
        .unwrap_or_else(|| PathBuf::from("kiirtee"))
}
