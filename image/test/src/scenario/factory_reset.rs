//! `factory-reset`: a reset machine knows nothing any more.

use crate::appliance;
use crate::failure::{Failure, OrUnusable, expect};
use crate::machine::Start;
use crate::medium::{self, Medium};
use crate::state::Firmware;
use crate::story::Story;
use crate::world::{Provisioned, World};

/// A medium that names another appliance does nothing. One that names this one: keys and configuration are gone, and
/// the machine can be provisioned as if it were new. It does not speak for its former owner any more, whose evidence stays on
/// its own volume.
///
/// # Errors
/// What does not go as it should.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let provisioned = world.provisioned(story, Firmware::Uefi, "factory-reset")?;
    let wrong = reset_medium(world, "not-this-one")?;
    let mut machine = world.boot_as(Start::WithPlace, story, &provisioned.state, &[])?;
    let sent = world.exchange(story, &mut machine, &provisioned.identity)?;
    machine.plug_in(&wrong)?;
    let why = machine.until("waiting for what is said of the medium", || {
        appliance::status_at("/provisioning/problems/0")
    })?;
    story.tell(format!("a medium for another appliance is plugged in: {why}"));
    world.exchange(story, &mut machine, &provisioned.identity)?;
    let id = machine.until("waiting for the appliance's id", || appliance::status_at("/id"))?;
    let id = id.as_str().unwrap_or_default().to_owned();
    story.tell(format!("the appliance's id is {id}"));
    machine.cut_power();

    let before = provisioned.state.volume_keys()?;
    let medium = reset_medium(world, &id)?;
    let mut machine = world.boot(story, &provisioned.state, &[&medium])?;
    machine.until_console_shows(&["NOT PROVISIONED"])?;
    story.tell("the appliance says that it is not provisioned");
    machine.cut_power();
    let after = provisioned.state.volume_keys()?;
    let only_configuration_is_new = match (before.as_slice(), after.as_slice()) {
        ([configuration, evidence], [new, same]) => configuration != new && evidence == same,
        _ => false,
    };
    expect(only_configuration_is_new, || {
        format!("the keys of the volumes were {before:?} and are {after:?}")
    })?;
    story.tell("the configuration volume is a new one, the evidence volume is the same");
    provision_again(world, story, &provisioned, &sent)
}

/// The machine takes another identity, as a new one would.
fn provision_again(
    world: &mut World,
    story: &mut Story,
    provisioned: &Provisioned,
    sent: &str,
) -> Result<(), Failure> {
    let again = world.provision(story, provisioned.state.clone())?;
    let mut machine = world.boot(story, &again.state, &[])?;
    world.exchange(story, &mut machine, &again.identity)?;
    let old = provisioned.identity.evidence(sent);
    expect(old.is_err(), || {
        "it still gives out evidence of its former owner".into()
    })
}

/// A medium that orders the reset of the appliance with this id.
fn reset_medium(world: &World, id: &str) -> Result<Medium, Failure> {
    let content = world.new_folder("reset")?;
    std::fs::write(content.join("factory-reset"), format!("{id}\n"))
        .or_unusable(|| "write factory-reset".into())?;
    Medium::make(&world.folder.join("reset.img"), medium::CONFIGURATION, &content)
}
