//! `kiirtee-central`: arguments, log, signals.

use std::future::IntoFuture as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use central::generate::{GenerateError, anchor_path, write_anchors};
use central::keys::{KeysError, Scope, SigningKeys};
use central::publish::{Publication, router};
use central::registry::{Loaded, RegistryError};
use central::settings::{LogSettings, Settings, SettingsError};
use central::watch::{Watch, chain};
use clap::{Args, Parser, Subcommand};
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long `init` waits for the signer.
const SIGNER_PATIENCE: Duration = Duration::from_secs(10);
/// How long running requests may take at the end.
const PATIENCE_AT_STOP: Duration = Duration::from_secs(5);

/// Signs and publishes the global configuration.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the configuration signing keys in the signer, if they are not there, and writes the anchors.
    Init(Config),
    /// Publishes until SIGTERM.
    Run {
        #[command(flatten)]
        config: Config,
        /// Seconds between generations, instead of what the settings say.
        #[arg(long)]
        interval: Option<u64>,
        /// Seconds that a generation may be used, instead of what the settings say.
        #[arg(long)]
        validity: Option<u64>,
    },
}

#[derive(Args)]
struct Config {
    /// The settings.
    #[arg(long, env = "KIIRTEE_CENTRAL_CONFIG")]
    config: PathBuf,
}

#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error("settings")]
    Settings(#[from] SettingsError),
    #[error("registry")]
    Registry(#[from] RegistryError),
    #[error("signing keys")]
    Keys(#[from] KeysError),
    #[error("anchors")]
    Anchors(#[from] GenerateError),
    #[error("no signer at {0}")]
    NoSigner(PathBuf),
    #[error("cannot listen at {address}")]
    Listen {
        address: std::net::SocketAddr,
        source: io::Error,
    },
    #[error("cannot start")]
    Start(#[source] io::Error),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Init(config) => init(&config.config),
        Command::Run {
            config,
            interval,
            validity,
        } => run(&config.config, interval, validity),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nowhere left to report that standard error is closed.
            let _ = io::stderr().write_all(format!("kiirtee-central: {}\n", chain(&error)).as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn init(config: &Path) -> Result<(), MainError> {
    let settings = Settings::read(config)?;
    settings.validate()?;
    let registry = Loaded::read(&settings.registry)?;
    let signer = signer_client::Client::connect(&settings.signer_socket);
    if !signer.wait_until_connected(SIGNER_PATIENCE) {
        return Err(MainError::NoSigner(settings.signer_socket));
    }
    let now = OffsetDateTime::now_utc();
    let mut keys = SigningKeys::read(&settings.state_directory)?;
    if keys.complete(&signer, now)? {
        keys.write(&settings.state_directory)?;
    }
    write_anchors(&registry, &keys, &settings.state_directory, now)?;
    for scope in Scope::ALL {
        let path = anchor_path(&settings.state_directory, &registry.registry().instance, scope);
        let _ = writeln!(io::stdout(), "{}", path.display());
    }
    Ok(())
}

fn run(config: &Path, interval: Option<u64>, validity: Option<u64>) -> Result<(), MainError> {
    let mut settings = Settings::read(config)?;
    settings.interval = interval.unwrap_or(settings.interval);
    settings.validity = validity.unwrap_or(settings.validity);
    settings.validate()?;
    start_log(&settings.log);
    let publication = Arc::new(Publication::default());
    let signer = signer_client::Client::connect(&settings.signer_socket);
    let address = settings.listen;
    let watch = Watch::start(settings, signer, Arc::clone(&publication)).map_err(MainError::Start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime
        .map_err(MainError::Start)?
        .block_on(serve(address, publication));
    watch.stop();
    served
}

async fn serve(address: std::net::SocketAddr, publication: Arc<Publication>) -> Result<(), MainError> {
    let failed = |source| MainError::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    tracing::info!(address = %listener.local_addr().map_err(failed)?, "listening");
    let stopping = told_to_stop().map_err(failed)?;
    let stopped_in_vain = async {
        match told_to_stop() {
            Ok(told) => told.await,
            Err(_no_signals) => std::future::pending().await,
        }
        tokio::time::sleep(PATIENCE_AT_STOP).await;
    };
    let server = axum::serve(listener, router(publication)).with_graceful_shutdown(stopping);
    tokio::select! {
        served = server.into_future() => served.map_err(failed),
        () = stopped_in_vain => Ok(()),
    }
}

/// Ends with SIGTERM or SIGINT.
fn told_to_stop() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn start_log(settings: &LogSettings) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_unset| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match settings.json {
        true => log.json().init(),
        false => log.with_ansi(false).init(),
    }
}
