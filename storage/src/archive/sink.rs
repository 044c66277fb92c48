//! Where the bytes of an archive go: into a file, or through a thread that encrypts them into it.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, PipeWriter, Write};
use std::thread::JoinHandle;

use super::openpgp::{OpenPgpError, Recipients};

/// Bytes gathered before they go into the pipe or file.
const BUFFER: usize = 64 << 10;

/// An archive's bytes on their way into its file.
#[derive(Debug)]
pub(super) enum Sink {
    Plain(BufWriter<File>),
    Encrypted(Encrypting),
}

/// The library pulls what it encrypts, and the archive pushes: a pipe and a thread are between them.
#[derive(Debug)]
pub(super) struct Encrypting {
    plain: BufWriter<PipeWriter>,
    thread: JoinHandle<Result<File, OpenPgpError>>,
}

impl Sink {
    pub(super) fn new(file: File, recipients: Option<Recipients>) -> io::Result<Self> {
        let Some(recipients) = recipients else {
            return Ok(Self::Plain(BufWriter::with_capacity(BUFFER, file)));
        };
        let (reader, writer) = io::pipe()?;
        let thread = std::thread::Builder::new().name("archive-encryption".into());
        let thread = thread.spawn(move || {
            let mut out = BufWriter::with_capacity(BUFFER, file);
            recipients.encrypt(BufReader::with_capacity(BUFFER, reader), &mut out)?;
            out.into_inner()
                .map_err(|error| OpenPgpError::Io(error.into_error()))
        })?;
        Ok(Self::Encrypted(Encrypting {
            plain: BufWriter::with_capacity(BUFFER, writer),
            thread,
        }))
    }

    /// Writes what is left; the file has everything then, but is not synced.
    pub(super) fn finish(self) -> io::Result<File> {
        match self {
            Self::Plain(out) => Ok(out.into_inner()?),
            Self::Encrypted(Encrypting { plain, thread }) => {
                drop(plain.into_inner()?);
                let encrypted = thread.join();
                let encrypted = encrypted.map_err(|_| io::Error::other("the encrypting thread failed"))?;
                encrypted.map_err(io::Error::other)
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(data),
            Self::Encrypted(encrypting) => encrypting.plain.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Encrypted(encrypting) => encrypting.plain.flush(),
        }
    }
}
