//! Removing what need not be kept any longer from the message log (wire.md 4.6). What has no time-stamp stays.

use std::io;
use std::sync::Arc;

use storage::message_log::{CleanError, Cleaned, MessageLog, Unarchived};
use time::OffsetDateTime;

use super::time_stamping::Background;
use crate::process::Process;

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
        let settings = &process.settings.message_log;
        let unarchived = if process.settings.kiirtee.archiving {
            Unarchived::Keep
        } else {
            Unarchived::Remove
        };
        while settings.clean_interval.sleep(stop) {
            tell(
                days,
                clean(&process.log, days, OffsetDateTime::now_utc(), unarchived),
            );
        }
    })?;
    Ok(background)
}

/// Removes the time-stamped records that are older than so many days at `now`, those that are in no archive as told.
///
/// # Errors
/// [`CleanError`]; what was removed stays removed.
pub fn clean(
    log: &MessageLog,
    days: u32,
    now: OffsetDateTime,
    unarchived: Unarchived,
) -> Result<Cleaned, CleanError> {
    let before = now.checked_sub(time::Duration::days(days.into()));
    before.map_or_else(|| Ok(Cleaned::default()), |before| log.clean(before, unarchived))
}

fn tell(days: u32, result: Result<Cleaned, CleanError>) {
    match result {
        Ok(Cleaned {
            removed,
            kept_pending: 0,
            kept_unarchived: 0,
        }) => tracing::info!(removed, days, "message log cleaned"),
        Ok(Cleaned {
            removed,
            kept_pending,
            kept_unarchived,
        }) => {
            tracing::warn!(
                removed,
                kept_pending,
                kept_unarchived,
                days,
                "message log cleaned; old records still wait for time-stamps or the archive"
            );
        }
        Err(error) => tracing::error!(%error, days, "message log can't be cleaned"),
    }
}

#[cfg(test)]
mod tests;
