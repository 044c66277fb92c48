//! Forged records on real CBC connections: whatever is wrong with one, the other side learns the same.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use proxy::http::{Method, RequestHead};
use proxy::net::tls::{AcceptAll, ClientAuthentication, HandshakePool, server_config};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection as TlsClient, Connection, KeyLog, ServerConnection};

use crate::forger::{Forgery, Keys, Place};
use crate::stock::{cbc_only, client, open, parties, peers, server};
use crate::support::{LIMIT, run};

/// Type of a record.
const ALERT: u8 = 21;
const DATA: u8 = 23;
/// A fatal `bad_record_mac`.
const BAD_RECORD_MAC: [u8; 2] = [2, 20];

/// Remembers the secrets of the last connection.
#[derive(Debug, Default)]
struct Secrets(Mutex<(Vec<u8>, Vec<u8>)>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        assert_eq!(label, "CLIENT_RANDOM");
        *self.0.lock().unwrap() = (client_random.to_vec(), secret.to_vec());
    }
}

/// A connection whose handshake rustls made and whose records are ours to make.
struct Forger {
    tcp: TcpStream,
    write: Keys,
    read: Keys,
}

impl Forger {
    /// Calls a server of ours.
    fn call(address: SocketAddr) -> Self {
        let [party, ..] = parties();
        let secrets = Arc::new(Secrets::default());
        let mut config = (*client(cbc_only(), &party.identity)).clone();
        config.key_log = Arc::clone(&secrets) as Arc<dyn KeyLog>;
        let tls = TlsClient::new(Arc::new(config), ServerName::from(address.ip())).unwrap();
        let tcp = TcpStream::connect(address).unwrap();
        let (of_client, of_server, tcp) = shake_hands(tls.into(), tcp, &secrets);
        Self {
            tcp,
            write: of_client,
            read: of_server,
        }
    }

    /// Is called by a client of ours.
    fn accept(listener: &TcpListener) -> Self {
        let [party, ..] = parties();
        let secrets = Arc::new(Secrets::default());
        let clients = ClientAuthentication::Required(Arc::new(AcceptAll));
        let mut config = (*server_config(cbc_only(), &party.identity, clients).unwrap()).clone();
        config.key_log = Arc::clone(&secrets) as Arc<dyn KeyLog>;
        let tls = ServerConnection::new(Arc::new(config)).unwrap();
        let (tcp, _) = listener.accept().unwrap();
        let (of_client, of_server, tcp) = shake_hands(tls.into(), tcp, &secrets);
        Self {
            tcp,
            write: of_server,
            read: of_client,
        }
    }

    /// Sends a payload as the first record of data.
    fn send(&mut self, payload: &[u8]) {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let record = [&[DATA, 3, 3], &length[..], payload].concat();
        self.tcp.write_all(&record).unwrap();
    }

    fn seal(&self, text: &[u8], forgery: Forgery) -> Vec<u8> {
        // Sequence number 0 was the end of the handshake.
        self.write
            .seal(Place { seq: 1, typ: DATA }, [7; 16], text, forgery)
    }

    /// Type and text of a record of the other side.
    fn receive(&mut self, seq: u64) -> (u8, usize, Vec<u8>) {
        let (header, payload) = read_record(&mut self.tcp);
        let typ = header[0];
        let text = self.read.open(Place { seq, typ }, &payload).unwrap();
        (typ, payload.len(), text)
    }

    fn is_closed(&mut self) -> bool {
        self.tcp.read(&mut [0]).map_or(true, |count| count == 0)
    }
}

fn shake_hands(mut tls: Connection, mut tcp: TcpStream, secrets: &Secrets) -> (Keys, Keys, TcpStream) {
    tcp.set_read_timeout(Some(LIMIT)).unwrap();
    let mut server_random = None;
    while tls.is_handshaking() || tls.wants_write() {
        while tls.wants_write() {
            let mut flight = Vec::new();
            tls.write_tls(&mut flight).unwrap();
            server_random = server_random.or_else(|| random_of_server(&flight));
            tcp.write_all(&flight).unwrap();
        }
        if tls.is_handshaking() {
            let (header, payload) = read_record(&mut tcp);
            let record = [&header[..], &payload].concat();
            server_random = server_random.or_else(|| random_of_server(&record));
            tls.read_tls(&mut &record[..]).unwrap();
            tls.process_new_packets().unwrap();
        }
    }
    let (client_random, master_secret) = secrets.0.lock().unwrap().clone();
    let (of_client, of_server) = Keys::of_connection(&master_secret, &client_random, &server_random.unwrap());
    (of_client, of_server, tcp)
}

/// A ServerHello is a handshake record (22) with a message of type 2; version and random follow.
fn random_of_server(record: &[u8]) -> Option<Vec<u8>> {
    (record[0] == 22 && record[5] == 2).then(|| record[11..43].to_vec())
}

fn read_record(tcp: &mut TcpStream) -> ([u8; 5], Vec<u8>) {
    let mut header = [0; 5];
    tcp.read_exact(&mut header).unwrap();
    let mut payload = vec![0; usize::from(header[3]) * 256 + usize::from(header[4])];
    tcp.read_exact(&mut payload).unwrap();
    (header, payload)
}

/// A text that is a request to the one side and a bad answer to the other; its record has 112 bytes.
const TEXT: &[u8] = b"GET /peer?12345678 HTTP/1.1\r\nHost: a\r\n\r\n";

/// What can be wrong with a record, and how a forger who has the keys makes it so.
type Wrong = (&'static str, fn(&Forger) -> Vec<u8>);

const WRONG: &[Wrong] = &[
    ("MAC", |forger| forger.seal(TEXT, Forgery::Mac)),
    ("padding", |forger| forger.seal(TEXT, Forgery::PaddingByte)),
    ("length of padding", |forger| {
        forger.seal(TEXT, Forgery::PaddingTooLong)
    }),
    ("MAC and padding", |forger| {
        forger.seal(TEXT, Forgery::MacAndPadding)
    }),
    ("a byte too short", |forger| cut(forger, 1)),
    ("a block too short", |forger| cut(forger, 16)),
    ("two blocks too short", |forger| cut(forger, 32)),
    ("nothing but an IV", |forger| cut(forger, 96)),
    ("nothing", |forger| cut(forger, 112)),
    ("a byte of the IV", |forger| change(forger, 0)),
    ("a byte of the text", |forger| change(forger, 16)),
    ("a byte before the MAC", |forger| change(forger, 40)),
    ("a byte of the MAC", |forger| change(forger, 70)),
    ("a byte before the padding", |forger| change(forger, 95)),
    ("the last byte", |forger| change(forger, 111)),
    ("its place", |forger| {
        let later = Place { seq: 2, typ: DATA };
        forger.write.seal(later, [7; 16], TEXT, Forgery::None)
    }),
];

fn cut(forger: &Forger, bytes: usize) -> Vec<u8> {
    let right = forger.seal(TEXT, Forgery::None);
    right[..right.len() - bytes].to_vec()
}

fn change(forger: &Forger, at: usize) -> Vec<u8> {
    let mut record = forger.seal(TEXT, Forgery::None);
    assert_eq!(record.len(), 112);
    record[at] ^= 0x40;
    record
}

/// The one answer to every forgery: the same alert, encrypted to the same length, and the end.
fn check_refusal(forger: &mut Forger, seq: u64, what: &str) {
    let answer = forger.receive(seq);
    assert_eq!(answer, (ALERT, 80, BAD_RECORD_MAC.to_vec()), "{what}");
    assert!(forger.is_closed(), "{what}");
}

#[test]
fn a_server_answers_every_forgery_alike() {
    let [party, ..] = parties();
    let server = server(peers(), &party.identity);
    for (what, forge) in WRONG {
        let mut forger = Forger::call(server.address);
        forger.send(&forge(&forger));
        check_refusal(&mut forger, 1, what);
    }
    for honest in [Forgery::None, Forgery::Padded(8 + 240)] {
        let mut forger = Forger::call(server.address);
        forger.send(&forger.seal(TEXT, honest));
        let (typ, _, answer) = forger.receive(1);
        assert_eq!(typ, DATA);
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{honest:?}");
    }
}

#[test]
fn a_client_answers_every_forgery_alike() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let [party, ..] = parties();
    let forging = std::thread::spawn(move || {
        for (what, forge) in WRONG {
            let mut forger = Forger::accept(&listener);
            assert_eq!(forger.receive(1).0, DATA, "the request");
            forger.send(&forge(&forger));
            check_refusal(&mut forger, 2, what);
        }
        let mut honest = Forger::accept(&listener);
        assert_eq!(honest.receive(1).0, DATA);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        honest.send(&honest.seal(answer, Forgery::None));
        // A close_notify, and the end.
        assert_eq!(honest.receive(2), (ALERT, 80, vec![1, 0]));
        assert!(honest.is_closed());
    });
    let identity = party.identity;
    let answer = run(async move |_| {
        let pool = HandshakePool::start("handshake", 1, 0).unwrap();
        let mut answers = Vec::new();
        for _ in 0..=WRONG.len() {
            // A configuration for each connection, so that no session is resumed.
            let mut connection = open(address, &client(peers(), &identity), &pool).await;
            let head = RequestHead::new(Method::GET, "/").with("Host", "a");
            answers.push(match connection.send_full(&head, "").await {
                Ok(_) => connection.body().read_to_end(100).await.ok(),
                Err(_) => None,
            });
            connection.close().await;
        }
        let honest = answers.pop().flatten();
        assert!(answers.iter().all(Option::is_none));
        honest
    });
    assert_eq!(answer.as_deref(), Some(&b"hello"[..]));
    forging.join().unwrap();
}
