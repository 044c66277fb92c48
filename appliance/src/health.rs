//! `kiirtee-appliance health`: waits until the monitor says healthy. Whether a new version stays hangs on it.
//!
//! Only what the monitor wrote since the machine started counts, and only while it is fresh: a monitor that is gone makes
//! nobody healthy.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::monitor::status::{Status, harmless};
use crate::monitor::watch::uptime;
use crate::paths::{self, Root};

/// How often it is asked.
const ASK: Duration = Duration::from_millis(500);
/// A status is stale when it is older than its interval by more than this: a look may wait for answers that long.
const GRACE: u64 = 120;
/// The most bytes of a status.
const MAX_STATUS: u64 = 4 * 1024 * 1024;

/// Arguments of `kiirtee-appliance health`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// How long to wait for it, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    within: u64,
}

/// Why it is not healthy.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The monitor tells nothing, or nothing fresh.
    #[error("not healthy within {0} s: the monitor does not tell anything")]
    Silent(u64),
    /// It says no.
    #[error("not healthy within {within} s: {failing}")]
    Unhealthy {
        /// How long it was waited.
        within: u64,
        /// Checks that fail, with their reasons.
        failing: String,
    },
}

/// Carries out `kiirtee-appliance health`.
///
/// # Errors
/// See [`HealthError`].
pub fn run(arguments: &Arguments) -> Result<(), HealthError> {
    let path = arguments.root.path(paths::STATUS);
    let within = Duration::from_secs(arguments.within);
    let began = Instant::now();
    loop {
        let status = read(&path, uptime());
        let done = status.as_ref().is_some_and(|status| status.health.healthy);
        if done || began.elapsed() >= within {
            return verdict(status.as_ref(), arguments.within);
        }
        std::thread::sleep(ASK.min(within.saturating_sub(began.elapsed())));
    }
}

/// The status that the monitor wrote, if it is fresh. `uptime` as in [`uptime()`].
#[must_use]
pub fn read(path: &Path, uptime: u64) -> Option<Status> {
    let mut json = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(MAX_STATUS).read_to_end(&mut json).ok()?;
    let status: Status = serde_json::from_slice(&json).ok()?;
    let stale = status
        .uptime
        .saturating_add(status.interval)
        .saturating_add(GRACE);
    (status.uptime <= uptime && uptime <= stale).then_some(status)
}

fn verdict(status: Option<&Status>, within: u64) -> Result<(), HealthError> {
    let Some(status) = status else {
        return Err(HealthError::Silent(within));
    };
    say(status);
    if status.health.healthy {
        return Ok(());
    }
    let failing = status.health.failing().map(|check| check.name.as_str());
    Err(HealthError::Unhealthy {
        within,
        failing: failing.collect::<Vec<_>>().join(", "),
    })
}

/// Check by check; a terminal or journal that does not take it is no reason.
fn say(status: &Status) {
    let mut out = io::stdout().lock();
    for check in &status.health.checks {
        let reason = check.reason.as_deref().unwrap_or_default();
        let word = if check.ok { "ok     " } else { "FAILING" };
        let line = format!("{word} {} {}", check.name, harmless(reason, 300));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(
        out,
        "{}",
        if status.health.healthy {
            "healthy"
        } else {
            "not healthy"
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::verdict::{Check, Verdict};

    fn written(healthy: bool, uptime: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(paths::STATUS);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let check = Check {
            name: "signer".to_owned(),
            ok: healthy,
            ..Check::default()
        };
        let status = Status {
            health: Verdict {
                healthy,
                checks: vec![check],
                ..Verdict::default()
            },
            uptime,
            interval: 60,
            ..Status::default()
        };
        std::fs::write(path, serde_json::to_vec(&status).unwrap()).unwrap();
        folder
    }

    fn asked(folder: &tempfile::TempDir) -> Result<(), HealthError> {
        run(&Arguments {
            root: Root::new(folder.path()),
            within: 0,
        })
    }

    #[test]
    fn what_the_monitor_says_is_the_verdict() {
        assert!(asked(&written(true, uptime())).is_ok());
        let no = asked(&written(false, uptime())).unwrap_err();
        assert!(
            matches!(&no, HealthError::Unhealthy { failing, .. } if failing == "signer"),
            "{no}"
        );
        let silent = asked(&tempfile::tempdir().unwrap()).unwrap_err();
        assert!(matches!(silent, HealthError::Silent(0)), "{silent}");
    }

    #[test]
    fn what_was_written_too_long_ago_or_before_the_start_counts_for_nothing() {
        let folder = written(true, 1000);
        let path = folder.path().join(paths::STATUS);
        for (uptime, fresh) in [(1000, true), (1180, true), (1181, false), (999, false)] {
            assert_eq!(read(&path, uptime).is_some(), fresh, "{uptime}");
        }
    }
}
