//! What came of a run: lines on the terminal, `latest.json`, `latest.md`, `latest.svg`.

mod markdown;
mod plot;

use std::fs;
use std::path::Path;

use cli::failure::{Failure, OrUnusable};
use cli::output::{self, Table};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::bed::Bed;
use crate::load::Generator;
use crate::rows::Finding;

/// Says what a finding is as soon as it is there.
pub(crate) fn tell(finding: &Finding) -> Result<(), Failure> {
    let target = match finding.target.as_str() {
        "" => String::new(),
        target => format!(" (target: {target}: {})", verdict(finding)),
    };
    output::line(&format!("  {}: {}{target}", finding.what, finding.figure))?;
    finding
        .conditions
        .iter()
        .try_for_each(|condition| output::line(&format!("      {condition}")))
}

/// Prints the table, and writes everything into `folder`.
pub(crate) fn write(bed: &Bed, folder: &Path, findings: &[Finding]) -> Result<(), Failure> {
    let mut table = Table::new(&["row", "what", "target", "figure", "met"]);
    for finding in findings {
        let cells: [&str; 5] = [
            finding.row,
            &finding.what,
            &finding.target,
            &finding.figure,
            verdict(finding),
        ];
        table.row(cells);
    }
    let conditions = conditions(bed);
    output::line(&format!("\n{conditions}\n\n{}", table.render()))?;
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).or_unusable(|| format!("write {}", path.display()))
    };
    fs::create_dir_all(folder).or_unusable(|| format!("make {}", folder.display()))?;
    let everything = json!({"conditions": conditions, "rows": findings});
    file("latest.json", &format!("{everything:#}\n"))?;
    file("latest.md", &markdown::page(&conditions, findings))?;
    file("latest.svg", &plot::svg(findings)?)?;
    output::line(&format!("\nwritten: {}/latest.{{json,md,svg}}", folder.display()))
}

/// `yes`, `no`, or a dash where nothing was demanded or measured.
fn verdict(finding: &Finding) -> &'static str {
    match finding.met {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    }
}

/// When, on what, with what.
fn conditions(bed: &Bed) -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = processors.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or("unknown", |(_, value)| value.trim())
            .to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let generator = match bed.generator {
        Generator::Wrk => "wrk",
        Generator::KiirteeLoad => "kiirtee-load",
    };
    format!(
        "{}; {cores} × {}; Linux {}; binaries {}; load by {generator}; {} rounds of {} s, {} connections",
        OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        field("model name"),
        kernel.trim(),
        bed.binaries.display(),
        bed.rounds,
        bed.seconds,
        bed.connections,
    )
}
