//! What a security server owes its operator under load and failure: two hundred clients for a minute while processes
//! are killed, nothing acknowledged is lost, nothing leaks; and a stop on request that cuts nobody off.
//!
//! `KIIRTEE_TEST_SECONDS` sets the length of the storm (60 by default).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod endurance_parts;
mod instance;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use endurance_parts::log::Logged;
use endurance_parts::resources::{Resources, wait_long_until, wait_until_or};
use endurance_parts::storm::{Storm, Tally};
use instance::{CLIENT, Instance, agent, is_built, signal, wait_until};

/// One test at a time: each wants the machine for itself.
static TURN: Mutex<()> = Mutex::new(());

const CLIENTS: usize = 200;
/// What resident memory may differ by between two moments of the same load.
const MEMORY_SLACK: u64 = 64 << 20;
/// Sockets and the like that come and go with the moment: a time-stamp, a look at the health page.
const DESCRIPTOR_SLACK: usize = 4;
const PROXIES: [&str; 2] = ["consumer-proxy", "provider-proxy"];

fn storm_length() -> Duration {
    let seconds = std::env::var("KIIRTEE_TEST_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60).max(12))
}

#[test]
fn two_hundred_clients_and_killed_processes_lose_no_acknowledged_message_and_leak_nothing() {
    if !is_built() {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut instance = Instance::up(150);
    let length = storm_length();
    let idle = PROXIES.map(|name| Resources::of(instance.pid(name)).descriptors);
    let storm = Storm::start(&instance, CLIENTS);

    storm.run_for(length / 6);
    let warm = Resources::of(instance.pid("consumer-proxy"));
    let quiet = storm.so_far();
    assert!(
        quiet.answered > 0 && quiet.failed() == 0,
        "before any failure: {quiet}"
    );

    for name in ["provider-proxy", "consumer-signer", "service", "provider-signer"] {
        let killed = instance.kill(name);
        storm.run_for(Duration::from_millis(300));
        instance.restart(&killed);
        storm.run_for(length / 8);
    }
    let after_failures = storm.so_far();
    assert_known_failures(&instance, &after_failures);
    let settled = PROXIES.map(|name| Resources::of(instance.pid(name)));
    settled[0].assert_no_more_memory_than(&warm, MEMORY_SLACK, "the consumer's proxy after the failures");

    wait_until("exchanges to succeed everywhere again", || {
        storm.recent_failures() == 0
    });
    let before = storm.so_far();
    storm.run_for(length / 3);
    let tally = storm.so_far();
    assert_eq!(
        tally.failed(),
        before.failed(),
        "nothing fails once all is up again: {tally}"
    );

    let acknowledged = storm.stop();
    eprintln!("{} exchanges: {tally}", acknowledged.len());
    for (name, settled) in PROXIES.iter().zip(&settled) {
        let now = Resources::of(instance.pid(name));
        eprintln!("{name}: {settled:?} then {now:?}");
        now.assert_no_more_memory_than(settled, MEMORY_SLACK, name);
    }
    for (name, idle) in PROXIES.iter().zip(idle) {
        wait_long_until(&format!("{name} to close what it no longer needs"), || {
            Resources::of(instance.pid(name)).descriptors <= idle + DESCRIPTOR_SLACK
        });
        wait_until("the spool to be empty", || spool_bytes(&instance, name) == 0);
    }
    for name in instance.processes() {
        assert!(
            instance.is_running(&name),
            "{name} ended:\n{}",
            instance.log(&name)
        );
        assert!(
            !instance.log(&name).contains("panicked"),
            "{name} panicked:\n{}",
            instance.log(&name)
        );
    }

    assert_all_logged(&instance, &acknowledged);
    for killed in PROXIES.map(|name| instance.kill(name)) {
        instance.restart(&killed);
    }
    wait_until_serving(&instance);
    assert_all_logged(&instance, &acknowledged);
}

/// Waits until a request gets through both servers.
fn wait_until_serving(instance: &Instance) {
    wait_until_or("a request to get through both servers", || {
        let answer = agent()
            .get(instance.url("echo/again"))
            .header(CLIENT.0, CLIENT.1)
            .call();
        let said = format!("{answer:?}");
        if answer.is_ok_and(|answer| answer.status() == 200) {
            return Ok(());
        }
        let logs = PROXIES.map(|name| instance.log(name));
        Err(format!("{said}\n{}", logs.map(|log| last_lines(&log)).join("\n")))
    });
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Failures while processes were down have a name that tells an operator where to look.
fn assert_known_failures(instance: &Instance, tally: &Tally) {
    let known = [
        "network_error",
        "io_error",
        "cannot_create_signature",
        "ssl_authentication_failed",
    ];
    for code in tally.codes() {
        let expected = known.iter().any(|known| code.ends_with(known));
        assert!(
            expected,
            "unexpected failure {tally}\n{}",
            example(instance, code)
        );
    }
    assert_eq!(tally.broken, 0, "the consumer's proxy was never down: {tally}");
    assert!(tally.failed() > 0, "killing processes went unnoticed: {tally}");
}

/// What the consumer's proxy says of failures with this code.
fn example(instance: &Instance, code: &str) -> String {
    let log = instance.log("consumer-proxy");
    let lines = log.lines().filter(|line| line.contains(code)).take(3);
    lines.collect::<Vec<_>>().join("\n")
}

/// Each acknowledged message has its request and its response in both servers' logs, once.
fn assert_all_logged(instance: &Instance, acknowledged: &[String]) {
    for server in ["consumer", "provider"] {
        let logged = Logged::read(instance, server);
        let missing: Vec<_> = acknowledged.iter().filter(|id| !logged.has_both(id)).collect();
        let (first, count) = (missing.first(), missing.len());
        assert_eq!(
            count,
            0,
            "{server} lacks records of {count} of {} messages, such as {first:?}",
            acknowledged.len()
        );
    }
}

fn spool_bytes(instance: &Instance, proxy: &str) -> u64 {
    let server = proxy.trim_end_matches("-proxy");
    let files = std::fs::read_dir(format!(
        "{}/proxy/spool",
        instance.get(&format!("{server}/data_dir"))
    ))
    .unwrap();
    assert_eq!(files.count(), 0, "files in the spool of {server}");
    let metrics = agent()
        .get(instance.get(&format!("{server}/metrics")))
        .call()
        .unwrap();
    let metrics = metrics.into_body().read_to_string().unwrap();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("xroad_spool_bytes "))
        .unwrap();
    line.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_proxy_that_is_told_to_stop_finishes_what_runs_takes_nothing_new_and_ends_well() {
    if !is_built() {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut instance = Instance::up(151);
    for proxy in ["consumer-proxy", "provider-proxy"] {
        let killed = instance.kill(proxy);
        instance.restart(&killed);
        wait_until_serving(&instance);
        let begun = Instant::now();
        let running = BTreeMap::from_iter((0..20).map(|number| (number, begin_slow_exchange(&instance))));
        wait_until("the exchanges to run", || {
            running_exchanges(&instance, proxy) == 20
        });

        signal(instance.pid(proxy), "TERM");
        let address = instance.get(if proxy == "consumer-proxy" {
            "consumer/client_http"
        } else {
            "provider/client_http"
        });
        let address = address.trim_start_matches("http://").to_owned();
        wait_until("new connections to be refused", || {
            TcpStream::connect(&address).is_err()
        });
        assert_eq!(
            instance.exit_status(proxy),
            None,
            "it ended before what ran: {}",
            instance.log(proxy)
        );

        for (number, stream) in running {
            let answer = finish(stream);
            assert!(
                answer.starts_with("HTTP/1.1 200 "),
                "exchange {number} was cut: {answer}"
            );
            assert!(answer.contains("{\"waited_ms\":1500}"), "{answer}");
        }
        wait_until("the proxy to end", || instance.exit_status(proxy).is_some());
        let status = instance.exit_status(proxy).unwrap();
        assert!(status.success(), "{status}: {}", instance.log(proxy));
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(15), "stopping took {took:?}");
        instance.restart(&killed);
    }
}

/// Sends a request whose answer takes a second and a half.
fn begin_slow_exchange(instance: &Instance) -> TcpStream {
    let url = instance.url("echo/delay?ms=1500");
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{}: {}\r\n\r\n",
        CLIENT.0, CLIENT.1
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// All that comes until the other side closes the connection.
fn finish(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    assert!(read.is_ok(), "{read:?} after {answer}");
    answer
}

fn running_exchanges(instance: &Instance, proxy: &str) -> usize {
    let (server, side) = if proxy == "consumer-proxy" {
        ("consumer", "client_proxy")
    } else {
        ("provider", "server_proxy")
    };
    let metrics = agent()
        .get(instance.get(&format!("{server}/metrics")))
        .call()
        .unwrap();
    let metrics = metrics.into_body().read_to_string().unwrap();
    let name = format!("xroad_exchanges_running{{side=\"{side}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
    value.unwrap().parse().unwrap()
}
