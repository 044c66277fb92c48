//! More than a server can take on: what is too much is refused at once and in the words of the protocol, what fits is
//! served.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod information_system;
mod instance;
mod scripted_peer;

#[path = "awkward/raw.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod raw;

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use information_system::consumer;
use instance::{Instance, agent, is_built, resident, wait_until};
use raw::{CLIENT, Raw};
use scripted_peer::{Peer, client};
use socket2::{Domain, Socket, Type};
use toml::{Table, Value};

/// Exchanges that the small server takes on, of which one address has three quarters.
const BOUND: usize = 8;
const SHARE: usize = 6;
/// What an answer without work takes, even on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

fn set(settings: &mut Table, section: &str, key: &str, value: impl Into<Value>) {
    let section = settings.entry(section).or_insert_with(|| Table::new().into());
    section.as_table_mut().unwrap().insert(key.into(), value.into());
}

fn small(settings: &mut Table) {
    set(settings, "kiirtee", "workers", 1);
    set(
        settings,
        "kiirtee",
        "max-exchanges",
        i64::try_from(BOUND).unwrap(),
    );
}

fn metric(instance: &Instance, server: &str, series: &str) -> u64 {
    let url = instance.get(&format!("{server}/metrics"));
    let text = agent()
        .get(&url)
        .call()
        .unwrap()
        .into_body()
        .read_to_string()
        .unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("{series} is not in the metrics"))
        .trim()
        .parse()
        .unwrap()
}

fn path(instance: &Instance, service_and_path: &str) -> String {
    format!("/r1/{}/{service_and_path}", instance.get("provider/subsystem"))
}

/// A connection to a server from an address of its own.
fn connect_from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source: SocketAddr = format!("{source}:0").parse().unwrap();
    socket.bind(&source.into()).unwrap();
    socket.connect(&to.into()).unwrap();
    TcpStream::from(socket)
}

/// Exchanges that are under way until they are dropped: their bodies do not end.
fn endless(instance: &Instance, count: usize) -> Vec<Raw> {
    let path = path(instance, "echo");
    let begin = || {
        let mut raw = Raw::connect(consumer(instance));
        raw.post(&path, "Content-Length: 1000000").send("x");
        raw
    };
    (0..count).map(|_| begin()).collect()
}

#[test]
fn a_request_over_the_bound_is_refused_at_once_and_one_that_fits_is_served() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(230);
    instance.reconfigure("consumer", small);
    rest_is_told_to_come_again(&instance);
    soap_gets_a_fault_as_ever(&instance);
    the_refused_keeps_its_connection(&instance);
    a_server_that_is_full_tells_its_peers(&mut instance);
}

fn rest_is_told_to_come_again(instance: &Instance) {
    let running = || {
        metric(
            instance,
            "consumer",
            "xroad_exchanges_running{side=\"client_proxy\"}",
        )
    };
    let under_way = endless(instance, SHARE);
    wait_until("all to be under way", || running() == SHARE as u64);
    let before = resident(instance.pid("consumer-proxy"));
    for _ in 0..200 {
        let began = Instant::now();
        let mut raw = Raw::connect(consumer(instance));
        raw.get(&path(instance, "echo"));
        let refusal = raw.answer().unwrap();
        assert!(began.elapsed() < AT_ONCE);
        assert_eq!(refusal.status(), 503);
        assert_eq!(refusal.header("retry-after"), Some("1"));
        assert_eq!(
            refusal.header("x-road-error"),
            Some("server.clientproxy.io_error")
        );
        assert!(refusal.text().contains("overloaded"), "{}", refusal.text());
    }
    let grown = resident(instance.pid("consumer-proxy")).saturating_sub(before);
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes for what was refused");
    let refused = metric(
        instance,
        "consumer",
        "xroad_exchanges_refused_total{side=\"client_proxy\"}",
    );
    assert_eq!(refused, 200);
    // Another address has its own share.
    let mut other = Raw::over(connect_from("127.0.230.77", consumer(instance)));
    other.get(&path(instance, "echo"));
    assert_eq!(other.answer().unwrap().status(), 200);
    drop(under_way);
    wait_until("the bound to be free again", || running() == 0);
    let mut raw = Raw::connect(consumer(instance));
    raw.get(&path(instance, "echo"));
    assert_eq!(raw.answer().unwrap().status(), 200);
}

fn soap_gets_a_fault_as_ever(instance: &Instance) {
    let under_way = endless(instance, SHARE);
    let post = |raw: &mut Raw| {
        raw.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: 5\r\n\r\n<a/>\n");
        raw.answer().unwrap()
    };
    let mut raw = Raw::connect(consumer(instance));
    let refused = "server.clientproxy.io_error";
    wait_until("SOAP to be refused", || post(&mut raw).text().contains(refused));
    let refusal = post(&mut raw);
    assert_eq!(
        (refusal.status(), refusal.header("retry-after")),
        (200, Some("1"))
    );
    drop(under_way);
    wait_until("SOAP to be judged by its content", || {
        post(&mut raw).text().contains("client.invalid_soap")
    });
}

fn the_refused_keeps_its_connection(instance: &Instance) {
    let under_way = endless(instance, SHARE);
    let mut raw = Raw::connect(consumer(instance));
    let post = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\n{CLIENT}Content-Length: 5\r\n\r\nhello",
        path(instance, "echo")
    );
    let mut status = || {
        raw.send(&post);
        raw.answer().unwrap().status()
    };
    wait_until("a refusal", || status() == 503);
    drop(under_way);
    wait_until("an answer on the same connection", || status() == 200);
}

fn a_server_that_is_full_tells_its_peers(instance: &mut Instance) {
    instance.reconfigure("consumer", |settings| {
        set(settings, "kiirtee", "max-exchanges", 100)
    });
    instance.reconfigure("provider", small);
    let running = || {
        metric(
            instance,
            "provider",
            "xroad_exchanges_running{side=\"server_proxy\"}",
        )
    };
    let slow: Vec<Raw> = (0..SHARE)
        .map(|_| {
            let mut raw = Raw::connect(consumer(instance));
            raw.get(&path(instance, "echo/delay?ms=8000"));
            raw
        })
        .collect();
    wait_until("all to be under way", || running() == SHARE as u64);
    let mut raw = Raw::connect(consumer(instance));
    let began = Instant::now();
    raw.get(&path(instance, "echo"));
    let refusal = raw.answer().unwrap();
    assert!(began.elapsed() < AT_ONCE);
    assert_eq!(
        refusal.header("x-road-error"),
        Some("server.serverproxy.io_error")
    );
    assert!(refusal.text().contains("overloaded"), "{}", refusal.text());
    drop(slow);
    wait_until("the provider's server to serve again", || {
        let mut raw = Raw::connect(consumer(instance));
        raw.get(&path(instance, "echo"));
        raw.answer().unwrap().status() == 200
    });
}

#[test]
fn a_body_that_comes_byte_by_byte_is_given_up_and_heads_that_do_not_end_delay_nobody() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(231);
    instance.reconfigure("consumer", small);
    let mut dripping = endless(&instance, 1);
    let to = consumer(&instance);
    let heads: Vec<Raw> = (0..500)
        .map(|_| {
            let mut raw = Raw::connect(to);
            raw.send("GET / HTTP/1.1\r\nX-Slow: ");
            raw
        })
        .collect();
    let mut took = Vec::new();
    let given_up = Instant::now() + Duration::from_secs(60);
    // What arrives on time is never more than a byte at a time, but never stalls either.
    while dripping[0].try_send("x").is_ok() && !dripping[0].has_answer(Duration::from_millis(300)) {
        assert!(
            Instant::now() < given_up,
            "a body of three bytes a second is still waited for"
        );
        let began = Instant::now();
        let mut raw = Raw::connect(to);
        raw.get(&path(&instance, "echo"));
        assert_eq!(raw.answer().unwrap().status(), 200);
        took.push(began.elapsed());
    }
    took.sort();
    assert!(
        took.len() > 10 && took[took.len() / 2] < Duration::from_secs(1),
        "{took:?}"
    );
    assert_eq!(
        dripping[0].answer().unwrap().header("x-road-error"),
        Some("server.clientproxy.io_error")
    );
    drop(heads);
}

/// Handshakes under way that one address has room for.
const ROOM: usize = 768;
/// Handshakes that a storm leaves half-open.
const HALF_OPEN: usize = 900;
/// What each of them, and each that is refused, may cost the server that is stormed, in bytes.
const HANDSHAKE_BYTES: u64 = 96 * 1024;

#[test]
fn a_storm_of_handshakes_leaves_other_servers_their_exchanges() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(232);
    // Each exchange takes a handshake of its own, which must get through the storm.
    instance.reconfigure("provider", |settings| {
        set(
            settings,
            "proxy",
            "server-support-clients-pooled-connections",
            false,
        );
    });
    let peer = Peer::join(&instance, "3003", 60);
    exchanges(&instance, 20);
    let before = resident(instance.pid("provider-proxy"));
    let half_open = half_open_handshakes(&instance);
    let open = || half_open.iter().filter(|stream| !is_closed(stream)).count();
    wait_until("handshakes to be refused", || open() <= ROOM);
    assert!(
        open() > ROOM / 2,
        "those that are within the bound are waited for"
    );
    assert!(metric(&instance, "provider", "xroad_handshakes_refused_total") > 0);
    let (stop, completed) = (AtomicBool::new(false), AtomicU64::new(0));
    let took = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| drop_completed_handshakes(&instance, &peer, &stop, &completed));
        }
        wait_until("the storm", || completed.load(Ordering::Relaxed) > 20);
        let took = exchanges(&instance, 30);
        stop.store(true, Ordering::Relaxed);
        took
    });
    assert!(took[took.len() / 2] < Duration::from_secs(1), "{took:?}");
    let grown = resident(instance.pid("provider-proxy")).saturating_sub(before);
    assert!(grown < HALF_OPEN as u64 * HANDSHAKE_BYTES, "{grown} bytes");
}

/// So many exchanges one after the other, all answered; their times in order of length.
fn exchanges(instance: &Instance, count: usize) -> Vec<Duration> {
    let (to, path) = (consumer(instance), path(instance, "echo"));
    let mut took: Vec<_> = (0..count)
        .map(|_| {
            let began = Instant::now();
            let mut raw = Raw::connect(to);
            raw.get(&path);
            let answer = raw.answer().unwrap();
            assert_eq!(answer.status(), 200, "{}", answer.text());
            began.elapsed()
        })
        .collect();
    took.sort();
    took
}

/// Connections that begin a handshake (the first bytes of a TLS record) and leave it there.
fn half_open_handshakes(instance: &Instance) -> Vec<TcpStream> {
    let begin = || {
        let mut stream = connect_from("127.0.232.77", client::provider(instance));
        // Who is refused may be gone already.
        let _ = std::io::Write::write_all(&mut stream, &[22, 3, 1, 2, 0, 1, 0]);
        stream
    };
    (0..HALF_OPEN).map(|_| begin()).collect()
}

fn is_closed(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    !matches!(stream.read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// A registered server that only ever shakes hands.
fn drop_completed_handshakes(instance: &Instance, peer: &Peer, stop: &AtomicBool, completed: &AtomicU64) {
    let to = client::provider(instance);
    while !stop.load(Ordering::Relaxed) {
        if client::presented(to, &peer.auth).is_ok() {
            completed.fetch_add(1, Ordering::Relaxed);
        }
    }
}
