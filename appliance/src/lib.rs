//! What runs in the appliance image beside the three processes. Each subcommand of `kiirtee-appliance` is a room of its
//! own and a unit of its own in `systemd/appliance/`, with no more rights than its work needs:
//!
//! - `provision`: what the configuration medium says becomes the settings of the appliance (as root, before the network)
//! - `configure`: the server configuration becomes that of the proxy (as the proxy's user)
//! - `enrol`: keys, signing requests and certificates, through the signer's socket
//! - `reset`: the factory reset, once provisioning found that it was asked for
//! - `monitor`: is the security server healthy, and what is there to know of the appliance? Told over HTTP
//! - `health`: waits until the monitor says healthy, which decides whether an update stays
//! - `console`: the status screen
//! - `tune`: interrupts and queues of the network interfaces
//! - `update`: a signed version from a medium into the other slot, and what became of the last one
//!
//! Every path of the appliance is in [`paths`]; `--root` puts all of them below another folder, so that each subcommand is
//! tried without an appliance.

pub mod configure;
pub mod console;
pub mod disk;
pub mod document;
pub mod enrol;
pub mod health;
pub mod identity;
pub mod image;
pub mod log;
pub mod monitor;
pub mod paths;
pub mod provision;
pub mod reset;
pub mod tune;
pub mod update;
