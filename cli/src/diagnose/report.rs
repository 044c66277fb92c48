//! What `kiirtee diagnose` says, as text and as JSON.

use serde::{Deserialize, Serialize};

use super::figures::Figure;
use crate::failure::Failure;
use crate::output::{self, Table};

/// What the monitor tells; a newer one may tell more, an older one less (docs/diagnostics.md).
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct Status {
    id: Option<String>,
    version: Option<String>,
    slot: Option<String>,
    addresses: Vec<String>,
    stage: String,
    health: Health,
    certificates: Vec<Certificate>,
    pcr11: Option<String>,
    requests: Vec<String>,
    last_errors: Vec<LogLine>,
    written: String,
    uptime: u64,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Health {
    healthy: bool,
    since: String,
    checks: Vec<Check>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Check {
    name: String,
    ok: bool,
    reason: Option<String>,
    since: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Certificate {
    usage: String,
    status: Option<String>,
    not_after: String,
    subject: String,
    sha256: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct LogLine {
    time: String,
    unit: String,
    message: String,
}

/// What the proxy tells by itself.
#[derive(Debug, Default, Serialize)]
pub(super) struct Proxy {
    pub(super) url: String,
    /// `ok` or `failing`.
    pub(super) status: Option<String>,
    pub(super) key_problems: Vec<String>,
    pub(super) figures: Vec<Figure>,
    /// Why it did not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) url: String,
    pub(super) status: Status,
    pub(super) proxy: Proxy,
}

impl Report {
    /// Says it, and ends with the right exit code.
    pub(super) fn say(&self, json: bool) -> Result<(), Failure> {
        if json {
            output::json(self)?;
        } else {
            output::line(&self.text())?;
        }
        if self.status.health.healthy {
            return Ok(());
        }
        Err(Failure::No(format!("{} is not healthy", self.url)))
    }

    fn text(&self) -> String {
        let parts = [
            self.head(),
            self.checks(),
            self.certificates(),
            self.proxy(),
            self.errors(),
        ];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        // What others wrote does not steer the terminal.
        let harmless = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
        parts.join("\n\n").chars().map(harmless).collect()
    }

    fn head(&self) -> String {
        let status = &self.status;
        let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let verdict = if status.health.healthy {
            "healthy"
        } else {
            "NOT HEALTHY"
        };
        let mut table = Table::new(&["appliance", ""]);
        let mut row = |name: &str, value: String| table.row([name.to_owned(), one_line(&value)]);
        row("id", told(&status.id));
        row(
            "verdict",
            format!(
                "{verdict} since {} (stage: {})",
                status.health.since, status.stage
            ),
        );
        row(
            "version",
            format!("{} in {}", told(&status.version), told(&status.slot)),
        );
        row("addresses", status.addresses.join(", "));
        row("PCR 11", told(&status.pcr11));
        row(
            "seen",
            format!("{}, running for {} s", status.written, status.uptime),
        );
        if !status.requests.is_empty() {
            row(
                "requests",
                format!("{} wait for certificates", status.requests.join(", ")),
            );
        }
        table.render()
    }

    fn checks(&self) -> String {
        let mut table = Table::new(&["check", "verdict", "since", "reason"]);
        for check in &self.status.health.checks {
            let verdict = if check.ok { "ok" } else { "FAILING" };
            let reason = check.reason.as_deref().unwrap_or_default();
            table.row([
                &one_line(&check.name),
                verdict,
                &one_line(&check.since),
                &one_line(reason),
            ]);
        }
        table.render()
    }

    fn certificates(&self) -> String {
        if self.status.certificates.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&["certificate", "status", "until", "sha-256", "subject"]);
        for found in &self.status.certificates {
            let status = found.status.as_deref().unwrap_or("in use");
            let cells = [
                &found.usage,
                status,
                &found.not_after,
                &found.sha256,
                &found.subject,
            ];
            table.row(cells.map(one_line));
        }
        table.render()
    }

    fn proxy(&self) -> String {
        let proxy = &self.proxy;
        if let Some(problem) = &proxy.problem {
            return format!("The proxy can't be asked: {}", one_line(problem));
        }
        let mut table = Table::new(&["proxy", ""]);
        let says = proxy.status.as_deref().unwrap_or("-");
        table.row(["its own checks".to_owned(), one_line(says)]);
        for figure in &proxy.figures {
            table.row([figure.meaning.to_owned(), format!("{}", figure.value.round())]);
        }
        for problem in &proxy.key_problems {
            table.row(["key that can't be used".to_owned(), one_line(problem)]);
        }
        table.render()
    }

    fn errors(&self) -> String {
        let line = |line: &LogLine| one_line(format!("  {} {}: {}", line.time, line.unit, line.message));
        let lines: Vec<String> = self.status.last_errors.iter().map(line).collect();
        if lines.is_empty() {
            return String::new();
        }
        format!("LAST WARNINGS AND ERRORS\n{}", lines.join("\n"))
    }
}

/// A cell: a line break of others would make a row of its own.
fn one_line(text: impl AsRef<str>) -> String {
    text.as_ref().replace(['\n', '\r'], " ")
}
