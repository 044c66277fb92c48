//! What is known of updates: the state that is shown, and the memory that outlives the next start.

use std::io;
use std::path::Path;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use crate::disk::{self, Disk};
use crate::paths::{self, Root};

/// Most bytes of the memory.
const MAX_MEMORY: usize = 64 * 1024;
/// How many versions that went back are remembered.
const MAX_WENT_BACK: usize = 16;

/// How far an update is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// There was none.
    None,
    /// It is not taken; the reason says why.
    Refused,
    /// It is being checked and written.
    Installing,
    /// It is written; the machine starts again.
    Installed,
    /// It runs and is healthy.
    Good,
    /// It did not become healthy, and the version before runs again.
    WentBack,
}

/// What `/run/kiirtee/update.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// How far it is.
    pub step: Step,
    /// Which version.
    pub version: Option<Version>,
    /// Why it was refused or went back.
    pub reason: Option<String>,
}

impl State {
    /// Writes it for everybody to read.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, disk: &Disk, path: &Path) -> io::Result<()> {
        disk.write(path, &serde_json::to_vec(self)?, 0o644)
    }
}

/// A version that is installed and not yet known to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Which.
    pub version: Version,
    /// The floor that it brings.
    pub floor: Version,
    /// The slot and the boot loader have all of it. A version that was not written is not tried, so it cannot fail.
    pub written: bool,
}

impl From<&Manifest> for Pending {
    fn from(manifest: &Manifest) -> Self {
        Self {
            version: manifest.version.clone(),
            floor: manifest.floor.clone(),
            written: false,
        }
    }
}

/// What `/var/lib/kiirtee/update.json` remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Installed, and not yet known to be good.
    pub pending: Option<Pending>,
    /// No older version is installed any more.
    pub floor: Option<Version>,
    /// Versions that did not become healthy.
    pub went_back: Vec<Version>,
}

impl Memory {
    /// What is remembered; nothing on a new appliance.
    ///
    /// # Errors
    /// When it cannot be read: then no update is taken, since the floor is not known.
    pub fn read(root: &Root) -> io::Result<Self> {
        match disk::read(&root.path(paths::UPDATE_MEMORY), MAX_MEMORY)? {
            Some(text) => Ok(serde_json::from_slice(&text)?),
            None => Ok(Self::default()),
        }
    }

    /// Remembers.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, disk: &Disk, root: &Root) -> io::Result<()> {
        disk.write(
            &root.path(paths::UPDATE_MEMORY),
            &serde_json::to_vec(self)?,
            0o600,
        )
    }

    /// A version was good: its floor holds, unless a higher one does.
    pub fn raise(&mut self, floor: Version) {
        self.floor = self.floor.take().max(Some(floor));
    }

    /// A version did not become healthy.
    pub fn gave_up(&mut self, version: Version) {
        self.went_back.push(version);
        let surplus = self.went_back.len().saturating_sub(MAX_WENT_BACK);
        self.went_back.drain(..surplus);
    }
}
