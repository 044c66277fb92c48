//! What the tests with peers of the stock kind share: configurations of port 5500, and identities.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use proxy::http::{ClientConnection, ClientSettings, Method, RequestHead};
use proxy::net::TlsIdentity;
use proxy::net::tls::providers::Offer;
use proxy::net::tls::{
    AcceptAll, ClientAuthentication, HandshakePool, client_config, connect, server_config,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ServerConfig};

use crate::support::{Keys, LIMIT, MEGABYTE, Rehearsal, Server, ServerPlan};

/// What peers are offered: everything, CBC last.
pub(crate) fn peers() -> Arc<CryptoProvider> {
    offer(true, &["RSA", "ECDSA"])
}

/// What is left when CBC is switched off.
pub(crate) fn without_cbc() -> Arc<CryptoProvider> {
    offer(true, &[])
}

/// Nothing but CBC.
pub(crate) fn cbc_only() -> Arc<CryptoProvider> {
    offer(false, &["RSA", "ECDSA"])
}

fn offer(better: bool, cbc: &[&str]) -> Arc<CryptoProvider> {
    let suites: Vec<String> = cbc
        .iter()
        .map(|kind| format!("TLS_ECDHE_{kind}_WITH_AES_256_CBC_SHA384"))
        .collect();
    let offer = Offer {
        better,
        suites: &suites,
        versions: None,
    };
    Arc::new(offer.provider().unwrap())
}

/// As port 5500: a certificate is required.
pub(crate) fn server(provider: Arc<CryptoProvider>, identity: &TlsIdentity) -> Server {
    let clients = ClientAuthentication::Required(Arc::new(AcceptAll));
    serve(server_config(provider, identity, clients).unwrap())
}

pub(crate) fn serve(tls: Arc<ServerConfig>) -> Server {
    let plan = ServerPlan {
        tls: Some(tls),
        ..ServerPlan::default()
    };
    Server::start_with(plan, Rehearsal)
}

/// As we call peers.
pub(crate) fn client(provider: Arc<CryptoProvider>, identity: &TlsIdentity) -> Arc<ClientConfig> {
    client_config(provider, Some(identity), Arc::new(AcceptAll)).unwrap()
}

pub(crate) async fn open(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    pool: &HandshakePool,
) -> ClientConnection {
    let tcp = monoio::net::TcpStream::connect_addr(address).await.unwrap();
    let name = ServerName::from(address.ip());
    let stream = connect(tcp, Arc::clone(config), name, pool, LIMIT).await.unwrap();
    ClientConnection::new(stream, ClientSettings::default())
}

/// Posts a body and gives what comes back.
pub(crate) async fn post(connection: &mut ClientConnection, path: &'static str, body: Vec<u8>) -> Vec<u8> {
    let head = RequestHead::new(Method::POST, path).with("Host", "a");
    let status = connection.send_full(&head, body).await.unwrap().status;
    assert_eq!(status, 200);
    connection
        .body()
        .read_to_end(4 * MEGABYTE)
        .await
        .unwrap()
        .to_vec()
}

/// Suite, and whether the session was resumed.
pub(crate) fn met(connection: &ClientConnection) -> (String, bool) {
    let tls = connection.peer().tls.as_ref().unwrap();
    (format!("{:?}", tls.cipher_suite), tls.resumed)
}

/// Bodies of one byte, a full record and many records.
pub(crate) fn bodies() -> [Vec<u8>; 3] {
    [1, 16 * 1024, MEGABYTE].map(|size| (0..=250).cycle().take(size).collect())
}

/// Requests in one text: who are you, each body echoed; the connection ends with the last.
pub(crate) fn requests() -> Vec<u8> {
    let mut all = b"GET /peer HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    for (number, body) in bodies().iter().enumerate() {
        let close = if number == 2 { "Connection: close\r\n" } else { "" };
        let length = body.len();
        let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\n{close}Content-Length: {length}\r\n\r\n");
        all.extend_from_slice(head.as_bytes());
        all.extend_from_slice(body);
    }
    all
}

/// Checks the answers to [`requests`]; gives what the server says of the connection.
pub(crate) fn check_answers(mut answers: &[u8]) -> String {
    let told = String::from_utf8(take_answer(&mut answers)).unwrap();
    for body in bodies() {
        assert!(take_answer(&mut answers) == body, "echo of {} bytes", body.len());
    }
    assert!(answers.is_empty());
    told
}

/// Takes an answer with a known length or in chunks off the front.
fn take_answer(answers: &mut &[u8]) -> Vec<u8> {
    let head = String::from_utf8(take_until(answers, b"\r\n\r\n")).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    if let Some(length) = length {
        return take(answers, length.parse().unwrap());
    }
    let mut body = Vec::new();
    loop {
        let size = String::from_utf8(take_until(answers, b"\r\n")).unwrap();
        let size = usize::from_str_radix(&size, 16).unwrap();
        body.extend(take(answers, size));
        assert_eq!(take(answers, 2), b"\r\n");
        if size == 0 {
            return body;
        }
    }
}

fn take(answers: &mut &[u8], length: usize) -> Vec<u8> {
    let (taken, rest) = answers.split_at(length);
    *answers = rest;
    taken.to_vec()
}

fn take_until(answers: &mut &[u8], end: &[u8]) -> Vec<u8> {
    let at = answers.windows(end.len()).position(|window| window == end);
    let taken = take(answers, at.unwrap_or_else(|| panic!("{:?}", answers.get(..200))));
    take(answers, end.len());
    taken
}

/// A leaf under an intermediate under a root that nobody presents: files `leaf.key`, `leaf.pem`, `intermediate.pem`.
pub(crate) fn chain() -> &'static tempfile::TempDir {
    static CHAIN: OnceLock<tempfile::TempDir> = OnceLock::new();
    CHAIN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = "
            set -e
            new() { openssl req -new -newkey rsa:2048 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr; }
            printf 'basicConstraints=critical,CA:TRUE\\n' > ca.ext
            new root; openssl x509 -req -in root.csr -signkey root.key -days 9 -extfile ca.ext -out root.pem
            new intermediate; openssl x509 -req -in intermediate.csr -CA root.pem -CAkey root.key -CAcreateserial \
                -days 9 -extfile ca.ext -out intermediate.pem
            printf 'keyUsage=digitalSignature\\n' > leaf.ext
            new leaf; openssl x509 -req -in leaf.csr -CA intermediate.pem -CAkey intermediate.key -CAcreateserial \
                -days 9 -extfile leaf.ext -out leaf.pem";
        let made = Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        folder
    })
}

/// An identity with its private key's file and the files of its chain, leaf first.
pub(crate) struct Party {
    pub(crate) identity: TlsIdentity,
    pub(crate) key: PathBuf,
    pub(crate) chain: Vec<PathBuf>,
    /// The suite with which a stock peer meets it.
    pub(crate) suite: &'static str,
}

/// An RSA key, an EC key, and an RSA key with an intermediate.
pub(crate) fn parties() -> [Party; 3] {
    let keys = Keys::get();
    let simple = |name: &str, suite| Party {
        identity: keys.identity(name),
        key: keys.file(&format!("{name}.key")),
        chain: vec![keys.file(&format!("{name}.pem"))],
        suite,
    };
    let rsa = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384";
    let file = |name: &str| chain().path().join(name);
    let files = vec![file("leaf.pem"), file("intermediate.pem")];
    let certificates = files
        .iter()
        .map(|path| CertificateDer::from_pem_file(path).unwrap());
    let chained = Party {
        identity: Keys::identity_of(&file("leaf.key"), certificates.collect()),
        key: file("leaf.key"),
        chain: files,
        suite: rsa,
    };
    [
        simple("rsa", rsa),
        simple("ec", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
        chained,
    ]
}
