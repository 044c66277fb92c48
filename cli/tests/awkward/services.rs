//! Providers' information systems that behave as the example service does not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::information_system::{Message, TEXT_XML};

/// Serves each connection in a thread of its own, until the test's process ends.
fn serve(net: u8, serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((format!("127.0.{net}.40"), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    address
}

/// Keeps what it was asked last, and answers with repeated headers.
pub(crate) struct Keeper {
    pub address: SocketAddr,
    last: Arc<Mutex<Message>>,
}

impl Keeper {
    pub(crate) fn last(&self) -> Message {
        self.last.lock().unwrap().clone()
    }
}

pub(crate) fn keeper(net: u8) -> Keeper {
    let last = Arc::new(Mutex::new(Message::default()));
    let shared = Arc::clone(&last);
    let address = serve(net, move |mut stream| {
        let asked = Message::read(&mut BufReader::new(&stream))?;
        *shared.lock().unwrap() = asked;
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nX-Answer: 1\r\nSet-Cookie: a=1\r\nx-answer: 2\r\nSet-Cookie: b=2\r\n\
              Connection: close\r\nContent-Length: 2\r\n\r\nok",
        )
    });
    Keeper { address, last }
}

/// Answers with status 202 as soon as it has the head of a request, takes the body afterwards and counts it.
pub(crate) fn hasty(net: u8) -> (SocketAddr, Arc<Mutex<u64>>) {
    let taken = Arc::new(Mutex::new(0));
    let shared = Arc::clone(&taken);
    let address = serve(net, move |stream| {
        let mut reader = BufReader::new(&stream);
        let head = head(&mut reader)?;
        let mut out = &stream;
        out.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok")?;
        let length = length(&head).unwrap_or_default();
        let count = std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
        *shared.lock().unwrap() = count;
        Ok(())
    });
    (address, taken)
}

/// A SOAP service that swallows its request, however large, and answers with an attachment of so many bytes. Tells the
/// length of the last request.
pub(crate) fn soap(net: u8, envelope: String, attachment: u64) -> (SocketAddr, Arc<Mutex<u64>>) {
    let asked = Arc::new(Mutex::new(0));
    let shared = Arc::clone(&asked);
    let address = serve(net, move |stream| {
        let mut reader = BufReader::with_capacity(256 * 1024, &stream);
        let head = head(&mut reader)?;
        let count = match length(&head) {
            Some(length) => std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?,
            None => skip_chunks(&mut reader)?,
        };
        *shared.lock().unwrap() = count;
        let mut out = &stream;
        out.write_all(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\
              Content-Type: multipart/related; type=\"text/xml\"; boundary=large\r\n\r\n",
        )?;
        out.write_all(related_start("large", &envelope).as_bytes())?;
        pattern(&mut out, attachment)?;
        out.write_all(b"\r\n--large--\r\n")?;
        out.flush()
    });
    (address, asked)
}

/// What stands before the bytes of the only attachment of a message.
pub(crate) fn related_start(boundary: &str, envelope: &str) -> String {
    format!(
        "--{boundary}\r\nContent-Type: {TEXT_XML}\r\n\r\n{envelope}\r\n--{boundary}\r\n\
         Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    )
}

/// Writes so many bytes.
pub(crate) fn pattern(out: &mut impl Write, length: u64) -> std::io::Result<()> {
    let block: Vec<u8> = (0..=250).cycle().take(256 * 1024).collect();
    let mut left = length;
    while left > 0 {
        let count = usize::try_from(left).unwrap_or(block.len()).min(block.len());
        out.write_all(&block[..count])?;
        left -= count as u64;
    }
    Ok(())
}

fn head(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head.to_ascii_lowercase())
}

fn length(head: &str) -> Option<u64> {
    let (_, rest) = head.split_once("content-length:")?;
    rest.lines().next()?.trim().parse().ok()
}

/// Reads a chunked body and counts its bytes.
pub(crate) fn skip_chunks(reader: &mut impl BufRead) -> std::io::Result<u64> {
    let mut count = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        count += std::io::copy(&mut reader.by_ref().take(size), &mut std::io::sink())?;
        reader.read_line(&mut line)?;
        if size == 0 {
            return Ok(count);
        }
    }
}
