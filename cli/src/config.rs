//! `kiirtee config`: the server configuration of a security server, as one TOML file; and what settings files may say.

pub mod parameters;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use storage::server_configuration::{Document, ServerConfiguration};

use crate::failure::{Failure, OrUnusable};
use crate::output::{self, Table};

const EXAMPLES: &str = "\
Examples:
  kiirtee config export --database server.db > server.toml
  kiirtee config check server.toml
  kiirtee config apply server.toml --database server.db
  kiirtee config show --database server.db
  kiirtee config parameters --preset fi --process proxy
  kiirtee config import-ini /etc/xroad/conf.d/local.ini --process proxy > proxy.toml

`apply` makes the configuration say what the file says: what the file leaves out is removed. All of it happens, or
nothing. A running proxy takes changes over within a second.";

/// Arguments of `kiirtee config`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the configuration say what a file says
    Apply {
        /// The file, or - for standard input
        file: PathBuf,
        #[command(flatten)]
        database: Database,
    },
    /// Write the configuration as TOML
    Export {
        #[command(flatten)]
        database: Database,
    },
    /// Show clients, services and who may use them
    Show {
        #[command(flatten)]
        database: Database,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check a file without applying it
    Check {
        /// The file, or - for standard input
        file: PathBuf,
    },
    /// Show what settings files may say: names, values, bounds, national presets
    Parameters(parameters::Wanted),
    /// Turn a settings file of the reference (local.ini) into one of ours
    ImportIni {
        /// The file, or - for standard input
        file: PathBuf,
        /// Whose settings
        #[arg(long, value_enum, default_value = "proxy")]
        process: parameters::Reader,
    },
}

#[derive(Debug, Args)]
struct Database {
    /// The server configuration database
    #[arg(
        long,
        env = "KIIRTEE_SERVER_CONFIGURATION",
        default_value = "/var/lib/kiirtee/server.db"
    )]
    database: PathBuf,
}

/// Carries out `kiirtee config`.
///
/// # Errors
/// When a file or the database cannot be used, or does not say what a configuration says.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Apply { file, database } => apply(&database.database, file),
        Command::Export { database } => export(&database.database),
        Command::Show { database, json } => show(&database.database, *json),
        Command::Check { file } => check(file),
        Command::Parameters(wanted) => parameters::show(wanted),
        Command::ImportIni { file, process } => parameters::import(file, *process),
    }
}

fn apply(database: &Path, file: &Path) -> Result<(), Failure> {
    let text = read(file)?;
    let mut configuration =
        ServerConfiguration::open(database).or_unusable(|| format!("open {}", database.display()))?;
    let changes = configuration
        .apply_toml(&text)
        .or_unusable(|| format!("apply {}", file.display()))?;
    output::line(if changes.is_empty() {
        "nothing changed"
    } else {
        "applied"
    })?;
    if changes.is_empty() {
        Ok(())
    } else {
        output::line(changes.to_string().trim_end())
    }
}

fn export(database: &Path) -> Result<(), Failure> {
    let configuration = open(database)?;
    let text = configuration
        .export_toml()
        .or_unusable(|| format!("export {}", database.display()))?;
    output::line(text.trim_end())
}

fn show(database: &Path, json: bool) -> Result<(), Failure> {
    let document = open(database)?
        .document()
        .or_unusable(|| format!("read {}", database.display()))?;
    if json {
        output::json(&document)
    } else {
        output::line(&table(&document))
    }
}

fn check(file: &Path) -> Result<(), Failure> {
    let text = read(file)?;
    let folder = tempfile::tempdir().or_unusable(|| "make a temporary folder".into())?;
    // Applied to an empty configuration of its own, a file meets every check that a real one would make.
    let mut configuration = ServerConfiguration::open(&folder.path().join("check.db"))
        .or_unusable(|| "make an empty configuration to check against".into())?;
    let changes = configuration
        .apply_toml(&text)
        .or_unusable(|| format!("use {}", file.display()))?;
    output::line(&format!(
        "{}: can be applied, {} clients",
        file.display(),
        changes.added.len()
    ))
}

fn open(database: &Path) -> Result<ServerConfiguration, Failure> {
    ServerConfiguration::open_read_only(database).or_unusable(|| {
        format!(
            "open {}; expected the server configuration of a security server",
            database.display()
        )
    })
}

fn read(file: &Path) -> Result<String, Failure> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .or_unusable(|| "read standard input".into())?;
        return Ok(text);
    }
    std::fs::read_to_string(file).or_unusable(|| format!("read {}", file.display()))
}

fn table(document: &Document) -> String {
    let mut table = Table::new(&["client", "service", "type", "url", "may be used by"]);
    for client in &document.clients {
        let id = client.id.to_string();
        if client.service_descriptions.is_empty() {
            table.row([id.as_str(), "-"]);
        }
        for description in &client.service_descriptions {
            for service in &description.services {
                let kind = serde_json::to_value(description.kind).unwrap_or_default();
                let kind = kind.as_str().unwrap_or_default().to_owned();
                let disabled = if description.disabled { " (disabled)" } else { "" };
                let users = users(client, &service.code);
                table.row([
                    id.clone(),
                    service.code.clone(),
                    kind + disabled,
                    service.url.clone(),
                    users,
                ]);
            }
        }
    }
    table.render()
}

/// Who may use a service, with the endpoints if not all of it.
fn users(client: &storage::server_configuration::document::Client, service: &str) -> String {
    let endpoints = client
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.service == service);
    let rights = endpoints
        .filter(|endpoint| !endpoint.subjects.is_empty())
        .map(|endpoint| {
            let subjects: Vec<String> = endpoint.subjects.iter().map(ToString::to_string).collect();
            let place = if endpoint.is_base() {
                String::new()
            } else {
                format!("{} {}: ", endpoint.method, endpoint.path)
            };
            format!("{place}{}", subjects.join(", "))
        });
    let rights: Vec<String> = rights.collect();
    if rights.is_empty() {
        "nobody".into()
    } else {
        rights.join("; ")
    }
}
