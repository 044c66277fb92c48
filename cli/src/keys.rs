//! `kiirtee keys`: tokens, keys, signing requests and certificates, through the signer's socket.
//!
//! - `list`, `figures`: what the signer has, and what it has done
//! - `token`: PINs, names, devices
//! - `key`, `request`, `certificate`: the way of a key from its making to its use
//! - `sign`, `bench`: trying a key
//! - `pin` with `terminal`, `find`, `refusal`: what all of them need
//!
//! docs/keys.md has every command with its JSON, and those of the reference's signer console beside them.

mod bench;
mod certificate;
mod commands;
mod figures;
mod find;
mod key;
mod list;
mod pin;
mod refusal;
mod request;
mod sign;
mod terminal;
mod token;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use signer_client::Client;

use crate::failure::Failure;
use crate::output;
use crate::progress::Progress;
use commands::Command;

/// How long the signer's socket is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  kiirtee keys list
  kiirtee keys login                               (asks for the PIN on the terminal)
  kiirtee keys login --pin-file /run/credentials/pin
  kiirtee keys generate signing --label 'Signing 2027'
  kiirtee keys csr 6f1c… --subject C=EE --subject O=GOV --subject CN=70000001 --out sign.csr
  kiirtee keys import sign.pem --client EE/GOV/70000001
  kiirtee keys activate 0d3e…
  kiirtee keys certificates --client EE/GOV/70000001 --json

Keys, certificates and signing requests are named by their ids or by the beginning of them.
The PIN is asked for on the terminal, or read from standard input, from --pin-file, or from the variable
KIIRTEE_TOKEN_PIN; never from the command line.

Exit codes:
  0  done
  1  the signer refuses: a wrong PIN, no such key, a token that is away; its fault code is told
  2  the signer cannot be asked, or the input cannot be used";

/// Arguments of `kiirtee keys`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The signer's Unix socket
    #[arg(
        long,
        global = true,
        env = "KIIRTEE_SIGNER_SOCKET",
        default_value = "/run/kiirtee/signer.sock"
    )]
    socket: PathBuf,
    /// The answer as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Carries out `kiirtee keys`.
///
/// # Errors
/// When the signer does not answer or refuses.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let signer = connect(&arguments.socket)?;
    let console = Console {
        signer,
        json: arguments.json,
    };
    arguments.command.run(&console)
}

/// A connection to the signer at `socket`.
///
/// # Errors
/// When it does not answer within a few seconds.
pub fn connect(socket: &Path) -> Result<Client, Failure> {
    let signer = Client::connect(socket);
    if signer.wait_until_connected(PATIENCE) {
        return Ok(signer);
    }
    let expected = "expected a running kiirtee-signer that lets this user connect";
    Err(Failure::unusable(format!(
        "the signer at {} does not answer; {expected}",
        socket.display()
    )))
}

/// The signer, and how to answer the person who asks.
struct Console {
    signer: Client,
    json: bool,
}

impl Console {
    /// Tells what was done or found: as JSON if that was asked for.
    fn tell(&self, answer: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json {
            return output::json(answer);
        }
        output::line(&text())
    }

    /// Does what may take long, and says so on a terminal.
    fn working<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let progress = std::io::stderr().is_terminal().then(Progress::new);
        if let Some(progress) = &progress {
            progress.step(what);
        }
        work()
    }
}
