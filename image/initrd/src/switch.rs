//! Makes the root `/` and becomes systemd.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::mount::{MountFlags, mount, mount_move};
use rustix::process::{chdir, chroot};

use crate::BootError;

/// Where the root is mounted before it is `/`.
const NEW: &str = "/root";
/// What outlives the initrd.
const KEPT: [&str; 4] = ["/dev", "/proc", "/sys", "/run"];
/// What else the initrd has: the memory is given back.
const DROPPED: [&str; 5] = ["/.extra", "/init", "/modules", "/modules.order", "/usr"];

/// Does not come back when all goes well.
///
/// # Errors
/// When the root cannot be mounted or systemd cannot be started.
pub(crate) fn to(device: &Path) -> Result<(), BootError> {
    let failed = |what: &'static str| move |error: rustix::io::Errno| BootError::kernel(what)(error.into());
    mount(device, NEW, "erofs", MountFlags::RDONLY | MountFlags::NODEV, None)
        .map_err(failed("mount the root"))?;
    for place in KEPT {
        let target = format!("{NEW}{place}");
        mount_move(place, target.as_str()).map_err(failed("move a mount into the root"))?;
    }
    for place in DROPPED {
        // What stays costs memory and nothing else.
        let _ = fs::remove_dir_all(place).or_else(|_| fs::remove_file(place));
    }
    chdir(NEW).map_err(failed("enter the root"))?;
    mount_move(".", "/").map_err(failed("move the root"))?;
    chroot(".").map_err(failed("change to the root"))?;
    let error = Command::new("/usr/lib/systemd/systemd").exec();
    Err(BootError::kernel("start systemd")(error))
}
