//! Reads containers. What the directory says and what lies in the file must be the same, so that no other reader sees
//! other entries.

use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::read::ZipFile;

use super::{
    BatchTimeStamp, ENTRY_ASIC_MANIFEST, ENTRY_MANIFEST, ENTRY_MIME_TYPE, ENTRY_TIME_STAMP, MIME_TYPE,
};
use crate::document::MAX_DOCUMENT_BYTES;
use crate::file_name::{
    MESSAGE, SIG_HASH_CHAIN, SIG_HASH_CHAIN_RESULT, TS_HASH_CHAIN, TS_HASH_CHAIN_RESULT, entry, is_attachment,
};
use crate::hash_chain::{MAX_HASH_CHAIN_BYTES, PartDigest};
use crate::time_stamp::ALGORITHM;

/// Largest time-stamp token in bytes.
const MAX_TOKEN_BYTES: usize = 64 * 1024;
/// Largest manifest in bytes; its content is not looked at.
const MAX_MANIFEST_BYTES: usize = 1024 * 1024;

/// Bounds for reading a container from outside.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most entries.
    pub entries: usize,
    /// Largest `message.xml`, unpacked, in bytes. It is held in memory.
    pub message_bytes: usize,
    /// Largest sum of all entries, unpacked, in bytes. Attachments are digested as they are unpacked.
    pub total_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 1024,
            message_bytes: 64 * 1024 * 1024,
            total_bytes: 4 * 1024 * 1024 * 1024,
        }
    }
}

/// Why bytes are not a container.
#[derive(Debug, thiserror::Error)]
pub enum AsicError {
    /// Not a zip file that can be read.
    #[error("the container is not a readable zip file")]
    Zip(#[from] zip::result::ZipError),
    /// An entry cannot be unpacked.
    #[error("cannot unpack {name}")]
    Unpack {
        /// The entry.
        name: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The zip file is not plain: entries that the directory does not have, twice the same name, encryption.
    #[error("the container is ambiguous: {0}")]
    Ambiguous(&'static str),
    /// A bound is exceeded.
    #[error("the container is too large: {0}")]
    TooLarge(String),
    /// `mimetype` has other content.
    #[error("invalid mime type")]
    MimeType,
    /// An entry is missing or empty.
    #[error("{0} not found or is empty")]
    Missing(&'static str),
}

impl AsicError {
    /// The fault code (wire.md 1.8, 4.1).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::MimeType => "asic_invalid_mime_type",
            Self::Missing(name) => missing_code(name),
            _ => "asic_invalid_container",
        }
    }
}

fn missing_code(name: &str) -> &'static str {
    if name == ENTRY_MIME_TYPE {
        "asic_mime_type_not_found"
    } else if name == entry(MESSAGE) {
        "asic_message_not_found"
    } else if name == ENTRY_TIME_STAMP {
        "asic_timestamp_not_found"
    } else if name == entry(SIG_HASH_CHAIN) || name == entry(TS_HASH_CHAIN) {
        "asic_hash_chain_not_found"
    } else if name == entry(SIG_HASH_CHAIN_RESULT) || name == entry(TS_HASH_CHAIN_RESULT) {
        "asic_hash_chain_result_not_found"
    } else {
        "asic_signature_not_found"
    }
}

/// An attachment that is in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Its digest (SHA-512), with its name as signatures have it: `/attachment1`.
    pub digest: PartDigest,
    /// Its size in bytes.
    pub size: u64,
}

/// Hash chain result and hash chain.
type ChainPair = (Vec<u8>, Vec<u8>);

/// A container that was read. Nothing in it is verified yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    message: Vec<u8>,
    signature: Vec<u8>,
    hash_chain: Option<ChainPair>,
    ts_hash_chain: Option<ChainPair>,
    time_stamp: Option<Vec<u8>>,
    attachments: Vec<Attachment>,
}

impl Container {
    /// `message.xml`: SOAP message or REST part.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The signature document.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Hash chain result and hash chain of a batch signature.
    #[must_use]
    pub fn hash_chain(&self) -> Option<(&[u8], &[u8])> {
        self.hash_chain
            .as_ref()
            .map(|(result, chain)| (result.as_slice(), chain.as_slice()))
    }

    /// The batch time-stamp. Without one, the token is in the signature document.
    ///
    /// # Errors
    /// [`AsicError::Missing`] when there is a hash chain of a time-stamp and no token.
    pub fn batch_time_stamp(&self) -> Result<Option<BatchTimeStamp<'_>>, AsicError> {
        match (&self.ts_hash_chain, &self.time_stamp) {
            (Some((result, chain)), Some(token)) => Ok(Some(BatchTimeStamp { result, chain, token })),
            (Some(_), None) => Err(AsicError::Missing(ENTRY_TIME_STAMP)),
            (None, _) => Ok(None),
        }
    }

    /// The attachments, in the container's order.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }
}

/// Reads a container.
///
/// # Errors
/// See [`AsicError`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Container, AsicError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    check_directory(bytes, &mut archive, limits)?;
    let mut entries = Entries {
        budget: limits.total_bytes,
        limits: *limits,
        ..Entries::default()
    };
    for index in 0..archive.len() {
        entries.read(archive.by_index(index)?)?;
    }
    entries.container()
}

/// The entries must follow each other without gaps from the first byte to the directory, all listed, none twice.
fn check_directory(
    bytes: &[u8],
    archive: &mut ZipArchive<Cursor<&[u8]>>,
    limits: &Limits,
) -> Result<(), AsicError> {
    if archive.len() > limits.entries {
        return Err(AsicError::TooLarge(format!(
            "{} entries, at most {}",
            archive.len(),
            limits.entries
        )));
    }
    let mut spans = Vec::with_capacity(archive.len());
    let mut names = Vec::with_capacity(archive.len());
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index)?;
        let data = file
            .data_start()
            .ok_or(AsicError::Ambiguous("entry without data"))?;
        names.push(file.name()?.to_ascii_lowercase());
        spans.push((file.header_start(), data.saturating_add(file.compressed_size())));
        check_local_name(bytes, &file)?;
    }
    names.sort_unstable();
    if names
        .windows(2)
        .any(|pair| matches!(pair, [left, right] if left == right))
    {
        return Err(AsicError::Ambiguous("two entries have one name"));
    }
    check_spans(spans, archive.central_directory_start())
}

/// The name before the data must be the one in the directory, because some readers take that one.
fn check_local_name<R: Read + ?Sized>(bytes: &[u8], file: &ZipFile<'_, R>) -> Result<(), AsicError> {
    const NAME_LENGTH_OFFSET: usize = 26;
    const NAME_OFFSET: usize = 30;
    let local = usize::try_from(file.header_start()).ok().and_then(|start| {
        let header = bytes.get(start..)?;
        let length = header.get(NAME_LENGTH_OFFSET..NAME_LENGTH_OFFSET + 2)?;
        let length = usize::from(u16::from_le_bytes(length.try_into().ok()?));
        header.get(NAME_OFFSET..NAME_OFFSET + length)
    });
    if local == Some(file.name_raw()) {
        Ok(())
    } else {
        Err(AsicError::Ambiguous("an entry has two names"))
    }
}

/// Lengths of the data descriptor: none; CRC and sizes; the same with a signature.
const DESCRIPTORS: [u64; 3] = [0, 12, 16];

fn check_spans(mut spans: Vec<(u64, u64)>, directory: u64) -> Result<(), AsicError> {
    spans.sort_unstable();
    let starts = spans
        .iter()
        .map(|(start, _)| *start)
        .skip(1)
        .chain(std::iter::once(directory));
    let begins = spans.first().is_none_or(|(start, _)| *start == 0);
    let follows = spans.iter().zip(starts).all(|((_, end), next)| {
        next.checked_sub(*end)
            .is_some_and(|gap| DESCRIPTORS.contains(&gap))
    });
    if begins && follows {
        Ok(())
    } else {
        Err(AsicError::Ambiguous("bytes between the entries"))
    }
}

#[derive(Default)]
struct Entries {
    limits: Limits,
    budget: u64,
    mime_type: Vec<u8>,
    sig_result: Vec<u8>,
    sig_chain: Vec<u8>,
    ts_result: Vec<u8>,
    ts_chain: Vec<u8>,
    container: Container,
}

impl Entries {
    fn read<R: Read>(&mut self, file: ZipFile<'_, R>) -> Result<(), AsicError> {
        if file.encrypted() {
            return Err(AsicError::Ambiguous("encrypted entry"));
        }
        let name = file.name()?.into_owned();
        let part = format!("/{name}");
        match part.as_str() {
            MESSAGE => self.container.message = self.unpack(file, self.limits.message_bytes)?,
            SIG_HASH_CHAIN_RESULT => self.sig_result = self.unpack(file, MAX_HASH_CHAIN_BYTES)?,
            SIG_HASH_CHAIN => self.sig_chain = self.unpack(file, MAX_HASH_CHAIN_BYTES)?,
            TS_HASH_CHAIN_RESULT => self.ts_result = self.unpack(file, MAX_HASH_CHAIN_BYTES)?,
            TS_HASH_CHAIN => self.ts_chain = self.unpack(file, MAX_HASH_CHAIN_BYTES)?,
            _ if name == ENTRY_MIME_TYPE => self.mime_type = self.unpack(file, MIME_TYPE.len())?,
            _ if name == ENTRY_TIME_STAMP => {
                self.container.time_stamp = Some(self.unpack(file, MAX_TOKEN_BYTES)?)
            }
            _ if name == ENTRY_MANIFEST || name == ENTRY_ASIC_MANIFEST => {
                self.unpack(file, MAX_MANIFEST_BYTES)?;
            }
            _ if is_signature(&name) => self.signature(file)?,
            _ if is_attachment(&part) => self.attachment(part, file)?,
            // Other files are no part of the message. They are not unpacked.
            _ => {}
        }
        Ok(())
    }

    fn signature<R: Read>(&mut self, file: ZipFile<'_, R>) -> Result<(), AsicError> {
        if !self.container.signature.is_empty() {
            return Err(AsicError::Ambiguous("two signature documents"));
        }
        self.container.signature = self.unpack(file, MAX_DOCUMENT_BYTES)?;
        Ok(())
    }

    fn unpack<R: Read>(&mut self, file: ZipFile<'_, R>, limit: usize) -> Result<Vec<u8>, AsicError> {
        let name = file.name()?.into_owned();
        let bound = u64::try_from(limit).unwrap_or(u64::MAX).min(self.budget);
        let mut data = Vec::new();
        file.take(bound.saturating_add(1))
            .read_to_end(&mut data)
            .map_err(|source| AsicError::Unpack {
                name: name.clone(),
                source,
            })?;
        self.spend(u64::try_from(data.len()).unwrap_or(u64::MAX), bound, &name)?;
        Ok(data)
    }

    fn attachment<R: Read>(&mut self, part: String, file: ZipFile<'_, R>) -> Result<(), AsicError> {
        let mut hasher = ALGORITHM.hasher();
        let mut buffer = vec![0; 64 * 1024];
        let mut size = 0_u64;
        let mut data = file.take(self.budget.saturating_add(1));
        loop {
            let read = data.read(&mut buffer).map_err(|source| AsicError::Unpack {
                name: part.clone(),
                source,
            })?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            hasher.update(chunk);
            size += u64::try_from(read).unwrap_or(u64::MAX);
        }
        self.spend(size, self.budget, &part)?;
        let digest = PartDigest::new(part, ALGORITHM, hasher.finish());
        self.container.attachments.push(Attachment { digest, size });
        Ok(())
    }

    fn spend(&mut self, size: u64, bound: u64, name: &str) -> Result<(), AsicError> {
        if size > bound {
            return Err(AsicError::TooLarge(format!("{name} has more than {bound} bytes")));
        }
        self.budget -= size;
        Ok(())
    }

    fn container(mut self) -> Result<Container, AsicError> {
        if self.mime_type.is_empty() {
            return Err(AsicError::Missing(ENTRY_MIME_TYPE));
        }
        if !self.mime_type.eq_ignore_ascii_case(MIME_TYPE.as_bytes()) {
            return Err(AsicError::MimeType);
        }
        if self.container.message.is_empty() {
            return Err(AsicError::Missing(entry(MESSAGE)));
        }
        if self.container.signature.is_empty() {
            return Err(AsicError::Missing("META-INF/signatures.xml"));
        }
        if self.container.time_stamp.as_ref().is_some_and(Vec::is_empty) {
            return Err(AsicError::Missing(ENTRY_TIME_STAMP));
        }
        self.container.hash_chain = pair(
            self.sig_result,
            self.sig_chain,
            SIG_HASH_CHAIN_RESULT,
            SIG_HASH_CHAIN,
        )?;
        self.container.ts_hash_chain =
            pair(self.ts_result, self.ts_chain, TS_HASH_CHAIN_RESULT, TS_HASH_CHAIN)?;
        Ok(self.container)
    }
}

/// Result and chain come together or not at all.
fn pair(
    result: Vec<u8>,
    chain: Vec<u8>,
    result_name: &'static str,
    chain_name: &'static str,
) -> Result<Option<ChainPair>, AsicError> {
    match (result.is_empty(), chain.is_empty()) {
        (true, true) => Ok(None),
        (true, false) => Err(AsicError::Missing(entry(result_name))),
        (false, true) => Err(AsicError::Missing(entry(chain_name))),
        (false, false) => Ok(Some((result, chain))),
    }
}

/// `META-INF/*signatures*.xml`
fn is_signature(name: &str) -> bool {
    name.strip_prefix("META-INF/")
        .and_then(|name| name.strip_suffix(".xml"))
        .is_some_and(|name| name.contains("signatures"))
}
