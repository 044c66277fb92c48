//! `update`, `rollback`, `downgrade`, `forged-update`: what an update medium does, and does not.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use crate::appliance;
use crate::failure::{Failure, OrUnusable, expect};
use crate::image::Image;
use crate::machine::Machine;
use crate::medium::{self, Medium};
use crate::state::Firmware;
use crate::story::Story;
use crate::world::{Provisioned, World};

/// Three starts of a version that does not become healthy, and one of the version before.
const THREE_TRIES: Duration = Duration::from_secs(1200);

/// Version 2 is installed, tried, found healthy and kept: it answers, and still does without the medium.
///
/// # Errors
/// What does not go as it should.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    updated(world, story, "update").map(drop)
}

/// Version 3 never becomes healthy: version 2 answers again, by itself.
///
/// # Errors
/// What does not go as it should.
pub fn roll_back(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let sick = given(world.successors.sick.as_ref(), "--sick")?;
    let healthy = given(world.successors.healthy.as_ref(), "--healthy")?
        .manifest
        .version;
    let provisioned = updated(world, story, "rollback")?;
    let medium = update_medium(world, &sick, |_| Ok(()))?;
    let mut machine = world.boot(story, &provisioned.state, &[&medium])?;
    let version = sick.manifest.version;
    machine.until(&format!("waiting for version {version} to be tried"), || {
        has_version(&version)
    })?;
    story.figure("until the sick version is tried, s", machine.seconds());
    let what = format!("waiting for version {healthy} to be back");
    machine.until_within(THREE_TRIES, &what, &mut || has_version(&healthy))?;
    story.figure("until the healthy version is back, s", machine.seconds());
    world.exchange(story, &mut machine, &provisioned.identity)?;
    // The medium is still there: that version is not tried again, and it is said why.
    let why = machine.until("waiting for the refusal in /status", refusal)?;
    story.tell(format!("refused: {why}"));
    expect(why.contains("was tried before"), || why)
}

/// Version 1 on a medium for a machine that has version 2: refused, and said so.
///
/// # Errors
/// What does not go as it should.
pub fn downgrade(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let provisioned = updated(world, story, "downgrade")?;
    let old = world.image.clone();
    let medium = update_medium(world, &old, |_| Ok(()))?;
    let now = given(world.successors.healthy.as_ref(), "--healthy")?
        .manifest
        .version;
    refused(world, story, &provisioned, &medium, &now)
}

/// A byte of version 2's root is flipped on the medium: refused, and said so.
///
/// # Errors
/// What does not go as it should.
pub fn forged(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let healthy = given(world.successors.healthy.as_ref(), "--healthy")?;
    let medium = update_medium(world, &healthy, flip_in_largest)?;
    let provisioned = world.provisioned(story, Firmware::Uefi, "forged-update")?;
    let now = world.image.manifest.version.clone();
    refused(world, story, &provisioned, &medium, &now)
}

/// A machine that was updated to version 2.
fn updated(world: &mut World, story: &mut Story, name: &str) -> Result<Provisioned, Failure> {
    let healthy = given(world.successors.healthy.as_ref(), "--healthy")?;
    let medium = update_medium(world, &healthy, |_| Ok(()))?;
    let provisioned = world.provisioned(story, Firmware::Uefi, name)?;
    let mut machine = world.boot(story, &provisioned.state, &[&medium])?;
    let version = healthy.manifest.version;
    machine.until(&format!("waiting for version {version}"), || {
        has_version(&version)
    })?;
    story.figure("until the new version answers, s", machine.seconds());
    world.exchange(story, &mut machine, &provisioned.identity)?;
    machine.until("waiting for the new version to be kept", is_kept)?;
    story.tell(format!("version {version} is healthy and kept"));
    machine.cut_power();
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    machine.until(
        &format!("waiting for version {version} without the medium"),
        || has_version(&version),
    )?;
    world.exchange(story, &mut machine, &provisioned.identity)?;
    machine.cut_power();
    Ok(provisioned)
}

/// The medium is refused: the appliance says so and goes on exchanging with the version that it has.
fn refused(
    world: &mut World,
    story: &mut Story,
    provisioned: &Provisioned,
    medium: &Medium,
    version: &str,
) -> Result<(), Failure> {
    let mut machine = world.boot(story, &provisioned.state, &[medium])?;
    let why = machine.until("waiting for the refusal in /status", refusal)?;
    story.tell(format!("refused: {why}"));
    world.exchange(story, &mut machine, &provisioned.identity)?;
    has_version(version).map_err(Failure::wrong)?;
    still_on(&mut machine)
}

fn still_on(machine: &mut Machine) -> Result<(), Failure> {
    expect(machine.is_on(), || "the machine has gone off".into())
}

fn given(image: Option<&Image>, option: &str) -> Result<Image, Failure> {
    let missing = || Failure::Skipped(format!("{option} names no image"));
    image.cloned().ok_or_else(missing)
}

fn has_version(version: &str) -> Result<(), String> {
    let found = appliance::status_at("/version")?;
    if found == *version {
        Ok(())
    } else {
        Err(format!("version {found} answers"))
    }
}

/// Why the update was refused.
fn refusal() -> Result<String, String> {
    let step = appliance::status_at("/update/step")?;
    if step == "refused" {
        let why = appliance::status_at("/update/reason")?;
        return Ok(why.as_str().unwrap_or_default().to_owned());
    }
    Err(format!("the update is {step}"))
}

/// Whether the running version was tried, found healthy and is kept.
fn is_kept() -> Result<(), String> {
    let step = appliance::status_at("/update/step")?;
    if step == "good" {
        Ok(())
    } else {
        Err(format!("the update is {step}"))
    }
}

/// A medium with the update to `image`, changed by `change` before.
fn update_medium(
    world: &World,
    image: &Image,
    change: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<Medium, Failure> {
    let content = world.new_folder("update")?;
    let set = image.file("update");
    let files = std::fs::read_dir(&set).or_unusable(|| format!("read {}", set.display()))?;
    for file in files.flatten() {
        let to = content.join(file.file_name());
        std::fs::copy(file.path(), &to).or_unusable(|| format!("copy {}", to.display()))?;
    }
    change(&content)?;
    Medium::make(&world.folder.join("update.img"), medium::UPDATE, &content)
}

/// Flips a byte in the middle of the largest file, which is the root.
fn flip_in_largest(folder: &Path) -> Result<(), Failure> {
    let doing = || format!("change a file of {}", folder.display());
    let files = std::fs::read_dir(folder).or_unusable(doing)?;
    let sizes = files
        .flatten()
        .filter_map(|file| Some((file.metadata().ok()?.len(), file.path())));
    let (length, largest) = sizes
        .max()
        .ok_or_else(|| Failure::unusable("the update has no files"))?;
    let file = File::options()
        .read(true)
        .write(true)
        .open(&largest)
        .or_unusable(doing)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, length / 2).or_unusable(doing)?;
    file.write_all_at(&byte.map(|byte| !byte), length / 2)
        .or_unusable(doing)
}
