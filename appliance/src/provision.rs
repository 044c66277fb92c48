//! `kiirtee-appliance provision`: what the configuration medium says becomes the settings of the appliance.
//!
//! - [`inputs`]: what is handed over, and whether it can be used at all
//! - [`settings_files`], [`network_files`]: what is made of it
//! - [`generation`]: complete sets of files, of which one counts
//! - [`pin`], [`reset`]: what is on the medium for once
//! - [`outcome`], [`services`]: who is told
//!
//! The same twice changes nothing. What is refused changes nothing either: the former settings stay in force.

pub mod generation;
pub mod inputs;
pub mod network_files;
pub mod outcome;
pub mod pin;
pub mod reset;
pub mod services;
pub mod settings_files;

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{self, Disk};
use crate::document::Document;
use crate::enrol::keys::Purpose;
use crate::identity;
use crate::image::Image;
use crate::paths::{self, Root};
use generation::{Files, Generations};
pub use outcome::{Outcome, Source, State};

/// Folder of the files below `/run` in a kept set, one level deep: the name of the file is its path with dashes.
const RUN: &str = "run";
/// The report on the medium, and the folder of signing requests there.
const REPORT: &str = "report.json";
const REQUESTS_ON_MEDIUM: &str = "requests";
/// The most bytes of a report, and of a signing request.
const MAX_REPORT_BYTES: usize = 1024 * 1024;
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// Everybody reads, root writes.
const PUBLIC: u32 = 0o644;
const PUBLIC_FOLDER: u32 = 0o755;
/// The group `kiirtee` reads, and takes away what is done with.
const GROUP: u32 = 0o640;
const GROUP_FOLDER: u32 = 0o770;

/// Arguments of `kiirtee-appliance provision`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// The folder of the configuration medium; by default /run/kiirtee/medium
    #[arg(long, value_name = "DIR")]
    medium: Option<PathBuf>,
    /// Folder of the credentials of the machine
    #[arg(long, env = "CREDENTIALS_DIRECTORY", value_name = "DIR", hide_env = true)]
    credentials: Option<PathBuf>,
    /// What tells the service manager; by default /usr/bin/systemctl, and nothing with another root
    #[arg(long, value_name = "PROGRAM")]
    systemctl: Option<PathBuf>,
}

/// Why provisioning failed.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// A file system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// Something was refused; the report says it too.
    #[error("{}", .0.join("; "))]
    Refused(Vec<String>),
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> ProvisionError {
    move |source| ProvisionError::Io { what, source }
}

/// Carries out `kiirtee-appliance provision`.
///
/// # Errors
/// See [`ProvisionError`].
pub fn run(arguments: &Arguments) -> Result<(), ProvisionError> {
    let outcome = provision(arguments, &Disk::default())?;
    tracing::info!(state = ?outcome.state, source = ?outcome.source, changed = ?outcome.changed, "provisioned");
    match outcome.problems.is_empty() {
        true => Ok(()),
        false => Err(ProvisionError::Refused(outcome.problems)),
    }
}

/// The same, step by step on `disk`.
///
/// # Errors
/// See [`ProvisionError`].
pub fn provision(arguments: &Arguments, disk: &Disk) -> Result<Outcome, ProvisionError> {
    let root = &arguments.root;
    let medium = arguments
        .medium
        .clone()
        .unwrap_or_else(|| root.path(paths::MEDIUM));
    let medium = is_ours(&medium).then_some(medium);
    let state_folder = root.path(paths::RUN);
    disk.folder(&state_folder, PUBLIC_FOLDER)
        .map_err(failed("make the folder of the state"))?;
    let mut outcome = Outcome {
        state: State::Unprovisioned,
        appliance_id: identity::of(root),
        version: Image::read(root).map_or_else(
            |_| env!("CARGO_PKG_VERSION").to_owned(),
            |image| image.version.to_string(),
        ),
        source: Source::Kept,
        changed: Vec::new(),
        problems: Vec::new(),
        pin_is_kept: false,
        factory_reset: false,
    };
    let work = Work {
        arguments,
        disk,
        medium: medium.as_deref(),
    };
    work.reset(&mut outcome);
    if !outcome.factory_reset
        && let Err(error) = work.take_over(&mut outcome)
    {
        outcome.problems.push(error.to_string());
    }
    work.tell(&mut outcome)?;
    Ok(outcome)
}

/// A folder is a medium of ours if anything in it is named as we name things.
fn is_ours(folder: &Path) -> bool {
    const NAMES: [&str; 8] = [
        inputs::DOCUMENT,
        inputs::ANCHOR_ON_MEDIUM,
        inputs::SERVER,
        inputs::DEVICES,
        inputs::CERTIFICATES,
        pin::ON_MEDIUM,
        reset::ON_MEDIUM,
        REPORT,
    ];
    NAMES.iter().any(|name| folder.join(name).exists())
}

struct Work<'a> {
    arguments: &'a Arguments,
    disk: &'a Disk,
    medium: Option<&'a Path>,
}

impl Work<'_> {
    fn reset(&self, outcome: &mut Outcome) {
        let Some(medium) = self.medium else { return };
        let id = outcome.appliance_id.as_deref();
        match reset::take_over(&self.arguments.root, self.disk, medium, id) {
            Ok(wanted) => outcome.factory_reset = wanted,
            Err(error) => outcome.problems.push(error.to_string()),
        }
    }

    fn take_over(&self, outcome: &mut Outcome) -> Result<(), ProvisionError> {
        let root = &self.arguments.root;
        let generations = Generations::new(root, self.disk);
        generations
            .clean()
            .map_err(failed("remove settings that do not count"))?;
        let before = generations.current().map_err(failed("read what is kept"))?;
        let kept = before.as_ref().map(inputs::kept).unwrap_or_default();
        let made = self.new_inputs(outcome).and_then(|new| {
            let inputs = inputs::merged(kept, new);
            if inputs.is_empty() {
                return Ok(None);
            }
            let document = inputs::check(&inputs)?;
            Ok(Some(complete(root, inputs, &document)?))
        });
        match made {
            Ok(Some(files)) => {
                let before = before.unwrap_or_default();
                if files != before {
                    outcome.changed = differences(&before, &files);
                    self.leave_for_configure(&before, &files)?;
                    generations.switch(&files).map_err(failed("keep the settings"))?;
                }
                outcome.state = State::Provisioned;
                self.activate(&files, outcome)?;
                self.pin(outcome);
            }
            Ok(None) => {}
            Err(refused) => {
                outcome.problems.push(refused.to_string().trim_end().to_owned());
                if let Some(before) = before {
                    outcome.state = State::Provisioned;
                    outcome.source = Source::Kept;
                    self.activate(&before, outcome)?;
                }
            }
        }
        Ok(())
    }

    /// Leaves a new server configuration for `configure`, before the set counts: applied once too often is harmless.
    fn leave_for_configure(&self, before: &Files, after: &Files) -> Result<(), ProvisionError> {
        let server = after.get(inputs::SERVER);
        let Some(server) = server.filter(|new| before.get(inputs::SERVER) != Some(new)) else {
            return Ok(());
        };
        let place = self.arguments.root.path(paths::SERVER_PENDING);
        let folder = place.parent().unwrap_or(&place);
        self.disk
            .folder(folder, GROUP_FOLDER)
            .and_then(|()| self.disk.write(&place, server, GROUP))
            .map_err(failed("leave the server configuration for who applies it"))
    }

    fn new_inputs(&self, outcome: &mut Outcome) -> Result<Files, Refusal> {
        if let Some(medium) = self.medium {
            let found = inputs::from_medium(medium)?;
            if !found.is_empty() {
                outcome.source = Source::Medium;
                return Ok(found);
            }
        }
        if let Some(folder) = &self.arguments.credentials {
            let found = inputs::from_credentials(folder)?;
            if !found.is_empty() {
                outcome.source = Source::Credential;
                return Ok(found);
            }
        }
        Ok(Files::new())
    }

    /// Puts the files of a kept set that stand below `/run` there.
    fn activate(&self, files: &Files, outcome: &mut Outcome) -> Result<(), ProvisionError> {
        for path in [network_files::NETWORK, network_files::TIME, network_files::NAMES] {
            let Some(content) = files.get(&kept_name(path)) else {
                continue;
            };
            let place = self.arguments.root.path(paths::SYSTEM_RUN).join(path);
            let folder = place.parent().unwrap_or(&place);
            self.disk
                .folder(folder, PUBLIC_FOLDER)
                .map_err(failed("make a folder of the system's settings"))?;
            let written = self.disk.write_if_changed(&place, content, PUBLIC);
            if written.map_err(failed("write the system's settings"))? {
                outcome.changed.push(path.to_owned());
            }
        }
        Ok(())
    }

    fn pin(&self, outcome: &mut Outcome) {
        let Some(medium) = self.medium else { return };
        match pin::take_over(&self.arguments.root, self.disk, medium) {
            Ok(true) => outcome.changed.push(pin::ON_MEDIUM.to_owned()),
            Ok(false) => {}
            Err(error) => outcome.problems.push(error.to_string()),
        }
    }

    fn tell(&self, outcome: &mut Outcome) -> Result<(), ProvisionError> {
        let root = &self.arguments.root;
        outcome.pin_is_kept = pin::are_kept(root);
        if let Some(medium) = self.medium
            && let Err(error) = self.write_to_medium(medium, outcome)
        {
            outcome
                .problems
                .push(format!("the medium cannot be written: {error}"));
        }
        let state = root.path(paths::PROVISION_STATE);
        self.disk
            .write(&state, &json(outcome), PUBLIC)
            .map_err(failed("write the state"))?;
        self.remember(outcome).map_err(failed("remember the state"))?;
        if let Some(systemctl) = self.systemctl() {
            match outcome.factory_reset {
                true => services::reset(&systemctl),
                false => services::reread(&systemctl, &outcome.changed),
            }
        }
        Ok(())
    }

    /// Keeps the outcome for starts at which nothing is new, last of all: what was not finished, or was refused, is done again.
    fn remember(&self, outcome: &Outcome) -> io::Result<()> {
        let root = &self.arguments.root;
        let is_done =
            outcome.state == State::Provisioned && !outcome.factory_reset && outcome.problems.is_empty();
        let (true, Ok(image)) = (is_done, Image::read(root)) else {
            return Ok(());
        };
        let kept = Outcome {
            source: Source::Kept,
            changed: Vec::new(),
            ..outcome.clone()
        };
        let folder = root.path(paths::PROVISIONED);
        self.disk.folder(&folder, PUBLIC_FOLDER)?;
        let name = image.version.to_string();
        self.disk
            .write_if_changed(&folder.join(&name), &json(&kept), PUBLIC)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name() != *name {
                self.disk.remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn systemctl(&self) -> Option<PathBuf> {
        let given = self.arguments.systemctl.clone();
        given.or_else(|| {
            self.arguments
                .root
                .is_system()
                .then(|| "/usr/bin/systemctl".into())
        })
    }

    fn write_to_medium(&self, medium: &Path, outcome: &Outcome) -> io::Result<()> {
        let report = medium.join(REPORT);
        if !self.is_reported(&report, outcome) {
            self.disk.write(&report, &json(outcome), PUBLIC)?;
        }
        self.write_requests(medium)
    }

    /// Copies the signing requests. Their folder is another user's: only what is named as they are is taken, and no link.
    fn write_requests(&self, medium: &Path) -> io::Result<()> {
        for purpose in Purpose::ALL {
            let name = format!("{}.pem", purpose.label());
            let request = self.arguments.root.path(paths::REQUESTS).join(&name);
            let Some(request) = disk::read(&request, MAX_REQUEST_BYTES)? else {
                continue;
            };
            let folder = medium.join(REQUESTS_ON_MEDIUM);
            self.disk.folder(&folder, PUBLIC_FOLDER)?;
            self.disk
                .write_if_changed(&folder.join(&name), &request, PUBLIC)?;
        }
        Ok(())
    }

    /// Whether the report on the medium says the same but for what was changed, which is nothing now: what the run before did
    /// stays told.
    fn is_reported(&self, report: &Path, outcome: &Outcome) -> bool {
        let told = disk::read(report, MAX_REPORT_BYTES).ok().flatten();
        let told = told.and_then(|text| serde_json::from_slice::<Outcome>(&text).ok());
        let told = told.map(|told| Outcome {
            changed: Vec::new(),
            source: outcome.source,
            ..told
        });
        told.as_ref() == Some(outcome)
    }
}

/// Why nothing new can be made.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Input(#[from] inputs::InputError),
    #[error(transparent)]
    Settings(#[from] settings_files::SettingsFileError),
}

/// All files of a set: what was handed over and what is made of it.
fn complete(root: &Root, inputs: Files, document: &Document) -> Result<Files, Refusal> {
    let mut files = inputs;
    for (name, text) in settings_files::files(root, document)? {
        files.insert(name.to_owned(), text.into_bytes());
    }
    for (path, text) in network_files::files(document) {
        files.insert(kept_name(path), text.into_bytes());
    }
    Ok(files)
}

fn kept_name(path: &str) -> String {
    format!("{RUN}/{}", path.replace('/', "-"))
}

fn differences(before: &Files, after: &Files) -> Vec<String> {
    let new = after
        .iter()
        .filter(|(name, content)| before.get(*name) != Some(content));
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name));
    let names = new.chain(gone).map(|(name, _)| name.clone());
    names.filter(|name| !name.starts_with(RUN)).collect()
}

fn json(outcome: &Outcome) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(outcome).unwrap_or_default();
    text.push(b'\n');
    text
}
