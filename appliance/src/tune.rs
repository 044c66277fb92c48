//! `kiirtee-appliance tune`: interrupts and queues of the network interfaces, once at each start (docs/diagnostics.md).
//!
//! The proxy has a worker on each core. Packets of a connection are best handled on the core whose worker has it, and never
//! all on one core. What is set follows from what the interfaces have: [`plan`] decides, without input or output; here it is
//! read and written. What can't be written is told and passed over: untuned is slower, not wrong.

pub mod hardware;
pub mod plan;

use std::io::{self, Write};

use crate::paths::Root;
use hardware::Hardware;
use plan::{Setting, settings};

/// Arguments of `kiirtee-appliance tune`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// Say what would be set, and set nothing
    #[arg(long)]
    dry_run: bool,
}

/// Why nothing could be tuned.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// The system does not say what it has.
    #[error("network interfaces and cores: {0}")]
    Hardware(#[source] io::Error),
}

/// Carries out `kiirtee-appliance tune`.
///
/// # Errors
/// See [`TuneError`].
pub fn run(arguments: &Arguments) -> Result<(), TuneError> {
    let hardware = Hardware::read(&arguments.root).map_err(TuneError::Hardware)?;
    let settings = settings(&hardware);
    if settings.is_empty() {
        say("nothing to tune");
    }
    for setting in &settings {
        let done = if arguments.dry_run {
            Ok("would be")
        } else {
            set(&arguments.root, setting)
        };
        let Setting { path, value, reason } = setting;
        match done {
            Ok(done) => say(&format!("/{path} {done} {value}: {reason}")),
            Err(error) => tracing::warn!("/{path} = {value}: {error}"),
        }
    }
    Ok(())
}

/// Sets it, unless it is so already.
fn set(root: &Root, setting: &Setting) -> io::Result<&'static str> {
    let path = root.path(&setting.path);
    let now = std::fs::read_to_string(&path)?;
    if normal(&now) == normal(&setting.value) {
        return Ok("is");
    }
    // Never made, only written: what is not there the kernel does not have.
    std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)?
        .write_all(setting.value.as_bytes())?;
    Ok("set to")
}

/// Masks are written with zeros and commas before them.
fn normal(value: &str) -> String {
    let digits: String = value.trim().chars().filter(|c| *c != ',').collect();
    let short = digits.trim_start_matches('0');
    if short.is_empty() {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

/// A line for the journal; that nobody reads it is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
