//! Where the bytes of an archive or a download go: as they are, or through a thread that encrypts them.

use std::io::{self, BufReader, BufWriter, PipeWriter, Write};
use std::thread::JoinHandle;

use super::openpgp::{OpenPgpError, Recipients};

/// Bytes gathered before they go into the pipe or come out of it.
const BUFFER: usize = 64 << 10;

/// Takes bytes for `W`, and encrypts them on their way if they are for somebody.
#[derive(Debug)]
pub struct Sink<W>(Way<W>);

#[derive(Debug)]
enum Way<W> {
    Plain(W),
    Encrypted(Encrypting<W>),
}

/// The library pulls what it encrypts, and whoever writes pushes: a pipe and a thread are between them.
#[derive(Debug)]
struct Encrypting<W> {
    plain: BufWriter<PipeWriter>,
    /// None once it is known how the thread ended.
    thread: Option<JoinHandle<Result<W, OpenPgpError>>>,
}

impl<W: Write + Send + 'static> Sink<W> {
    /// Writes to `out`, encrypted if there are recipients.
    ///
    /// # Errors
    /// When the system gives no pipe or thread.
    pub fn new(out: W, recipients: Option<Recipients>) -> io::Result<Self> {
        let way = match recipients {
            None => Way::Plain(out),
            Some(recipients) => Way::Encrypted(Encrypting::start(out, recipients)?),
        };
        Ok(Self(way))
    }

    /// Writes what is left. Without it what was written is of no use.
    ///
    /// # Errors
    /// What went wrong with `out` or with encrypting.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Way::Plain(out) => Ok(out),
            Way::Encrypted(encrypting) => encrypting.finish(),
        }
    }
}

impl<W: Write + Send + 'static> Encrypting<W> {
    fn start(mut out: W, recipients: Recipients) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let thread = std::thread::Builder::new().name("archive-encryption".into());
        let thread = thread.spawn(move || {
            recipients.encrypt(BufReader::with_capacity(BUFFER, reader), &mut out)?;
            Ok(out)
        })?;
        Ok(Self {
            plain: BufWriter::with_capacity(BUFFER, writer),
            thread: Some(thread),
        })
    }

    fn finish(mut self) -> io::Result<W> {
        let flushed = self.plain.flush();
        let Self { plain, thread } = self;
        // The end of the pipe is the end of the message.
        drop(plain);
        let out = join(thread)?;
        flushed.map(|()| out)
    }
}

impl<W> Encrypting<W> {
    /// A pipe breaks when the thread has ended, and the thread knows why.
    fn cause(&mut self, broken: io::Error) -> io::Error {
        if broken.kind() != io::ErrorKind::BrokenPipe {
            return broken;
        }
        join(self.thread.take()).err().unwrap_or(broken)
    }
}

fn join<W>(thread: Option<JoinHandle<Result<W, OpenPgpError>>>) -> io::Result<W> {
    let failed = || io::Error::other("the encrypting thread failed");
    let ended = thread.ok_or_else(failed)?.join().map_err(|_| failed())?;
    ended.map_err(io::Error::other)
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Way::Plain(out) => out.write(data),
            Way::Encrypted(encrypting) => {
                let written = encrypting.plain.write(data);
                written.map_err(|error| encrypting.cause(error))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Way::Plain(out) => out.flush(),
            Way::Encrypted(encrypting) => {
                let flushed = encrypting.plain.flush();
                flushed.map_err(|error| encrypting.cause(error))
            }
        }
    }
}
