//! Archiving what waits, and finishing what a crash interrupted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use protocol_message::identifier::ClientId;

use super::file::{ArchiveFile, TEMPORARY};
use super::openpgp::Keyring;
use super::seal::{SealDigest, SealError, Sealer, Sealing};
use super::{ArchiveError, DigestAlgorithm, Grouping};
use crate::message_log::{MessageLog, PreparedArchive, RecordId};

/// How archives are made.
#[derive(Debug)]
pub struct Settings<'a> {
    /// The archive folder, which must exist (`archive-path`).
    pub folder: &'a Path,
    /// Which records share a chain.
    pub grouping: Grouping,
    /// Digests of the chain.
    pub algorithm: DigestAlgorithm,
    /// Bytes of containers above which the next file is begun.
    pub max_file_size: u64,
    /// Records taken together, at least one.
    pub batch: usize,
    /// For whom archives are encrypted, if they are.
    pub keyring: Option<&'a Keyring>,
    /// Whether they are sealed.
    pub sealing: Sealing,
    /// What seals them.
    pub sealer: &'a dyn Sealer,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Archived {
    /// Records archived.
    pub records: u64,
    /// Files that they are in now.
    pub files: Vec<ArchivedFile>,
}

/// A file that was finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedFile {
    /// Where.
    pub path: PathBuf,
    /// What it is sealed with, if it is.
    pub seal: Option<SealDigest>,
}

/// Archives all time-stamped records that are in no archive, file by file, until `stop` says so between two files.
/// Finishes first what an earlier run could not.
///
/// Blocks, for minutes when much waits: for a background thread, one at a time.
///
/// # Errors
/// [`ArchiveError`]; files that are complete stay, the other records wait.
pub fn run(
    log: &MessageLog,
    settings: &Settings<'_>,
    stop: impl Fn() -> bool,
) -> Result<Archived, ArchiveError> {
    let mut run = Run {
        log,
        settings,
        done: Archived::default(),
    };
    run.recover()?;
    loop {
        let waiting = log.records().to_archive(settings.batch.max(1))?;
        let full = waiting.len() >= settings.batch.max(1);
        for (name, group) in run.by_group(waiting)? {
            if stop() {
                return Ok(run.done);
            }
            run.archive(&name, &group)?;
        }
        if !full || stop() {
            return Ok(run.done);
        }
    }
}

/// Records that share a chain.
#[derive(Default)]
struct Group {
    /// One of the clients, if records are grouped by them.
    client: Option<ClientId>,
    records: Vec<RecordId>,
}

struct Run<'a> {
    log: &'a MessageLog,
    settings: &'a Settings<'a>,
    done: Archived,
}

impl Run<'_> {
    /// Finishes the files that the log knows and removes those that it does not know.
    fn recover(&mut self) -> Result<(), ArchiveError> {
        let folder = self.settings.folder;
        for archive in self.log.records().prepared_archives()? {
            let temporary = folder.join(&archive.temporary);
            let exists = |path: &Path| path.try_exists().map_err(ArchiveError::io(path));
            if exists(&temporary)? || exists(&folder.join(&archive.link.file))? {
                tracing::info!(file = archive.link.file, "finishing an archive of an earlier run");
                self.complete(archive)?;
            } else {
                tracing::warn!(
                    file = archive.link.file,
                    "an archive of an earlier run is gone; its records are archived again"
                );
                self.log.forget_archive(&archive.group)?;
            }
        }
        remove_temporary_files(folder)
    }

    fn by_group(&self, ids: Vec<RecordId>) -> Result<BTreeMap<String, Group>, ArchiveError> {
        let mut groups = BTreeMap::<String, Group>::new();
        for id in ids {
            let client = match self.settings.grouping {
                Grouping::None => None,
                // Removed by the operator meanwhile if it is not there.
                _ => match self.log.records().get(id)? {
                    Some(record) => Some(record.client),
                    None => continue,
                },
            };
            let name = client.as_ref().map(|client| self.settings.grouping.of(client));
            let group = groups.entry(name.unwrap_or_default()).or_default();
            group.records.push(id);
            group.client = client;
        }
        Ok(groups)
    }

    fn archive(&mut self, name: &str, group: &Group) -> Result<(), ArchiveError> {
        let records = self.log.records();
        let mut file = None;
        for id in &group.records {
            let Some(record) = records.get(*id)? else { continue };
            let mut open = match file.take() {
                Some(open) => open,
                None => self.begin(name, group)?,
            };
            open.add(records, &record)?;
            if open.is_full(self.settings.max_file_size) {
                self.close(open, name)?;
            } else {
                file = Some(open);
            }
        }
        file.map_or(Ok(()), |open| self.close(open, name))
    }

    fn begin(&self, name: &str, group: &Group) -> Result<ArchiveFile, ArchiveError> {
        let keyring = self.settings.keyring;
        let recipients = keyring.map(|keyring| keyring.recipients(group.client.as_ref()));
        let recipients = recipients
            .transpose()
            .map_err(|source| ArchiveError::Encryption {
                group: name.to_owned(),
                source,
            })?;
        let previous = self.log.records().last_archive(name)?;
        ArchiveFile::begin(
            self.settings.folder,
            previous,
            self.settings.algorithm,
            recipients,
        )
    }

    fn close(&mut self, file: ArchiveFile, group: &str) -> Result<(), ArchiveError> {
        let (prepared, temporary) = file.finish(group)?;
        sync(self.settings.folder)?;
        self.log.prepare_archive(prepared.clone())?;
        temporary.keep();
        self.complete(prepared)
    }

    /// Seals the file, gives it its name and settles the account. May be repeated after a crash at any place.
    fn complete(&mut self, archive: PreparedArchive) -> Result<(), ArchiveError> {
        let folder = self.settings.folder;
        let (temporary, path) = (folder.join(&archive.temporary), folder.join(&archive.link.file));
        let has_no_name = temporary.try_exists().map_err(ArchiveError::io(&temporary))?;
        let seal = self.seal(if has_no_name { &temporary } else { &path })?;
        if has_no_name {
            fs::rename(&temporary, &path).map_err(ArchiveError::io(&path))?;
        }
        sync(folder)?;
        self.done.records += u64::try_from(archive.records.len()).unwrap_or(u64::MAX);
        self.done.files.push(ArchivedFile { path, seal });
        Ok(self.log.finish_archive(archive)?)
    }

    fn seal(&self, path: &Path) -> Result<Option<SealDigest>, ArchiveError> {
        if self.settings.sealing == Sealing::Off {
            return Ok(None);
        }
        match self.settings.sealer.seal(path) {
            Ok(digest) => Ok(Some(digest)),
            Err(SealError::Unsupported) if self.settings.sealing == Sealing::Auto => Ok(None),
            Err(source) => Err(ArchiveError::Seal {
                path: path.to_owned(),
                source,
            }),
        }
    }
}

/// A name is durable when its folder is.
fn sync(folder: &Path) -> Result<(), ArchiveError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(ArchiveError::io(folder))
}

fn remove_temporary_files(folder: &Path) -> Result<(), ArchiveError> {
    let (begin, end) = TEMPORARY;
    for entry in fs::read_dir(folder).map_err(ArchiveError::io(folder))? {
        let entry = entry.map_err(ArchiveError::io(folder))?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with(begin) && name.ends_with(end))
        {
            fs::remove_file(entry.path()).map_err(ArchiveError::io(entry.path()))?;
        }
    }
    Ok(())
}
