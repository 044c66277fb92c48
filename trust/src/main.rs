//! `kiirtee-trust`: trust services for sandboxes and tests. Not for production.

use clap::{Parser, Subcommand, ValueEnum};
use protocol_pki::key::KeySpec;
use std::error::Error;
use std::io::{IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use trust::authority::Authority;
use trust::directory;
use trust::service::{Ports, Urls, serve};

/// Certification authority, OCSP responder and time-stamping authority for sandboxes and tests. NOT FOR PRODUCTION:
/// whoever reaches it gets any certificate.
#[derive(Debug, Parser)]
#[command(name = "kiirtee-trust", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes keys and certificates of a new authority.
    Init {
        /// Directory to write them into; made if missing, must not hold an authority.
        #[arg(long, env = "KIIRTEE_TRUST_DIR")]
        dir: PathBuf,
        /// Instance identifier, for names.
        #[arg(long)]
        instance: String,
        /// Kind of all keys.
        #[arg(long, value_enum, default_value = "rsa2048")]
        key: KeyKind,
    },
    /// Serves the authority of a directory.
    Serve {
        /// Directory made by `init`.
        #[arg(long, env = "KIIRTEE_TRUST_DIR")]
        dir: PathBuf,
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1")]
        listen: IpAddr,
        /// Port of the certification authority; 0 for any.
        #[arg(long, default_value_t = 8888)]
        ca_port: u16,
        /// Port of the OCSP responder; 0 for any.
        #[arg(long, default_value_t = 8889)]
        ocsp_port: u16,
        /// Port of the time-stamping authority; 0 for any.
        #[arg(long, default_value_t = 8899)]
        tsa_port: u16,
        /// Host to tell in addresses, when it is not the listening one.
        #[arg(long)]
        public_host: Option<String>,
        /// Print one line of JSON with the addresses when ready.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyKind {
    Rsa2048,
    P256,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "stopped");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Box<dyn Error>> {
    tracing::warn!(
        "NOT FOR PRODUCTION: these trust services certify anything for anyone and lie when asked to"
    );
    match command {
        Command::Init { dir, instance, key } => init(&dir, &instance, key),
        Command::Serve {
            dir,
            listen,
            ca_port,
            ocsp_port,
            tsa_port,
            public_host,
            json,
        } => {
            let ports = Ports {
                ca: ca_port,
                ocsp: ocsp_port,
                tsa: tsa_port,
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(serve_until_signal(
                &dir,
                listen,
                ports,
                public_host.as_deref(),
                json,
            ))
        }
    }
}

fn init(dir: &Path, instance: &str, key: KeyKind) -> Result<(), Box<dyn Error>> {
    let keys = match key {
        KeyKind::Rsa2048 => KeySpec::Rsa2048,
        KeyKind::P256 => KeySpec::P256,
    };
    let authority = Authority::create(instance, keys, OffsetDateTime::now_utc())?;
    directory::save(&authority, dir)?;
    tracing::info!(directory = %dir.display(), instance, "authority made");
    Ok(())
}

async fn serve_until_signal(
    dir: &Path,
    listen: IpAddr,
    ports: Ports,
    public_host: Option<&str>,
    json: bool,
) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    let ready = |urls: &Urls| announce(urls, json);
    Ok(serve(dir, listen, ports, public_host, ready, stop).await?)
}

fn announce(urls: &Urls, json: bool) {
    tracing::info!(ca = urls.ca, ocsp = urls.ocsp, tsa = urls.tsa, "ready");
    if json {
        let line = serde_json::to_string(urls).unwrap_or_default();
        let mut output = std::io::stdout().lock();
        // Whoever started this may have stopped listening; serving goes on.
        let _ignored = writeln!(output, "{line}").and_then(|()| output.flush());
    }
}
