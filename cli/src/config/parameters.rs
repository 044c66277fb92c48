//! `kiirtee config parameters` and `kiirtee config import-ini`: settings files, by the table of parameters.

use std::path::Path;

use clap::{Args, ValueEnum};
use serde::Serialize;
use settings::parameter::{Parameter, Process};
use settings::{Preset, document, ini, table};

use crate::failure::{Failure, OrUnusable};
use crate::output::{self, Table};

/// What to show.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Show the values of a national set: ee, fi, is or fo
    #[arg(long)]
    preset: Option<Preset>,
    /// Only what this process reads
    #[arg(long, value_enum)]
    process: Option<Reader>,
    /// As JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// As the page docs/parameters.md
    #[arg(long)]
    markdown: bool,
}

/// A process that reads settings.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Reader {
    /// kiirtee-proxy
    Proxy,
    /// kiirtee-signer
    Signer,
    /// kiirtee-confclient
    Confclient,
}

impl From<Reader> for Process {
    fn from(reader: Reader) -> Self {
        match reader {
            Reader::Proxy => Self::Proxy,
            Reader::Signer => Self::Signer,
            Reader::Confclient => Self::ConfigurationClient,
        }
    }
}

/// A parameter as JSON.
#[derive(Debug, Serialize)]
struct Row {
    section: &'static str,
    key: &'static str,
    value: String,
    unit: &'static str,
    expected: String,
    effect: String,
    processes: Vec<&'static str>,
    defined: &'static str,
}

/// Shows the parameters with the values that they have when nothing is written.
///
/// # Errors
/// When standard output is closed.
pub fn show(wanted: &Wanted) -> Result<(), Failure> {
    if wanted.markdown {
        return output::line(document::markdown().trim_end());
    }
    let process = wanted.process.map(Process::from);
    let rows = table::all()
        .filter(|parameter| process.is_none_or(|process| parameter.processes.contains(&process)))
        .map(|parameter| row(parameter, wanted.preset));
    if wanted.json {
        return output::json(&rows.collect::<Vec<Row>>());
    }
    let mut table = Table::new(&["section", "parameter", "value", "what it does"]);
    for row in rows {
        let value = [row.value.as_str(), row.unit].join(" ");
        table.row([row.section, row.key, value.trim_end(), &row.effect]);
    }
    output::line(&table.render())
}

fn row(parameter: &'static Parameter, preset: Option<Preset>) -> Row {
    let programs = parameter.processes.iter().map(|process| process.program());
    Row {
        section: parameter.section,
        key: parameter.key,
        value: document::shown(parameter.fallback(preset)),
        unit: parameter.unit,
        expected: settings::resolve::expected(parameter),
        effect: document::effect(parameter),
        processes: programs.collect(),
        defined: parameter.defined,
    }
}

/// Prints the settings file that a file of the reference comes to.
///
/// # Errors
/// When the file cannot be read, or says what cannot be.
pub fn import(file: &Path, reader: Reader) -> Result<(), Failure> {
    let doing = || format!("import {}", file.display());
    let text = super::read(file)?;
    let imported = ini::import(&text, reader.into()).or_unusable(doing)?;
    let text = imported.to_toml(reader.into()).or_unusable(doing)?;
    output::line(text.trim_end())
}
