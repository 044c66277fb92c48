//! Archives of running servers: written on schedule, checked by the operator's command, by the reference's verifier and
//! by GnuPG, changed in ways that must be noticed, and the log cleaned of what is in them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod chain;
mod encryption;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../../../storage/tests/gnupg/mod.rs"]
mod gnupg;
#[path = "../instance/mod.rs"]
mod instance;
mod reference;
mod retention;
mod server;
mod verifying;
