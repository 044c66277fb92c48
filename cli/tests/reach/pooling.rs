//! Connections between servers: kept and used again where both ends want that, closed where one of them says so.

use std::net::Ipv4Addr;

use super::instance::{self, CLIENT, Instance, wait_until};
use super::operator::{metric, restart_with, wait_until_healthy};
use super::{rest, soap, soap_request};

/// An instance whose consumer's server has one worker, and so one pool.
fn one_worker(net: u8) -> Instance {
    let mut instance = Instance::up(net);
    restart_with(&mut instance, "consumer", &[("kiirtee/workers", 1.into())]);
    instance
}

/// How many handshakes so many exchanges, one after the other, begin, and how many go over a connection that is open.
fn handshakes_and_reuses(instance: &Instance, exchanges: usize) -> (u64, u64) {
    let figures = || {
        let figure = |name| metric(instance, "consumer", name);
        (
            figure("xroad_peer_handshakes_total"),
            figure("xroad_peer_connections_reused_total"),
        )
    };
    let before = figures();
    for number in 0..exchanges {
        if number % 2 == 0 {
            rest(instance, "echo/letters").is_answer();
        } else {
            soap(instance, &soap_request()).is_answer();
        }
    }
    let after = figures();
    (after.0 - before.0, after.1 - before.1)
}

/// Open connections from anywhere to port 5500 of the provider's server.
fn open_connections(net: u8) -> usize {
    const ESTABLISHED: &str = "01";
    let address = u32::from_ne_bytes(Ipv4Addr::new(127, 0, net, 20).octets());
    let peer = format!("{address:08X}:{:04X}", 5500);
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let connections = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    connections
        .filter(|fields| fields.get(2) == Some(&peer.as_str()) && fields[3] == ESTABLISHED)
        .count()
}

#[test]
fn a_connection_is_used_again_while_both_ends_keep_it() {
    if !instance::is_built() {
        return;
    }
    let mut instance = one_worker(53);
    assert_eq!(handshakes_and_reuses(&instance, 6), (1, 5));
    assert_eq!(open_connections(53), 1);

    // One that the other end has closed meanwhile is not used again.
    let provider = instance.kill("provider-proxy");
    instance.restart(&provider);
    wait_until_healthy(&instance, "provider");
    assert_eq!(handshakes_and_reuses(&instance, 4), (1, 3));

    peers_that_close_are_obeyed(&mut instance);
    we_close_when_told_to(&mut instance);
    idle_connections_are_closed(&mut instance);
    bounds_are_kept(&mut instance);
}

/// As a stock server says it in every answer, unless its operator has changed that.
fn peers_that_close_are_obeyed(instance: &mut Instance) {
    let support = "proxy/server-support-clients-pooled-connections";
    restart_with(instance, "provider", &[(support, false.into())]);
    assert_eq!(handshakes_and_reuses(instance, 4), (4, 0));
    wait_until("all connections to end", || open_connections(53) == 0);
    restart_with(instance, "provider", &[(support, true.into())]);
    assert_eq!(handshakes_and_reuses(instance, 4), (1, 3));
}

fn we_close_when_told_to(instance: &mut Instance) {
    let reuse = "proxy/pool-enable-connection-reuse";
    restart_with(instance, "consumer", &[(reuse, false.into())]);
    assert_eq!(handshakes_and_reuses(instance, 4), (4, 0));
    wait_until("all connections to end", || open_connections(53) == 0);
    restart_with(instance, "consumer", &[(reuse, true.into())]);
    assert_eq!(handshakes_and_reuses(instance, 4), (1, 3));
}

fn idle_connections_are_closed(instance: &mut Instance) {
    let (interval, time_out) = (
        "proxy/client-idle-connection-monitor-interval",
        "proxy/client-idle-connection-monitor-timeout",
    );
    restart_with(
        instance,
        "consumer",
        &[(interval, 200.into()), (time_out, 1000.into())],
    );
    assert_eq!(handshakes_and_reuses(instance, 2), (1, 1));
    assert_eq!(open_connections(53), 1);
    wait_until("the idle connection to be closed", || open_connections(53) == 0);
    assert_eq!(handshakes_and_reuses(instance, 2), (1, 1));
    restart_with(
        instance,
        "consumer",
        &[(interval, 30_000.into()), (time_out, 60_000.into())],
    );
}

/// Four exchanges at a time need four connections; one of them may be kept.
fn bounds_are_kept(instance: &mut Instance) {
    let bound = "proxy/pool-total-default-max-connections-per-route";
    restart_with(instance, "consumer", &[(bound, 1.into())]);
    let url = instance.url("echo/delay?ms=1500");
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            std::thread::spawn(move || {
                let call = instance::agent().get(&url).header(CLIENT.0, CLIENT.1).call();
                call.unwrap().body_mut().read_to_vec().unwrap()
            })
        })
        .collect();
    wait_until("all to be under way", || open_connections(53) == 4);
    calls.into_iter().for_each(|call| drop(call.join().unwrap()));
    wait_until("all but one to be closed", || open_connections(53) == 1);
}
