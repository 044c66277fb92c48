//! Runs `Peer.java`: Java's own TLS, restricted as a stock server is.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests; each file uses a part of it"
)]

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The suite with which a stock server and an RSA key meet.
pub const RSA_SUITE: &str = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384";
/// The suite with which a stock server and an EC key meet.
pub const ECDSA_SUITE: &str = "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384";

/// Whether Java can compile and run a program.
pub fn is_installed() -> bool {
    let found = Command::new("javac").arg("-version").output().is_ok();
    if !found {
        eprintln!("SKIPPED: javac is not installed (apt install default-jdk-headless)");
    }
    found
}

fn java(role: &str, address: SocketAddr, keystore: &Path, file: &Path) -> Command {
    let mut java = Command::new("java");
    java.args(["-Xshare:auto", "-XX:TieredStopAtLevel=1"])
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../proxy/tests/jsse/Peer.java"
        ))
        .args([role, &address.ip().to_string(), &address.port().to_string()])
        .args([keystore, file]);
    java
}

/// What came of one connection: what Java says about it, and the whole answer.
#[derive(Debug)]
pub struct Called {
    pub line: String,
    pub answer: Vec<u8>,
}

/// Sends a request over so many connections, one after the other.
pub fn call(address: SocketAddr, keystore: &Path, request: &[u8], count: usize) -> Vec<Called> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("request");
    std::fs::write(&file, request).unwrap();
    let output = java("client", address, keystore, &file)
        .arg(count.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answer = |number| std::fs::read(folder.path().join(format!("request.answer.{number}")));
    said.lines()
        .enumerate()
        .map(|(number, line)| Called {
            line: line.to_owned(),
            answer: answer(number).unwrap_or_default(),
        })
        .collect()
}

/// A server that gives every request the same answer, until it is dropped.
pub struct Server {
    java: Child,
    said: mpsc::Receiver<String>,
    folder: tempfile::TempDir,
    pub address: SocketAddr,
}

impl Server {
    /// Starts it; port 0 takes a free one.
    pub fn start(ip: IpAddr, port: u16, keystore: &Path, answer: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("answer");
        std::fs::write(&file, answer).unwrap();
        let mut java = java("server", SocketAddr::new(ip, port), keystore, &file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, said) = mpsc::channel();
        let output = BufReader::new(java.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let listening: String = said.recv_timeout(Duration::from_secs(60)).unwrap();
        let port = listening.strip_prefix("listening ").unwrap().parse().unwrap();
        Self {
            java,
            said,
            folder,
            address: SocketAddr::new(ip, port),
        }
    }

    /// What it says about its next connection.
    pub fn line(&self) -> String {
        self.said.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    /// The request of a connection that [`Self::line`] has told of, by its number from 0.
    pub fn request(&self, number: usize) -> Vec<u8> {
        std::fs::read(self.folder.path().join(format!("answer.request.{number}"))).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.java.kill();
        let _ = self.java.wait();
    }
}

/// Packs a key and its chain as Java wants them.
pub fn keystore(folder: &Path, name: &str, key: &Path, chain: &[&Path]) -> PathBuf {
    let pem: Vec<u8> = chain
        .iter()
        .flat_map(|path| std::fs::read(path).unwrap())
        .collect();
    let chain = folder.join(format!("{name}.chain.pem"));
    std::fs::write(&chain, pem).unwrap();
    let out = folder.join(format!("{name}.p12"));
    let output = Command::new("openssl")
        .args(["pkcs12", "-export", "-passout", "pass:sandbox", "-inkey"])
        .arg(key)
        .arg("-in")
        .arg(&chain)
        .arg("-out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    out
}
