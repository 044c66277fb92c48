//! `measured-boot`: the PCR 11 that the machine reads is the one that the build predicts.

use crate::appliance;
use crate::failure::{Failure, expect};
use crate::state::Firmware;
use crate::story::Story;
use crate::world::World;

/// Boots with firmware, which measures, and compares.
///
/// # Errors
/// When they differ.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let predicted = world.image.manifest.pcr11.clone();
    let predicted = predicted.ok_or_else(|| Failure::wrong("image.json predicts no pcr11"))?;
    let provisioned = world.provisioned(story, Firmware::Uefi, "measured-boot")?;
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    let read = machine.until("waiting for PCR 11 in /status", || appliance::status_at("/pcr11"))?;
    let read = read.as_str().unwrap_or_default().to_owned();
    story.tell(format!("PCR 11: {read}"));
    expect(read.eq_ignore_ascii_case(&predicted), || {
        format!("the build predicts {predicted}, the machine reads {read}")
    })
}
