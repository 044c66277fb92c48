//! Large and awkward messages: what is unusual in form or size is answered correctly or with a clear fault, the
//! connection and the servers are as good as before, and nothing stays behind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

#[path = "../rest/configure.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod configure;
#[path = "../curl/mod.rs"]
mod curl;
#[path = "../information_system/mod.rs"]
mod information_system;
#[path = "../instance/mod.rs"]
mod instance;
#[path = "../scripted_peer/mod.rs"]
mod scripted_peer;

mod attachments;
mod bodies;
mod connections;
mod framing;
mod large;
mod raw;
mod scene;
mod services;
mod spool;
mod strangers;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

fn file_of(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// One test at a time: each measures memory or time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}
