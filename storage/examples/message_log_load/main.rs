//! Loads a message log of its own and measures it on this disk; nothing of a server is needed.
//!
//! ```text
//! cargo run -p storage --example message_log_load -- rate DIRECTORY [SECONDS] [BYTES] [IN-FLIGHT]
//! cargo run -p storage --example message_log_load -- soak DIRECTORY SECONDS
//! cargo run -p storage --example message_log_load -- fill DIRECTORY MIB
//! cargo run -p storage --example message_log_load -- recover DIRECTORY
//! ```
//!
//! - `rate`: for each number of exchanges in flight durable records a second, records a sync, how long a record waited
//!   for its receipt, and processor time a record by thread.
//! - `soak`: 64 in flight and time-stamping beside them, a line each minute; fails if the p99 of the last minute is
//!   more than 1.5 times that of the first. See `bench/soak.sh`.
//! - `fill` and `recover`: the two halves of `bench/recovery.sh`.
//!
//! The log lies in `DIRECTORY/kiirtee-load-log` and is removed at the end, except by `fill`.
#![allow(clippy::print_stdout, reason = "the figures are its output")]

mod cpu;
mod rate;
mod records;
mod recovery;
mod soak;

use std::error::Error;
use std::path::PathBuf;

/// What a mode ends with.
type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let log = |directory: &str| PathBuf::from(directory).join("kiirtee-load-log");
    match words.as_slice() {
        ["rate", directory, more @ ..] => {
            let number = |at: usize| more.get(at).map(|number| number.parse()).transpose();
            let seconds = number(0)?.unwrap_or(3);
            rate::run(&log(directory), seconds, number(1)?, number(2)?)
        }
        ["soak", directory, seconds] => soak::run(&log(directory), seconds.parse()?),
        ["fill", directory, mebibytes] => recovery::fill(&log(directory), mebibytes.parse()?),
        ["recover", directory] => recovery::recover(&log(directory)),
        _ => Err("usage: message_log_load rate|soak|fill|recover DIRECTORY [NUMBER ...]".into()),
    }
}
