//! `power-loss`: the power is cut at several instants, the worst of which are in the first boot, when the data partitions
//! are made.
//!
//! The instants are in processor time of the emulator, which is the same part of the boot on a busy machine as on an idle
//! one. What the guest has given to its disk is kept, as by a disk without a volatile cache: QEMU is killed, not this machine.

use crate::appliance;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::state::Firmware;
use crate::story::Story;
use crate::wait::{self, Look};
use crate::world::World;

/// When the power is cut in the first boot, in seconds of processor time: the initial file system, making the partitions,
/// starting services, making keys.
const FIRST_BOOT: [f64; 5] = [8.0, 14.0, 20.0, 26.0, 34.0];
/// The same in a later boot.
const LATER_BOOT: [f64; 2] = [10.0, 22.0];

/// Power cuts in the first boot, then provisioning; power cuts in later boots and right after an exchange.
///
/// # Errors
/// When the machine does not boot again, or has lost evidence.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let state = world.blank("power-loss", Firmware::None)?;
    let identity = world.identity();
    let medium = world.configuration(&identity)?;
    for instant in FIRST_BOOT {
        let machine = world.boot(story, &state, &[&medium])?;
        cut(story, machine, instant)?;
    }
    let mut machine = world.boot(story, &state, &[&medium])?;
    machine.until(
        "waiting for signing requests after power cuts in the first boot",
        appliance::requests,
    )?;
    story.tell("after all these power cuts, the first boot is completed");
    machine.cut_power();

    let provisioned = world.provisioned(story, Firmware::None, "power-loss")?;
    let identity = &provisioned.identity;
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    let logged = world.exchange(story, &mut machine, identity)?;
    machine.cut_power();
    story.tell("power cut right after the answer");
    for instant in LATER_BOOT {
        let machine = world.boot(story, &provisioned.state, &[])?;
        cut(story, machine, instant)?;
    }
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    world.exchange(story, &mut machine, identity)?;
    world.evidence(story, &mut machine, identity, &logged)
}

/// Cuts the power after so much processor time.
fn cut(story: &mut Story, mut machine: Machine, instant: f64) -> Result<(), Failure> {
    let waited = wait::until(wait::LIMIT, || match machine.processor_seconds() {
        _ if !machine.is_on() => Look::Never("the machine went off by itself".into()),
        seconds if seconds < instant => Look::NotYet(format!("{seconds} s of processor time")),
        _ => Look::There(()),
    });
    waited.map_err(|why| Failure::wrong(format!("before {instant} s of processor time: {why}")))?;
    story.tell(format!(
        "power cut after {:.1} s of processor time, {:.1} s after power on",
        machine.processor_seconds(),
        machine.seconds()
    ));
    machine.cut_power();
    Ok(())
}
