//! The operator's command, `kiirtee`: see the library beside this file.

use std::process::ExitCode;

use clap::Parser;
use cli::{Arguments, failure, run};

fn main() -> ExitCode {
    // clap itself exits with 2 for arguments that it cannot use, and with 0 for --help.
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure::report(&failure);
            failure.exit_code()
        }
    }
}
