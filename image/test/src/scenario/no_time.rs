//! `no-time`: evidence needs the time; an appliance that does not know it exchanges nothing.

use crate::appliance;
use crate::failure::{Failure, expect};
use crate::state::Firmware;
use crate::story::Story;
use crate::world::World;

/// The time server is silent: the diagnostics answer, the exchange does not begin. It speaks again: the exchange does.
///
/// # Errors
/// What does not go as it should.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let provisioned = world.provisioned(story, Firmware::None, "no-time")?;
    world.time.be_silent(true);
    story.tell("the time server is silent");
    let tried = without_time(world, story, &provisioned);
    world.time.be_silent(false);
    let mut machine = tried?;
    story.tell("the time server speaks again");
    world
        .exchange(story, &mut machine, &provisioned.identity)
        .map(drop)
}

fn without_time(
    world: &mut World,
    story: &mut Story,
    provisioned: &crate::world::Provisioned,
) -> Result<crate::machine::Machine, Failure> {
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    machine.until("waiting for the diagnostics", appliance::status)?;
    story.tell("the diagnostics answer");
    let id = world.message_id();
    let answer = provisioned.identity.call(&world.sandbox, &id);
    expect(answer.is_err(), || {
        "messages are exchanged before the time is known".into()
    })?;
    story.tell(format!("no exchange: {}", answer.err().unwrap_or_default()));
    Ok(machine)
}
