//! The operator's command, `kiirtee`.
//!
//! One room a command; each knows its arguments, its help and what it prints:
//!
//! - [`verify`]: are these ASiC containers valid?
//! - [`log`]: what is in a message log, and records of it as ASiC containers
//! - [`mod@archive`]: are archives of a message log whole and unchanged?
//! - [`keys`]: tokens, keys, signing requests and certificates, through the signer
//! - [`config`]: the server configuration, as one TOML file
//! - [`diagnose`]: how is an appliance, over its admin address?
//! - [`sandbox`]: a complete instance on loopback
//!
//! Results go to standard output, as text or with `--json` as JSON; what went wrong goes to standard error with what,
//! where and what was expected. Exit codes ([`failure::Failure`]): 0 done, 1 the answer is no, 2 unusable input.

pub mod archive;
pub mod config;
pub mod diagnose;
pub mod failure;
pub mod keys;
pub mod log;
pub mod output;
pub mod progress;
pub mod sandbox;
pub mod verify;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Operates Kiirtee security servers and checks their evidence.
#[derive(Debug, Parser)]
#[command(name = "kiirtee", version, propagate_version = true, after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  kiirtee verify message.asice --globalconf /var/lib/kiirtee/globalconf
  kiirtee log list --message-log /var/lib/kiirtee/proxy/messagelog
  kiirtee archive verify /var/lib/kiirtee/proxy/archive
  kiirtee keys list --socket /run/kiirtee/signer.sock
  kiirtee config export --database /var/lib/kiirtee/server.db
  kiirtee diagnose http://10.77.0.40:5567
  kiirtee sandbox up --dir /tmp/instance

Exit codes:
  0  done
  1  the answer is no: a container is not valid, a process is not healthy
  2  the input or the environment cannot be used";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check ASiC containers: are they valid evidence?
    Verify(verify::Arguments),
    /// What is in a message log, and records of it as ASiC containers
    Log(log::Arguments),
    /// Check archives of a message log
    Archive(archive::Arguments),
    /// Tokens, keys, signing requests and certificates of a signer
    Keys(keys::Arguments),
    /// The server configuration of a security server
    Config(config::Arguments),
    /// How an appliance is, over its admin address
    Diagnose(diagnose::Arguments),
    /// A complete instance on loopback, to try and to test with
    Sandbox(sandbox::Arguments),
    /// Show the version
    Version,
}

/// Carries out the command.
///
/// # Errors
/// What the command could not do, or that its answer is no.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::Archive(arguments) => archive::run(&arguments),
        Command::Keys(arguments) => keys::run(arguments),
        Command::Config(arguments) => config::run(&arguments),
        Command::Diagnose(arguments) => diagnose::run(&arguments),
        Command::Sandbox(arguments) => sandbox::run(arguments),
        Command::Version => output::line(&format!("kiirtee {}", env!("CARGO_PKG_VERSION"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The command lines in the examples of a command and those below it.
    fn examples(command: &clap::Command) -> Vec<Vec<String>> {
        let help = command
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let lines = help.lines().filter_map(|line| line.strip_prefix("  kiirtee "));
        let mut found: Vec<Vec<String>> = lines.map(words).collect();
        found.extend(command.get_subcommands().flat_map(examples));
        found
    }

    /// As a shell would split the line: up to a pipe, a redirection or a remark; quotes hold words together.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(['|', '>', '(']).next().unwrap();
        let mut words = vec!["kiirtee".to_owned()];
        for (index, piece) in line.split('\'').enumerate() {
            match index % 2 {
                0 => words.extend(piece.split_whitespace().map(str::to_owned)),
                _ => words.push(piece.to_owned()),
            }
        }
        words
    }

    #[test]
    fn every_example_in_the_help_is_understood() {
        let examples = examples(&Arguments::command());
        assert!(examples.len() > 20, "{}", examples.len());
        for example in examples {
            let parsed = Arguments::try_parse_from(&example);
            assert!(parsed.is_ok(), "{}\n{}", example.join(" "), parsed.unwrap_err());
        }
    }
}
