//! `kiirtee-appliance update`: a new version from a medium into the slot that does not run.
//!
//! The medium is a volume with the label `KIIRTEE-UPD`: a manifest, its signature, and the files that the manifest names.
//! Nothing of it is used before signature, version and digests were found to be right; what is checked is a copy on the
//! appliance's own sealed volume, so that it cannot change afterwards. systemd-sysupdate writes the copy into the other
//! slot, and the machine starts again. Whether the new version stays is decided by its own health
//! (`kiirtee-health.service`): the boot loader tries it three times and goes back by itself.
//!
//! `--settle` runs once a boot is good and says how it ended: good, or gone back.

pub mod copy;
pub mod manifest;
pub mod state;

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use clap::Args;
use semver::Version;

use self::copy::CopyError;
use self::manifest::{Manifest, ManifestError, PublicKey};
use self::state::{Memory, Pending, State, Step};
use crate::disk::{self, Disk};
use crate::image::{Image, ImageError};
use crate::paths::{self, Root};

/// Most bytes of a public key's file.
const MAX_KEY: usize = 4096;

/// Arguments of `kiirtee-appliance update`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// Say how the last update ended, instead of installing one
    #[arg(long)]
    settle: bool,
    /// What writes the slot
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "/usr/lib/systemd/systemd-sysupdate"
    )]
    sysupdate: PathBuf,
    /// What starts the machine again
    #[arg(long, value_name = "PROGRAM", default_value = "/usr/bin/systemctl")]
    systemctl: PathBuf,
}

/// Why a version is not installed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// A file of the appliance cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The running image does not say what it is.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The manifest is not to be trusted, or not to be understood.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// It is for another product.
    #[error("the update is for `{found}`, this is `{expected}`")]
    OtherImage {
        /// What the manifest says.
        found: String,
        /// What runs.
        expected: String,
    },
    /// It is older than what runs.
    #[error("version {found} is older than {running}, which runs")]
    Older {
        /// The update's.
        found: Version,
        /// What runs.
        running: Version,
    },
    /// It is older than a good version allowed.
    #[error("version {found} is below {floor}, the oldest that a version that was good allows")]
    BelowFloor {
        /// The update's.
        found: Version,
        /// The floor.
        floor: Version,
    },
    /// It was tried before and did not become healthy.
    #[error("version {0} was tried before and did not become healthy; expected a newer one")]
    WentBack(Version),
    /// A file is not what the manifest says.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A program cannot be started.
    #[error("{} does not start: {source}", program.display())]
    Start {
        /// Which.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program did not do its work.
    #[error("{} failed ({status})", program.display())]
    Failed {
        /// Which.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
    },
}

/// Says which path an operation was about.
fn at(path: &Path) -> impl FnOnce(io::Error) -> UpdateError {
    let path = path.to_owned();
    move |source| UpdateError::Io { path, source }
}

/// Carries out `kiirtee-appliance update`.
///
/// # Errors
/// See [`UpdateError`]; the state file says the same.
pub fn run(arguments: &Arguments) -> Result<(), UpdateError> {
    let update = Update {
        arguments,
        disk: Disk::default(),
        image: Image::read(&arguments.root)?,
    };
    if arguments.settle {
        return update.settle();
    }
    let outcome = update.install();
    if let Err(error) = &outcome {
        update.tell(Step::Refused, None, Some(crate::log::chain(error)))?;
    }
    outcome
}

struct Update<'a> {
    arguments: &'a Arguments,
    disk: Disk,
    image: Image,
}

impl Update<'_> {
    fn install(&self) -> Result<(), UpdateError> {
        let medium = self.path(paths::UPDATE_MEDIUM);
        let manifest = Manifest::read(&medium, &self.key()?)?;
        let memory = Memory::read(&self.arguments.root).map_err(at(&self.path(paths::UPDATE_MEMORY)))?;
        self.check(&manifest, &memory)?;
        if manifest.version == self.image.version {
            tracing::info!(version = %manifest.version, "the update medium has the version that runs");
            return Ok(());
        }
        self.tell(Step::Installing, Some(&manifest.version), None)?;
        let copied = self.path(paths::UPDATE_COPY);
        copy::all(&manifest, &medium, &copied)?;
        self.write(&manifest, memory)?;
        self.disk.remove_folder(&copied).map_err(at(&copied))?;
        self.tell(Step::Installed, Some(&manifest.version), None)?;
        tracing::info!(version = %manifest.version, "installed; the machine starts again");
        self.call(&self.arguments.systemctl, &["--no-block", "reboot"])
    }

    /// Writes the copy into the slot. What is remembered before and after says whether the version can have been tried.
    fn write(&self, manifest: &Manifest, mut memory: Memory) -> Result<(), UpdateError> {
        let pending = Pending::from(manifest);
        memory.pending = Some(pending.clone());
        self.remember(&memory)?;
        let version = manifest.version.to_string();
        self.call(&self.arguments.sysupdate, &["update", &version])?;
        memory.pending = Some(Pending {
            written: true,
            ..pending
        });
        self.remember(&memory)
    }

    fn check(&self, manifest: &Manifest, memory: &Memory) -> Result<(), UpdateError> {
        let found = manifest.version.clone();
        if manifest.image != self.image.id {
            return Err(UpdateError::OtherImage {
                found: manifest.image.clone(),
                expected: self.image.id.clone(),
            });
        }
        if memory.went_back.contains(&found) {
            return Err(UpdateError::WentBack(found));
        }
        if let Some(floor) = memory.floor.clone().filter(|floor| found < *floor) {
            return Err(UpdateError::BelowFloor { found, floor });
        }
        if found < self.image.version {
            let running = self.image.version.clone();
            return Err(UpdateError::Older { found, running });
        }
        Ok(())
    }

    /// This boot is good: the pending version runs and may raise the floor, or another one runs in its place.
    fn settle(&self) -> Result<(), UpdateError> {
        let mut memory = Memory::read(&self.arguments.root).map_err(at(&self.path(paths::UPDATE_MEMORY)))?;
        let Some(pending) = memory.pending.take() else {
            return self.tell(Step::None, None, None);
        };
        if pending.version == self.image.version {
            memory.raise(pending.floor);
            self.remember(&memory)?;
            tracing::info!(version = %pending.version, "the new version is good");
            return self.tell(Step::Good, Some(&pending.version), None);
        }
        if !pending.written {
            self.remember(&memory)?;
            tracing::warn!(version = %pending.version, "the update was interrupted: it was not tried");
            return self.tell(Step::None, None, None);
        }
        memory.gave_up(pending.version.clone());
        self.remember(&memory)?;
        let reason = format!("did not become healthy; {} runs again", self.image.version);
        tracing::error!(version = %pending.version, "the new version {reason}");
        self.tell(Step::WentBack, Some(&pending.version), Some(reason))
    }

    fn key(&self) -> Result<PublicKey, UpdateError> {
        let path = self.path(paths::UPDATE_KEY);
        let text = disk::read(&path, MAX_KEY).map_err(at(&path))?.unwrap_or_default();
        Ok(PublicKey::from_pem(&text)?)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.arguments.root.path(path)
    }

    fn remember(&self, memory: &Memory) -> Result<(), UpdateError> {
        let path = self.path(paths::UPDATE_MEMORY);
        memory.write(&self.disk, &self.arguments.root).map_err(at(&path))
    }

    fn tell(&self, step: Step, version: Option<&Version>, reason: Option<String>) -> Result<(), UpdateError> {
        let state = State {
            step,
            version: version.cloned(),
            reason,
        };
        let path = self.path(paths::UPDATE_STATE);
        state.write(&self.disk, &path).map_err(at(&path))
    }

    fn call(&self, program: &Path, arguments: &[&str]) -> Result<(), UpdateError> {
        match Command::new(program).args(arguments).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(UpdateError::Failed {
                program: program.to_owned(),
                status,
            }),
            Err(source) => Err(UpdateError::Start {
                program: program.to_owned(),
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
