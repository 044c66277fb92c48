//! `tamper`: a flipped byte in the root stops the boot.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::failure::{Failure, OrUnusable, expect};
use crate::image;
use crate::machine::Start;
use crate::state::Firmware;
use crate::story::Story;
use crate::world::World;

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// Where in the root a byte is flipped: in its superblock (EROFS: byte 1024 and on), which every boot reads. The place is
/// that of the volume's name, which means nothing to the file system: only dm-verity sees the change.
const PLACE: u64 = 1024 + 64;
/// What the kernel says of a root that is not what its hash says.
const STOPPED: &[&str] = &["dm-verity device corrupted", "dm-verity device has I/O error"];

/// What systemd says when it starts, from a root that opened.
const STARTED: &str = "Welcome to ";

/// One byte of the root is flipped, and the boot stops; flipped back, the same disk boots.
///
/// # Errors
/// What does not go as it should.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let state = world.blank("tamper", Firmware::None)?;
    let disk = state.disk();
    let place = image::partition(&disk, &world.image.root_label())?.start * SECTOR + PLACE;
    flip(&disk, place)?;
    story.tell(format!("byte {place} of the disk, in its root, is flipped"));
    let mut machine = world.boot_as(Start::Once, story, &state, &[])?;
    let said = machine.until_console_shows(STOPPED)?;
    story.tell(format!("the kernel stops: {said}"));
    machine.until_off()?;
    expect(!machine.console().contains(STARTED), || {
        "a machine with a changed root starts its services".into()
    })?;
    story.tell("the machine has gone off");
    machine.cut_power();

    flip(&disk, place)?;
    story.tell("flipped back");
    let mut machine = world.boot_as(Start::Once, story, &state, &[])?;
    machine.until_console_shows(&[STARTED])?;
    story.tell("the same disk starts its services");
    Ok(())
}

/// Flips all bits of a byte.
fn flip(disk: &Path, place: u64) -> Result<(), Failure> {
    let doing = || format!("change {}", disk.display());
    let disk = File::options()
        .read(true)
        .write(true)
        .open(disk)
        .or_unusable(doing)?;
    let mut byte = [0];
    disk.read_exact_at(&mut byte, place).or_unusable(doing)?;
    disk.write_all_at(&byte.map(|byte| !byte), place)
        .or_unusable(doing)
}
