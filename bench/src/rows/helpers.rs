//! A row that a script of its own measures, if it is there.

use std::path::Path;
use std::process::Command;

use cli::failure::Failure;

use super::Target::AtLeast;
use super::{Finding, Stage};
use crate::load::said;

/// The script, below the repository's root, from where `make bench` runs.
const POSTGRES: &str = "bench/postgres.sh";
/// How the line begins that says how many times more records the message log takes than PostgreSQL.
const RATIO: &str = "ratio:";

/// `log`
///
/// The script prints what it measured, and in one line `ratio: NUMBER`.
pub(super) fn postgres(stage: &Stage<'_>) -> Result<Vec<Finding>, Failure> {
    let what = "message log against one PostgreSQL insert a message, records a second";
    let target = "at least 8 times";
    if !Path::new(POSTGRES).is_file() {
        let words = format!("not measured: {POSTGRES} is not there");
        return Ok(vec![Finding::told(what, target, words)]);
    }
    let mut script = Command::new(POSTGRES);
    script.env("BIN", &stage.bed.binaries);
    let said = said(&mut script, POSTGRES)?;
    let ratio = said
        .lines()
        .find_map(|line| line.trim().strip_prefix(RATIO)?.trim().parse::<f64>().ok());
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    let finding = match ratio {
        Some(ratio) => Finding::new(what, (target, AtLeast(8.0)), (format!("{ratio:.1} times"), ratio)),
        None => Finding::told(what, target, lines.last().cloned().unwrap_or_default()),
    };
    Ok(vec![finding.with_all(lines)])
}
