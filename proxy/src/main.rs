//! `kiirtee-proxy`: client proxy and server proxy of a security server.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proxy::settings::Settings;
use settings::Preset;
use tracing_subscriber::EnvFilter;

#[cfg(not(any(feature = "count-allocations", feature = "profile-allocations")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(all(feature = "count-allocations", not(feature = "profile-allocations")))]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

#[cfg(feature = "profile-allocations")]
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Client proxy and server proxy of a Kiirtee security server.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 stopped in order, 1 failed, 2 unusable settings.\n\nExample:\n  kiirtee-proxy run --config /etc/kiirtee/proxy.toml"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until SIGTERM, then drains.
    Run {
        /// The settings file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// National set of values that hold where the settings file says nothing: ee, fi, is, fo.
        #[arg(long)]
        preset: Option<Preset>,
        /// Logs as JSON.
        #[arg(long)]
        json_log: bool,
    },
    /// Checks the settings file and ends.
    Check {
        /// The settings file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// National set of values that hold where the settings file says nothing: ee, fi, is, fo.
        #[arg(long)]
        preset: Option<Preset>,
    },
}

fn main() -> ExitCode {
    #[cfg(feature = "profile-allocations")]
    let _profile = dhat::Profiler::builder()
        .file_name(format!("dhat-{}.json", std::process::id()))
        .trim_backtraces(None)
        .build();
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Run {
            config,
            preset,
            json_log,
        } => {
            start_logging(json_log);
            run(&config, preset)
        }
        Command::Check { config, preset } => {
            start_logging(false);
            read(&config, preset).map_or_else(|code| code, |_settings| ExitCode::SUCCESS)
        }
    }
}

fn start_logging(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if json {
        builder.json().init()
    } else {
        builder.with_ansi(false).init()
    }
}

fn read(config: &Path, preset: Option<Preset>) -> Result<Settings, ExitCode> {
    Settings::read(config, preset).map_err(|error| {
        tracing::error!("{error}");
        ExitCode::from(2)
    })
}

fn run(config: &Path, preset: Option<Preset>) -> ExitCode {
    let settings = match read(config, preset) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match proxy::start::run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", proxy::exchange::error::causes(&error));
            ExitCode::FAILURE
        }
    }
}
