//! A plain HTTP server that behaves as told, and the load generator as a process.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; each file uses a part of it"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// How a server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It answers at once.
    Answers,
    /// It answers at once, but after a hundred answers nothing at all for a second.
    StallsOnce,
    /// It reads and says nothing.
    NeverAnswers,
    /// Every second answer is a 503, every second of the others says that the connection ends.
    Fails,
    /// It answers with a SOAP fault and status 200.
    SoapFault,
}

/// A running server; its threads end with the test's process.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    behaviour: Behaviour,
    answers: AtomicU64,
    /// Held for writing while nothing is answered.
    stalls: RwLock<()>,
    requests: Mutex<Vec<String>>,
}

impl Server {
    pub fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            behaviour,
            answers: AtomicU64::new(0),
            stalls: RwLock::new(()),
            requests: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Heads and bodies of the first requests.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream);
        while let Some(request) = read_request(&mut reader) {
            self.note(request);
            let number = self.answers.fetch_add(1, Ordering::SeqCst);
            if self.behaviour == Behaviour::StallsOnce && number == 100 {
                let _nobody_answers = self.stalls.write().unwrap();
                std::thread::sleep(Duration::from_secs(1));
            }
            let _stalled = self.stalls.read().unwrap();
            let answer = self.answer(number);
            let sent = (&mut &*stream).write_all(answer.as_bytes());
            if sent.is_err() || answer.contains("close") {
                return;
            }
        }
    }

    fn note(&self, request: String) {
        let mut requests = self.requests.lock().unwrap();
        if requests.len() < 20 {
            requests.push(request);
        }
    }

    fn answer(&self, number: u64) -> String {
        let ok = |fields: &str, body: &str| {
            format!(
                "HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        match (self.behaviour, number % 4) {
            (Behaviour::NeverAnswers, _) => String::new(),
            (Behaviour::Fails, 1 | 3) => "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_owned(),
            (Behaviour::Fails, 2) => ok("Connection: close\r\n", "hello"),
            (Behaviour::SoapFault, _) => ok(
                "Content-Type: text/xml\r\n",
                "<e:Envelope><e:Body><e:Fault><faultcode>Server.Busy</faultcode></e:Fault></e:Body></e:Envelope>",
            ),
            _ => ok("", "hello"),
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<String> {
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).ok()? == 0 {
            return None;
        }
    }
    let length = request
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some(request + &String::from_utf8_lossy(&body))
}

/// What the load generator said.
pub struct Said {
    pub code: Option<i32>,
    pub json: serde_json::Value,
}

/// Runs the load generator.
pub fn kiirtee_load(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_kiirtee-load"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs the load generator with `--json -`.
pub fn load(arguments: &[&str]) -> Said {
    let output = kiirtee_load(&[arguments, &["--json", "-"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    Said {
        code: output.status.code(),
        json: serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {error}")),
    }
}
