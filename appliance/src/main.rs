//! `kiirtee-appliance`: arguments, log, exit code. See the library beside this file.

use std::error::Error;
use std::process::ExitCode;

use appliance::{configure, console, enrol, health, log, monitor, provision, reset, tune, update};
use clap::{Parser, Subcommand};

/// What runs in the appliance beside the three processes of a security server.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Takes the configuration medium over into the settings of the appliance
    Provision(provision::Arguments),
    /// Makes the server configuration say what was handed over
    Configure(configure::Arguments),
    /// Makes keys and signing requests, imports certificates
    Enrol(enrol::Arguments),
    /// Begins the factory reset that the configuration medium asked for
    Reset(reset::Arguments),
    /// Watches whether the security server is healthy, and tells it over HTTP
    Monitor(monitor::Arguments),
    /// Waits until the monitor says healthy
    Health(health::Arguments),
    /// Shows the status screen on this terminal
    Console(console::Arguments),
    /// Spreads interrupts and queues of the network interfaces over the cores
    Tune(tune::Arguments),
    /// Installs the version of an update medium, or says how the last update ended
    Update(update::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start();
    match run(&arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{}", log::chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Box<dyn Error>> {
    match command {
        Command::Provision(arguments) => Ok(provision::run(arguments)?),
        Command::Configure(arguments) => Ok(configure::run(arguments)?),
        Command::Enrol(arguments) => Ok(enrol::run(arguments)?),
        Command::Reset(arguments) => Ok(reset::run(arguments)?),
        Command::Monitor(arguments) => Ok(monitor::run(arguments)?),
        Command::Health(arguments) => Ok(health::run(arguments)?),
        Command::Console(arguments) => Ok(console::run(arguments)?),
        Command::Tune(arguments) => Ok(tune::run(arguments)?),
        Command::Update(arguments) => Ok(update::run(arguments)?),
    }
}
