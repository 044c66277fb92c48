//! Starting, watching and stopping the processes of a sandbox.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::layout::Folders;
use super::{files, wait};
use crate::failure::{Failure, OrUnusable};

/// How long a process may take to stop by itself before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
/// How long the system may take to remove a killed process.
const KILL_PATIENCE: Duration = Duration::from_secs(5);
/// How much of a log is shown when a process fails.
const LAST_LINES: usize = 15;

/// A program of Kiirtee's, looked for beside the running one.
///
/// # Errors
/// When it is not there.
pub fn program(name: &str) -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().or_unusable(|| "find the folder of this program".into())?;
    let own_folder = own.parent().unwrap_or_else(|| Path::new("."));
    // Test programs live in a folder below that of the real ones.
    let folders = [Some(own_folder), own_folder.parent()];
    let found = folders
        .into_iter()
        .flatten()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    let expected = "expected it beside `kiirtee`; `cargo build --workspace` makes all programs";
    found.ok_or_else(|| Failure::unusable(format!("{name} is not in {}; {expected}", own_folder.display())))
}

/// Runs a program to its end.
///
/// # Errors
/// What it says when it fails.
pub fn run(name: &str, arguments: &[impl AsRef<OsStr>]) -> Result<(), Failure> {
    let program = program(name)?;
    let ended = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let ended = ended.or_unusable(|| format!("start {}", program.display()))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(Failure::unusable(format!(
        "{name} failed ({}): {}",
        ended.status,
        said.trim()
    )))
}

/// Starts a program as a process of its own that goes on when this one ends, with its output in its log.
///
/// # Errors
/// When it cannot be started.
pub fn start(
    folders: &Folders,
    name: &str,
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
) -> Result<u32, Failure> {
    start_with(folders, name, program, arguments, &[])
}

/// The same with further variables in its environment.
///
/// # Errors
/// When it cannot be started.
pub fn start_with(
    folders: &Folders,
    name: &str,
    program: &Path,
    arguments: &[impl AsRef<OsStr>],
    environment: &[(&str, PathBuf)],
) -> Result<u32, Failure> {
    let log = folders.log(name);
    create_parent(&log)?;
    create_parent(&folders.pid(name))?;
    let output = File::options().create(true).append(true).open(&log);
    let output = output.or_unusable(|| format!("write {}", log.display()))?;
    let errors = output
        .try_clone()
        .or_unusable(|| format!("write {}", log.display()))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .current_dir(folders.root());
    let id = detached(&mut command).or_unusable(|| format!("start {}", program.display()))?;
    fs::write(folders.pid(name), format!("{id}\n"))
        .or_unusable(|| format!("write the process id of {name}"))?;
    Ok(id)
}

/// Starts a command in a process group of its own, so that a Ctrl-C meant for `kiirtee` does not end it.
fn detached(command: &mut Command) -> std::io::Result<u32> {
    let mut child = command.process_group(0).spawn()?;
    let id = child.id();
    // Somebody has to take note of its end as long as this process lives, or it stays as a zombie.
    std::thread::spawn(move || child.wait());
    Ok(id)
}

fn create_parent(path: &Path) -> Result<(), Failure> {
    files::folder(path.parent().unwrap_or_else(|| Path::new(".")))
}

/// Whether the process runs: it exists, is no zombie and is one of ours.
pub fn is_running(id: u32) -> bool {
    let Some(pid) = i32::try_from(id).ok().and_then(Pid::from_raw) else {
        return false;
    };
    test_kill_process(pid).is_ok() && !is_zombie(id) && is_ours(id)
}

fn is_zombie(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    status
        .rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

/// Process ids are used again: after a restart of the machine, another program may have the one on file.
fn is_ours(id: u32) -> bool {
    let program = fs::read_link(format!("/proc/{id}/exe")).unwrap_or_default();
    program
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("kiirtee"))
}

/// The processes that are on file, by name.
pub fn on_file(folders: &Folders) -> Vec<(String, u32)> {
    let Ok(entries) = fs::read_dir(folders.root().join("run")) else {
        return Vec::new();
    };
    let mut found: Vec<(String, u32)> = entries
        .flatten()
        .filter_map(|entry| read_pid(&entry.path()))
        .collect();
    found.sort();
    found
}

fn read_pid(path: &Path) -> Option<(String, u32)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".pid")?;
    let id = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    Some((name.to_owned(), id))
}

/// Asks processes to stop, waits for them, and kills those that do not.
///
/// # Errors
/// When one cannot even be killed.
pub fn stop(folders: &Folders, processes: &[(String, u32)]) -> Result<(), Failure> {
    for (_, id) in processes {
        signal(*id, Signal::TERM);
    }
    for (name, id) in processes {
        let ended = |patience| wait::until(patience, || if is_running(*id) { Err(()) } else { Ok(()) });
        if ended(STOP_PATIENCE).is_err() {
            signal(*id, Signal::KILL);
            ended(KILL_PATIENCE)
                .map_err(|()| Failure::unusable(format!("{name} (process {id}) does not end")))?;
        }
        // A file that is not there is what is wanted.
        let _ = fs::remove_file(folders.pid(name));
    }
    Ok(())
}

fn signal(id: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(id)
        .ok()
        .and_then(Pid::from_raw)
        .filter(|_| is_running(id))
    {
        // It may have ended in between, which is as good.
        let _ = kill_process(pid, signal);
    }
}

/// The end of a process's log, for a person who wants to know why it does not work.
pub fn last_words(folders: &Folders, name: &str) -> String {
    let log = fs::read_to_string(folders.log(name)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let begin = lines.len().saturating_sub(LAST_LINES);
    lines.get(begin..).unwrap_or_default().join("\n")
}
