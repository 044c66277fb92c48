//! `kiirtee-load`: measures security servers, or any HTTP server, under load.
//!
//! One room a subject:
//!
//! - `arguments`: the command line
//! - `plan`: what is to be done, decided before the first connection is opened
//! - `request`: the bytes of requests
//! - `engine`: the load itself, one loop a thread
//! - `watch`: processor time of ours and theirs, and what servers count
//! - `results`: figures, table, plot, comparison
//!
//! Results go to standard output, progress and errors to standard error. Exit codes are in the help.

mod arguments;
mod engine;
mod plan;
mod progress;
mod request;
mod results;
mod run;
mod watch;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use arguments::Arguments;
use plan::Plan;
use progress::Progress;
use results::compare::{self, Comparison};
use results::figures::RunFigures;
use run::Outcome;
use watch::Watch;

/// Exit code: more failed than was allowed.
const TOO_MANY_ERRORS: u8 = 1;
/// Exit code: slower than the compared run.
const SLOWER: u8 = 3;
/// Exit code: interrupted.
const INTERRUPTED: u8 = 4;

/// Does what the command line says; how the program shall end.
///
/// # Errors
/// A sentence: what cannot be used, where, and what was expected.
pub fn run(arguments: &Arguments) -> Result<ExitCode, String> {
    let plan = Plan::make(
        arguments.scenarios.as_deref(),
        &arguments.request,
        &arguments.load,
    )?;
    let plan = Arc::new(plan);
    let watch = Watch::new(
        &arguments.watch,
        arguments.watch_sandbox.as_deref(),
        &arguments.metrics,
        arguments.kiirtee.as_deref(),
    )?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A second one ends us at once.
        let register =
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupted))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupted)));
        register.map_err(|error| format!("signals: {error}"))?;
    }
    let saved = arguments.compare.as_deref().map(compare::read).transpose()?;
    let progress = Progress::new(&plan, arguments.quiet);
    let outcome = run::run(&plan, &watch, &progress, &interrupted)?;
    let comparison = saved
        .as_ref()
        .map(|saved| compare::compare(saved, &outcome.figures));
    save(arguments, &outcome, saved.as_ref())?;
    show(arguments, &outcome.figures, comparison.as_ref())?;
    Ok(ExitCode::from(code(
        arguments,
        &outcome.figures,
        comparison.as_ref(),
    )))
}

/// Writes the files that were asked for.
fn save(arguments: &Arguments, outcome: &Outcome, saved: Option<&RunFigures>) -> Result<(), String> {
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&outcome.figures).map_err(|error| error.to_string())?;
        write(path, &(text + "\n"))?;
    }
    if let Some(path) = &arguments.hgrm {
        write(path, &results::hgrm::text(&outcome.total.latency))?;
    }
    if let Some(path) = &arguments.svg {
        write(path, &results::plot::svg(&outcome.figures, saved)?)?;
    }
    Ok(())
}

/// Shows the table, unless standard output is taken.
fn show(arguments: &Arguments, run: &RunFigures, comparison: Option<&Comparison>) -> Result<(), String> {
    let files = [&arguments.json, &arguments.hgrm, &arguments.svg];
    let taken = files.into_iter().flatten().any(|path| path.as_os_str() == "-");
    if taken || arguments.quiet {
        return Ok(());
    }
    let text = results::table::text(run) + &comparison.map_or_else(String::new, Comparison::text);
    write(Path::new("-"), &text)
}

/// The exit code, of several the first that applies.
fn code(arguments: &Arguments, run: &RunFigures, comparison: Option<&Comparison>) -> u8 {
    let slower = arguments.fail_if_slower.unwrap_or(f64::INFINITY);
    match run {
        run if run.interrupted => INTERRUPTED,
        run if arguments
            .max_errors
            .exceeded_by(run.total.failed, run.total.exchanges()) =>
        {
            TOO_MANY_ERRORS
        }
        _ if comparison.is_some_and(|comparison| comparison.is_slower(slower)) => SLOWER,
        _ => 0,
    }
}

/// Writes a file, or to standard output when it is called `-`.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let written = if path.as_os_str() == "-" {
        std::io::stdout().lock().write_all(text.as_bytes())
    } else {
        std::fs::write(path, text)
    };
    written.map_err(|error| format!("{}: {error}", path.display()))
}
