//! The column families and how RocksDB keeps them.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode,
    LogLevel, Options, WriteBufferManager,
};

use super::DatabaseError;

/// Memory of the log: blocks of files with their indexes, and the memtables, which are charged to the same cache.
pub(super) const BUDGET: usize = 64 << 20;
/// Of this, memory of all memtables together; reaching it flushes. The request path reads no blocks.
const MEMTABLES: usize = 48 << 20;
/// Memtables of a column that wait for being written to a file before writes wait as well: with two, the usual number,
/// a small column that is flushed twice while a large one keeps the only flushing thread makes every record wait.
const WAITING_MEMTABLES: i32 = 6;
/// What a file is read in: most reads are of whole ranges, for time-stamps, archives and cleaning.
const BLOCK: usize = 16 << 10;
/// Files are handed to the disk in pieces of this size while they are written, so that no sync of the log of writes finds
/// the disk busy with a whole file.
const BYTES_PER_SYNC: u64 = 1 << 20;
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
    pub(super) const ALL: [Self; 9] = [
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

    /// Bytes of a memtable: about as the columns grow, so that they fill at the same time and few files are small.
    const fn memtable(self) -> usize {
        match self {
            Self::Record | Self::Body => 16 << 20,
            Self::Signature => 8 << 20,
            Self::Index | Self::Stamp | Self::TimeStamp | Self::ToArchive => 2 << 20,
            Self::Meta | Self::Pending => 1 << 20,
        }
    }

    fn options(self, cache: &Cache) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(cache);
        table.set_block_size(BLOCK);
        // Else they were kept for each open file, outside of the budget.
        table.set_cache_index_and_filter_blocks(true);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(self.memtable());
        options.set_max_write_buffer_number(WAITING_MEMTABLES);
        options.set_compression_type(DBCompressionType::None);
        match self {
            Self::Body => blobs(&mut options, 0),
            Self::Record => blobs(&mut options, LARGE_MESSAGE),
            _ => {}
        }
        options
    }
}

fn blobs(options: &mut Options, smallest: u64) {
    options.set_enable_blob_files(true);
    options.set_min_blob_size(smallest);
    options.set_blob_file_size(BLOB_FILE);
    options.set_blob_compression_type(DBCompressionType::None);
}

/// The memory of a log.
pub(super) fn cache() -> Cache {
    Cache::new_lru_cache(BUDGET)
}

pub(super) fn descriptors(cache: &Cache) -> Vec<ColumnFamilyDescriptor> {
    Column::ALL
        .iter()
        .map(|column| ColumnFamilyDescriptor::new(column.name(), column.options(cache)))
        .collect()
}

/// Options of the one process that writes.
pub(super) fn writer_options(cache: &Cache) -> Options {
    let mut options = common_options();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    // The budget of memtables makes them flush, it never makes a write wait.
    let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(MEMTABLES, false, cache.clone());
    options.set_write_buffer_manager(&memtables);
    options.set_bytes_per_sync(BYTES_PER_SYNC);
    // Opening reads no file that it does not need.
    options.set_skip_stats_update_on_db_open(true);
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
