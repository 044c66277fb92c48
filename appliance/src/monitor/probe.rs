//! Looking at the processes and at the machine. Each room asks one thing and says in words what it did not find.
//!
//! Whatever comes back is bounded and taken for hostile: a log line or a fault may hold what a peer made up.

pub mod certificates;
pub mod http;
pub mod journal;
pub mod machine;
pub mod memory;
pub mod message;
pub mod proxy;
pub mod release;

use std::io::{self, Read};
use std::path::Path;

/// The most bytes of a small file that are read.
const MAX_FILE: u64 = 64 * 1024;

/// A file of text, as far as it is text, its first 64 KiB.
fn read_small(path: impl AsRef<Path>) -> io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_FILE)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a process wrote of its doings in JSON; none where there is none or it is something else.
pub fn state<T: serde::de::DeserializeOwned>(path: impl AsRef<Path>) -> Option<T> {
    let text = read_small(path).ok()?;
    serde_json::from_str(&text).ok()
}
