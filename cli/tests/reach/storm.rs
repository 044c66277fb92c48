//! More connections of other servers than there are slots.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::instance::{self, Instance, wait_until};
use super::operator::{register, restart_with};
use super::rest;

/// An idle connection to the provider's server.
fn connect_from(source: &str, net: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source: SocketAddr = format!("{source}:0").parse().unwrap();
    socket.bind(&source.into()).unwrap();
    let server: SocketAddr = format!("127.0.{net}.20:5500").parse().unwrap();
    socket.connect(&server.into()).unwrap();
    socket.into()
}

#[test]
fn a_storm_of_connections_from_addresses_nobody_knows_does_not_delay_a_member() {
    if !instance::is_built() {
        return;
    }
    let mut instance = Instance::up(57);
    // What connects without naming its own address comes from the first one of the loopback interface.
    register(&instance, "consumer", |entry| {
        drop(entry.insert("address".into(), "127.0.0.1".into()));
    });
    let known = instance
        .dir()
        .join("provider/globalconf/SANDBOX/shared-params.xml");
    wait_until("the address to be known", || {
        std::fs::read_to_string(&known).is_ok_and(|text| text.contains("<address>127.0.0.1</address>"))
    });
    // Ten for others than the storm: each worker of the consumer keeps a connection.
    let settings = [
        ("anti-dos/max-parallel-connections", 40.into()),
        ("kiirtee/workers", 1.into()),
    ];
    restart_with(&mut instance, "provider", &settings);

    let storm: Vec<TcpStream> = (0..100).map(|_| connect_from("127.0.57.66", 57)).collect();
    let began = Instant::now();
    for _ in 0..5 {
        rest(&instance, "echo/letters").is_answer();
    }
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "before the first of the storm is given up"
    );
    drop(storm);
}
