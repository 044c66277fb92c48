//! Writes containers, entry by entry, so that attachments stream.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use time::OffsetDateTime;

use super::{
    BatchTimeStamp, ENTRY_ASIC_MANIFEST, ENTRY_MANIFEST, ENTRY_MIME_TYPE, ENTRY_TIME_STAMP, MIME_TYPE,
    manifest,
};
use crate::file_name::{
    self, MESSAGE, SIG_HASH_CHAIN, SIG_HASH_CHAIN_RESULT, SIGNATURE, TS_HASH_CHAIN, TS_HASH_CHAIN_RESULT,
    entry,
};

/// What a container holds beside attachments.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// The SOAP message or REST part as it was logged.
    pub message: &'a [u8],
    /// The signature document, with the embedded token when it was stamped alone.
    pub signature: &'a [u8],
    /// Hash chain result and hash chain of a batch signature.
    pub hash_chain: Option<(&'a [u8], &'a [u8])>,
    /// The batch time-stamp, when the document was stamped in a batch.
    pub time_stamp: Option<BatchTimeStamp<'a>>,
    /// How many attachments follow.
    pub attachments: usize,
}

impl<'a> Contents<'a> {
    /// The entries outside META-INF and after the signature, in order.
    fn chains(&self) -> Vec<(&'static str, &'a [u8])> {
        let mut chains = Vec::with_capacity(4);
        if let Some((result, chain)) = self.hash_chain {
            chains.extend([
                (entry(SIG_HASH_CHAIN_RESULT), result),
                (entry(SIG_HASH_CHAIN), chain),
            ]);
        }
        if let Some(stamp) = &self.time_stamp {
            chains.extend([
                (entry(TS_HASH_CHAIN_RESULT), stamp.result),
                (entry(TS_HASH_CHAIN), stamp.chain),
            ]);
        }
        chains
    }

    fn manifest(&self) -> String {
        let attachments: Vec<String> = (1..=self.attachments).map(attachment_entry).collect();
        let files = std::iter::once(entry(MESSAGE)).chain(self.chains().into_iter().map(|(name, _)| name));
        manifest::open_document(
            files.map(|name| (name, "text/xml")).chain(
                attachments
                    .iter()
                    .map(|name| (name.as_str(), "application/octet-stream")),
            ),
        )
    }
}

fn attachment_entry(number: usize) -> String {
    entry(&file_name::attachment(number)).to_owned()
}

/// Writes one container. Everything is deflated, also `mimetype`, because everybody's containers are (wire.md 4.1).
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: Counted<W>,
    created: OffsetDateTime,
    directory: Vec<DirectoryEntry>,
    attachments: usize,
}

impl<W: Write> Writer<W> {
    /// Writes all entries but the attachments; `created` is their time of modification.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn new(out: W, contents: &Contents<'_>, created: OffsetDateTime) -> io::Result<Self> {
        let mut writer = Self {
            out: Counted { inner: out, count: 0 },
            created,
            directory: Vec::new(),
            attachments: 0,
        };
        writer.entry(ENTRY_MIME_TYPE, &mut MIME_TYPE.as_bytes())?;
        writer.entry(entry(MESSAGE), &mut &*contents.message)?;
        writer.entry(entry(SIGNATURE), &mut &*contents.signature)?;
        for (name, mut data) in contents.chains() {
            writer.entry(name, &mut data)?;
        }
        writer.entry(ENTRY_MANIFEST, &mut contents.manifest().as_bytes())?;
        if let Some(stamp) = &contents.time_stamp {
            writer.entry(ENTRY_ASIC_MANIFEST, &mut manifest::asic(stamp.result).as_bytes())?;
            writer.entry(ENTRY_TIME_STAMP, &mut &*stamp.token)?;
        }
        Ok(writer)
    }

    /// Writes the next attachment, as many as [`Contents::attachments`] announced.
    ///
    /// # Errors
    /// Errors of the container or of `data`.
    pub fn attachment(&mut self, data: &mut dyn Read) -> io::Result<()> {
        self.attachments += 1;
        self.entry(&attachment_entry(self.attachments), data)
    }

    /// Writes the directory and gives the output back.
    ///
    /// # Errors
    /// Errors of the output.
    pub fn finish(mut self) -> io::Result<W> {
        let start = self.out.count;
        for entry in &self.directory {
            let record = entry.record()?;
            self.out.write_all(&record)?;
        }
        let end = end_of_directory(self.directory.len(), start, self.out.count - start)?;
        self.out.write_all(&end)?;
        self.out.flush()?;
        Ok(self.out.inner)
    }

    fn entry(&mut self, name: &str, data: &mut dyn Read) -> io::Result<()> {
        let mut entry = DirectoryEntry::new(name, self.created, self.out.count);
        let header = entry.local_header()?;
        self.out.write_all(&header)?;
        let start = self.out.count;
        let mut source = Checked {
            inner: data,
            crc: flate2::Crc::new(),
            count: 0,
        };
        let mut encoder = DeflateEncoder::new(&mut self.out, Compression::default());
        io::copy(&mut source, &mut encoder)?;
        encoder.finish()?;
        entry.crc = source.crc.sum();
        entry.size = source.count;
        entry.compressed = self.out.count - start;
        let descriptor = entry.descriptor()?;
        self.out.write_all(&descriptor)?;
        self.directory.push(entry);
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

fn end_of_directory(entries: usize, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let comment = format!("mimetype={MIME_TYPE}");
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

/// Sizes and offsets have 32 bits: containers end at 4 GiB.
fn small(value: u64) -> io::Result<u32> {
    u32::try_from(value).map_err(too_large)
}

fn too_large(_: std::num::TryFromIntError) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "the container is larger than 4 GiB")
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

/// Digests what is read, for the CRC and the size that follow the data.
struct Checked<'a> {
    inner: &'a mut dyn Read,
    crc: flate2::Crc,
    count: u64,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.crc.update(buffer.get(..read).unwrap_or_default());
        self.count += u64::try_from(read).unwrap_or(u64::MAX);
        Ok(read)
    }
}
