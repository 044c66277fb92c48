//! Whole processes: `kiirtee-appliance` below a root of its own, with a real signer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod enrol;
mod harness;
mod interrupted;
mod provision;
