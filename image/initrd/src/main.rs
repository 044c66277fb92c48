//! The appliance's first process. It loads what modules the initrd has, opens the root under dm-verity as the kernel's
//! command line says, makes it `/` and becomes systemd. The command line is part of the signed kernel image, so the root's
//! hash is too. There is no shell: whatever fails stops the boot with a message.

mod command_line;
mod devices;
mod modules;
mod stub;
mod switch;
mod verity;

use std::io::Write;
use std::path::Path;

use rustix::mount::{MountFlags, mount};

/// Why the boot cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The kernel refused something.
    #[error("{what}: {source}")]
    Kernel {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The command line does not say how to open the root.
    #[error("command line: {0}")]
    CommandLine(String),
    /// The partitions with the root did not appear.
    #[error("no partition has the identifier {0}")]
    NoPartition(String),
    /// `dmsetup` refused.
    #[error("dmsetup: {0}")]
    DeviceMapper(String),
}

impl BootError {
    fn kernel(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Kernel { what, source }
    }
}

fn main() {
    if let Err(error) = boot() {
        // Standard error is the console. The kernel panics when its first process ends, and starts again as the command
        // line's `panic=` says.
        let _ = writeln!(
            std::io::stderr(),
            "kiirtee-initrd: the root cannot be opened: {error}"
        );
    }
}

fn boot() -> Result<(), BootError> {
    for (kind, place) in [
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("devtmpfs", "/dev"),
        ("tmpfs", "/run"),
    ] {
        mount_at(kind, place)?;
    }
    modules::load()?;
    let text = std::fs::read_to_string("/proc/cmdline").map_err(BootError::kernel("/proc/cmdline"))?;
    let table = command_line::table(&text)?;
    let device = verity::open(&table)?;
    stub::keep()?;
    switch::to(&device)
}

fn mount_at(kind: &str, place: &str) -> Result<(), BootError> {
    let flags = MountFlags::NOSUID
        | if kind == "devtmpfs" {
            MountFlags::empty()
        } else {
            MountFlags::NODEV
        };
    mount(kind, Path::new(place), kind, flags, None)
        .map_err(|error| BootError::kernel(format!("mount {place}"))(error.into()))
}
