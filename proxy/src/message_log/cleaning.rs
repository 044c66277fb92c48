//! Removing what need not be kept any longer from the message log (wire.md 4.6). What has no time-stamp stays.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use storage::message_log::{CleanError, Cleaned, MessageLog};
use time::OffsetDateTime;

use super::time_stamping::Background;
use crate::process::Process;

/// When the first cleaning is: not while the server is starting.
pub const FIRST: Duration = Duration::from_secs(5 * 60);
/// How often the log is cleaned.
pub const INTERVAL: Duration = Duration::from_secs(12 * 3600);

/// Starts cleaning. `keep_records_for_days = 0` keeps all records for ever, and starts nothing.
///
/// # Errors
/// When the thread can't be started.
pub fn start(process: &Arc<Process>) -> io::Result<Background> {
    let mut background = Background::new();
    let days = process.settings.message_log.keep_records_for_days;
    if days == 0 {
        tracing::info!("message log records are kept for ever");
        return Ok(background);
    }
    let process = Arc::clone(process);
    background.spawn("message-log-cleaning", move |stop| {
        let mut wait = FIRST;
        while stop.sleep(wait) {
            wait = INTERVAL;
            tell(days, clean(&process.log, days, OffsetDateTime::now_utc()));
        }
    })?;
    Ok(background)
}

/// Removes the time-stamped records that are older than so many days at `now`.
///
/// # Errors
/// [`CleanError`]; what was removed stays removed.
pub fn clean(log: &MessageLog, days: u32, now: OffsetDateTime) -> Result<Cleaned, CleanError> {
    let before = now.checked_sub(time::Duration::days(days.into()));
    before.map_or_else(|| Ok(Cleaned::default()), |before| log.clean(before))
}

fn tell(days: u32, result: Result<Cleaned, CleanError>) {
    match result {
        Ok(Cleaned {
            removed,
            kept_pending: 0,
        }) => tracing::info!(removed, days, "message log cleaned"),
        Ok(Cleaned {
            removed,
            kept_pending,
        }) => {
            tracing::warn!(
                removed,
                kept_pending,
                days,
                "message log cleaned; old records still wait for time-stamps"
            );
        }
        Err(error) => tracing::error!(%error, days, "message log can't be cleaned"),
    }
}

#[cfg(test)]
mod tests;
