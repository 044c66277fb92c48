//! Where a message waits for its verdict: small ones in memory, larger ones in an unlinked file.
//!
//! Nothing unverified is forwarded (docs/architecture.md), so what a peer sends must be kept until its signature
//! holds. Memory does not grow with the message: beyond [`MEMORY_BYTES`] a spool moves to a file that has no name, so
//! that the kernel removes it however the process ends. All spools of the process, in memory and in files, share one
//! budget of bytes.

mod files;

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use monoio::fs::File;
use protocol_message::transport::Gathered;

use files::Files;

use crate::http::large;

/// What a spool keeps in memory before it moves to a file.
pub const MEMORY_BYTES: usize = 128 * 1024;
/// What a reader gives at once.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Why something can't be spooled.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// All spools together would exceed the bound.
    #[error("spool space is used up ({limit} bytes)")]
    Full {
        /// Bytes that all spools may take together.
        limit: u64,
    },
    /// The spool file failed.
    #[error("spool file: {0}")]
    Io(#[from] io::Error),
}

/// The bytes that all spools of the process may take together.
#[derive(Debug)]
pub struct SpoolBudget {
    limit: u64,
    used: AtomicU64,
}

impl SpoolBudget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub const fn new(limit: u64) -> Self {
        Self {
            limit,
            used: AtomicU64::new(0),
        }
    }

    /// Bytes taken now.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> Result<(), SpoolError> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(SpoolError::Full { limit: self.limit });
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes taken from the budget, given back when dropped.
#[derive(Debug)]
struct Charge {
    budget: Arc<SpoolBudget>,
    bytes: u64,
}

impl Charge {
    fn add(&mut self, bytes: u64) -> Result<(), SpoolError> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// All of it, for somebody else to give back.
    fn hand_over(&mut self) -> Self {
        Self {
            budget: Arc::clone(&self.budget),
            bytes: std::mem::take(&mut self.bytes),
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

/// Makes spools.
#[derive(Debug, Clone)]
pub struct Spools {
    files: Files,
    budget: Arc<SpoolBudget>,
}

impl Spools {
    /// Spools whose files go to `dir`, which must exist and be nobody else's: files that another process left there are
    /// removed.
    ///
    /// # Errors
    /// When the folder can't be read or the thread that makes files can't be started.
    pub fn new(dir: &Path, limit: u64) -> io::Result<Self> {
        Ok(Self {
            files: Files::start(dir)?,
            budget: Arc::new(SpoolBudget::new(limit)),
        })
    }

    /// The budget that all these spools share.
    #[must_use]
    pub fn budget(&self) -> &SpoolBudget {
        &self.budget
    }

    /// A new, empty spool.
    #[must_use]
    pub fn spool(&self) -> Spool {
        Spool {
            files: self.files.clone(),
            memory: Gathered::new(),
            file: None,
            spare: None,
            length: 0,
            written: 0,
            charge: Charge {
                budget: Arc::clone(&self.budget),
                bytes: 0,
            },
        }
    }
}

/// Bytes that are being collected.
#[derive(Debug)]
pub struct Spool {
    files: Files,
    /// What is in no file.
    memory: Gathered,
    file: Option<File>,
    /// The same file, by which it is discarded.
    spare: Option<std::fs::File>,
    length: u64,
    /// Bytes in the file.
    written: u64,
    charge: Charge,
}

impl Spool {
    /// Adds bytes at the end.
    ///
    /// # Errors
    /// [`SpoolError::Full`] when the budget is used up, [`SpoolError::Io`] when the file fails.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), SpoolError> {
        self.charge.add(bytes.len() as u64)?;
        if self.memory.len() + bytes.len() > MEMORY_BYTES {
            self.flush().await?;
        }
        self.length += bytes.len() as u64;
        self.memory.append(bytes);
        Ok(())
    }

    /// Bytes collected so far.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing was collected.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Ends the collecting; what was collected can be read any number of times.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub async fn finish(mut self) -> Result<Spooled, SpoolError> {
        if self.file.is_some() {
            self.flush().await?;
        }
        let content = match self.file.take() {
            Some(file) => Content::File(Rc::new(file)),
            None => Content::Memory(self.memory.take().into_bytes()),
        };
        Ok(Spooled {
            content,
            length: self.length,
            _spool: Rc::new(self),
        })
    }

    /// Moves what is in memory to the file.
    async fn flush(&mut self) -> Result<(), SpoolError> {
        if self.file.is_none() {
            let (file, spare) = self.files.make().await?;
            (self.file, self.spare) = (Some(File::from_std(file)?), Some(spare));
        }
        let Some(file) = &self.file else {
            return Ok(());
        };
        let bytes = self.memory.take().into_vec();
        let length = bytes.len() as u64;
        let (result, mut bytes) = file.write_all_at(bytes, self.written).await;
        result?;
        self.written += length;
        bytes.clear();
        self.memory = Gathered::Several(bytes);
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(spare) = self.spare.take() {
            self.files.discard(spare, self.charge.hand_over());
        }
    }
}

#[derive(Debug, Clone)]
enum Content {
    Memory(Bytes),
    File(Rc<File>),
}

/// Bytes that were collected; clones share them.
#[derive(Debug, Clone)]
pub struct Spooled {
    content: Content,
    length: u64,
    /// Gives the budget back when the last clone goes.
    _spool: Rc<Spool>,
}

impl Spooled {
    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads from the start.
    #[must_use]
    pub fn reader(&self) -> SpoolReader {
        SpoolReader {
            spooled: self.clone(),
            offset: 0,
        }
    }
}

/// Gives the bytes of a spool in order.
#[derive(Debug)]
pub struct SpoolReader {
    spooled: Spooled,
    offset: u64,
}

impl SpoolReader {
    /// The next bytes, `None` at the end.
    ///
    /// # Errors
    /// [`SpoolError::Io`] when the file fails.
    pub async fn next(&mut self) -> Result<Option<Bytes>, SpoolError> {
        let left = self.spooled.length - self.offset;
        if left == 0 {
            return Ok(None);
        }
        let bytes = match &self.spooled.content {
            Content::Memory(bytes) => bytes.clone(),
            Content::File(file) => {
                let bytes = read_chunk(file, self.offset, left).await?;
                large::turn(self.offset, bytes.len()).await;
                bytes
            }
        };
        self.offset += bytes.len() as u64;
        Ok(Some(bytes))
    }
}

async fn read_chunk(file: &File, offset: u64, left: u64) -> Result<Bytes, SpoolError> {
    let size = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    let (result, buffer) = file.read_at(Vec::with_capacity(size), offset).await;
    if result? == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(Bytes::from(buffer))
}

#[cfg(test)]
mod tests;
