//! `kiirtee-signer`: arguments, log, signals.

use std::{
    error::Error,
    fs::{File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use clap::{Parser, Subcommand};
use settings::{Preset, SettingsError};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use signer::{
    auto_login::{self, PinFileError},
    server::{Server, SocketError},
    service::{Service, StartError},
    settings::Settings,
    token::{
        Token,
        software::{SOFTWARE_TOKEN_ID, SoftwareToken, files::FileError},
    },
};
use signer_client::{Pin, SignerError, TokenStatus};

#[cfg(not(any(feature = "count-allocations", feature = "profile-allocations")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(all(feature = "count-allocations", not(feature = "profile-allocations")))]
#[global_allocator]
static ALLOCATOR: &stats_alloc::StatsAlloc<std::alloc::System> = &stats_alloc::INSTRUMENTED_SYSTEM;

#[cfg(feature = "profile-allocations")]
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// How long running requests may take at the end.
const PATIENCE_AT_STOP: Duration = Duration::from_secs(30);

/// Tokens, keys and batch signing, on a Unix socket.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves until SIGTERM.
    Run {
        /// The settings.
        #[arg(long, env = "KIIRTEE_SIGNER_CONFIG")]
        config: PathBuf,
        /// Give the software token the PIN of the settings' PIN file first, if it has none yet.
        #[arg(long)]
        first_pin: bool,
        /// National set of values that hold where the settings file says nothing: ee, fi, is, fo.
        #[arg(long)]
        preset: Option<Preset>,
    },
    /// Gives the software token its first PIN, without a running signer.
    Init {
        /// The settings.
        #[arg(long, env = "KIIRTEE_SIGNER_CONFIG")]
        config: PathBuf,
        /// The file with the PIN; by default that of the settings.
        #[arg(long)]
        pin_file: Option<PathBuf>,
        /// National set of values that hold where the settings file says nothing: ee, fi, is, fo.
        #[arg(long)]
        preset: Option<Preset>,
    },
}

#[derive(Debug, thiserror::Error)]
enum MainError {
    #[error("settings")]
    Settings(#[from] SettingsError),
    #[error("the state directory {path}")]
    State { path: PathBuf, source: io::Error },
    #[error("another signer uses {0}")]
    Locked(PathBuf),
    #[error("the signer cannot start")]
    Start(#[from] StartError),
    #[error("the socket")]
    Socket(#[from] SocketError),
    #[error("signals")]
    Signals(#[source] io::Error),
    #[error("no PIN for the software token is given")]
    NoPin,
    #[error("the PIN file")]
    PinFile(#[from] PinFileError),
    #[error("the software token")]
    Token(#[from] FileError),
    #[error("the token refuses")]
    Refused(#[from] SignerError),
}

fn main() -> ExitCode {
    #[cfg(feature = "profile-allocations")]
    let _profile = dhat::Profiler::builder()
        .file_name(format!("dhat-{}.json", std::process::id()))
        .trim_backtraces(None)
        .build();
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Run {
            config,
            first_pin,
            preset,
        } => run(config, *first_pin, *preset),
        Command::Init {
            config,
            pin_file,
            preset,
        } => initialize(config, pin_file.as_deref(), *preset),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn report(error: &MainError) {
    let mut text = format!("kiirtee-signer: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    // There is nowhere left to report that standard error is closed.
    let _ = io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes());
}

fn run(config: &Path, first_pin: bool, preset: Option<Preset>) -> Result<(), MainError> {
    let settings = Settings::read(config, preset)?;
    start_log(&settings);
    for ignored in &settings.ignored {
        tracing::warn!(
            setting = ignored.name,
            reason = ignored.reason,
            "a setting is ignored"
        );
    }
    forbid_core_dumps();
    // All threads of the signer answer.
    reply::yield_to_askers(settings.kiirtee.background_nice);
    let _lock = lock_state(&settings.kiirtee.state_directory)?;
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(MainError::Signals)?;
    if first_pin {
        give_first_pin(&settings)?;
    }
    let service = Service::start(&settings)?;
    let server = Server::start(&settings, Arc::clone(&service))?;
    tracing::info!(socket = %settings.kiirtee.signer_socket.display(), version = env!("CARGO_PKG_VERSION"), "listening");
    signals.forever().next();
    tracing::info!("stopping");
    if !server.stop(PATIENCE_AT_STOP) {
        tracing::warn!("some requests were not answered in time");
    }
    tracing::info!("stopped");
    Ok(())
}

fn initialize(config: &Path, pin_file: Option<&Path>, preset: Option<Preset>) -> Result<(), MainError> {
    let settings = Settings::read(config, preset)?;
    let _lock = lock_state(&settings.kiirtee.state_directory)?;
    let pin = software_pin(&settings, pin_file)?.ok_or(MainError::NoPin)?;
    Ok(SoftwareToken::of(&settings)?.initialize(&pin)?)
}

/// For units that start without knowing whether the token is a new one: it keeps the PIN that it has, and without a PIN in the
/// file it stays as it is.
fn give_first_pin(settings: &Settings) -> Result<(), MainError> {
    let token = SoftwareToken::of(settings)?;
    if token.status() != TokenStatus::NotInitialized {
        return Ok(());
    }
    match software_pin(settings, None)? {
        Some(pin) => Ok(token.initialize(&pin)?),
        None => Ok(()),
    }
}

fn software_pin(settings: &Settings, pin_file: Option<&Path>) -> Result<Option<Pin>, MainError> {
    let pin_file = pin_file.or(settings.kiirtee.pin_file.as_deref());
    let pins = auto_login::read(pin_file.ok_or(MainError::NoPin)?, &[SOFTWARE_TOKEN_ID])?;
    let of_software = pins.into_iter().find(|(token, _)| token == SOFTWARE_TOKEN_ID);
    Ok(of_software.map(|(_, pin)| pin))
}

fn start_log(settings: &Settings) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    if settings.kiirtee.log_json {
        log.json().init()
    } else {
        log.with_ansi(false).init()
    }
}

/// Keys must not end in a core file, nor be read by another process of the same user.
fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "core dumps cannot be forbidden");
    }
}

/// The lock is held as long as the file is open: two signers would overwrite each other's changes.
fn lock_state(directory: &Path) -> Result<File, MainError> {
    let failed = |source| MainError::State {
        path: directory.to_owned(),
        source,
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(failed)?;
    let path = directory.join("lock");
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(MainError::Locked(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}
