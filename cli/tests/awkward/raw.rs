//! An information system that says exactly what a test wants said.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::information_system::Message;

/// How long anything may take.
const LIMIT: Duration = Duration::from_secs(120);
/// The header of the sandbox's service client, with its line end.
pub(crate) const CLIENT: &str = "X-Road-Client: SANDBOX/ORG/1001/client\r\n";

pub(crate) struct Raw {
    stream: BufReader<TcpStream>,
    /// Statuses of interim responses that came.
    pub interim: Vec<u16>,
}

impl Raw {
    pub(crate) fn connect(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect(to).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        Self {
            stream: BufReader::new(stream),
            interim: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Sends what the server may not want to have whole.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    pub(crate) fn get(&mut self, path: &str) -> &mut Self {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{CLIENT}\r\n"))
    }

    /// The head of a request with a body, `framing` saying of what length.
    pub(crate) fn post(&mut self, path: &str, framing: &str) -> &mut Self {
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\n{CLIENT}Content-Type: application/octet-stream\r\n{framing}\r\n\r\n"
        ))
    }

    /// Nothing more is sent.
    pub(crate) fn finish(&mut self) -> &mut Self {
        self.stream.get_mut().shutdown(Shutdown::Write).unwrap();
        self
    }

    /// The next final response; none when the connection ends before it.
    pub(crate) fn answer(&mut self) -> Option<Message> {
        loop {
            let message = Message::read(&mut self.stream).ok()?;
            match message.status() {
                status @ ..200 => self.interim.push(status),
                _ => return Some(message),
            }
        }
    }

    /// The head of the next response, for a body that is read by hand.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) fn stream(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.stream
    }

    /// Whether the server has closed the connection and said nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        !matches!(self.stream.read(&mut [0]), Ok(1..))
    }

    /// Whether something comes within this time.
    #[allow(dead_code, reason = "not every test that has this file waits")]
    pub(crate) fn has_answer(&mut self, within: Duration) -> bool {
        self.stream.get_mut().set_read_timeout(Some(within)).unwrap();
        let came = self.stream.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
        self.stream.get_mut().set_read_timeout(Some(LIMIT)).unwrap();
        came
    }

    /// Whether the connection serves another request.
    pub(crate) fn serves(&mut self, path: &str) -> bool {
        self.get(path);
        self.answer().is_some_and(|answer| answer.status() == 200)
    }
}
