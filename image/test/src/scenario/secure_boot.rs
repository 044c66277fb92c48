//! `secure-boot`: the firmware boots what is signed with our keys, and nothing else.

use std::path::Path;

use crate::appliance;
use crate::failure::{Failure, OrUnusable, expect};
use crate::image;
use crate::machine::Start;
use crate::state::{Firmware, State};
use crate::story::Story;
use crate::tool;
use crate::world::World;

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// What firmware and boot loader say of an image that they refuse.
const REFUSED: &[&str] = &[
    "Access denied",
    "Access Denied",
    "Security Violation",
    "Security violation",
];

/// Keys are enrolled from the disk by the boot loader, in a machine that has none; the image boots and exchanges. Its
/// signature is taken off: it is refused.
///
/// # Errors
/// What does not go as it should.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    let state = world.blank("secure-boot", Firmware::SecureBoot)?;
    let partition = Partition::of(&state)?;
    partition.enrol_keys(world)?;
    story.tell("keys PK, KEK and db are on the EFI system partition, to be enrolled by the boot loader");
    let provisioned = world.provision(story, state)?;
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    world.exchange(story, &mut machine, &provisioned.identity)?;
    story.tell("the signed image boots");
    machine.cut_power();

    partition.put_unsigned(world)?;
    story.tell("in place of the unified kernel image lies the same without its signature");
    let mut machine = world.boot_as(Start::Once, story, &provisioned.state, &[])?;
    let said = machine.until_console_shows(REFUSED)?;
    story.tell(format!("refused: {said}"));
    expect(appliance::status().is_err(), || {
        "a machine with an unsigned image answers".into()
    })
}

/// The EFI system partition of a disk, as the mtools name it.
struct Partition {
    name: String,
}

impl Partition {
    fn of(state: &State) -> Result<Self, Failure> {
        let disk = state.disk();
        let start = image::partition(&disk, "esp")?.start * SECTOR;
        Ok(Self {
            name: format!("{}@@{start}", disk.display()),
        })
    }

    /// Puts the keys where systemd-boot enrols them from (sd-boot: `/loader/keys/auto`).
    fn enrol_keys(&self, world: &World) -> Result<(), Failure> {
        for folder in ["::/loader", "::/loader/keys", "::/loader/keys/auto"] {
            // The image may have made them already.
            let _ = tool::run("mmd", &["-i", &self.name, folder]);
        }
        for name in ["PK", "KEK", "db"] {
            let key = world.keys.join(format!("{name}.auth"));
            self.put(&key, &format!("::/loader/keys/auto/{name}.auth"))?;
        }
        let settings = world.folder.join("loader.conf");
        std::fs::write(&settings, "timeout 0\nsecure-boot-enroll force\n")
            .or_unusable(|| format!("write {}", settings.display()))?;
        self.put(&settings, "::/loader/loader.conf")
    }

    fn put_unsigned(&self, world: &World) -> Result<(), Failure> {
        let listed = tool::run("mdir", &["-b", "-i", &self.name, "::/EFI/Linux"])?;
        let name = listed.lines().find(|name| name.ends_with(".efi"));
        let name = name.ok_or_else(|| Failure::wrong(format!("no unified kernel image: {listed}")))?;
        self.put(&world.image.unsigned_kernel(), name)
    }

    fn put(&self, from: &Path, to: &str) -> Result<(), Failure> {
        let arguments = ["-o", "-i", &self.name].map(AsRef::as_ref);
        let arguments = [&arguments[..], &[from.as_os_str(), to.as_ref()]].concat();
        tool::run("mcopy", &arguments).map(drop)
    }
}
