//! One connection: this thread reads, another writes.

use std::{
    io::{self, Write},
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
    time::Duration,
};

use signer_client::{
    PROTOCOL_VERSION,
    frame::{self, ClientFrame, FrameError, FrameReader, MAGIC, ServerFrame},
};

use super::ticket::{Outbox, Outgoing, Ticket};
use crate::service::{Role, Service};

/// The greeting must come within this time.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that does not read its answers for this long is cut off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether a full connection has room again.
const PAUSE_WHEN_FULL: Duration = Duration::from_millis(1);
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 256 * 1024;

/// Tells the client why its connection ends.
pub(super) fn refuse(mut stream: &UnixStream, reason: &str) -> io::Result<()> {
    let mut out = Vec::new();
    let refused = ServerFrame::Refused {
        reason: reason.to_owned(),
    };
    if frame::encode(&refused, &mut out).is_ok() {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        stream.write_all(&out)?;
    }
    Ok(())
}

/// Serves the connection until the client closes it, breaks the protocol, or the server stops.
pub(super) fn serve(service: &Service, role: Role, uid: u32, stream: UnixStream) {
    let mut frames = FrameReader::default();
    let peer = match greet(&stream, &mut frames) {
        Ok(peer) => peer,
        // Somebody looked whether the signer listens.
        Err(FrameError::Closed) => return,
        Err(error) => {
            tracing::warn!(uid, error = &error as &dyn std::error::Error, "no greeting");
            // The client may be gone.
            let _ = refuse(&stream, "this is not the signer's protocol, or not its version");
            return;
        }
    };
    tracing::info!(uid, peer, ?role, "connected");
    let (outbox, outgoing) = Outbox::new();
    outbox.send(ServerFrame::Hello {
        version: PROTOCOL_VERSION,
    });
    thread::scope(|scope| {
        let (writer_outbox, writer_stream) = (Arc::downgrade(&outbox), &stream);
        scope.spawn(move || {
            if write_answers(writer_stream, &outgoing).is_err() {
                if let Some(outbox) = writer_outbox.upgrade() {
                    outbox.kill();
                }
                // Wakes the reader.
                let _ = writer_stream.shutdown(Shutdown::Both);
            }
        });
        let ended = read_requests(service, role, &stream, frames, &outbox);
        match ended {
            Err(FrameError::Closed) | Ok(()) => {}
            Err(error) => {
                tracing::warn!(uid, peer, error = &error as &dyn std::error::Error, "protocol");
                outbox.send(ServerFrame::Refused {
                    reason: error.to_string(),
                });
            }
        }
        // The writer ends when the last request is answered.
        drop(outbox);
    });
    tracing::info!(uid, peer, "disconnected");
}

fn greet(mut stream: &UnixStream, frames: &mut FrameReader) -> Result<String, FrameError> {
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    stream.set_read_timeout(Some(HELLO_TIMEOUT))?;
    loop {
        if let Some(payload) = frames.next_payload()? {
            let hello = frame::decode(payload)?;
            stream.set_read_timeout(None)?;
            return match hello {
                ClientFrame::Hello {
                    magic: MAGIC,
                    version: PROTOCOL_VERSION,
                    peer,
                } => Ok(peer
                    .chars()
                    .filter(|char| !char.is_control())
                    .take(frame::MAX_PEER_NAME)
                    .collect()),
                _ => Err(FrameError::Greeting),
            };
        }
        frames.fill(&mut stream)?;
    }
}

fn read_requests(
    service: &Service,
    role: Role,
    mut stream: &UnixStream,
    mut frames: FrameReader,
    outbox: &Arc<Outbox>,
) -> Result<(), FrameError> {
    loop {
        while let Some(payload) = frames.next_payload()? {
            let bytes = payload.len();
            match frame::decode(payload)? {
                ClientFrame::Request { id, body } => {
                    service.dispatch(role, body, Ticket::new(id, bytes, outbox))
                }
                ClientFrame::Hello { .. } => return Err(FrameError::Greeting),
            }
            while outbox.is_full() && !outbox.is_dead() {
                thread::sleep(PAUSE_WHEN_FULL);
            }
        }
        frames.fill(&mut stream)?;
    }
}

/// Writes every answer that waits with one system call.
fn write_answers(mut stream: &UnixStream, outgoing: &flume::Receiver<Outgoing>) -> io::Result<()> {
    let mut out = Vec::new();
    let mut written = Vec::new();
    while let Ok(first) = outgoing.recv() {
        append(first, &mut out, &mut written);
        while out.len() < WRITE_BUFFER
            && let Ok(next) = outgoing.try_recv()
        {
            append(next, &mut out, &mut written);
        }
        stream.write_all(&out)?;
        out.clear();
        written.clear();
    }
    Ok(())
}

fn append(outgoing: Outgoing, out: &mut Vec<u8>, written: &mut Vec<Outgoing>) {
    if let Err(error) = frame::encode(&outgoing.frame, out) {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "an answer cannot be encoded"
        );
        outgoing.replace_with_error(out);
    }
    written.push(outgoing);
}
