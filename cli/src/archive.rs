//! `kiirtee archive verify`: are these archives of a message log whole, unchanged and in the order of their chain?
//!
//! Offline. A file is checked by itself; files together are checked for following one another without a gap (wire.md
//! 4.6). Encrypted archives are decrypted into a nameless temporary file, whole, before anything in them is looked at.

mod contents;
mod report;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use protocol_globalconf::GlobalConf;
use storage::archive::openpgp::{SecretKeys, is_encrypted};
use storage::archive::{self, FileReport, Folder, Problem, is_archive_name};

use crate::failure::{Failure, OrUnusable};
use crate::verify;
use report::Report;

const EXAMPLES: &str = "\
Examples:
  kiirtee archive verify /var/lib/kiirtee/proxy/archive
  kiirtee archive verify mlog-20260101000000-20260101060000-9011ab55c6f2e3d4.zip --first
  kiirtee archive verify mlog-20260101000000-20260101060000-9011ab55c6f2e3d4.zip --previous 3b1f0a --json
  kiirtee archive verify moved/2026 --since 3b1f0a --key archive-private-key.asc
  kiirtee archive verify moved/2026 --containers --globalconf verificationconf

Exit codes:
  0  every archive is whole and unchanged, and none is missing between them
  1  something is wrong; every problem is named with its file and container
  2  a file, a key or the global configuration cannot be read";

/// Arguments of `kiirtee archive`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check archives and the chain that they are
    Verify(VerifyArguments),
}

/// Arguments of `kiirtee archive verify`.
#[derive(Debug, Args)]
struct VerifyArguments {
    /// Archive files, or folders with them
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,
    /// The last digest of the archive before the one file
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["first", "since"])]
    previous: Option<String>,
    /// The one file is the first of its chain
    #[arg(long)]
    first: bool,
    /// The last digest of archives that are kept elsewhere: a chain may begin after it
    #[arg(long, value_name = "DIGEST")]
    since: Vec<String>,
    /// OpenPGP private keys for encrypted archives
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// The pass phrase of the private keys is the first line of this file
    #[arg(long, value_name = "FILE")]
    pass_phrase_file: Option<PathBuf>,
    /// Check every container as `kiirtee verify` does, too
    #[arg(long, requires = "globalconf")]
    containers: bool,
    /// A global configuration on disk, for --containers
    #[arg(long, value_name = "DIR")]
    globalconf: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Carries out `kiirtee archive`.
///
/// # Errors
/// [`Failure::No`] when something is wrong with an archive, [`Failure::Unusable`] when something cannot be read.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::Verify(arguments) = &arguments.command;
    let files = files(&arguments.paths)?;
    let single = matches!(&files[..], [_]) && arguments.paths.iter().all(|path| path.is_file());
    let previous = match (&arguments.previous, arguments.first) {
        _ if !single && (arguments.first || arguments.previous.is_some()) => {
            return Err(Failure::unusable(
                "--first and --previous are for one file; use --since for several",
            ));
        }
        (Some(digest), _) => Some(digest.to_lowercase()),
        (None, true) => Some(String::new()),
        (None, false) => None,
    };
    let checker = Checker::new(arguments)?;
    let mut folder = Folder::default();
    let mut report = Report::default();
    for path in &files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let found = checker.check(path, previous.as_deref(), &mut report)?;
        folder.add(&name, found);
        report.place(&name, path);
    }
    // A file alone says nothing of the others.
    let chain = (!single).then(|| folder.check(&arguments.since));
    report.finish(&folder, chain);
    report.say(arguments.json)
}

/// The archives of the arguments, in the order of their names.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable = || format!("read the folder {}", path.display());
        let before = files.len();
        for entry in std::fs::read_dir(path).or_unusable(unreadable)? {
            let entry = entry.or_unusable(unreadable)?;
            if entry.file_name().to_str().is_some_and(is_archive_name) {
                files.push(entry.path());
            }
        }
        if files.len() == before {
            let expected = "expected archives of a message log, mlog-*.zip or mlog-*.zip.gpg";
            return Err(Failure::unusable(format!(
                "no archive in {}; {expected}",
                path.display()
            )));
        }
    }
    files.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(files)
}

/// What files are checked with.
struct Checker {
    keys: SecretKeys,
    trust: Option<GlobalConf>,
}

impl Checker {
    fn new(arguments: &VerifyArguments) -> Result<Self, Failure> {
        let pass_phrase = arguments
            .pass_phrase_file
            .as_deref()
            .map(first_line)
            .transpose()?;
        let files = arguments.key.iter().map(PathBuf::as_path);
        let keys = SecretKeys::read(files, pass_phrase.as_deref());
        let globalconf = arguments.globalconf.as_deref().filter(|_| arguments.containers);
        Ok(Self {
            keys: keys.or_unusable(|| "read the private keys".into())?,
            trust: globalconf.map(verify::trust).transpose()?,
        })
    }

    fn check(&self, path: &Path, previous: Option<&str>, report: &mut Report) -> Result<FileReport, Failure> {
        let unreadable = || format!("read {}", path.display());
        let mut file = File::open(path).or_unusable(unreadable)?;
        if let Some(digest) = archive::seal::measure(&file).or_unusable(unreadable)? {
            report.seal(path, digest);
        }
        let mut beginning = [0];
        let read = file.read(&mut beginning).or_unusable(unreadable)?;
        file.seek(SeekFrom::Start(0)).or_unusable(unreadable)?;
        if is_encrypted(beginning.get(..read).unwrap_or_default()) {
            let plain = tempfile::tempfile().or_unusable(|| "make a temporary file".into())?;
            file = match self.keys.decrypt(file, plain) {
                Ok(plain) => plain,
                Err(error) => return Ok(problem(Problem::Encrypted(error.to_string()))),
            };
        }
        let found = archive::verify(&file, previous).or_unusable(unreadable)?;
        if let Some(trust) = &self.trust
            && !found.last_digest.is_empty()
        {
            report.containers(path, contents::check(&file, trust));
        }
        Ok(found)
    }
}

fn problem(problem: Problem) -> FileReport {
    FileReport {
        problems: vec![problem],
        ..FileReport::default()
    }
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).or_unusable(|| format!("read {}", path.display()))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
