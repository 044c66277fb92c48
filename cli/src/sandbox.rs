//! `kiirtee sandbox`: a complete instance on loopback.
//!
//! Trust services, central server, two security servers and an example information system, all of them the real
//! processes with the real ports, each server at a loopback address of its own. What is provisioned goes through the same
//! interfaces that an operator uses: certificates are signed by the CA from signing requests made by the signer, members
//! and servers are entered in the central server's registry, clients and services are applied to the server configuration.
//!
//! - [`layout`]: addresses, folders and identifiers
//! - [`description`]: `sandbox.json`
//! - [`process`]: starting, watching and stopping processes
//! - [`service`]: the example information system

pub mod description;
pub mod layout;
pub mod process;
pub mod service;
pub mod wait;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::failure::{Failure, OrUnusable};

const EXAMPLES: &str = "\
Examples:
  kiirtee sandbox up --dir /tmp/instance
  kiirtee sandbox up --dir /tmp/other --net 127.0.43      (beside the first)
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
    /// Answer as the example information system (started by `up`)
    #[command(hide = true)]
    Service {
        /// The address to listen on
        #[arg(long)]
        listen: SocketAddr,
    },
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
        Command::Service { listen } => {
            service::run(listen).or_unusable(|| format!("serve the example services at {listen}"))
        }
    }
}
