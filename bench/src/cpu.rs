//! CPU time and memory of processes, as the kernel counts them.

use std::time::Duration;

use cli::failure::{Failure, OrUnusable};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

/// CPU time that these processes have used so far, in user mode and in the kernel, with threads that have ended. In
/// nanoseconds, by the clock of each process; children that they waited for are not in it (they have none).
pub(crate) fn used(processes: &[u32]) -> Result<Duration, Failure> {
    processes.iter().map(|&id| used_by(id)).sum()
}

/// CPU time of one process.
pub(crate) fn used_by(process: u32) -> Result<Duration, Failure> {
    let doing = || format!("read the CPU time of process {process}");
    let id = i32::try_from(process).or_unusable(doing)?;
    let clock = clock_getcpuclockid(Pid::from_raw(id)).or_unusable(doing)?;
    Ok(clock.now().or_unusable(doing)?.into())
}

/// Resident memory of a process in megabytes.
pub(crate) fn resident_megabytes(process: u32) -> Result<f64, Failure> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).or_unusable(|| format!("read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kibibytes
        .map(|kibibytes| kibibytes * 1024.0 / 1e6)
        .ok_or_else(|| Failure::unusable(format!("{path} has no VmRSS")))
}

/// The processes whose parent is `parent`.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|&id| parent_of(id) == Some(parent)).collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // PID (NAME) STATE PARENT ...; the name may hold spaces and parentheses.
    stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
}

/// The load average of the last minute: what else the machine does.
pub(crate) fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(f64::NAN)
}
