//! `boot-time`: how long a provisioned machine takes to its first exchange, and how large it is.

use std::fs;

use serde_json::Value;

use crate::appliance;
use crate::failure::{Failure, OrUnusable};
use crate::machine::Machine;
use crate::state::Firmware;
use crate::story::Story;
use crate::world::World;

const WALL: &str = "boot to first exchange, s";
const PROCESSOR: &str = "boot to first exchange, s of processor";
const MEMORY: &str = "idle memory, MB";
const ROOT: &str = "root file system, MB";
/// The budgets that are held here.
pub const BUDGETS: [&str; 4] = [WALL, PROCESSOR, MEMORY, ROOT];
/// The part of this machine's processors that may be busy with something else for it to count as idle.
const IDLE: f64 = 0.1;
/// What a kernel says when it runs into an instruction that it was changing: QEMU 7.2 with two processors loses the change in
/// about one of fourteen starts. The kernel starts again by itself, which no other scenario minds.
const LOST_BY_EMULATION: &str = "Oops: int3";
/// Bytes of a megabyte, as budgets count them.
const MEGABYTE: f64 = 1e6;

/// Power on to first exchange, memory when idle, size of the root: within the budgets.
///
/// # Errors
/// What is over its budget.
pub fn run(world: &mut World, story: &mut Story) -> Result<(), Failure> {
    #[expect(clippy::cast_precision_loss, reason = "sizes of files are below 2^52")]
    let root = world.image.size("root.erofs")? as f64;
    world.budgets.hold(story, ROOT, root / MEGABYTE)?;

    let provisioned = world.provisioned(story, Firmware::None, "boot-time")?;
    let mut before = Busy::now()?;
    let mut machine = world.boot(story, &provisioned.state, &[])?;
    world.exchange(story, &mut machine, &provisioned.identity)?;
    while machine.console().contains(LOST_BY_EMULATION) {
        story.tell("the emulated processors lost an instruction, and the kernel began again: once more");
        drop(machine);
        before = Busy::now()?;
        machine = world.boot(story, &provisioned.state, &[])?;
        world.exchange(story, &mut machine, &provisioned.identity)?;
    }
    let (wall, processor) = (machine.seconds(), machine.processor_seconds());
    let others = Busy::now()?.others_since(&before, processor);
    story.figure("processors busy with something else, part", others);
    world.budgets.hold(story, PROCESSOR, processor)?;
    if others < IDLE {
        world.budgets.hold(story, WALL, wall)?;
    } else {
        // The processor time above is what a busy machine can be held to.
        story.figure("boot to first exchange on a busy machine, s", wall);
    }
    let used = memory(&mut machine)?;
    world.budgets.hold(story, MEMORY, used / MEGABYTE)
}

/// Bytes that are in use, as the appliance itself says: what is there without what is available.
fn memory(machine: &mut Machine) -> Result<f64, Failure> {
    machine.until("waiting for the appliance to tell its memory", || {
        let figure = |place| appliance::status_at(place).map(|value| value.as_f64());
        match (figure("/memory/total")?, figure("/memory/available")?) {
            (Some(total), Some(available)) => Ok(total - available),
            _ => Err(format!(
                "no numbers in /status: {:?}",
                appliance::status().map(|status| status.get("memory").cloned().unwrap_or(Value::Null))
            )),
        }
    })
}

/// What all processors of this machine have done so far, in ticks (proc(5), `/proc/stat`).
struct Busy {
    busy: f64,
    all: f64,
}

impl Busy {
    fn now() -> Result<Self, Failure> {
        let stat = fs::read_to_string("/proc/stat").or_unusable(|| "read /proc/stat".into())?;
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<f64> = line
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .take(8)
            .collect();
        let all = ticks.iter().sum();
        // The fourth and fifth are idle and waiting for a disk.
        let idle: f64 = ticks.iter().skip(3).take(2).sum();
        Ok(Self {
            busy: all - idle,
            all,
        })
    }

    /// The part of the processors' time since `before` that went to others than the one that took `own` seconds.
    fn others_since(&self, before: &Self, own: f64) -> f64 {
        let all = self.all - before.all;
        let busy = self.busy - before.busy - own * 100.0;
        if all > 0.0 { (busy / all).max(0.0) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_did_is_the_rest() {
        let before = Busy {
            busy: 1000.0,
            all: 2000.0,
        };
        let after = Busy {
            busy: 6000.0,
            all: 12000.0,
        };
        assert_eq!(after.others_since(&before, 50.0), 0.0);
        assert_eq!(after.others_since(&before, 25.0), 0.25);
    }
}
