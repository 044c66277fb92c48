//! The room in which everything happens: namespaces for network and processes of this run's own.
//!
//! The program starts itself again inside (`unshare`), as root of a user namespace where it is not root. When it ends,
//! in whatever way, the kernel ends every process inside and takes the network away: nothing is left behind.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::{Failure, OrUnusable};
use crate::tool;

/// The tap device on which the machines' network interface is.
pub const TAP: &str = "kiirtee0";
/// The network: its first three numbers, as `kiirtee sandbox up --net` takes them.
pub const NET: &str = "10.77.0";
/// The time server, and the sandbox's trust services.
pub const TIME_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
/// The appliance.
pub const APPLIANCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 40));
/// The last numbers of the addresses of the host side: the sandbox's servers.
const HOST_SIDE: [u8; 5] = [1, 2, 10, 20, 30];
/// Set in the program that runs inside.
const INSIDE: &str = "KIIRTEE_IMAGE_TEST_INSIDE";

/// Starts this program again inside a room of its own; returns only when it is inside already.
///
/// # Errors
/// When the room cannot be made.
pub fn enter() -> Result<(), Failure> {
    if std::env::var_os(INSIDE).is_some() {
        return furnish();
    }
    let program = std::env::current_exe().or_unusable(|| "find this program".into())?;
    let mut command = Command::new("unshare");
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !is_root()? {
        command.arg("--map-root-user");
    }
    let why = command
        .arg("--")
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, "1")
        .exec();
    Err(Failure::unusable(format!("run unshare (util-linux): {why}")))
}

fn is_root() -> Result<bool, Failure> {
    let own = std::fs::metadata("/proc/self").or_unusable(|| "look at /proc/self".into())?;
    Ok(own.uid() == 0)
}

/// Ends the program when it is told to. It is the first process of its namespace, for which the kernel does nothing that has
/// not been asked for; all others end with it.
fn end_when_told() -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).or_unusable(|| "watch for signals".into())?;
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // As a shell tells of it.
            signal_hook::low_level::exit(128 + signal);
        }
    });
    Ok(())
}

/// The interfaces of the room.
fn furnish() -> Result<(), Failure> {
    end_when_told()?;
    ip("link set lo up")?;
    ip(&format!("tuntap add dev {TAP} mode tap"))?;
    for last in HOST_SIDE {
        ip(&format!("address add {NET}.{last}/24 dev {TAP}"))?;
    }
    ip(&format!("link set {TAP} up"))
}

fn ip(arguments: &str) -> Result<(), Failure> {
    let arguments: Vec<&str> = arguments.split(' ').collect();
    tool::run("ip", &arguments).map(drop)
}
