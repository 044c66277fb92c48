//! Meeting servers that offer what a stock server offers on port 5500, and nothing else: Java's TLS in their place, with a
//! certificate of the instance.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::configure::{restart_edited, set};
use super::curl::curl;
use super::instance::{Instance, kiirtee};
use super::{CLIENT, call, can_run, fault, jsse};

/// A fault as a stock server gives it before it has read a message (wire.md 2.4).
const FAULT: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
    <SOAP-ENV:Envelope xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\"><SOAP-ENV:Body><SOAP-ENV:Fault>\
    <faultcode>server.serverproxy.access_denied</faultcode><faultstring>Request is not allowed</faultstring>\
    <faultactor></faultactor><detail><faultDetail xmlns=\"\">7</faultDetail></detail>\
    </SOAP-ENV:Fault></SOAP-ENV:Body></SOAP-ENV:Envelope>";
const GCM_ONLY: &[&str] = &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"];
const CBC_ONLY: &[&str] = &["-tls1_2", "-cipher", "ECDHE-RSA-AES256-SHA384"];

#[test]
fn a_stock_server_calls_us_and_is_called() {
    if !can_run() || !jsse::is_installed() {
        return;
    }
    let instance = Instance::up(20);
    let stock = Stock::joins(&instance, 20);
    let ours = instance.get("provider/peer").parse().unwrap();

    // It calls: the handshake succeeds, the second time by the session of the first, and nonsense gets a fault.
    let nonsense = "no message";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost:5500\r\nx-hash-algorithm: SHA-512\r\nx-proxy-version: 7.8.1\r\n\
         content-type: multipart/mixed; charset=UTF-8; boundary=xtopabc\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{nonsense}",
        nonsense.len()
    );
    let called = jsse::call(ours, &stock.keystore, request.as_bytes(), 2);
    assert_eq!(called.len(), 2);
    for called in called {
        assert_eq!(called.line, format!("{} 1", jsse::RSA_SUITE));
        let answer = String::from_utf8(called.answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("<faultcode>server.serverproxy."), "{answer}");
    }
    // Somebody whose certificate is not registered is refused in the handshake.
    let stranger = stranger(instance.dir());
    let called = jsse::call(ours, &stranger, request.as_bytes(), 1);
    assert!(called[0].line.contains("Received fatal alert"), "{called:?}");
    assert!(called[0].answer.is_empty());

    // It is called: the request is a transport message, and its fault reaches the information system.
    let address: IpAddr = stock.address.parse().unwrap();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml;charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{FAULT}",
        FAULT.len()
    );
    let server = jsse::Server::start(address, 5500, &stock.keystore, answer.as_bytes());
    stock.gives_ocsp_responses();
    let consumer = instance.get("consumer/client_http");
    for number in 0..2 {
        let url = format!("{consumer}/r1/SANDBOX/ORG/3003/client/anything");
        let answer = curl(&["-H", CLIENT, &url]);
        assert_eq!(fault(&answer), "server.serverproxy.access_denied");
        assert_eq!(server.line(), format!("{} 1", jsse::RSA_SUITE));
        let request = String::from_utf8_lossy(&server.request(number)).into_owned();
        assert!(request.starts_with("POST / HTTP/1.1\r\n"), "{request}");
        assert!(
            request.contains("GET\r\n/r1/SANDBOX/ORG/3003/client/anything\r\n"),
            "{request}"
        );
    }
}

#[test]
fn two_servers_with_cbc_only_exchange_messages_and_one_setting_turns_cbc_off() {
    if !can_run() {
        return;
    }
    let mut instance = Instance::up(21);
    let peer = instance.get("provider/peer");
    assert_eq!(call(&instance, "echo", &[]).status, 200);
    assert!(handshakes(&peer, GCM_ONLY) && handshakes(&peer, CBC_ONLY));

    restart_edited(&mut instance, "provider", |settings| {
        set(settings, "kiirtee", "better-tls", false);
    });
    assert!(!handshakes(&peer, GCM_ONLY) && handshakes(&peer, CBC_ONLY));
    let body = "x".repeat(1_000_000);
    let file = super::file_of(instance.dir(), "body", body.as_bytes());
    let data = format!("@{}", file.display());
    for _ in 0..2 {
        assert_eq!(call(&instance, "echo", &[]).status, 200);
        let answer = call(
            &instance,
            "echo",
            &["-H", "Content-Type: text/plain", "--data-binary", &data],
        );
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.len(), body.len());
    }

    // Without CBC on the other side there is nothing in common.
    restart_edited(&mut instance, "consumer", |settings| {
        set(settings, "proxy", "xroad-tls-ciphers", Vec::<String>::new());
    });
    let answer = call(&instance, "echo", &[]);
    assert_eq!(fault(&answer), "server.clientproxy.ssl_authentication_failed");
    let consumer = instance.get("consumer/peer");
    assert!(handshakes(&consumer, GCM_ONLY) && !handshakes(&consumer, CBC_ONLY));
}

/// Whether openssl finds a suite in common with a port 5500. It has no certificate, so the server ends the handshake
/// when it has presented its own.
fn handshakes(address: &str, offer: &[&str]) -> bool {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", address]).args(offer);
    let output = openssl.stdin(std::process::Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains("BEGIN CERTIFICATE")
}

/// A server of the instance that is none of ours.
struct Stock {
    address: String,
    folder: PathBuf,
    keystore: PathBuf,
    ocsp_responder: String,
}

impl Stock {
    fn joins(instance: &Instance, net: u8) -> Self {
        let folder = instance.dir().join("other");
        let address = format!("127.0.{net}.40");
        let joined = kiirtee()
            .args(["sandbox", "join", "--server-id", "SANDBOX/ORG/3003/other"])
            .args(["--address", &address, "--dir"])
            .arg(instance.dir())
            .arg("--out")
            .arg(&folder)
            .output()
            .unwrap();
        assert!(joined.status.success(), "{joined:?}");
        // Out of its file without the root, which a stock server does not present either.
        let take = |what: &[&str], to: &str| {
            let mut arguments = vec![
                "pkcs12",
                "-in",
                "auth.p12",
                "-passin",
                "pass:sandbox",
                "-nodes",
                "-out",
                to,
            ];
            arguments.extend_from_slice(what);
            openssl(&folder, &arguments);
        };
        take(&["-nocerts"], "auth.key");
        take(&["-nokeys", "-clcerts"], "auth.pem");
        let keystore = jsse::keystore(
            &folder,
            "stock",
            &folder.join("auth.key"),
            &[&folder.join("auth.pem")],
        );
        Self {
            address,
            keystore,
            ocsp_responder: instance.get("trust/ocsp"),
            folder,
        }
    }

    /// Answers at 5577 with the OCSP response of its certificate (wire.md 2.8).
    fn gives_ocsp_responses(&self) {
        let arguments = [
            "ocsp",
            "-issuer",
            "ca.pem",
            "-cert",
            "auth.pem",
            "-noverify",
            "-no_nonce",
        ];
        let arguments = [
            &arguments[..],
            &["-respout", "ocsp.der", "-url", &self.ocsp_responder],
        ]
        .concat();
        openssl(&self.folder, &arguments);
        let response = std::fs::read(self.folder.join("ocsp.der")).unwrap();
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n\
             Content-Type: multipart/related; type=\"application/ocsp-response\"; charset=UTF-8; boundary=xocsp\r\n\r\n\
             --xocsp\r\ncontent-type: application/ocsp-response\r\n\r\n";
        let answer = [head.as_bytes(), &response, b"\r\n--xocsp--\r\n"].concat();
        let listener = TcpListener::bind((self.address.as_str(), 5577)).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let _ = stream.write_all(&answer);
            }
        });
    }
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let mut openssl = Command::new("openssl");
    let output = openssl.args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// The keystore of somebody whom the instance does not know.
fn stranger(folder: &Path) -> PathBuf {
    let identity = super::connection_modes::Identity::new(folder, "stranger");
    jsse::keystore(folder, "stranger", &identity.key, &[&identity.certificate])
}
