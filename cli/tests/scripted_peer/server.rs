//! The peer as a provider's server: at 5500 it answers what the test scripts, at 5577 it gives the OCSP response of its
//! authentication certificate, as it must for others to trust it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::information_system::Message;
use super::{Identity, OCSP_PORT, PATIENCE, PEER_PORT, Peer, tls};

/// What a peer does with a connection.
#[derive(Clone)]
pub enum Script {
    /// Answers each request, one a connection.
    Answers(Arc<dyn Fn(&Message) -> Reply + Send + Sync>),
    /// Takes the connection and ends it at the first byte, before the TLS handshake.
    EndsBeforeHandshake,
    /// Ends the connection as soon as the TLS handshake is done.
    EndsAfterHandshake,
    /// Waits for the first bytes of a request and resets the connection.
    ResetsInRequest,
    /// Refuses the other side's certificate.
    RefusesCertificate,
    /// Says that it has no cipher suite of the other side's.
    HasNoCipher,
}

/// An answer, byte by byte.
#[derive(Debug, Clone)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub ending: Ending,
}

/// How the connection ends behind an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As TLS ends a connection.
    Closed,
    /// Without a word of TLS: what a crash looks like.
    Cut,
    /// Not at all, for as long as the other side waits.
    Silent,
}

impl Reply {
    /// A whole response. `headers` hold everything but `Connection` and the length.
    pub fn http(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        Self::missing(status, headers, body, 0)
    }

    /// A response whose body is announced to be longer than it is.
    pub fn missing(status: &str, headers: &[(&str, &str)], body: &[u8], missing: usize) -> Self {
        let length = body.len() + missing;
        let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        Self {
            bytes: [head.as_bytes(), b"\r\n", body].concat(),
            ending: if missing == 0 { Ending::Closed } else { Ending::Cut },
        }
    }

    /// Status 200 and the headers that a security server answers a REST request with.
    pub fn message(content_type: &str, body: &[u8]) -> Self {
        let headers = [("x-hash-algorithm", "SHA-512"), ("content-type", content_type)];
        Self::http("200 OK", &headers, body)
    }

    /// The same for a SOAP request; `original` is what the provider's information system is said to have answered with.
    pub fn soap(content_type: &str, original: &str, body: &[u8]) -> Self {
        let headers = [
            ("x-hash-algorithm", "SHA-512"),
            ("x-original-content-type", original),
            ("content-type", content_type),
        ];
        Self::http("200 OK", &headers, body)
    }
}

/// A TLS alert: fatal, handshake_failure.
const HANDSHAKE_FAILURE: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// A scripted provider's server; it ends with the test's process.
pub struct Server {
    state: Arc<Mutex<State>>,
}

struct State {
    script: Script,
    asked: Vec<Message>,
    connections: usize,
    callers: Vec<Vec<u8>>,
}

impl Server {
    /// Listens at the peer's registered address.
    pub fn start(peer: &Peer) -> Self {
        serve_ocsp(peer);
        Self::at(&peer.address, &peer.auth)
    }

    /// Listens at port 5500 of any address, with any certificate.
    pub fn at(address: &str, identity: &Identity) -> Self {
        let listener = TcpListener::bind((address, PEER_PORT)).unwrap();
        let configs = Arc::new(Configs {
            usual: tls::server(identity),
            refusing: tls::refusing_server(identity),
        });
        let state = State {
            script: Script::EndsBeforeHandshake,
            asked: Vec::new(),
            connections: 0,
            callers: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, configs, shared) = (stream.unwrap(), Arc::clone(&configs), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream, &configs, &shared));
            }
        });
        Self { state }
    }

    /// What it does from now on; forgets what it was asked.
    pub fn plays(&self, script: Script) {
        let mut state = self.state.lock().unwrap();
        (state.script, state.asked, state.connections) = (script, Vec::new(), 0);
    }

    /// Answers every request like this.
    pub fn answers(&self, answer: impl Fn(&Message) -> Reply + Send + Sync + 'static) {
        self.plays(Script::Answers(Arc::new(answer)));
    }

    /// What it was asked since it was last told what to do.
    pub fn asked(&self) -> Vec<Message> {
        self.state.lock().unwrap().asked.clone()
    }

    /// How many connections were opened since it was last told what to do.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// The certificates (DER) that were presented to it since it started.
    pub fn callers(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().callers.clone()
    }
}

struct Configs {
    usual: Arc<ServerConfig>,
    refusing: Arc<ServerConfig>,
}

fn serve(mut tcp: TcpStream, configs: &Configs, state: &Mutex<State>) -> Option<()> {
    tcp.set_read_timeout(Some(PATIENCE)).ok()?;
    let script = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        state.script.clone()
    };
    if matches!(script, Script::EndsBeforeHandshake | Script::HasNoCipher) {
        // Whoever connects merely to see who is there sends nothing.
        tcp.peek(&mut [0]).ok()?;
        if matches!(script, Script::HasNoCipher) {
            let _length = tcp.read(&mut [0; 4096]).ok()?;
            tcp.write_all(&HANDSHAKE_FAILURE).ok()?;
        }
        return cut(&tcp);
    }
    let config = match script {
        Script::RefusesCertificate => &configs.refusing,
        _ => &configs.usual,
    };
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config)).ok()?, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).ok()?;
    }
    let presented = stream.conn.peer_certificates().unwrap_or_default();
    let caller = presented.first().map(|certificate| certificate.to_vec());
    state.lock().unwrap().callers.extend(caller);
    match &script {
        Script::EndsBeforeHandshake
        | Script::HasNoCipher
        | Script::RefusesCertificate
        | Script::EndsAfterHandshake => cut(&stream.sock),
        // To close a connection with bytes that nobody read is to reset it.
        Script::ResetsInRequest => stream.sock.peek(&mut [0]).ok().map(drop),
        Script::Answers(answer) => {
            let mut stream = BufReader::new(stream);
            let request = Message::read(&mut stream).ok()?;
            state.lock().unwrap().asked.push(request.clone());
            write(stream.into_inner(), &answer(&request))
        }
    }
}

fn write(mut stream: StreamOwned<ServerConnection, TcpStream>, reply: &Reply) -> Option<()> {
    stream.write_all(&reply.bytes).ok()?;
    stream.flush().ok()?;
    match reply.ending {
        Ending::Closed => {
            stream.conn.send_close_notify();
            stream.flush().ok()?;
            stream.sock.shutdown(Shutdown::Write).ok()?;
        }
        Ending::Cut => return stream.sock.shutdown(Shutdown::Both).ok(),
        Ending::Silent => {}
    }
    // What the other side still sends is taken, so that no reset overtakes the answer.
    std::io::copy(&mut stream.sock, &mut std::io::sink())
        .ok()
        .map(drop)
}

fn cut(tcp: &TcpStream) -> Option<()> {
    tcp.shutdown(Shutdown::Both).ok()
}

/// The service at 5577 (wire.md 2.8).
fn serve_ocsp(peer: &Peer) {
    let listener = TcpListener::bind((peer.address.as_str(), OCSP_PORT)).unwrap();
    let body = [
        b"--b\r\nContent-Type: application/ocsp-response\r\n\r\n",
        &peer.auth.ocsp_response[..],
        b"\r\n--b--\r\n",
    ]
    .concat();
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: multipart/related; boundary=b\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.as_bytes(), &body].concat();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                line.clear();
            }
            let _ = stream.get_mut().write_all(&answer);
        }
    });
}
