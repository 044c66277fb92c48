//! `kiirtee-confclient`: arguments, log, signals.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use confclient::client::{ConfigurationClient, Round};
use confclient::error::{DownloadError, EXIT_INTERNAL, chain};
use confclient::http::{Http, Tls};
use confclient::schedule;
use confclient::settings::{FederationMode, Federations, Settings};
use confclient::store::Store;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use time::OffsetDateTime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Downloads and verifies the global configuration; refreshes OCSP responses.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Downloads again and again until SIGTERM.
    Run {
        /// The settings.
        #[arg(long, env = "KIIRTEE_CONFCLIENT_CONFIG")]
        config: PathBuf,
        /// Seconds between rounds, instead of what the settings say; shortens the other intervals too.
        #[arg(long)]
        interval: Option<u64>,
    },
    /// Downloads once. Exit codes: 0 done, 115 no anchor, 116 malformed anchor, 121 no private parameters,
    /// 122 cannot download, 123 expired, 124 invalid signature, 125 anything else.
    Download {
        /// The configuration anchor.
        #[arg(long)]
        anchor: PathBuf,
        /// The configuration directory.
        #[arg(long)]
        dir: PathBuf,
        /// Download all federated instances too.
        #[arg(long)]
        federations: bool,
        /// PEM file with the root certificates for https; by default those of the system.
        #[arg(long)]
        root_certificates: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { config, interval } => run(&config, interval),
        Command::Download {
            anchor,
            dir,
            federations,
            root_certificates,
        } => {
            start_log(false, "warn");
            download(&anchor, &dir, federations, root_certificates.as_deref())
        }
    }
}

fn run(config: &Path, interval: Option<u64>) -> ExitCode {
    let (mut settings, ignored) = match Settings::read(config) {
        Ok(read) => read,
        Err(error) => return fail(&chain(&error), 1),
    };
    if let Some(interval) = interval {
        settings.hurry(interval);
    }
    start_log(settings.log_json, "info");
    for ignored in ignored {
        tracing::warn!(
            setting = ignored.name,
            reason = ignored.reason,
            "a setting is ignored"
        );
    }
    match run_until_told(&settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&chain(&error), 1),
    }
}

fn run_until_told(settings: &Settings) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let running = schedule::start(settings)?;
    signals.forever().next();
    tracing::info!("stopping");
    running.stop();
    Ok(())
}

fn download(
    anchor: &Path,
    directory: &Path,
    federations: bool,
    root_certificates: Option<&Path>,
) -> ExitCode {
    let mode = if federations {
        FederationMode::All
    } else {
        FederationMode::None
    };
    let settings = match Settings::from_text("") {
        Ok(settings) => settings,
        Err(error) => return fail(&chain(&error), EXIT_INTERNAL),
    };
    let tls = Tls::new(root_certificates.unwrap_or(&settings.root_certificates), true);
    let http = Http::new(&tls, settings.connect_timeout, settings.read_timeout);
    let store = Store::new(directory);
    let mut client = ConfigurationClient::new(anchor, store, http, Federations::Mode(mode));
    match client.round(OffsetDateTime::now_utc()) {
        Ok(round) => tell(&round),
        Err(failed) => fail(&describe(&failed), failed.exit_code()),
    }
}

fn tell(round: &Round) -> ExitCode {
    let own = &round.own;
    let mut text = format!("{}: version {} from {}\n", own.instance, own.version, own.url);
    let mut code = ExitCode::SUCCESS;
    for (instance, outcome) in &round.federated {
        match outcome {
            Ok(configuration) => {
                text.push_str(&format!(
                    "{instance}: version {} from {}\n",
                    configuration.version, configuration.url
                ));
            }
            Err(failed) => {
                text.push_str(&format!("{instance}: {}\n", describe(failed)));
                code = ExitCode::from(failed.exit_code());
            }
        }
    }
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_closed) => ExitCode::from(EXIT_INTERNAL),
    }
}

fn describe(failed: &DownloadError) -> String {
    format!("{} ({})", chain(failed), failed.fault_code())
}

fn fail(message: &str, code: u8) -> ExitCode {
    // There is nowhere left to report that standard error is closed.
    let _ = io::stderr().write_all(format!("kiirtee-confclient: {message}\n").as_bytes());
    ExitCode::from(code)
}

fn start_log(json: bool, default_filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new(default_filter));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match json {
        true => log.json().init(),
        false => log.with_ansi(false).init(),
    }
}
