//! Where things are in the appliance.

use std::path::{Path, PathBuf};

use clap::Args;

/// The folder that stands for `/`.
#[derive(Debug, Clone, Args)]
pub struct Root {
    /// The folder that stands for / (for trying things out)
    #[arg(long = "root", default_value = "/", value_name = "DIR")]
    folder: PathBuf,
}

/// The configuration medium, mounted.
pub const MEDIUM: &str = "run/kiirtee/medium";
/// What is provisioned; `/etc/kiirtee` is a symbolic link to it.
pub const SETTINGS: &str = "var/lib/kiirtee/etc";
/// What the last provisioning did, in JSON: [`crate::provision::Outcome`].
pub const PROVISION_STATE: &str = "run/kiirtee/provision.json";
/// Signing requests, PEM, for everybody to read.
pub const REQUESTS: &str = "run/kiirtee/requests";
/// The signer's socket.
pub const SIGNER_SOCKET: &str = "run/kiirtee/signer.sock";

impl Root {
    /// The root `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// `path`, which is relative to the root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }
}
