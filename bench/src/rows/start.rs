//! From the start of a server's processes to its first exchange, with the configuration as it was left.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cli::failure::{Failure, OrUnusable};
use cli::sandbox::wait;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::Target::AtMost;
use super::{Finding, Stage};
use crate::servers::{Servers, Shape};
use crate::stats::Spread;

/// How long a start or a stop may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// What is started again: the process's name without the server's, the program, its settings.
const PROCESSES: [(&str, &str, &str); 2] = [
    ("signer", "kiirtee-signer", "signer/signer.toml"),
    ("proxy", "kiirtee-proxy", "proxy.toml"),
];

/// `start`
pub(super) fn measure(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let servers = stage.others(&Shape::default())?;
    let mut running: Vec<Child> = Vec::new();
    let mut times = Vec::new();
    let ids = |(name, _, _): &(&str, &str, &str)| servers.process(&format!("consumer-{name}"));
    let first: Result<Vec<u32>, Failure> = PROCESSES.iter().map(ids).collect();
    stop(&first?)?;
    let done = stage.bed.each_round(|| {
        let (children, took) = start(&servers)?;
        running = children;
        times.push(took.as_secs_f64());
        let ids: Vec<u32> = running.iter().map(Child::id).collect();
        stop(&ids)?;
        for child in &mut running {
            child
                .wait()
                .or_unusable(|| "wait for the end of a process".into())?;
        }
        Ok(())
    });
    end(&mut running);
    done?;
    let spread = Spread::of(times.iter().copied());
    Ok(vec![
        Finding::new(
            "start to first exchange served, s",
            ("under 1", AtMost(1.0)),
            (spread.to_string(), spread.median),
        )
        .with("signer and proxy of the service client's server, started together; configuration, keys and log are there")
        .with("until the answer of the backend is whole, with a TLS handshake to the other server")
        .from(json!(times)),
    ])
}

fn start(servers: &Servers) -> Result<(Vec<Child>, Duration), Failure> {
    let began = Instant::now();
    let folder = servers.folder().join("consumer");
    let mut children = Vec::new();
    for (name, program, settings) in PROCESSES {
        let log = servers.folder().join("log").join(format!("again-{name}.log"));
        match spawn(&servers.program(program), &folder.join(settings), &log) {
            Ok(child) => children.push(child),
            Err(failure) => {
                end(&mut children);
                return Err(failure);
            }
        }
    }
    let answered = wait::until(PATIENCE, || match servers.exchange() {
        Ok(_) => Ok(began.elapsed()),
        Err(failure) => Err(failure),
    });
    match answered {
        Ok(took) => Ok((children, took)),
        Err(failure) => {
            end(&mut children);
            Err(failure)
        }
    }
}

fn spawn(program: &Path, settings: &Path, log: &Path) -> Result<Child, Failure> {
    let doing = || format!("start {}", program.display());
    let log = File::create(log).or_unusable(doing)?;
    let mut command = Command::new(program);
    command.args(["run", "--config"]).arg(settings);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .or_unusable(doing)
}

/// Asks processes to end and waits until they have.
fn stop(processes: &[u32]) -> Result<(), Failure> {
    for &id in processes {
        if let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).or_unusable(|| format!("end process {id}"))?;
        }
    }
    wait::until(PATIENCE, || {
        match processes
            .iter()
            .find(|id| cli::sandbox::process::is_running(**id))
        {
            None => Ok(()),
            Some(id) => Err(Failure::unusable(format!("process {id} does not end"))),
        }
    })
}

/// Ends children, whatever state they are in.
fn end(children: &mut [Child]) {
    for child in children {
        let _ = child.kill();
        let _ = child.wait();
    }
}
