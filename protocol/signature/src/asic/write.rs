//! Writes containers, entry by entry, so that attachments stream.

use std::io::{self, Read, Write};

use time::OffsetDateTime;

use super::{
    BatchTimeStamp, ENTRY_ASIC_MANIFEST, ENTRY_MANIFEST, ENTRY_MIME_TYPE, ENTRY_TIME_STAMP, MIME_TYPE,
    manifest,
};
use crate::file_name::{
    self, MESSAGE, SIG_HASH_CHAIN, SIG_HASH_CHAIN_RESULT, SIGNATURE, TS_HASH_CHAIN, TS_HASH_CHAIN_RESULT,
    entry,
};
use crate::zip_stream::{Level, ZipStream};

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
    zip: ZipStream<W>,
    created: OffsetDateTime,
    attachments: usize,
}

impl<W: Write> Writer<W> {
    /// Writes all entries but the attachments; `created` is their time of modification.
    ///
    /// # Errors
    /// Errors of `out`.
    pub fn new(out: W, contents: &Contents<'_>, created: OffsetDateTime) -> io::Result<Self> {
        let mut writer = Self {
            zip: ZipStream::new(out),
            created,
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
    pub fn finish(self) -> io::Result<W> {
        self.zip.finish(&format!("mimetype={MIME_TYPE}"))
    }

    fn entry(&mut self, name: &str, data: &mut dyn Read) -> io::Result<()> {
        let mut entry = self.zip.entry(name, self.created, Level::Normal)?;
        io::copy(data, &mut entry)?;
        entry.finish()
    }
}
