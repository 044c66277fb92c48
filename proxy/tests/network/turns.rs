//! Who is served when more connections come than may be served at once: real sockets from several addresses.

use std::net::{IpAddr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::support::{RawClient, Rehearsal, Server, ServerPlan};

/// Two members whose servers are registered, and somebody else.
const MEMBER: [u8; 4] = [127, 0, 0, 11];
const OTHER_MEMBER: [u8; 4] = [127, 0, 0, 12];
const STRANGER: [u8; 4] = [127, 0, 0, 66];
const OTHER_STRANGER: [u8; 4] = [127, 0, 0, 67];
/// Many times the slots.
const STORM: usize = 300;

fn server(max_connections: usize) -> Server {
    let plan = ServerPlan {
        max_connections,
        known: [MEMBER, OTHER_MEMBER].map(IpAddr::from).to_vec(),
        ..ServerPlan::default()
    };
    Server::start_with(plan, Rehearsal)
}

fn connect_from(source: [u8; 4], server: &Server) -> RawClient {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&server.address.into()).unwrap();
    RawClient::of(TcpStream::from(socket))
}

fn request(client: &mut RawClient, path: &str) {
    client.send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
}

fn answered(client: &mut RawClient, path: &str) {
    client.read_until(&format!("GET /{path}"));
}

#[test]
fn a_storm_of_idle_connections_from_addresses_nobody_knows_does_not_keep_members_out() {
    let server = server(8);
    let storm: Vec<RawClient> = (0..STORM)
        .map(|number| connect_from(if number % 2 == 0 { STRANGER } else { OTHER_STRANGER }, &server))
        .collect();
    for round in 0..20 {
        let mut member = connect_from(MEMBER, &server);
        request(&mut member, &format!("member{round}"));
        answered(&mut member, &format!("member{round}"));
    }
    // The mirror: who is as unknown as the storm waits behind it, and is served when it is over.
    let mut unknown = connect_from(STRANGER, &server);
    request(&mut unknown, "unknown");
    assert!(unknown.is_silent());
    drop(storm);
    answered(&mut unknown, "unknown");
}

#[test]
fn a_member_with_more_connections_than_its_share_does_not_keep_another_one_out() {
    let server = server(4);
    let mut greedy: Vec<RawClient> = (0..20).map(|_| connect_from(MEMBER, &server)).collect();
    for client in &mut greedy[..3] {
        request(client, "served");
        answered(client, "served");
    }
    request(&mut greedy[3], "waits");
    assert!(greedy[3].is_silent(), "three of four slots are its share");
    let mut other = connect_from(OTHER_MEMBER, &server);
    request(&mut other, "other");
    answered(&mut other, "other");
    // Its own connections go on, in their order, as it gives slots back.
    drop(greedy.remove(0));
    answered(&mut greedy[2], "waits");
}

#[test]
fn sources_take_turns_when_every_slot_is_taken() {
    let server = server(1);
    let mut first = connect_from(MEMBER, &server);
    request(&mut first, "first");
    answered(&mut first, "first");
    let sources = [MEMBER, MEMBER, STRANGER, OTHER_MEMBER];
    let [mut second, mut third, stranger, other] = sources.map(|source| {
        let mut client = connect_from(source, &server);
        request(&mut client, "x");
        assert!(client.is_silent());
        client
    });
    drop(first);
    answered(&mut second, "x");
    drop(second);
    // The third of the first member comes last, though the others came after it.
    for mut next in [stranger, other] {
        answered(&mut next, "x");
        assert!(third.is_silent());
    }
    answered(&mut third, "x");
}

#[test]
fn draining_closes_those_that_wait_and_finishes_what_runs() {
    let server = server(1);
    let mut busy = connect_from(MEMBER, &server);
    request(&mut busy, "sleep");
    let mut waiting = connect_from(OTHER_MEMBER, &server);
    assert!(waiting.is_silent());
    server.drain();
    assert!(busy.read_all().ends_with("slept"));
    assert_eq!(waiting.read_all(), "");
    server.join();
}
