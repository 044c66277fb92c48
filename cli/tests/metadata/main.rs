//! Metadata services from outside: curl at one server, the services and their descriptions behind the other, all processes
//! real. What tools read of the answers is in ecosystem.md 2.1.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../curl/mod.rs"]
mod curl;
#[path = "../information_system/mod.rs"]
mod information_system;
#[path = "../instance/mod.rs"]
mod instance;

mod ask;
mod configured;
mod descriptions;
mod evidence;
mod limits;
mod list_clients;
mod lists;

fn can_run() -> bool {
    instance::is_built() && curl::is_installed()
}
