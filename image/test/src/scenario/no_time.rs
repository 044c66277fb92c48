//! `no-time`: evidence needs the time; an appliance that does not know it exchanges nothing.

use std::time::{Duration, Instant};

use crate::appliance;
use crate::failure::{Failure, expect};
use crate::state::Firmware;
use crate::story::Story;
use crate::world::World;

/// How long an appliance that has everything else is watched: the proxy takes a few seconds to start.
const WATCHED: Duration = Duration::from_secs(30);

/// The time server is silent: the diagnostics answer, the signer runs, the proxy does not begin. The time server speaks again: exchanges do.
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
    machine.until("waiting for the signer", || check("kiirtee_signer"))?;
    story.tell("the diagnostics answer, the signer runs");
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        let stage = machine.until("waiting for the status", || appliance::status_at("/stage"))?;
        expect(
            stage == "waiting-for-time" && check("kiirtee_proxy").is_err(),
            || {
                format!(
                    "before the time is known, the stage is {stage} and the proxy: {:?}",
                    check("kiirtee_proxy")
                )
            },
        )?;
    }
    let id = world.message_id();
    let answer = provisioned.identity.call(&world.sandbox, &id);
    expect(answer.is_err(), || {
        "messages are exchanged before the time is known".into()
    })?;
    story.tell(format!("no exchange: {}", answer.err().unwrap_or_default()));
    Ok(machine)
}

/// Whether a check of the appliance's holds.
fn check(name: &str) -> Result<(), String> {
    let checks = appliance::status_at("/health/checks")?;
    let found = checks
        .as_array()
        .into_iter()
        .flatten()
        .find(|check| check["name"] == *name);
    match found {
        Some(check) if check["ok"] == true => Ok(()),
        found => Err(format!("{name}: {found:?}")),
    }
}
