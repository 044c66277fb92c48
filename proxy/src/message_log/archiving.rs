//! Moving time-stamped records into archive files, and telling an operator's command of them (wire.md 4.6).

mod transfer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::archive::openpgp::{Keyring, KeyringSettings, OpenPgpError};
use storage::archive::seal::{self, FsVerity, Sealing};
use storage::archive::{self, Archived};
use time::OffsetDateTime;

use super::time_stamping::{Background, Stop};
use crate::exchange::error::causes;
use crate::process::Process;
use crate::settings::{MessageLogSettings, Settings};

/// Why archiving can't begin.
#[derive(Debug, thiserror::Error)]
pub enum ArchivingError {
    /// The archive folder can't be made or used.
    #[error("archive folder {path}: {source}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The public keys that archives are encrypted for can't be used.
    #[error("archive encryption: {0}")]
    Keys(#[from] OpenPgpError),
    /// The thread can't be started.
    #[error("the archiving thread: {0}")]
    Thread(#[source] io::Error),
}

/// Starts archiving, unless it is switched off. Keys and folder are tried now, so that a mistake is told at start.
///
/// # Errors
/// [`ArchivingError`]
pub fn start(process: &Arc<Process>) -> Result<Background, ArchivingError> {
    let mut background = Background::new();
    let settings = &process.settings;
    // Downloads are encrypted with them even where nothing is archived.
    keyring(&settings.message_log)?;
    if !settings.kiirtee.archiving {
        tracing::info!("message log records are not archived");
        return Ok(background);
    }
    make_folder(settings)?;
    tell_sealing(settings.kiirtee.seal_archives, &settings.archive_dir());
    tracing::info!(
        folder = %settings.archive_dir().display(),
        schedule = %settings.message_log.archive_interval,
        "message log records are archived"
    );
    let process = Arc::clone(process);
    let work = move |stop: &Stop| {
        while process.settings.message_log.archive_interval.sleep(stop) {
            round(&process, stop);
        }
    };
    background
        .spawn("message-log-archive", work)
        .map_err(ArchivingError::Thread)?;
    Ok(background)
}

/// The public keys for archives, read anew; `None`: archives are not encrypted.
///
/// # Errors
/// [`OpenPgpError`]
pub fn keyring(settings: &MessageLogSettings) -> Result<Option<Keyring>, OpenPgpError> {
    if !settings.archive_encryption_enabled {
        return Ok(None);
    }
    let settings = KeyringSettings {
        folder: settings.archive_gpg_home_directory.clone(),
        default_key: settings.archive_default_encryption_key.clone(),
        mapping: settings.archive_encryption_keys_config.clone(),
    };
    Keyring::load(&settings).map(Some)
}

fn make_folder(settings: &Settings) -> Result<(), ArchivingError> {
    let path = settings.archive_dir();
    std::fs::create_dir_all(&path).map_err(|source| ArchivingError::Folder { path, source })
}

/// Says whether archives are sealed, as found out now. Whether a file can be is decided with each.
fn tell_sealing(sealing: Sealing, folder: &Path) {
    let tried = match sealing {
        Sealing::Off => return tracing::info!("archives are not sealed: `[kiirtee] seal-archives` is off"),
        Sealing::Auto | Sealing::Required => seal::try_in(folder, &FsVerity),
    };
    match (tried, sealing) {
        (Ok(()), _) => tracing::info!("archives are sealed with fs-verity"),
        (Err(error), Sealing::Required) => tracing::error!(
            %error,
            folder = %folder.display(),
            "archives can't be sealed, and `[kiirtee] seal-archives` is required: nothing is archived"
        ),
        (Err(error), _) => tracing::info!(%error, folder = %folder.display(), "archives are not sealed"),
    }
}

/// One round: archives what waits, counts and tells it, and runs the operator's command.
fn round(process: &Process, stop: &Stop) {
    let metrics = &process.metrics.archive;
    let result = archive(process, stop);
    match process.log.records().count_to_archive() {
        Ok(waiting) => {
            metrics
                .records_waiting
                .set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
        Err(error) => tracing::warn!(%error, "records that wait for the archive can't be counted"),
    }
    match result {
        Ok(done) => {
            metrics.records_archived.inc_by(done.records);
            metrics.last_archive.set(seconds(OffsetDateTime::now_utc()));
            tell(process, &done, stop);
        }
        Err(error) => {
            metrics.failures.inc();
            tracing::error!(
                error = causes(&*error),
                "message log records can't be archived; they are kept and tried again"
            );
        }
    }
}

fn archive(process: &Process, stop: &Stop) -> Result<Archived, Box<dyn std::error::Error>> {
    let settings = &process.settings.message_log;
    let keyring = keyring(settings)?;
    let settings = archive::Settings {
        folder: &process.settings.archive_dir(),
        grouping: settings.archive_grouping,
        algorithm: settings.hash_algo_id,
        max_file_size: settings.archive_max_filesize,
        batch: settings.archive_transaction_batch,
        keyring: keyring.as_ref(),
        sealing: process.settings.kiirtee.seal_archives,
        sealer: &FsVerity,
    };
    Ok(archive::run(&process.log, &settings, || stop.is_told())?)
}

fn tell(process: &Process, done: &Archived, stop: &Stop) {
    if done.files.is_empty() {
        return;
    }
    for file in &done.files {
        let seal = file.seal.map(tracing::field::display);
        tracing::info!(file = %file.path.display(), seal, "archive written");
    }
    tracing::info!(
        records = done.records,
        files = done.files.len(),
        "message log archived"
    );
    let command = &process.settings.message_log.archive_transfer_command;
    if let Some(command) = command.as_deref().filter(|command| !command.trim().is_empty())
        && !transfer::run(command, stop)
    {
        process.metrics.archive.transfer_failures.inc();
    }
}

fn seconds(at: OffsetDateTime) -> f64 {
    // Seconds of this age are far below 2^52, where f64 is exact.
    at.unix_timestamp() as f64
}

#[cfg(test)]
mod tests;
