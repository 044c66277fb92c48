//! What the server makes of requests, seen from a raw socket.

use std::net::Shutdown;
use std::time::Duration;

use proxy::http::ServerSettings;
use proxy::worker::DriverChoice;

use crate::support::{Rehearsal, Server, ServerPlan, ask};

const CLOSE: &str = "Connection: close\r\n";

fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn requests_follow_each_other_on_a_connection() {
    let server = Server::start(Rehearsal);
    let mut client = server.raw();
    for number in 0..3 {
        client.send(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let response = client.read_until(&format!("GET /{number}"));
        assert!(response.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{response}");
        assert!(!response.contains("Connection"), "{response}");
    }
    assert!(client.is_silent());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(Rehearsal);
    let response = ask(
        &server,
        format!(
            "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
             POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n\r\n\
             GET /last HTTP/1.1\r\nHost: a\r\n{CLOSE}\r\n"
        ),
    );
    let bodies: Vec<_> = response.split("HTTP/1.1 200 OK\r\n").skip(1).map(body).collect();
    assert_eq!(bodies, ["3", "4", "GET /last"]);
}

#[test]
fn the_epoll_driver_serves_too() {
    let server = Server::start_with(
        ServerPlan {
            driver: DriverChoice::Epoll,
            ..ServerPlan::default()
        },
        Rehearsal,
    );
    let mut client = server.raw();
    for _ in 0..3 {
        client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        assert!(client.read_until("\r\n\r\n3").contains("200 OK"));
    }
}

#[test]
fn bytes_may_come_one_at_a_time() {
    let server = Server::start(Rehearsal);
    let mut client = server.raw();
    client.stream().set_nodelay(true).unwrap();
    let text = "\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for byte in text.as_bytes() {
        client.send([*byte]);
        std::thread::sleep(Duration::from_micros(300));
    }
    let response = client.read_until("0\r\n\r\n");
    assert!(response.contains("Transfer-Encoding: chunked"), "{response}");
    assert!(client.is_silent());
}

#[test]
fn smuggling_probes_are_refused_and_the_connection_closed() {
    let server = Server::start(Rehearsal);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for fields in [
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Content-Length: 4\r\nX: y\rTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\nTransfer-Encoding: chunked\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 0x4\r\n",
    ] {
        let response = ask(
            &server,
            format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n{hidden}"),
        );
        assert!(
            response.starts_with("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"),
            "{fields:?} {response}"
        );
        assert!(!response.contains("hidden"), "{fields:?} {response}");
    }
}

#[test]
fn heads_over_their_bounds_are_told_so() {
    let server = Server::start(Rehearsal);
    let long = "a".repeat(70_000);
    let many = "A: b\r\n".repeat(300);
    for (text, status) in [
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            "414 URI Too Long",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
            "431 Request Header Fields Too Large",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
            "431 Request Header Fields Too Large",
        ),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), "505 "),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n".to_owned(),
            "417 ",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            "501 ",
        ),
    ] {
        let response = ask(&server, text);
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}")),
            "{status} {response}"
        );
    }
}

#[test]
fn old_clients_are_served() {
    let server = Server::start(Rehearsal);
    let response = ask(&server, "GET /old HTTP/1.0\r\n\r\n");
    assert!(response.contains("Connection: close\r\n"), "{response}");
    assert_eq!(body(&response), "GET /old");
    let response = ask(
        &server,
        "POST /echo HTTP/1.0\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
    );
    assert!(!response.contains("chunked"), "{response}");
    assert_eq!(body(&response), "hi");
    let mut client = server.raw();
    client.send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(client.read_until("GET /old").contains("Connection: keep-alive"));
    assert!(client.is_silent());
}

#[test]
fn a_response_to_head_has_no_body() {
    let server = Server::start(Rehearsal);
    let mut client = server.raw();
    client.send(
        "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\nHEAD /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    let responses = client.read_all();
    assert!(
        responses.contains("Content-Length: 7\r\n\r\nHTTP/1.1 200"),
        "{responses}"
    );
    assert!(
        responses.ends_with("Transfer-Encoding: chunked\r\n\r\n"),
        "{responses}"
    );
}

#[test]
fn a_body_is_asked_for_when_it_is_read() {
    let server = Server::start(Rehearsal);
    let mut client = server.raw();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    let response = client.read_until("\r\n\r\n3");
    assert!(!response.contains("close"), "{response}");
    assert!(client.is_silent());
}

#[test]
fn a_declined_body_is_not_asked_for() {
    let server = Server::start(Rehearsal);
    let response = ask(
        &server,
        "POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
    );
    assert!(
        response.starts_with("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"),
        "{response}"
    );
}

#[test]
fn a_small_unread_body_is_passed_over() {
    let server = Server::start(Rehearsal);
    let mut client = server.raw();
    client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
    client.read_until("ignored");
    client.send("56789GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.read_until("GET /next").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_large_unread_body_ends_the_connection_after_the_response() {
    let server = Server::start(Rehearsal);
    let mut client = server.raw();
    client.send("POST /ignore HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    let block = vec![b'x'; 100_000];
    for _ in 0..4 {
        client.send(&block);
    }
    let response = client.read_all();
    assert_eq!(body(&response), "ignored");
}

#[test]
fn a_client_may_close_its_sending_direction() {
    let server = Server::start(Rehearsal);
    let mut client = server.raw();
    client.send("POST /sleep HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert_eq!(body(&client.read_all()), "slept");
}

#[test]
fn a_handler_that_fails_ends_the_connection() {
    let server = Server::start(Rehearsal);
    let response = ask(&server, "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        response.starts_with("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n"),
        "{response}"
    );
    let response = ask(&server, "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(response.ends_with("9\r\nbeginning\r\n"), "{response}");
    let response = ask(&server, "GET /short HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        response.contains("Content-Length: 100") || response.is_empty(),
        "{response}"
    );
}

#[test]
fn a_malformed_body_ends_the_connection() {
    let server = Server::start(Rehearsal);
    let response = ask(
        &server,
        "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    );
    assert!(response.starts_with("HTTP/1.1 500"), "{response}");
    let mut client = server.raw();
    client.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert!(client.read_all().starts_with("HTTP/1.1 500"));
}

#[test]
fn keeping_connections_can_be_turned_off() {
    let settings = ServerSettings {
        keep_alive: false,
        ..ServerSettings::default()
    };
    let server = Server::start_with(
        ServerPlan {
            settings,
            ..ServerPlan::default()
        },
        Rehearsal,
    );
    let response = ask(
        &server,
        "GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert!(response.contains("Connection: close\r\n"), "{response}");
    assert!(!response.contains("/two"), "{response}");
}
