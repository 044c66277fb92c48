//! Programs of the machine that the tests run on.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use crate::failure::{Failure, OrUnusable};

/// Runs a program to its end and gives what it wrote to standard output.
///
/// # Errors
/// When it is not there or fails, with what it said.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    finish(program, &mut command)
}

/// Runs a prepared command to its end, as [`run`] does.
///
/// # Errors
/// The same.
pub fn finish(program: &str, command: &mut Command) -> Result<String, Failure> {
    let output = command
        .output()
        .or_unusable(|| format!("run {program}; `.ci/prepare` installs what is needed"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = [text(&output.stderr), text(&output.stdout)].join(" ");
    Err(Failure::unusable(format!("{program}: {}: {said}", output.status)))
}
