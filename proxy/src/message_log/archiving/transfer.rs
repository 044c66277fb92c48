//! The operator's command that carries archives away (`archive-transfer-command`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::message_log::time_stamping::Stop;

/// How long the command may take; then it and what it started is killed.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// How often its end is looked for.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes of its standard error that are told.
const MAX_ERROR: u64 = 4096;

/// Runs the command in a shell, as the user of this process. Whether it ended well; what it said on standard error is
/// told where it did not. It is killed when the server stops.
pub(super) fn run(command: &str, stop: &Stop) -> bool {
    tracing::info!(command, "transferring archives");
    match attempt(command, stop) {
        Ok((Some(status), _)) if status.success() => {
            tracing::info!(command, "archives transferred");
            return true;
        }
        Ok((Some(status), stderr)) => {
            tracing::error!(command, %status, stderr, "the archive transfer command failed");
        }
        Ok((None, stderr)) => tracing::error!(command, stderr, "the archive transfer command was killed"),
        Err(error) => tracing::error!(command, %error, "the archive transfer command can't be run"),
    }
    false
}

fn attempt(command: &str, stop: &Stop) -> io::Result<(Option<ExitStatus>, String)> {
    let mut stderr = tempfile::tempfile()?;
    let child = Command::new(shell())
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr.try_clone()?)
        // A group of its own, so that what it starts can be killed with it.
        .process_group(0)
        .spawn()?;
    let status = wait(child, stop)?;
    Ok((status, said(&mut stderr)?))
}

fn shell() -> &'static str {
    const BASH: &str = "/bin/bash";
    if Path::new(BASH).exists() { BASH } else { "/bin/sh" }
}

fn wait(mut child: Child, stop: &Stop) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline || !stop.sleep(LOOK) {
            let group = i32::try_from(child.id())
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
    }
}

fn said(stderr: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    stderr.seek(SeekFrom::Start(0))?;
    stderr.take(MAX_ERROR).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}
