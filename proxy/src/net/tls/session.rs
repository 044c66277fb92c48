//! An established TLS session: plaintext in and out of the rustls connection.

use std::cell::RefCell;
use std::io::{self, BufRead, Write};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustls::{CipherSuite, Connection, HandshakeKind, ProtocolVersion};

use super::TlsPeer;
use crate::net::read_pump::ReadPump;
use crate::net::stream::{Writer, reserve};

/// The rustls connection that both directions share. Borrowed for moments only, never over an await.
pub(crate) struct TlsSession {
    connection: RefCell<Connection>,
    peer: Rc<TlsPeer>,
}

impl TlsSession {
    /// Takes over a connection whose handshake is done.
    pub(crate) fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(None);
        let peer = TlsPeer {
            certificates: connection
                .peer_certificates()
                .map(<[_]>::to_vec)
                .unwrap_or_default(),
            version: connection
                .protocol_version()
                .unwrap_or(ProtocolVersion::Unknown(0)),
            cipher_suite: connection
                .negotiated_cipher_suite()
                .map_or(CipherSuite::Unknown(0), |suite| suite.suite()),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        };
        Self {
            connection: RefCell::new(connection),
            peer: Rc::new(peer),
        }
    }

    pub(crate) fn peer(&self) -> Rc<TlsPeer> {
        Rc::clone(&self.peer)
    }

    /// Encrypts into the session's own buffer; [`Self::take_ciphertext`] gets it out.
    pub(crate) fn accept_plaintext(&self, first: &[u8], second: Option<&[u8]>) -> io::Result<()> {
        let mut connection = self.connection.borrow_mut();
        connection.writer().write_all(first)?;
        connection.writer().write_all(second.unwrap_or_default())
    }

    /// Appends all ciphertext that waits to be sent.
    pub(crate) fn take_ciphertext(&self, out: &mut Vec<u8>) -> io::Result<()> {
        take_ciphertext(&mut self.connection.borrow_mut(), out)
    }

    pub(crate) fn send_close_notify(&self) {
        self.connection.borrow_mut().send_close_notify();
    }

    fn wants_write(&self) -> bool {
        self.connection.borrow().wants_write()
    }
}

/// Appends all ciphertext that a connection has to send.
pub(crate) fn take_ciphertext(connection: &mut Connection, out: &mut Vec<u8>) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(out)?;
    }
    Ok(())
}

/// The receiving direction of a session.
pub(crate) struct TlsReceiver {
    session: Rc<TlsSession>,
    /// Received and not yet given to rustls.
    ciphertext: BytesMut,
    /// For what rustls answers by itself.
    writer: Writer,
    peer_closed: bool,
    transport_ended: bool,
}

impl TlsReceiver {
    pub(crate) fn new(session: Rc<TlsSession>, ciphertext: BytesMut, writer: Writer) -> Self {
        Self {
            session,
            ciphertext,
            writer,
            peer_closed: false,
            transport_ended: false,
        }
    }

    /// Appends plaintext to `buffer`; `Ok(0)` after the peer's `close_notify`.
    pub(crate) fn poll_fill(
        &mut self,
        pump: &mut ReadPump,
        buffer: &mut BytesMut,
        read_size: usize,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if !pump.is_pending() {
                let decrypted = self.decrypt(buffer);
                self.answer();
                match decrypted {
                    Ok(0) if self.peer_closed => return Poll::Ready(Ok(0)),
                    Ok(0) if self.transport_ended => {
                        return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
                    }
                    Ok(0) => {}
                    finished => return Poll::Ready(finished),
                }
            }
            let (result, returned) = ready!(pump.poll_read(context, || self.take_buffer(read_size)));
            self.ciphertext = returned;
            self.transport_ended = result? == 0;
        }
    }

    fn take_buffer(&mut self, read_size: usize) -> BytesMut {
        let mut taken = std::mem::take(&mut self.ciphertext);
        reserve(&mut taken, read_size);
        taken
    }

    /// Moves what is received through rustls; returns how many bytes of plaintext came out.
    fn decrypt(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        let mut connection = self.session.connection.borrow_mut();
        let before = buffer.len();
        take_plaintext(&mut connection, buffer)?;
        while !self.ciphertext.is_empty() && !self.peer_closed {
            let taken = connection.read_tls(&mut &self.ciphertext[..])?;
            self.ciphertext.advance(taken);
            let state = connection.process_new_packets().map_err(io::Error::other)?;
            self.peer_closed = state.peer_has_closed();
            take_plaintext(&mut connection, buffer)?;
        }
        Ok(buffer.len() - before)
    }

    /// Sends tickets, key updates and alerts without letting the reader wait for the peer to take them.
    fn answer(&self) {
        if self.session.wants_write() && !self.writer.is_broken() {
            let writer = self.writer.clone();
            monoio::spawn(async move {
                // A failure shows at the next read or write.
                let _ = writer.flush_session().await;
            });
        }
    }
}

/// Moves decrypted bytes out of rustls.
fn take_plaintext(connection: &mut Connection, buffer: &mut BytesMut) -> io::Result<()> {
    let mut reader = connection.reader();
    loop {
        let taken = match reader.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(plaintext) => {
                buffer.extend_from_slice(plaintext);
                plaintext.len()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        reader.consume(taken);
    }
}
