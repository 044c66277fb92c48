//! `kiirtee-bench`: two security servers beside an nginx chain, in one run, on one machine.
//!
//! The servers sign, verify and log every message; the chain does nothing but carry it, over mutual TLS. Both stand in
//! front of the same backend and are loaded by the same generator, in turns, so that what else happens on the machine hits
//! both. `bench/README.md` says how to read the figures.
//!
//! - [`rows`]: what is measured, and against which target
//! - [`bed`]: folder, binaries, length and number of rounds
//! - [`nginx`], [`chain`], [`backend`], [`servers`]: what is started, and ended again whatever happens
//! - [`load`], [`cpu`], [`figures`], [`measure`], [`stats`]: one measurement, and many
//! - [`report`]: table, JSON, plot

mod backend;
mod bed;
mod chain;
mod cpu;
mod figures;
mod load;
mod measure;
mod nginx;
mod report;
mod rows;
mod servers;
mod stats;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cli::failure::Failure;

use bed::Bed;

/// Measures two security servers beside an nginx chain.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// The rows to measure, with commas; all, or those of `--list`
    #[arg(long, default_value = "all", value_delimiter = ',')]
    rows: Vec<String>,
    /// Names every row and its target, and ends
    #[arg(long)]
    list: bool,
    /// Length of one measurement
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Interleaved rounds of each comparison
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Connections of the load generator
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=5000))]
    connections: u16,
    /// Folder of the binaries; by default that of this program
    #[arg(long)]
    bin: Option<PathBuf>,
    /// Folder of binaries that count their allocations
    #[arg(long)]
    counting_bin: Option<PathBuf>,
    /// Load generator: wrk or kiirtee-load
    #[arg(long, default_value_t, value_enum)]
    generator: load::Generator,
    /// Where the servers' data go while it runs; must be on a real disk
    #[arg(long, default_value = "/var/tmp")]
    work: PathBuf,
    /// Where the results go
    #[arg(long, default_value = "bench/results")]
    out: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  make bench                                (everything, about ten minutes)
  make bench ROWS=1kb,cbc SECONDS=10 ROUNDS=9
  make bench ROWS=account                   (where the CPU goes)
  kiirtee-bench --list";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            cli::failure::report(&failure);
            failure.exit_code()
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.list {
        return rows::list();
    }
    let chosen = rows::chosen(&arguments.rows)?;
    let bed = Bed::new(arguments)?;
    let results = rows::run(&bed, &chosen)?;
    report::write(&bed, &arguments.out, &results)
}
