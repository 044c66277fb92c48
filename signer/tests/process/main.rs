//! The signer as a process, over its real socket.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod fairness;
mod harness;
mod hostile;
mod keys;
mod lifecycle;
mod signing;
mod softhsm;
mod softhsm_faults;
mod softhsm_keys;
