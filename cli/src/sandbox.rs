//! `kiirtee sandbox`: a complete instance on one machine.
//!
//! Trust services, central server, two security servers and an example information system, all of them the real
//! processes with the real ports, each server at an address of its own, of loopback or of a private network. What is
//! provisioned goes through the same interfaces that an operator uses: certificates are signed by the CA from signing
//! requests made by the signer, members and servers are entered in the central server's registry, clients and services
//! are applied to the server configuration.
//!
//! - [`layout`]: addresses, folders and identifiers
//! - [`description`] is `sandbox.json`
//! - [`mod@up`]: the order in which things need each other
//! - [`trust`], [`signer`], [`central`], [`security_server`], [`services`]: the servers and what is provisioned in them
//! - [`process`], [`wait`], [`files`], [`http`]: tools
//! - [`service`]: the example information system
//! - [`demo`]: an exchange, told step by step

pub mod central;
pub mod demo;
pub mod description;
pub mod files;
pub mod http;
pub mod join;
pub mod layout;
pub mod process;
pub mod security_server;
pub mod service;
pub mod services;
pub mod signer;
pub mod softhsm;
pub mod status;
pub mod trust;
pub mod up;
pub mod wait;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use settings::Preset;
use signer_client::{KeyAlgorithm, KeyChoice};

use crate::failure::{Failure, OrUnusable};
use crate::output;
use crate::progress::Progress;
use description::Description;
use layout::{Folders, Net};

const EXAMPLES: &str = "\
Examples:
  kiirtee sandbox up --dir /tmp/instance
  kiirtee sandbox up --dir /tmp/other --net 127.0.43      (beside the first)
  kiirtee sandbox up --dir /tmp/lab --net 10.77.0          (for other machines too: the addresses are an interface's)
  kiirtee sandbox up --dir /tmp/finland --preset fi        (as a server of a country is packaged)
  kiirtee sandbox up --dir /tmp/hsm --token softhsm        (keys in SoftHSM 2, through PKCS #11)
  kiirtee sandbox status --dir /tmp/instance
  curl -H 'X-Road-Client: SANDBOX/ORG/1001/client' \\
      http://127.0.42.10:8080/r1/SANDBOX/ORG/2002/provider/echo/hello
  kiirtee sandbox down --dir /tmp/instance

A sandbox is for trying and testing: its certification authority vouches for anybody.";

/// Arguments of `kiirtee sandbox`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start an instance and leave it running
    Up {
        #[command(flatten)]
        folder: Folder,
        /// The network, by its first three numbers: a loopback network, or a private one whose addresses .1, .2, .10, .20 and
        /// .30 this machine has
        #[arg(long, default_value_t)]
        net: Net,
        /// National set of values for the security servers' settings: ee, fi, is or fo
        #[arg(long)]
        preset: Option<Preset>,
        /// Where the security servers' keys are: in the software token, or in SoftHSM 2 through PKCS #11
        #[arg(long, value_enum, default_value_t = Token::Software)]
        token: Token,
        /// Milliseconds by which each signature of a SoftHSM token takes longer, for load tests
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60_000))]
        token_delay: u64,
        /// Signatures that a SoftHSM token makes at a time
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
        token_sessions: u8,
        /// How many security servers the provider has, with the same services on each
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
        provider_servers: u8,
        /// What the signing keys of a new sandbox are: rsa or p-256
        #[arg(long, default_value = "rsa")]
        signing_keys: SigningKeys,
    },
    /// Show every process of an instance
    Status {
        #[command(flatten)]
        folder: Folder,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop every process of an instance, and leave its data
    Down(Folder),
    /// Make keys, certificates and registration for a further security server
    Join(join::Arguments),
    /// Exchange messages in an instance of its own, verify the evidence, tell what happens, stop
    Demo(demo::Arguments),
    /// Answer as the example information system (started by `up`)
    #[command(hide = true)]
    Service {
        /// The address to listen on
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// What signing keys are.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum SigningKeys {
    Rsa,
    #[value(name = "p-256")]
    P256,
}

impl SigningKeys {
    fn choice(self) -> KeyChoice {
        match self {
            Self::Rsa => KeyChoice::Rsa,
            Self::P256 => KeyAlgorithm::EcP256.into(),
        }
    }
}

/// Where keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Token {
    /// In encrypted files.
    Software,
    /// In a hardware token, as far as software can be one.
    Softhsm,
}

/// The folder of a sandbox.
#[derive(Debug, Args)]
pub struct Folder {
    /// The folder of the sandbox
    #[arg(long)]
    dir: PathBuf,
}

/// Carries out `kiirtee sandbox`.
///
/// # Errors
/// What could not be started, stopped or reached, and what it said last.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Up {
            folder,
            net,
            preset,
            token,
            token_delay,
            token_sessions,
            provider_servers,
            signing_keys,
        } => {
            let manner = softhsm::Manner {
                delay: token_delay,
                sessions: token_sessions.into(),
            };
            let provider_servers = provider_servers.into();
            let shape = up::Shape {
                net,
                preset,
                softhsm: (token == Token::Softhsm).then_some(manner),
                provider_servers,
                signing_keys: signing_keys.choice(),
            };
            up(&folder, shape)
        }
        Command::Status { folder, json } => status::show(&folder.folders()?, json),
        Command::Down(folder) => down(&folder.folders()?),
        Command::Join(arguments) => join::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Service { listen } => {
            service::run(listen).or_unusable(|| format!("serve the example services at {listen}"))
        }
    }
}

impl Folder {
    fn folders(&self) -> Result<Folders, Failure> {
        Ok(Folders::new(&absolute(&self.dir)?))
    }
}

/// The path from the root: the processes of a sandbox run in another folder than this one.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).or_unusable(|| format!("find {}", path.display()))
}

fn up(folder: &Folder, shape: up::Shape) -> Result<(), Failure> {
    let folders = folder.folders()?;
    let progress = Progress::new();
    let description = up::up(&folders, shape, &progress)?;
    progress.done();
    output::line(&format!(
        "The instance runs. Call its services at {}, for example:\n  curl -H 'X-Road-Client: {}' {}/r1/{}/echo/hello\n\
         Everything about it is in {}; end it with: kiirtee sandbox down --dir {}",
        description.consumer.client_http,
        description.consumer.subsystem,
        description.consumer.client_http,
        description.provider.subsystem,
        folders.description().display(),
        folders.root().display(),
    ))
}

fn down(folders: &Folders) -> Result<(), Failure> {
    // A sandbox whose start failed half-way has processes but no description.
    let processes = process::on_file(folders);
    if processes.is_empty() {
        Description::read(folders)?;
    }
    process::stop(folders, &processes)?;
    output::line(&format!(
        "stopped {} processes; the data stay in {}",
        processes.len(),
        folders.root().display()
    ))
}
