//! Opening the message log at start.

use std::path::Path;
use std::time::{Duration, Instant};

use storage::message_log::{MessageLog, OpenError, Settings};

/// How long a process that was killed may take to let go of its files before its successor gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the message log, and waits a while for a predecessor that has not quite ended: the kernel closes the files of
/// a killed process after everything else.
///
/// # Errors
/// [`OpenError`], at once unless the log is in use.
pub fn open(directory: &Path, settings: &Settings) -> Result<MessageLog, OpenError> {
    let begin = Instant::now();
    loop {
        match MessageLog::open(directory, settings.clone()) {
            Err(error) if error.is_in_use() && begin.elapsed() < PATIENCE => {
                tracing::warn!(%error, "the message log is still in use: waiting for it");
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
}
