//! Time limits, bounds and draining.

use std::time::{Duration, Instant};

use proxy::http::ServerSettings;

use crate::support::{Rehearsal, Server, ServerPlan, ask};

fn hurried() -> ServerPlan {
    let settings = ServerSettings {
        idle_limit: Duration::from_millis(300),
        head_limit: Duration::from_millis(300),
        body_stall_limit: Duration::from_millis(300),
        write_stall_limit: Duration::from_millis(300),
        ..ServerSettings::default()
    };
    ServerPlan {
        settings,
        ..ServerPlan::default()
    }
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Server::start_with(hurried(), Rehearsal);
    let start = Instant::now();
    assert_eq!(ask(&server, ""), "");
    assert!(start.elapsed() >= Duration::from_millis(290));
    let mut client = server.raw();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.read_all().ends_with("GET /"));
}

#[test]
fn a_slow_head_is_refused_however_it_trickles() {
    let server = Server::start_with(hurried(), Rehearsal);
    let mut client = server.raw();
    for _ in 0..4 {
        client.send("A");
        std::thread::sleep(Duration::from_millis(70));
    }
    assert!(client.read_all().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
}

#[test]
fn a_stalled_body_ends_the_exchange() {
    let server = Server::start_with(hurried(), Rehearsal);
    let start = Instant::now();
    let response = ask(
        &server,
        "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc",
    );
    assert!(response.starts_with("HTTP/1.1 500"), "{response}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_may_be_slow_as_long_as_it_does_not_stall() {
    let server = Server::start_with(hurried(), Rehearsal);
    let mut client = server.raw();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(100));
        client.send("x");
    }
    assert!(client.read_until("\r\n\r\n6").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let server = Server::start_with(hurried(), Rehearsal);
    let mut client = server.raw();
    client.send("GET /stream?100000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(1500));
    let mut received = 0;
    let mut block = vec![0; 1 << 20];
    while let Ok(count @ 1..) = std::io::Read::read(&mut client.stream(), &mut block) {
        received += count;
    }
    assert!(received < 50_000_000, "{received}");
}

#[test]
fn connections_over_the_bound_wait_for_their_turn() {
    let server = Server::start_with(
        ServerPlan {
            max_connections: 1,
            ..ServerPlan::default()
        },
        Rehearsal,
    );
    let mut first = server.raw();
    first
        .send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_until("GET /first");
    let mut second = server.raw();
    second.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(second.is_silent());
    drop(first);
    second.read_until("GET /second");
}

#[test]
fn draining_finishes_what_runs_and_takes_nothing_new() {
    let server = Server::start(Rehearsal);
    let mut idle = server.raw();
    idle.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        .read_until("GET /x");
    let mut busy = server.raw();
    busy.send("GET /sleep HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    server.drain();
    assert_eq!(idle.read_all(), "");
    let response = busy.read_all();
    assert!(response.ends_with("slept"), "{response}");
    std::net::TcpStream::connect(server.address).unwrap_err();
    server.join();
}
