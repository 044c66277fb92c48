//! The network layer in one process on the loopback: servers and clients of ours, raw sockets, curl and openssl.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../../tls-cbc/tests/forger/mod.rs"]
mod forger;
#[path = "../jsse/mod.rs"]
mod jsse;

mod client;
mod conversation;
mod independent_tools;
mod limits;
mod server;
mod stock;
mod stock_jsse;
mod stock_openssl;
mod stock_tampering;
mod support;
mod tls;
mod turns;
mod workers;
