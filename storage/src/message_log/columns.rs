//! The column families and how RocksDB keeps them.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    LogLevel, Options,
};

use super::DatabaseError;

/// Memory of all memtables together. Reaching it flushes, so a stream of bodies takes this and no more.
const MEMTABLES: usize = 32 << 20;
/// Memory of one memtable.
const MEMTABLE: usize = 16 << 20;
/// Cache of blocks that look-ups read; the request path reads nothing.
const BLOCK_CACHE: usize = 8 << 20;
/// The log of writes is cut at this size by flushing, which bounds the time to open after a crash.
const MAX_WAL: u64 = 64 << 20;
/// Files open at the same time.
const MAX_OPEN_FILES: i32 = 512;
/// A message of this size or larger goes into a blob file, like every body.
const LARGE_MESSAGE: u64 = 32 << 10;
/// Size of a blob file. It goes when everything in it was cleaned; nothing is copied out of it before (no blob garbage
/// collection), since what lies in one file is of one age.
const BLOB_FILE: u64 = 64 << 20;

/// A column family; what is in it is on the crate's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Meta,
    Record,
    Signature,
    Body,
    Index,
    Pending,
    Stamp,
    TimeStamp,
    ToArchive,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::Meta,
        Self::Record,
        Self::Signature,
        Self::Body,
        Self::Index,
        Self::Pending,
        Self::Stamp,
        Self::TimeStamp,
        Self::ToArchive,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Meta => "default",
            Self::Record => "record",
            Self::Signature => "signature",
            Self::Body => "body",
            Self::Index => "index",
            Self::Pending => "pending",
            Self::Stamp => "stamp",
            Self::TimeStamp => "time_stamp",
            Self::ToArchive => "to_archive",
        }
    }

    pub(super) fn of(self, db: &DB) -> Result<&ColumnFamily, DatabaseError> {
        db.cf_handle(self.name())
            .ok_or_else(|| DatabaseError::NoColumn(self.name()))
    }

    fn options(self, cache: &Cache) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(cache);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(MEMTABLE);
        options.set_max_write_buffer_number(2);
        options.set_compression_type(DBCompressionType::Lz4);
        match self {
            Self::Body => blobs(&mut options, 0, DBCompressionType::None),
            Self::Record => blobs(&mut options, LARGE_MESSAGE, DBCompressionType::Lz4),
            _ => {}
        }
        options
    }
}

fn blobs(options: &mut Options, smallest: u64, compression: DBCompressionType) {
    options.set_enable_blob_files(true);
    options.set_min_blob_size(smallest);
    options.set_blob_file_size(BLOB_FILE);
    options.set_blob_compression_type(compression);
}

pub(super) fn descriptors() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(BLOCK_CACHE);
    Column::ALL
        .iter()
        .map(|column| ColumnFamilyDescriptor::new(column.name(), column.options(&cache)))
        .collect()
}

/// Options of the one process that writes.
pub(super) fn writer_options() -> Options {
    let mut options = common_options();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_db_write_buffer_size(MEMTABLES);
    options.set_max_total_wal_size(MAX_WAL);
    // Not recycled: a secondary instance that comes upon the old end of a recycled file reads it for ever (11.8.1).
    options.set_recycle_log_file_num(0);
    // What was acknowledged was synced, so it lies before the first damaged place of the log of writes.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_max_open_files(MAX_OPEN_FILES);
    options.set_max_background_jobs(2);
    options
}

/// Options of a process that only reads, while the writer may be running.
pub(super) fn reader_options() -> Options {
    let mut options = common_options();
    // RocksDB's condition for a secondary instance: it must hold files that the writer deletes meanwhile.
    options.set_max_open_files(-1);
    options
}

fn common_options() -> Options {
    let mut options = Options::default();
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(1 << 20);
    options
}
