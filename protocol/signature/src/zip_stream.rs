//! Writes zip files as streams: nothing is read back or rewritten, so the output may be a pipe.
//!
//! Every entry is deflated and followed by its sizes. Containers are written with it, and what gathers containers:
//! archives of the message log and downloads (wire.md 4.1, 4.4, 4.6). Files end at 4 GiB and 65,535 entries.

use std::io::{self, Write};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use time::OffsetDateTime;

/// How hard an entry is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Deflate without compression, for what is compressed already.
    Zero,
    /// Deflate's usual level.
    Normal,
}

/// A zip file under way.
#[derive(Debug)]
pub struct ZipStream<W: Write> {
    out: Counted<W>,
    directory: Vec<DirectoryEntry>,
}

impl<W: Write> ZipStream<W> {
    /// An empty zip file.
    pub const fn new(out: W) -> Self {
        Self {
            out: Counted { inner: out, count: 0 },
            directory: Vec::new(),
        }
    }

    /// Begins an entry, `modified` being its time of modification. It must be finished.
    ///
    /// # Errors
    /// Errors of the output; [`io::ErrorKind::FileTooLarge`].
    pub fn entry(
        &mut self,
        name: &str,
        modified: OffsetDateTime,
        level: Level,
    ) -> io::Result<EntryWriter<'_, W>> {
        let entry = DirectoryEntry::new(name, modified, self.out.count);
        let header = entry.local_header()?;
        self.out.write_all(&header)?;
        let start = self.out.count;
        let level = match level {
            Level::Zero => Compression::none(),
            Level::Normal => Compression::default(),
        };
        Ok(EntryWriter {
            encoder: DeflateEncoder::new(&mut self.out, level),
            directory: &mut self.directory,
            entry,
            crc: Crc::new(),
            start,
        })
    }

    /// Writes the directory and gives the output back, flushed.
    ///
    /// # Errors
    /// Errors of the output; [`io::ErrorKind::FileTooLarge`].
    pub fn finish(mut self, comment: &str) -> io::Result<W> {
        let start = self.out.count;
        for entry in &self.directory {
            let record = entry.record()?;
            self.out.write_all(&record)?;
        }
        let length = self.out.count - start;
        let end = end_of_directory(self.directory.len(), start, length, comment)?;
        self.out.write_all(&end)?;
        self.out.flush()?;
        Ok(self.out.inner)
    }
}

/// An entry under way; write its content into it, then finish it.
#[derive(Debug)]
#[must_use = "an entry that is not finished is not in the zip file"]
pub struct EntryWriter<'a, W: Write> {
    encoder: DeflateEncoder<&'a mut Counted<W>>,
    directory: &'a mut Vec<DirectoryEntry>,
    entry: DirectoryEntry,
    crc: Crc,
    start: u64,
}

impl<W: Write> EntryWriter<'_, W> {
    /// Writes what follows the content.
    ///
    /// # Errors
    /// Errors of the output; [`io::ErrorKind::FileTooLarge`].
    pub fn finish(mut self) -> io::Result<()> {
        let out = self.encoder.finish()?;
        self.entry.crc = self.crc.sum();
        self.entry.compressed = out.count - self.start;
        out.write_all(&self.entry.descriptor()?)?;
        self.directory.push(self.entry);
        Ok(())
    }
}

impl<W: Write> Write for EntryWriter<'_, W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(data)?;
        self.crc.update(data.get(..written).unwrap_or_default());
        self.entry.size += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Flag bits: sizes follow the data, names are UTF-8.
const FLAGS: u16 = 0x0808;
/// Version 2.0, for deflate.
const VERSION: u16 = 20;
const DEFLATED: u16 = 8;

#[derive(Debug)]
struct DirectoryEntry {
    name: String,
    modified: OffsetDateTime,
    offset: u64,
    crc: u32,
    size: u64,
    compressed: u64,
}

impl DirectoryEntry {
    fn new(name: &str, modified: OffsetDateTime, offset: u64) -> Self {
        Self {
            name: name.to_owned(),
            modified,
            offset,
            crc: 0,
            size: 0,
            compressed: 0,
        }
    }

    fn local_header(&self) -> io::Result<Vec<u8>> {
        let mut header = Vec::with_capacity(64);
        header.extend_from_slice(b"PK\x03\x04");
        header.extend_from_slice(&VERSION.to_le_bytes());
        self.common(&mut header, [0, 0, 0])?;
        header.extend_from_slice(self.name.as_bytes());
        header.extend_from_slice(&self.extended_time_stamp());
        Ok(header)
    }

    fn descriptor(&self) -> io::Result<Vec<u8>> {
        let mut descriptor = b"PK\x07\x08".to_vec();
        for value in self.sizes()? {
            descriptor.extend_from_slice(&value.to_le_bytes());
        }
        Ok(descriptor)
    }

    /// The entry's record in the central directory.
    fn record(&self) -> io::Result<Vec<u8>> {
        let mut record = Vec::with_capacity(96);
        record.extend_from_slice(b"PK\x01\x02");
        record.extend_from_slice(&VERSION.to_le_bytes());
        record.extend_from_slice(&VERSION.to_le_bytes());
        self.common(&mut record, self.sizes()?)?;
        // No comment, disk 0, no attributes.
        record.extend_from_slice(&[0; 10]);
        record.extend_from_slice(&small(self.offset)?.to_le_bytes());
        record.extend_from_slice(self.name.as_bytes());
        record.extend_from_slice(&self.extended_time_stamp());
        Ok(record)
    }

    fn sizes(&self) -> io::Result<[u32; 3]> {
        Ok([self.crc, small(self.compressed)?, small(self.size)?])
    }

    /// The fields that local header and directory record share: flags, method, time, sizes, lengths.
    fn common(&self, out: &mut Vec<u8>, sizes: [u32; 3]) -> io::Result<()> {
        let (time, date) = dos_time(self.modified);
        for value in [FLAGS, DEFLATED, time, date] {
            out.extend_from_slice(&value.to_le_bytes());
        }
        for value in sizes {
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.extend_from_slice(&u16::try_from(self.name.len()).map_err(too_large)?.to_le_bytes());
        out.extend_from_slice(&9_u16.to_le_bytes());
        Ok(())
    }

    /// Extra field `UT`: the time of modification in seconds since 1970.
    fn extended_time_stamp(&self) -> [u8; 9] {
        let seconds = i32::try_from(self.modified.unix_timestamp()).unwrap_or(i32::MAX);
        let [a, b, c, d] = seconds.to_le_bytes();
        [b'U', b'T', 5, 0, 1, a, b, c, d]
    }
}

fn end_of_directory(entries: usize, start: u64, length: u64, comment: &str) -> io::Result<Vec<u8>> {
    let entries = u16::try_from(entries).map_err(too_large)?.to_le_bytes();
    let mut end = b"PK\x05\x06\0\0\0\0".to_vec();
    end.extend_from_slice(&entries);
    end.extend_from_slice(&entries);
    end.extend_from_slice(&small(length)?.to_le_bytes());
    end.extend_from_slice(&small(start)?.to_le_bytes());
    end.extend_from_slice(&u16::try_from(comment.len()).map_err(too_large)?.to_le_bytes());
    end.extend_from_slice(comment.as_bytes());
    Ok(end)
}

/// Time and date as MS-DOS has them, in UTC; years before 1980 are 1980.
fn dos_time(at: OffsetDateTime) -> (u16, u16) {
    let at = at.to_offset(time::UtcOffset::UTC);
    let years = u16::try_from((at.year() - 1980).clamp(0, 127)).unwrap_or(0);
    let time = (u16::from(at.hour()) << 11) | (u16::from(at.minute()) << 5) | (u16::from(at.second()) >> 1);
    let date = (years << 9) | (u16::from(u8::from(at.month())) << 5) | u16::from(at.day());
    (time, date)
}

/// Sizes and offsets have 32 bits: zip files end at 4 GiB.
fn small(value: u64) -> io::Result<u32> {
    u32::try_from(value).map_err(too_large)
}

fn too_large(_: std::num::TryFromIntError) -> io::Error {
    io::Error::new(
        io::ErrorKind::FileTooLarge,
        "the zip file is larger than 4 GiB or has more than 65535 entries",
    )
}

#[derive(Debug)]
struct Counted<W> {
    inner: W,
    count: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(data)?;
        self.count += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
