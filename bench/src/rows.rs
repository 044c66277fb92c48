//! The rows of the table: what is measured, against which target.

mod account;
mod allocations;
mod beside;
mod connections;
mod helpers;
mod idle;
mod start;
mod token;
mod tuning;
mod workers;

use std::cell::OnceCell;

use cli::failure::Failure;
use cli::output::{self, Table};
use serde::Serialize;

use crate::backend::Backend;
use crate::bed::Bed;
use crate::chain::{Chain, Suite};
use crate::report;
use crate::servers::{Servers, Shape};

/// A row: its name, what it is about, and how it is measured.
pub(crate) struct Row {
    /// What `--rows` calls it.
    pub(crate) name: &'static str,
    about: &'static str,
    measure: fn(&Stage<'_>) -> Result<Vec<Finding>, Failure>,
}

/// Every row, in the order in which they are measured.
const ROWS: &[Row] = &[
    row(
        "1kb",
        "1 KB REST beside the chain; absolute CPU; signatures a message",
        beside::one,
    ),
    row("post", "POST of 1 KB, 1 KB answer", beside::post),
    row(
        "10kb",
        "1 KB REST beside a chain that carries as many bytes",
        beside::as_many_bytes,
    ),
    row("100kb", "100 KB answers", beside::hundred),
    row("cbc", "the suite of stock servers on both", beside::cbc),
    row("p256", "P-256 keys, every message signed alone", beside::p256),
    row(
        "batching",
        "batching and verification cache on against off",
        beside::batching,
    ),
    row("idle", "one exchange on an idle machine", idle::measure),
    row("workers", "one worker, two workers", workers::measure),
    row(
        "connections",
        "10,000 idle client connections",
        connections::measure,
    ),
    row("start", "from start to the first exchange", start::measure),
    row("token", "a token that takes 50 ms a signature", token::measure),
    row(
        "tuning",
        "what each option of the manual is worth here",
        tuning::measure,
    ),
    row(
        "log",
        "message log against one PostgreSQL insert a message",
        helpers::postgres,
    ),
    row(
        "allocations",
        "allocations an exchange, with binaries that count",
        allocations::measure,
    ),
    row(
        "account",
        "where the CPU goes, by process, thread and function",
        account::measure,
    ),
];

const fn row(
    name: &'static str,
    about: &'static str,
    measure: fn(&Stage<'_>) -> Result<Vec<Finding>, Failure>,
) -> Row {
    Row { name, about, measure }
}

/// A line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Finding {
    /// The row that it is of.
    pub(crate) row: &'static str,
    /// What was measured.
    pub(crate) what: String,
    /// What it should be.
    pub(crate) target: String,
    /// What it is.
    pub(crate) figure: String,
    /// Whether that is enough; `None` where nothing was measured or nothing is demanded.
    pub(crate) met: Option<bool>,
    /// How far: 1 where the target is just reached, more where it is surpassed.
    pub(crate) score: Option<f64>,
    /// Under which conditions, one a line.
    pub(crate) conditions: Vec<String>,
    /// The single measurements.
    pub(crate) samples: serde_json::Value,
}

/// Which way a target points.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Target {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
        }
    }

    fn score(self, value: f64) -> f64 {
        match self {
            Self::AtLeast(bound) => value / bound,
            Self::AtMost(bound) => bound / value.max(f64::MIN_POSITIVE),
        }
    }
}

impl Finding {
    /// A figure against its target.
    pub(crate) fn new(
        what: impl Into<String>,
        (words, target): (&str, Target),
        (figure, value): (impl Into<String>, f64),
    ) -> Self {
        Self {
            met: Some(target.met(value)),
            score: Some(target.score(value)),
            ..Self::told(what, words, figure)
        }
    }

    /// Something that is told and judged by nobody.
    pub(crate) fn told(what: impl Into<String>, target: &str, figure: impl Into<String>) -> Self {
        Self {
            row: "",
            what: what.into(),
            target: target.into(),
            figure: figure.into(),
            met: None,
            score: None,
            conditions: Vec::new(),
            samples: serde_json::Value::Null,
        }
    }

    /// Adds a condition.
    pub(crate) fn with(mut self, condition: impl Into<String>) -> Self {
        self.conditions.push(condition.into());
        self
    }

    /// Adds conditions.
    pub(crate) fn with_all(mut self, conditions: impl IntoIterator<Item = String>) -> Self {
        self.conditions.extend(conditions);
        self
    }

    /// Adds the single measurements.
    pub(crate) fn from(mut self, samples: serde_json::Value) -> Self {
        self.samples = samples;
        self
    }
}

/// What rows share: each is started when the first row needs it, and runs until the end.
pub(crate) struct Stage<'a> {
    /// The conditions of the run.
    pub(crate) bed: &'a Bed,
    /// What everything stands in front of.
    pub(crate) backend: Backend,
    chain: OnceCell<Chain>,
    servers: OnceCell<Servers>,
}

impl Stage<'_> {
    /// The chain with TLS 1.3.
    pub(crate) fn chain(&self) -> Result<&Chain, Failure> {
        once(&self.chain, || {
            Chain::start(self.bed, &self.backend, Suite::Tls13)
        })
    }

    /// Two servers with the usual settings.
    pub(crate) fn servers(&self) -> Result<&Servers, Failure> {
        once(&self.servers, || self.others(&Shape::default()))
    }

    /// Two servers of another shape, for one row.
    pub(crate) fn others(&self, shape: &Shape) -> Result<Servers, Failure> {
        Servers::up(self.bed, &self.backend, shape)
    }
}

fn once<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T, Failure>) -> Result<&T, Failure> {
    if let Some(made) = cell.get() {
        return Ok(made);
    }
    let made = make()?;
    Ok(cell.get_or_init(|| made))
}

/// Prints every row.
pub(crate) fn list() -> Result<(), Failure> {
    let mut table = Table::new(&["row", "about"]);
    for row in ROWS {
        table.row([row.name, row.about]);
    }
    output::line(&table.render())
}

/// The rows of these names.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static Row>, Failure> {
    if names.iter().any(|name| name == "all") {
        return Ok(ROWS.iter().collect());
    }
    let find = |name: &String| {
        let found = ROWS.iter().find(|row| row.name == name);
        let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        found.ok_or_else(|| {
            Failure::unusable(format!(
                "no row {name}: expected all, or some of {}",
                known.join(",")
            ))
        })
    };
    names.iter().map(find).collect()
}

/// Measures rows. One that cannot be measured says why and does not keep the others from it.
pub(crate) fn run(bed: &Bed, rows: &[&'static Row]) -> Result<Vec<Finding>, Failure> {
    let stage = Stage {
        bed,
        backend: Backend::start(bed)?,
        chain: OnceCell::new(),
        servers: OnceCell::new(),
    };
    let mut all = Vec::new();
    for row in rows {
        let began = std::time::Instant::now();
        output::line(&format!("\n{}: {}", row.name, row.about))?;
        let findings = (row.measure)(&stage);
        bed.go_on()?;
        let findings = findings.unwrap_or_else(|failure| {
            cli::failure::report(&failure);
            vec![Finding::told(
                row.about,
                "",
                format!("not measured: {}", first_line(&failure)),
            )]
        });
        for finding in findings {
            let finding = Finding {
                row: row.name,
                ..finding
            };
            report::tell(&finding)?;
            all.push(finding);
        }
        output::line(&format!("  ({:.0} s)", began.elapsed().as_secs_f64()))?;
    }
    Ok(all)
}

/// The line that says most: of a program that failed what it says itself, else the first.
fn first_line(failure: &Failure) -> String {
    let text = failure.to_string();
    let said = text
        .lines()
        .find(|line| line.starts_with("error: ") || line.starts_with("kiirtee: "));
    said.or_else(|| text.lines().next())
        .unwrap_or_default()
        .to_owned()
}
