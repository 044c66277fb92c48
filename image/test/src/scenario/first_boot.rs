//! `first-boot`: a blank machine becomes a security server.

use crate::appliance;
use crate::failure::{Failure, expect};
use crate::state::Firmware;
use crate::story::Story;
use crate::world::World;

/// A blank machine gets a medium without certificates, makes keys, has them certified, and exchanges in both directions.
/// Booted again without the medium it is the same security server. What it exchanged goes into sealed archives.
///
/// # Errors
/// What does not go as it should.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let provisioned = world.provisioned(story, Firmware::None, "first-boot")?;
    let identity = &provisioned.identity;
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    let sent = world.exchange(story, &mut machine, identity)?;
    let got = world.exchange_in(story, &mut machine, identity)?;
    for id in [&sent, &got] {
        world.evidence(story, &mut machine, identity, id)?;
    }
    let never_sent = identity.evidence("never-sent");
    expect(never_sent.is_err(), || {
        "there is evidence of what was never sent".into()
    })?;
    let records = machine.until("waiting for an archive", appliance::sealed_records)?;
    story.tell(format!("{records} records are in archives sealed with fs-verity"));
    Ok(())
}
