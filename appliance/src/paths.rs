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

/// The folder of what lives until the next start.
pub const SYSTEM_RUN: &str = "run";
/// Ours in it.
pub const RUN: &str = "run/kiirtee";
/// The configuration medium, mounted.
pub const MEDIUM: &str = "run/kiirtee/medium";
/// What is provisioned; `/etc/kiirtee` is a symbolic link to it.
pub const SETTINGS: &str = "var/lib/kiirtee/etc";
/// What was handed over as server configuration and is not applied yet: provisioning puts it there, `configure` takes it away.
pub const SERVER_PENDING: &str = "var/lib/kiirtee/pending/server.toml";
/// What the last provisioning did, in JSON: [`crate::provision::Outcome`].
pub const PROVISION_STATE: &str = "run/kiirtee/provision.json";
/// Holds what the last provisioning came to, below the version of the image that did it. With that, a start of the same version
/// without a medium needs no provisioning.
pub const PROVISIONED: &str = "var/lib/kiirtee/provisioned";
/// Where the firmware keeps variables.
pub const FIRMWARE_VARIABLES: &str = "sys/firmware/efi/efivars";
/// Is there when a factory reset was asked for.
pub const RESET_REQUEST: &str = "run/kiirtee/factory-reset";
/// Signing requests, PEM, for everybody to read.
pub const REQUESTS: &str = "run/kiirtee/requests";
/// What enrolment keeps; its user's own.
pub const ENROLMENT: &str = "var/lib/kiirtee/enrolment";
/// The internal certificate, PEM.
pub const INTERNAL_TLS: &str = "var/lib/kiirtee/enrolment/internal-tls.pem";
/// The database of the server configuration; the proxy's own.
pub const SERVER_DATABASE: &str = "var/lib/kiirtee/server/server.db";
/// What the monitor sees, in JSON: [`crate::monitor::status::Status`].
pub const STATUS: &str = "run/kiirtee/monitor/status.json";
/// The signer's socket.
pub const SIGNER_SOCKET: &str = "run/kiirtee/signer.sock";
/// The update medium, mounted.
pub const UPDATE_MEDIUM: &str = "run/kiirtee/update-medium";
/// The update's files once they were checked; systemd-sysupdate reads them here.
pub const UPDATE_COPY: &str = "var/lib/kiirtee/update";
/// How far an update is, in JSON: [`crate::update::state::State`].
pub const UPDATE_STATE: &str = "run/kiirtee/update.json";
/// What is remembered of updates, in JSON: [`crate::update::state::Memory`].
pub const UPDATE_MEMORY: &str = "var/lib/kiirtee/update.json";
/// The key whose updates the image takes.
pub const UPDATE_KEY: &str = "usr/lib/kiirtee/update.pem";

impl Root {
    /// The root `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Whether this is the running system, and no trial.
    pub fn is_system(&self) -> bool {
        self.folder == Path::new("/")
    }

    /// `path`, which is relative to the root.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }
}
