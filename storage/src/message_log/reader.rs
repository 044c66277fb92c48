//! Reading the log from another process while the proxy writes it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rocksdb::DB;

use super::{LogKeys, OpenError, ReadError, Records, columns, meta};

/// A view of a log that another process may be writing: RocksDB's secondary instance. It takes no lock and changes
/// nothing in the log's directory; its own working files lie in a temporary directory that goes with it.
#[derive(Debug)]
pub struct MessageLogReader {
    // Fields are dropped in this order: the instance is closed before its files go.
    records: Records,
    _working_files: WorkingFiles,
}

/// How often a part that is missing is looked for anew.
pub const SETTLE_ATTEMPTS: usize = 20;
/// How much longer each attempt waits than the one before: the proxy may have to wait for a processor meanwhile. At most 190 ms in
/// all; readers are commands of the operator.
const SETTLE_STEP: Duration = Duration::from_millis(1);

/// The waits between attempts.
fn settling() -> impl Iterator<Item = ()> {
    let waits = std::iter::successors(Some(SETTLE_STEP), |wait| Some(*wait + SETTLE_STEP));
    waits.take(SETTLE_ATTEMPTS - 1).map(std::thread::sleep)
}

impl MessageLogReader {
    /// Opens a log for reading, as it is now.
    ///
    /// # Errors
    /// [`OpenError`] if there is no log, its format is unknown or it cannot be read.
    pub fn open_read_only(directory: &Path) -> Result<Self, OpenError> {
        Self::open_with_keys(directory, None)
    }

    /// As [`MessageLogReader::open_read_only`], for reading what is encrypted with these keys.
    ///
    /// # Errors
    /// As [`MessageLogReader::open_read_only`].
    pub fn open_with_keys(directory: &Path, keys: Option<LogKeys>) -> Result<Self, OpenError> {
        let working_files = WorkingFiles::make().map_err(|source| OpenError::Io {
            directory: directory.into(),
            source,
        })?;
        let db = DB::open_cf_descriptors_as_secondary(
            &columns::reader_options(),
            directory,
            &working_files.0,
            columns::descriptors(&columns::cache()),
        )
        .map_err(|source| meta::database(directory, source.into()))?;
        // Opening reads the manifest first and the WALs after it: what was flushed in between is in neither.
        let catch_up = || {
            let caught_up = db.try_catch_up_with_primary();
            caught_up.map_err(|source| meta::database(directory, source.into()))
        };
        catch_up()?;
        let mut checked = meta::check_format(&db, directory, false);
        let mut waits = settling();
        while checked.is_err() && waits.next().is_some() {
            catch_up()?;
            checked = meta::check_format(&db, directory, false);
        }
        checked?;
        Ok(Self {
            records: Records {
                db: Arc::new(db),
                keys: keys.map(Arc::new),
                oldest_pending: Arc::default(),
            },
            _working_files: working_files,
        })
    }

    /// Reading, as of the moment of opening or of the last [`MessageLogReader::refresh`].
    #[must_use]
    pub const fn records(&self) -> &Records {
        &self.records
    }

    /// Reads, and again after a [`MessageLogReader::refresh`] where a part is missing: while the proxy moves data from
    /// its WAL into files, a part may for a moment be in neither for a reader.
    ///
    /// # Errors
    /// What `read` says, [`ReadError::Missing`] only after [`SETTLE_ATTEMPTS`] attempts.
    pub fn settled<T>(&self, read: impl Fn(&Records) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let mut waits = settling();
        loop {
            match read(&self.records) {
                Err(ReadError::Missing { .. }) if waits.next().is_some() => self.refresh()?,
                other => return other,
            }
        }
    }

    /// Takes in what was logged since.
    ///
    /// # Errors
    /// [`ReadError`] if the log cannot be read.
    pub fn refresh(&self) -> Result<(), ReadError> {
        Ok(self.records.db.try_catch_up_with_primary()?)
    }
}

/// A directory that goes with its value.
#[derive(Debug)]
struct WorkingFiles(PathBuf);

impl WorkingFiles {
    /// Made new, readable by its owner only: RocksDB writes file names and times into its information log.
    fn make() -> io::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("kiirtee-log-reader-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        DirBuilder::new().mode(0o700).create(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for WorkingFiles {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
