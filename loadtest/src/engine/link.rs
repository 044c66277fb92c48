//! A connection's socket, plain or TLS, that never blocks.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use bytes::BytesMut;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::request::Target;

/// A socket on its way to a target, or connected to it.
#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    tls: Option<Box<ClientConnection>>,
    /// Received and not used yet.
    pub(crate) inbox: BytesMut,
}

/// What came of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// As much as there was room for; there may be more.
    More,
    /// All there was: with edges, what comes later is a new event.
    All,
    /// Nothing now.
    Nothing,
    /// The other side will send nothing more.
    End,
}

impl Link {
    /// Begins to connect.
    pub(crate) fn connect(target: &Target, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(target.address),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&SockAddr::from(target.address)) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        let tls = match tls.filter(|_| target.tls) {
            None => None,
            Some(config) => Some(Box::new(session(target, config)?)),
        };
        Ok(Self {
            socket,
            tls,
            inbox: BytesMut::new(),
        })
    }

    /// Whether the connection is made; an error when it cannot be.
    pub(crate) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes on with the TLS handshake; whether it is done.
    pub(crate) fn shake_hands(&mut self) -> io::Result<bool> {
        let Some(tls) = &mut self.tls else {
            return Ok(true);
        };
        loop {
            let written = write_out(tls, &self.socket)?;
            if !tls.is_handshaking() {
                return Ok(true);
            }
            match tls.read_tls(&mut &self.socket) {
                Ok(0) => return Err(io::Error::from(ErrorKind::UnexpectedEof)),
                Ok(_) => {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // An alert of ours, or the end of the handshake, may still have to go out.
                    if !written || !tls.wants_write() {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends some of `data`; how many bytes were taken, 0 when none can be now.
    pub(crate) fn send(&mut self, data: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return or_nothing((&self.socket).write(data));
        };
        if !write_out(tls, &self.socket)? {
            return Ok(0);
        }
        let taken = tls.writer().write(data)?;
        write_out(tls, &self.socket)?;
        Ok(taken)
    }

    /// Sends what TLS still holds; whether all of it is out.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        match &mut self.tls {
            None => Ok(true),
            Some(tls) => write_out(tls, &self.socket),
        }
    }

    /// Receives into the inbox.
    pub(crate) fn receive(&mut self, scratch: &mut [u8]) -> io::Result<Received> {
        let count = match (&self.socket).read(scratch) {
            Ok(0) => return Ok(Received::End),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::Nothing),
            Err(error) => return Err(error),
        };
        let received = scratch.get(..count).unwrap_or_default();
        match &mut self.tls {
            None => self.inbox.extend_from_slice(received),
            Some(tls) => {
                if decrypt(tls, received, &mut self.inbox)? {
                    return Ok(Received::End);
                }
                write_out(tls, &self.socket)?;
            }
        }
        Ok(if count == scratch.len() {
            Received::More
        } else {
            Received::All
        })
    }

    /// The socket, for epoll.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn session(target: &Target, config: &Arc<ClientConfig>) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
    ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)
}

/// Sends what TLS holds; whether all of it is out.
fn write_out(tls: &mut ClientConnection, socket: &Socket) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(&mut &*socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Moves received bytes through TLS into the inbox; whether the other side has closed.
fn decrypt(tls: &mut ClientConnection, mut received: &[u8], inbox: &mut BytesMut) -> io::Result<bool> {
    let mut closed = false;
    while !received.is_empty() && !closed {
        tls.read_tls(&mut received)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        closed = state.peer_has_closed();
        take_plaintext(tls, inbox)?;
    }
    Ok(closed && inbox.is_empty())
}

fn take_plaintext(tls: &mut ClientConnection, inbox: &mut BytesMut) -> io::Result<()> {
    let mut reader = tls.reader();
    loop {
        let count = match reader.fill_buf() {
            Ok(plaintext) => {
                inbox.extend_from_slice(plaintext);
                plaintext.len()
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if count == 0 {
            return Ok(());
        }
        reader.consume(count);
    }
}

fn or_nothing(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}
