//! Memory does not grow with the message; in a process of its own, so that nothing else is measured.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "network/support.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod support;

use proxy::worker::DriverChoice;
use support::{MEGABYTE, Rehearsal, Server, ServerPlan, echo_both_ways, plain, run_on};

#[test]
fn a_hundred_megabytes_stream_both_ways_in_little_memory() {
    for driver in [DriverChoice::Auto, DriverChoice::Epoll] {
        let server = Server::start_with(
            ServerPlan {
                driver,
                ..ServerPlan::default()
            },
            Rehearsal,
        );
        let address = server.address;
        let before = peak_memory();
        run_on(driver, async move |_| {
            echo_both_ways(plain(address).await, 100 * MEGABYTE).await
        });
        let grown = peak_memory() - before;
        assert!(grown < 16 * MEGABYTE, "memory grew by {grown}");
    }
}

/// Highest resident memory of this process so far, in bytes.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
