//! Services that read what changed: restarted when they run, started when they could not run before.

use std::path::Path;
use std::process::Command;

use super::inputs;
use super::network_files;
use super::pin;

/// Which service reads which file.
const READERS: &[(&str, &str)] = &[
    (network_files::NETWORK, "systemd-networkd.service"),
    (network_files::TIME, "systemd-timesyncd.service"),
    (inputs::DOCUMENT, "kiirtee-monitor.service"),
    ("signer.toml", "kiirtee-signer.service"),
    (inputs::DEVICES, "kiirtee-signer.service"),
    (pin::ON_MEDIUM, "kiirtee-signer.service"),
    ("confclient.toml", "kiirtee-confclient.service"),
    (inputs::ANCHOR, "kiirtee-confclient.service"),
    ("proxy.toml", "kiirtee-proxy.service"),
];
/// Runs once for what is new.
const ONCE: &[&str] = &["kiirtee-configure.service", "kiirtee-enrol.service"];
/// All services of the security server.
const ALL: &str = "kiirtee.target";

/// Below these folders of `/run` is what is made anew at every start.
const VOLATILE: [&str; 2] = ["systemd/", "kiirtee/"];

/// Asks the service manager to let services read what changed. It does so when it can: nothing is waited for, since some of
/// these services wait for this process.
pub fn reread(systemctl: &Path, changed: &[String]) {
    let has_changed = |file: &str| changed.iter().any(|name| name == file);
    let mut readers: Vec<&str> = READERS
        .iter()
        .filter(|(file, _)| has_changed(file))
        .map(|(_, service)| *service)
        .collect();
    readers.dedup();
    if !readers.is_empty() {
        tell(systemctl, "try-restart", &readers);
    }
    // What lives until the next start is made at every start, and nothing could not run without it before.
    let is_kept = |name: &String| !VOLATILE.iter().any(|folder| name.starts_with(folder));
    if changed.iter().any(is_kept) {
        tell(systemctl, "start", &[&[ALL], ONCE].concat());
    }
}

/// Begins a factory reset.
pub fn reset(systemctl: &Path) {
    tell(systemctl, "start", &["kiirtee-factory-reset.service"]);
}

fn tell(systemctl: &Path, verb: &str, units: &[&str]) {
    let told = Command::new(systemctl)
        .args(["--no-block", verb])
        .args(units)
        .status();
    match told {
        Ok(status) if status.success() => tracing::info!(verb, ?units, "the service manager was told"),
        Ok(status) => tracing::warn!(verb, ?units, %status, "the service manager refuses"),
        Err(error) => tracing::warn!(verb, ?units, %error, "the service manager cannot be told"),
    }
}
