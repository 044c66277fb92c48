//! curl and openssl against our server, and our client against openssl's.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use proxy::http::{ClientConnection, ClientSettings, Method, RequestHead};
use proxy::net::tls::{
    AcceptAll, ClientAuthentication, HandshakePool, client_config, connect, server_config,
};
use rustls::pki_types::ServerName;

use crate::support::{Keys, LIMIT, MEGABYTE, Rehearsal, Server, ServerPlan, is_installed, provider, run};

fn curl(arguments: &[&str]) -> (String, String) {
    let output = Command::new("curl")
        .args(["-sv", "--max-time", "20"])
        .args(arguments)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    assert!(output.status.success(), "{}", text(output.stderr));
    (text(output.stdout), text(output.stderr))
}

fn large_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for _ in 0..20 {
        file.write_all(&vec![b'x'; MEGABYTE]).unwrap();
    }
    file
}

#[test]
fn curl_keeps_the_connection() {
    if !is_installed("curl") {
        return;
    }
    let server = Server::start(Rehearsal);
    let url = format!("http://{}/a", server.address);
    let (body, log) = curl(&[&url, &url, &url]);
    assert_eq!(body, "GET /aGET /aGET /a");
    assert_eq!(log.matches("Re-using existing connection").count(), 2, "{log}");
}

#[test]
fn curl_sends_large_bodies() {
    if !is_installed("curl") {
        return;
    }
    let server = Server::start(Rehearsal);
    let url = format!("http://{}/count", server.address);
    let file = large_file();
    let data = format!("@{}", file.path().display());
    let expected = (20 * MEGABYTE).to_string();
    let (body, log) = curl(&["-H", "Expect: 100-continue", "--data-binary", &data, &url, &url]);
    assert_eq!(body, expected.repeat(2));
    assert_eq!(log.matches("HTTP/1.1 100 Continue").count(), 2, "{log}");
    let (body, _) = curl(&[
        "-H",
        "Transfer-Encoding: chunked",
        "-H",
        "Expect:",
        "--data-binary",
        &data,
        &url,
    ]);
    assert_eq!(body, expected);
    let refuse = format!("http://{}/refuse", server.address);
    let (body, log) = curl(&["-H", "Expect: 100-continue", "--data-binary", &data, &refuse]);
    assert_eq!(body, "refused");
    assert!(!log.contains("100 Continue"), "{log}");
    let (body, _) = curl(&["-H", "Expect:", "--data-binary", &data, &refuse]);
    assert_eq!(body, "refused");
}

#[test]
fn curl_receives_large_bodies_and_heads() {
    if !is_installed("curl") {
        return;
    }
    let server = Server::start(Rehearsal);
    let (body, _) = curl(&[&format!("http://{}/stream?30000000", server.address)]);
    assert_eq!(body.len(), 30_000_000);
    let (body, _) = curl(&["--http1.0", &format!("http://{}/stream?100000", server.address)]);
    assert_eq!(body.len(), 100_000);
    let (head, _) = curl(&["-I", &format!("http://{}/x", server.address)]);
    assert!(head.contains("Content-Length: 7"), "{head}");
}

#[test]
fn curl_presents_its_certificate() {
    if !is_installed("curl") {
        return;
    }
    let keys = Keys::get();
    let tls = server_config(provider(), &keys.identity("rsa"), ClientAuthentication::Optional).unwrap();
    let server = Server::start_with(
        ServerPlan {
            tls: Some(tls),
            ..ServerPlan::default()
        },
        Rehearsal,
    );
    let url = format!("https://{}/peer", server.address);
    let (certificate, key) = (keys.file("other.pem"), keys.file("other.key"));
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let (body, _) = curl(&["-k", &url]);
    assert!(
        body.starts_with("TLSv1_3") && body.ends_with(" 0 false"),
        "{body}"
    );
    for (version, told) in [("--tlsv1.3", "TLSv1_3"), ("--tls-max", "TLSv1_2")] {
        let maximum = if version == "--tls-max" {
            &["--tls-max", "1.2"][..]
        } else {
            &["--tlsv1.3"]
        };
        let mut arguments = vec!["-k", "--cert", certificate, "--key", key, &url];
        arguments.extend_from_slice(maximum);
        let (body, _) = curl(&arguments);
        assert!(body.starts_with(told) && body.ends_with(" 1 false"), "{body}");
    }
    let (body, _) = curl(&["-k", &format!("https://{}/stream?30000000", server.address)]);
    assert_eq!(body.len(), 30_000_000);
    let file = large_file();
    let data = format!("@{}", file.path().display());
    let (body, _) = curl(&[
        "-k",
        "--data-binary",
        &data,
        &format!("https://{}/count", server.address),
    ]);
    assert_eq!(body, (20 * MEGABYTE).to_string());
}

#[test]
fn openssl_talks_to_our_server() {
    if !is_installed("openssl") {
        return;
    }
    let keys = Keys::get();
    let verifier = Arc::new(AcceptAll);
    let tls = server_config(
        provider(),
        &keys.identity("rsa"),
        ClientAuthentication::Required(verifier),
    )
    .unwrap();
    let server = Server::start_with(
        ServerPlan {
            tls: Some(tls),
            ..ServerPlan::default()
        },
        Rehearsal,
    );
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                version,
                "-connect",
                &server.address.to_string(),
                "-cert",
            ])
            .arg(keys.file("ec.pem"))
            .arg("-key")
            .arg(keys.file("ec.key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = client.stdin.take().unwrap();
        input
            .write_all(b"GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(client.stdout.take().unwrap()).lines() {
            lines.push(line.unwrap());
        }
        let told = lines.last().unwrap();
        assert!(
            told.starts_with("TLSv1_") && told.ends_with(" 1 false"),
            "{lines:?}"
        );
        client.wait().unwrap();
    }
}

#[test]
fn our_client_talks_to_openssl() {
    if !is_installed("openssl") {
        return;
    }
    let keys = Keys::get();
    for version in ["-tls1_2", "-tls1_3"] {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Command::new("openssl")
            .args([
                "s_server",
                "-www",
                version,
                "-Verify",
                "1",
                "-accept",
                &format!("127.0.0.1:{port}"),
                "-cert",
            ])
            .arg(keys.file("rsa.pem"))
            .arg("-key")
            .arg(keys.file("rsa.key"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let page = run(async move |_| {
            let pool = HandshakePool::start("handshake", 1, 0).unwrap();
            let identity = Keys::get().identity("other");
            let config = client_config(provider(), Some(&identity), Arc::new(AcceptAll)).unwrap();
            let address = ([127, 0, 0, 1], port).into();
            let tcp = loop {
                match monoio::net::TcpStream::connect_addr(address).await {
                    Ok(tcp) => break tcp,
                    Err(_) => monoio::time::sleep(std::time::Duration::from_millis(50)).await,
                }
            };
            let name = ServerName::try_from("localhost").unwrap();
            let stream = connect(tcp, config, name, &pool, LIMIT).await.unwrap();
            let mut connection = ClientConnection::new(stream, ClientSettings::default());
            let head = RequestHead::new(Method::GET, "/").with("Host", "localhost");
            assert_eq!(connection.send_full(&head, "").await.unwrap().status, 200);
            connection.body().read_to_end(MEGABYTE).await.unwrap()
        });
        server.kill().unwrap();
        server.wait().unwrap();
        let page = String::from_utf8_lossy(&page).into_owned();
        assert!(page.contains("CN = other") || page.contains("CN=other"), "{page}");
    }
}
