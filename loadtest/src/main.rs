//! `kiirtee-load`: see the library beside this file.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use loadtest::{Arguments, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit code: something that was given cannot be used. clap ends with the same.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "kiirtee-load: {error}");
            ExitCode::from(UNUSABLE)
        }
    }
}
