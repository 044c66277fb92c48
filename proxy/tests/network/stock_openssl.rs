//! OpenSSL with CBC suites, in both roles, against the TLS of port 5500; and the order of what we offer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use proxy::net::tls::HandshakePool;

use crate::stock::{
    Party, bodies, cbc_only, check_answers, client, met, open, parties, peers, post, requests, server,
    without_cbc,
};
use crate::support::{is_installed, run};

const CBC: &str = "ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA384";

/// Sends [`requests`] with `openssl s_client`; gives the answers and what openssl says besides.
fn s_client(address: SocketAddr, party: &Party, arguments: &[&str]) -> (Vec<u8>, String) {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("requests");
    std::fs::write(&input, requests()).unwrap();
    let output = Command::new("openssl")
        .args(["s_client", "-ign_eof", "-brief", "-connect", &address.to_string()])
        .arg("-cert")
        .arg(&party.chain[0])
        .arg("-key")
        .arg(&party.key)
        .args(arguments)
        .stdin(std::fs::File::open(&input).unwrap())
        .output()
        .unwrap();
    (
        output.stdout,
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

#[test]
fn an_openssl_client_is_served_over_cbc_and_resumes() {
    if !is_installed("openssl") {
        return;
    }
    for party in parties() {
        let server = server(peers(), &party.identity);
        let folder = tempfile::tempdir().unwrap();
        let session = folder.path().join("session");
        let session = session.to_str().unwrap();
        let offer = ["-tls1_2", "-cipher", CBC];
        for (more, resumed) in [(["-sess_out", session], false), (["-sess_in", session], true)] {
            let (answers, said) = s_client(server.address, &party, &[&offer[..], &more].concat());
            assert!(!answers.is_empty(), "{said}");
            let told = check_answers(&answers);
            assert_eq!(told, format!("TLSv1_2 {} 1 {resumed}", party.suite), "{said}");
        }
    }
}

#[test]
fn everything_better_goes_before_cbc_whatever_the_client_prefers() {
    if !is_installed("openssl") {
        return;
    }
    let [rsa, ec, _] = parties();
    let both = format!("{CBC}:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256");
    for party in [&rsa, &ec] {
        let server = server(peers(), &party.identity);
        for (arguments, version, suite) in [
            (&["-cipher", &both][..], "TLSv1_3", "TLS13_AES_256_GCM_SHA384"),
            (&["-cipher", &both, "-tls1_2"], "TLSv1_2", "AES_128_GCM_SHA256"),
            (&["-cipher", CBC, "-tls1_2"], "TLSv1_2", "AES_256_CBC_SHA384"),
        ] {
            let (answers, said) = s_client(server.address, party, arguments);
            assert!(!answers.is_empty(), "{said}");
            let told = check_answers(&answers);
            assert!(told.starts_with(version) && told.contains(suite), "{told}");
        }
    }
}

#[test]
fn cbc_can_be_switched_off() {
    if !is_installed("openssl") {
        return;
    }
    let [party, ..] = parties();
    let server = server(without_cbc(), &party.identity);
    let (answers, said) = s_client(server.address, &party, &["-tls1_2", "-cipher", CBC]);
    assert!(
        answers.is_empty() && said.contains("alert handshake failure"),
        "{said}"
    );
    let (answers, _) = s_client(server.address, &party, &["-tls1_2"]);
    assert!(check_answers(&answers).contains("GCM"));
}

#[test]
fn two_of_ours_meet_over_cbc_when_nothing_else_is_left() {
    for party in parties() {
        let server = server(cbc_only(), &party.identity);
        let (address, identity) = (server.address, party.identity.clone());
        let found = run(async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            let config = client(peers(), &identity);
            let mut found = Vec::new();
            for _ in 0..3 {
                let mut connection = open(address, &config, &pool).await;
                for body in bodies() {
                    assert!(post(&mut connection, "/echo", body.clone()).await == body);
                }
                found.push(met(&connection));
            }
            found
        });
        let suite = party.suite.to_owned();
        assert_eq!(
            found,
            [(suite.clone(), false), (suite.clone(), true), (suite, true)]
        );
    }
}

/// `openssl s_server` whose input and output are ours: what it receives we read, what we write it sends.
struct OpensslServer {
    openssl: Child,
    address: SocketAddr,
}

impl OpensslServer {
    fn start(party: &Party) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut openssl = Command::new("openssl");
        openssl.args(["s_server", "-quiet", "-tls1_2", "-cipher", CBC, "-Verify", "2"]);
        openssl
            .args(["-accept", &address.to_string(), "-cert"])
            .arg(&party.chain[0]);
        openssl.arg("-key").arg(&party.key);
        if let Some(intermediate) = party.chain.get(1) {
            openssl.arg("-cert_chain").arg(intermediate);
        }
        let openssl = openssl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { openssl, address }
    }

    /// Sends every request's body back, on a thread of its own.
    fn echo(&mut self) {
        let mut input = self.openssl.stdin.take().unwrap();
        let mut output = BufReader::new(self.openssl.stdout.take().unwrap());
        std::thread::spawn(move || {
            loop {
                let mut length = 0;
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    if output.read_line(&mut line).unwrap_or_default() == 0 {
                        return;
                    }
                    if let Some(told) = line.to_lowercase().strip_prefix("content-length:") {
                        length = told.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                output.read_exact(&mut body).unwrap();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
                input.write_all(&[head.as_bytes(), &body].concat()).unwrap();
            }
        });
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        let _ = self.openssl.kill();
        let _ = self.openssl.wait();
    }
}

#[test]
fn an_openssl_server_with_cbc_only_is_called_and_resumes() {
    if !is_installed("openssl") {
        return;
    }
    for party in parties() {
        let mut server = OpensslServer::start(&party);
        server.echo();
        let (address, identity) = (server.address, party.identity.clone());
        let found = run(async move |_| {
            while monoio::net::TcpStream::connect_addr(address).await.is_err() {
                monoio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            let config = client(peers(), &identity);
            let mut found = Vec::new();
            for _ in 0..2 {
                let mut connection = open(address, &config, &pool).await;
                let presented = connection.peer().tls.as_ref().unwrap().certificates.len();
                found.push((met(&connection), presented));
                for body in bodies() {
                    assert!(post(&mut connection, "/echo", body.clone()).await == body);
                }
            }
            found
        });
        for (number, (met, presented)) in found.iter().enumerate() {
            assert_eq!(*met, (party.suite.to_owned(), number > 0));
            assert_eq!(*presented, party.chain.len());
        }
    }
}
