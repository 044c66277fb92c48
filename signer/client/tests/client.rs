//! The client against signers that answer, stall, vanish and come back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::{
    io::Write,
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use signer_client::{
    Blob, CertificateSha256, Client, PROTOCOL_VERSION, PartDigests, Request, Response, Settings,
    SignMessages, SignedBatch, SignedMessages, SignerError,
    frame::{self, ClientFrame, FrameReader, ServerFrame},
};

/// One connection of a signer that the test plays.
struct Played {
    stream: UnixStream,
    frames: FrameReader,
}

impl Played {
    fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        let mut played = Self {
            stream,
            frames: FrameReader::default(),
        };
        assert!(matches!(played.next(), Some(ClientFrame::Hello { .. })));
        played.send(&ServerFrame::Hello {
            version: PROTOCOL_VERSION,
        });
        played
    }

    fn next(&mut self) -> Option<ClientFrame> {
        loop {
            if let Some(payload) = self.frames.next_payload().unwrap() {
                return Some(frame::decode(payload).unwrap());
            }
            self.frames.fill(&mut self.stream).ok()?;
        }
    }

    fn next_id(&mut self) -> u64 {
        match self.next() {
            Some(ClientFrame::Request { id, .. }) => id,
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, frame: &ServerFrame) {
        let mut out = Vec::new();
        frame::encode(frame, &mut out).unwrap();
        self.stream.write_all(&out).unwrap();
    }

    fn done(&mut self, id: u64) {
        self.send(&ServerFrame::Reply {
            id,
            outcome: Ok(Response::Done),
        });
    }
}

fn connect(path: &Path, timeout: Duration) -> Client {
    let mut settings = Settings::new(path);
    settings.timeout = timeout;
    Client::with_settings(settings)
}

fn pair(timeout: Duration) -> (Client, Played, UnixListener, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let connecting = thread::spawn(move || connect(&path, timeout));
    let played = Played::accept(&listener);
    (connecting.join().unwrap(), played, listener, directory)
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn answers_find_their_requests_in_any_order() {
    let (client, mut played, _listener, _directory) = pair(LONG);
    let waiting: Vec<_> = (0..3).map(|_| client.submit(Request::Status)).collect();
    let ids: Vec<_> = waiting.iter().map(|_| played.next_id()).collect();
    played.send(&ServerFrame::Reply {
        id: 9_999,
        outcome: Ok(Response::Done),
    });
    for (id, code) in [(ids[2], "2"), (ids[0], "0"), (ids[1], "1")] {
        let outcome = Err(SignerError::KeyNotFound(code.to_owned()));
        played.send(&ServerFrame::Reply { id, outcome });
    }
    for (index, waiting) in waiting.iter().enumerate() {
        let expected = SignerError::KeyNotFound(index.to_string());
        assert_eq!(waiting.recv_timeout(LONG).unwrap().unwrap_err(), expected);
    }
}

#[test]
fn a_batch_is_one_frame_and_one_document_in_memory() {
    let (client, mut played, _listener, _directory) = pair(LONG);
    let request = SignMessages {
        certificate: CertificateSha256([1; 32]),
        intermediates: Vec::new(),
        ocsp_responses: Vec::new(),
        messages: vec![PartDigests::new([&[1; 64][..]]); 2],
    };
    let waiting = client.submit(Request::SignMessages(request));
    let signed = SignedMessages(vec![SignedBatch::Chained {
        signature_xml: Blob::from(vec![1]),
        hash_chain_result: Blob::from(vec![2]),
        hash_chains: vec![Blob::from(vec![7]), Blob::from(vec![8])],
    }]);
    let (id, outcome) = (played.next_id(), Ok(Response::SignedMessages(signed)));
    played.send(&ServerFrame::Reply { id, outcome });
    let signed = waiting.recv_timeout(LONG).unwrap().unwrap();
    let signed: Vec<_> = SignedMessages::try_from(signed)
        .unwrap()
        .into_messages()
        .collect();
    assert!(signed[0].signature_xml.same(&signed[1].signature_xml));
    assert_eq!(signed[1].hash_chain.as_deref(), Some(&[8][..]));
}

#[test]
fn a_lost_connection_fails_what_waits_and_comes_back() {
    let (client, mut played, listener, _directory) = pair(LONG);
    let waiting = client.submit(Request::Status);
    played.next_id();
    drop(played);
    assert_eq!(
        waiting.recv_timeout(LONG).unwrap().unwrap_err(),
        SignerError::Disconnected
    );
    let mut played = Played::accept(&listener);
    assert!(client.wait_until_connected(LONG));
    let waiting = client.submit(Request::Status);
    let id = played.next_id();
    played.done(id);
    assert!(matches!(waiting.recv_timeout(LONG).unwrap(), Ok(Response::Done)));
}

#[test]
fn without_a_signer_requests_fail_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let client = connect(&path, LONG);
    let start = Instant::now();
    assert_eq!(client.status(), Err(SignerError::Disconnected));
    assert!(start.elapsed() < Duration::from_secs(5));
    let listener = UnixListener::bind(&path).unwrap();
    let _played = Played::accept(&listener);
    assert!(client.wait_until_connected(LONG));
}

#[test]
fn a_silent_signer_is_not_waited_for_for_ever() {
    let (client, mut played, _listener, _directory) = pair(Duration::from_millis(300));
    let (called, submitted) = (client.call(Request::Status), client.submit(Request::Status));
    assert_eq!(called.unwrap_err(), SignerError::TimedOut);
    assert_eq!(
        submitted.recv_timeout(LONG).unwrap().unwrap_err(),
        SignerError::TimedOut
    );
    // The late answer hurts nobody.
    let (first, second) = (played.next_id(), played.next_id());
    let third = client.submit(Request::Status);
    let last = played.next_id();
    [first, second, last].into_iter().for_each(|id| played.done(id));
    assert!(third.recv_timeout(LONG).unwrap().is_ok());
}

#[test]
fn a_signer_that_speaks_nonsense_is_left_and_tried_again() {
    let (client, mut played, listener, _directory) = pair(LONG);
    let waiting = client.submit(Request::Status);
    played.stream.write_all(b"\xff\xff\xff\xff nonsense").unwrap();
    assert_eq!(
        waiting.recv_timeout(LONG).unwrap().unwrap_err(),
        SignerError::Disconnected
    );
    let _played = Played::accept(&listener);
    assert!(client.wait_until_connected(LONG));
}

#[test]
fn a_request_that_is_too_long_fails_alone() {
    let (client, mut played, _listener, _directory) = pair(LONG);
    let data = Blob::from(vec![0; frame::MAX_FRAME]);
    let key = signer_client::KeySelector::Key("k".to_owned());
    let algorithm = signer_client::SignatureAlgorithm::Ecdsa(signer_client::DigestAlgorithm::Sha256);
    let long = client.submit(Request::SignData { key, algorithm, data });
    let short = client.submit(Request::Status);
    assert!(matches!(
        long.recv_timeout(LONG).unwrap(),
        Err(SignerError::InvalidRequest(_))
    ));
    let id = played.next_id();
    played.done(id);
    assert!(short.recv_timeout(LONG).unwrap().is_ok());
}

#[test]
fn the_connection_ends_with_the_last_client() {
    let (client, mut played, _listener, _directory) = pair(LONG);
    let other = client.clone();
    drop(client);
    let waiting = other.submit(Request::Status);
    let id = played.next_id();
    played.done(id);
    waiting.recv_timeout(LONG).unwrap().unwrap();
    drop(other);
    assert!(played.next().is_none());
}
