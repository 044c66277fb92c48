//! What does not keep to the protocol loses its connection, and nobody else's.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use signer_client::{
    PROTOCOL_VERSION, Request,
    frame::{self, ClientFrame, FrameReader, MAX_FRAME, ServerFrame},
};

use crate::harness::Signer;

fn connect(signer: &Signer) -> UnixStream {
    let stream = UnixStream::connect(signer.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn greeted(signer: &Signer) -> UnixStream {
    let mut stream = connect(signer);
    let mut hello = Vec::new();
    frame::encode(&ClientFrame::hello("test"), &mut hello).unwrap();
    stream.write_all(&hello).unwrap();
    let mut frames = FrameReader::default();
    assert!(matches!(
        next(&mut stream, &mut frames),
        Some(ServerFrame::Hello {
            version: PROTOCOL_VERSION
        })
    ));
    stream
}

/// The next frame; none at the end of the connection.
fn next(stream: &mut UnixStream, frames: &mut FrameReader) -> Option<ServerFrame> {
    loop {
        if let Some(payload) = frames.next_payload().unwrap() {
            return Some(frame::decode(payload).unwrap());
        }
        match frames.fill(stream) {
            Err(frame::FrameError::Closed) => return None,
            other => other.unwrap(),
        }
    }
}

fn is_cut_off(mut stream: UnixStream, bytes: &[u8]) {
    // The signer may close while this is still writing.
    let _ = stream.write_all(bytes);
    let mut frames = FrameReader::default();
    let mut refused = false;
    while let Some(frame) = next(&mut stream, &mut frames) {
        assert!(matches!(frame, ServerFrame::Refused { .. }), "{frame:?}");
        refused = true;
    }
    assert!(refused, "the reason must be told");
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap().to_le_bytes()
}

#[test]
fn garbage_ends_the_connection_and_only_that() {
    let (signer, client) = Signer::ready();
    let garbage = [&length(5)[..], b"\xff\xff\xff\xff\xff"].concat();
    let mut with_tail = Vec::new();
    frame::encode(&(1_u8, 7_u64, 0_u8, 99_u8), &mut with_tail).unwrap();
    let oversized = length(MAX_FRAME + 1).to_vec();
    let empty = length(0).to_vec();
    let mut second_hello = Vec::new();
    frame::encode(&ClientFrame::hello("again"), &mut second_hello).unwrap();
    for bytes in [&garbage, &with_tail, &oversized, &empty, &second_hello] {
        is_cut_off(greeted(&signer), bytes);
        client.status().unwrap();
    }
}

#[test]
fn greetings_of_others_are_refused() {
    let (signer, client) = Signer::ready();
    let greeting = |magic, version| {
        let mut bytes = Vec::new();
        frame::encode(
            &ClientFrame::Hello {
                magic,
                version,
                peer: String::new(),
            },
            &mut bytes,
        )
        .unwrap();
        bytes
    };
    let mut request_first = Vec::new();
    frame::encode_request(1, &Request::Status, &mut request_first).unwrap();
    let wrong = [
        greeting(*b"HTTP", PROTOCOL_VERSION),
        greeting(frame::MAGIC, PROTOCOL_VERSION + 1),
        request_first,
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for bytes in &wrong {
        is_cut_off(connect(&signer), bytes);
    }
    client.status().unwrap();
}

#[test]
fn a_truncated_frame_is_forgotten() {
    let (signer, client) = Signer::ready();
    let mut bytes = Vec::new();
    frame::encode_request(1, &Request::Status, &mut bytes).unwrap();
    for end in 1..bytes.len() {
        let mut stream = greeted(&signer);
        stream.write_all(&bytes[..end]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }
    client.status().unwrap();
}

#[test]
fn answers_come_even_if_the_client_stops_writing() {
    let (signer, _client) = Signer::ready();
    let mut stream = greeted(&signer);
    let mut bytes = Vec::new();
    frame::encode_request(u64::MAX, &Request::Status, &mut bytes).unwrap();
    stream.write_all(&bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut frames = FrameReader::default();
    let answer = next(&mut stream, &mut frames).unwrap();
    assert!(matches!(
        answer,
        ServerFrame::Reply {
            id: u64::MAX,
            outcome: Ok(_)
        }
    ));
    assert!(next(&mut stream, &mut frames).is_none());
}

#[test]
fn connections_are_bounded() {
    let signer = Signer::start("max-connections = 3");
    // The look whether the signer listens may not have ended yet.
    std::thread::sleep(Duration::from_millis(200));
    let held: Vec<_> = (0..3).map(|_| greeted(&signer)).collect();
    is_cut_off(connect(&signer), b"");
    drop(held);
    std::thread::sleep(Duration::from_millis(200));
    greeted(&signer);
}

#[test]
fn other_users_are_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can pose as another user");
        return;
    }
    let signer = Signer::start("");
    // Everybody may reach the socket, and still only the signer's user is served.
    use std::os::unix::fs::PermissionsExt;
    let open = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(signer.directory.path(), 0o755);
    open(&signer.socket(), 0o666);
    let script =
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(200))";
    let mut command = std::process::Command::new("python3");
    use std::os::unix::process::CommandExt;
    let Ok(output) = command
        .args(["-c", script])
        .arg(signer.socket())
        .uid(65_534)
        .gid(65_534)
        .output()
    else {
        eprintln!("SKIPPED: python3 is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("may not use the signer"),
        "{text} {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
