//! The screen as text: from a status to lines of at most `COLUMNS` characters, the most important ones first, since a
//! terminal may have as few as 24. No input or output.

use std::fmt::Write as _;

use crate::monitor::status::{Certificate, LogLine, Stage, Status, harmless};
use crate::monitor::verdict::Check;

/// What every terminal has.
const COLUMNS: usize = 80;
/// Lines of a reason.
const REASON: usize = 3;
/// Checks that hold in a line.
const ACROSS: usize = 3;
/// What provisioning refused.
const PROBLEMS: usize = 2;
/// Log lines on the screen.
const ERRORS: usize = 4;
/// Addresses and certificates on the screen.
const ADDRESSES: usize = 4;
const CERTIFICATES: usize = 6;

/// How the text is for the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Text alone.
    Plain,
    /// With colours, over what the terminal shows, which has so many lines.
    Terminal {
        /// Lines.
        rows: usize,
    },
}

#[derive(Clone, Copy)]
enum Colour {
    Good,
    Bad,
    Quiet,
    Strong,
}

impl Ink {
    fn paint(self, colour: Colour, text: &str) -> String {
        let code = match colour {
            Colour::Good => "32",
            Colour::Bad => "1;31",
            Colour::Quiet => "2",
            Colour::Strong => "1",
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Terminal { .. } => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// Lines, each cut at the width of the terminal before it is painted.
struct Page {
    ink: Ink,
    lines: Vec<String>,
}

impl Page {
    const fn new(ink: Ink) -> Self {
        Self {
            ink,
            lines: Vec::new(),
        }
    }

    fn line(&mut self, colour: Option<Colour>, text: &str) {
        let text = harmless_line(text);
        let line = colour.map_or_else(|| text.clone(), |colour| self.ink.paint(colour, &text));
        self.lines.push(line);
    }

    fn field(&mut self, name: &str, value: &str) {
        self.line(None, &format!("  {name:<12}{value}"));
    }

    fn heading(&mut self, text: &str) {
        self.line(None, "");
        self.line(Some(Colour::Strong), text);
    }

    /// On a terminal: over what was there, so that nothing flickers, and nothing is left below.
    fn finish(mut self) -> String {
        match self.ink {
            Ink::Plain => self.lines.iter().fold(String::new(), |mut text, line| {
                let _ = writeln!(text, "{line}");
                text
            }),
            Ink::Terminal { rows } => {
                // A line break in the last row would move everything up.
                self.lines.truncate(rows.saturating_sub(1));
                let lines = self.lines.iter().map(|line| format!("{line}\u{1b}[K\r\n"));
                // The cursor is of no use here.
                format!("\u{1b}[?25l\u{1b}[H{}\u{1b}[J", lines.collect::<String>())
            }
        }
    }
}

/// One line of the screen, without what could steer the terminal. The spaces before it stay.
fn harmless_line(text: &str) -> String {
    let indent = text.len() - text.trim_start_matches(' ').len();
    let mut line = " ".repeat(indent);
    line.push_str(&harmless(text, COLUMNS.saturating_sub(indent + 1)));
    line
}

/// The screen while the monitor tells nothing.
#[must_use]
pub fn silent(ink: Ink) -> String {
    let mut page = Page::new(ink);
    page.line(Some(Colour::Strong), "Kiirtee security server");
    page.line(None, "");
    page.line(
        None,
        "The monitor tells nothing yet. If this lasts for minutes, restart the",
    );
    page.line(
        None,
        "appliance; if it lasts then, start the other version from the boot menu.",
    );
    page.finish()
}

/// The screen of a status.
#[must_use]
pub fn screen(status: &Status, ink: Ink) -> String {
    let mut page = Page::new(ink);
    identity(&mut page, status);
    stage(&mut page, status);
    checks(&mut page, &status.health.checks);
    errors(&mut page, &status.last_errors);
    certificates(&mut page, &status.certificates);
    page.finish()
}

fn identity(page: &mut Page, status: &Status) {
    let told = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    page.line(Some(Colour::Strong), "Kiirtee security server");
    let seen = format!("seen {}, running for {}", status.written, lasting(status.uptime));
    page.line(Some(Colour::Quiet), &seen);
    page.field("Appliance", &told(&status.id));
    page.field("Version", &version(status));
    if let Some(pcr) = &status.pcr11 {
        page.field("PCR 11", pcr);
    }
    let none = [String::from("no network address")];
    let addresses = if status.addresses.is_empty() {
        &none[..]
    } else {
        &status.addresses
    };
    for (index, address) in addresses.iter().take(ADDRESSES).enumerate() {
        page.field(if index == 0 { "Addresses" } else { "" }, address);
    }
}

fn version(status: &Status) -> String {
    let version = status.version.as_deref().unwrap_or("-");
    match &status.slot {
        Some(slot) => format!("{version} in {slot}"),
        None => version.to_owned(),
    }
}

/// What it is doing, and what somebody has to do.
fn stage(page: &mut Page, status: &Status) {
    let (colour, word, advice) = words(status);
    page.line(None, "");
    page.line(Some(colour), word);
    for line in advice {
        page.line(None, &format!("  {line}"));
    }
    let provisioning = status.provisioning.iter();
    let refused = provisioning.flat_map(|outcome| &outcome.problems).take(PROBLEMS);
    for problem in refused {
        page.line(Some(Colour::Bad), "  The configuration medium was refused:");
        for line in wrapped(problem) {
            page.line(None, &format!("    {line}"));
        }
    }
}

fn words(status: &Status) -> (Colour, &'static str, Vec<String>) {
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
    match status.stage {
        Stage::Healthy => (Colour::Good, "HEALTHY", since(status)),
        Stage::Failing => (Colour::Bad, "FAILING", since(status)),
        Stage::Starting => (
            Colour::Strong,
            "STARTING",
            lines(&["Not everything that exchanges need is there yet."]),
        ),
        Stage::Unprovisioned => (
            Colour::Strong,
            "NOT PROVISIONED",
            lines(&[
                "Nothing says yet what this appliance shall be. It has no network address.",
                "Make a FAT volume with the label KIIRTEE-CFG and with appliance.toml,",
                "anchor.xml, server.toml and pin on it, attach it and restart the appliance.",
            ]),
        ),
        Stage::WaitingForTime => (
            Colour::Strong,
            "WAITING FOR THE TIME",
            lines(&[
                "Evidence needs the right time: nothing is exchanged before the clock is",
                "synchronised. Can the servers of [time] in appliance.toml be reached?",
            ]),
        ),
        Stage::Enrolling => (Colour::Strong, "WAITING FOR CERTIFICATES", enrolling(status)),
        Stage::Updating => (
            Colour::Strong,
            "UPDATING",
            vec![
                "Leave the power on. The appliance restarts by itself.".to_owned(),
                update(status),
            ],
        ),
    }
}

fn since(status: &Status) -> Vec<String> {
    vec![format!("since {}", status.health.since)]
}

fn enrolling(status: &Status) -> Vec<String> {
    let mut lines = vec![
        "Have these requests certified; they are in requests/ on the configuration".to_owned(),
        "medium and at the admin address (port 5567, /requests). Put the certificates".to_owned(),
        "into certificates/ on the medium and restart the appliance.".to_owned(),
    ];
    lines.extend(
        status
            .requests
            .iter()
            .take(CERTIFICATES)
            .map(|name| format!("- {name}")),
    );
    lines
}

fn update(status: &Status) -> String {
    let update = status.update.as_ref();
    let part = |name: &str| {
        update
            .and_then(|update| update.get(name)?.as_str())
            .unwrap_or("-")
    };
    format!("{}: version {}", part("step"), part("version"))
}

/// What fails, each with its reason; then what holds, side by side.
fn checks(page: &mut Page, checks: &[Check]) {
    if checks.is_empty() {
        return;
    }
    page.heading("Health");
    let name = |check: &Check| harmless(&check.name.replace('_', " "), COLUMNS / ACROSS - 6);
    for check in checks.iter().filter(|check| !check.ok) {
        let word = page.ink.paint(Colour::Bad, "FAIL");
        page.lines.push(format!("  {word}  {}", name(check)));
        for line in wrapped(check.reason.as_deref().unwrap_or_default()) {
            page.line(None, &format!("{:8}{line}", ""));
        }
    }
    let good: Vec<&Check> = checks.iter().filter(|check| check.ok).collect();
    for beside in good.chunks(ACROSS) {
        let word = page.ink.paint(Colour::Good, "ok");
        let cell = |check: &&Check| format!("  {word}  {:<20}", name(check));
        let line: String = beside.iter().map(cell).collect();
        page.lines.push(line.trim_end().to_owned());
    }
}

/// A reason in lines that fit, cut between words where that is possible.
fn wrapped(reason: &str) -> Vec<String> {
    let width = COLUMNS - 10;
    let mut lines = vec![String::new()];
    for word in harmless(reason, width * REASON)
        .split(' ')
        .filter(|word| !word.is_empty())
    {
        let Some(line) = lines.last_mut() else { break };
        let (has, more) = (line.chars().count(), word.chars().count());
        if has > 0 && has + 1 + more > width {
            lines.push(word.to_owned());
        } else {
            if has > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.truncate(REASON);
    lines.retain(|line| !line.is_empty());
    lines
}

fn certificates(page: &mut Page, certificates: &[Certificate]) {
    if certificates.is_empty() {
        return;
    }
    page.heading("Certificates (SHA-256)");
    for certificate in certificates.iter().take(CERTIFICATES) {
        let until = certificate.not_after.get(..10).unwrap_or_default();
        let status = certificate.status.as_deref().unwrap_or("in use");
        page.line(
            None,
            &format!(
                "  {}, {status}, until {until}: {}",
                certificate.usage, certificate.subject
            ),
        );
        page.line(None, &format!("    {}", certificate.sha256));
    }
}

fn errors(page: &mut Page, lines: &[LogLine]) {
    if lines.is_empty() {
        return;
    }
    page.heading("Last warnings and errors");
    for line in lines.iter().skip(lines.len().saturating_sub(ERRORS)) {
        let time = line.time.get(11..19).unwrap_or_default();
        let unit = line.unit.trim_end_matches(".service");
        page.line(None, &format!("  {time} {unit}: {}", line.message));
    }
}

/// Days, hours, minutes.
fn lasting(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests;
