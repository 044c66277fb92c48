//! What is tried, each in a room of its own.

pub mod boot_time;
pub mod factory_reset;
pub mod first_boot;
pub mod measured_boot;
pub mod no_time;
pub mod no_way_in;
pub mod power_loss;
pub mod secure_boot;
pub mod tamper;
pub mod update;

use crate::failure::Failure;
use crate::story::Story;
use crate::world::World;

/// A scenario: its name, what it tries in a sentence, and how.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// As the command line names it.
    pub name: &'static str,
    /// What is tried.
    pub about: &'static str,
    /// Tries it.
    pub run: fn(&mut World, &mut Story) -> Result<(), Failure>,
}

const fn scenario(
    name: &'static str,
    about: &'static str,
    run: fn(&mut World, &mut Story) -> Result<(), Failure>,
) -> Scenario {
    Scenario { name, about, run }
}

/// All scenarios, in the order in which they are run.
pub const ALL: &[Scenario] = &[
    scenario(
        "first-boot",
        "a blank machine becomes a security server: medium, keys, certificates, exchanges, evidence",
        first_boot::run,
    ),
    scenario(
        "boot-time",
        "a provisioned machine exchanges within its budgets of time, memory and size",
        boot_time::run,
    ),
    scenario(
        "no-time",
        "nothing is exchanged before the time is known",
        no_time::run,
    ),
    scenario("tamper", "a flipped byte in the root stops the boot", tamper::run),
    scenario(
        "power-loss",
        "power cut at any instant: boots again, and no evidence that was acknowledged is lost",
        power_loss::run,
    ),
    scenario(
        "no-way-in",
        "no shell, no interpreter, no setuid file, no port but the documented ones, no login",
        no_way_in::run,
    ),
    scenario(
        "measured-boot",
        "the PCR 11 that the machine reads is the one that the build predicts",
        measured_boot::run,
    ),
    scenario(
        "secure-boot",
        "a signed image boots and an unsigned one does not",
        secure_boot::run,
    ),
    scenario("update", "an update is installed, tried and kept", update::run),
    scenario(
        "rollback",
        "an update that does not become healthy is undone",
        update::roll_back,
    ),
    scenario("downgrade", "an older version is refused", update::downgrade),
    scenario(
        "forged-update",
        "an update that was changed is refused",
        update::forged,
    ),
    scenario(
        "factory-reset",
        "a reset machine knows nothing any more",
        factory_reset::run,
    ),
];

/// The scenarios of these names; all of them when none is named.
///
/// # Errors
/// The name that there is no scenario of.
pub fn select(names: &[String]) -> Result<Vec<Scenario>, Failure> {
    if names.is_empty() {
        return Ok(ALL.to_vec());
    }
    let named = names.iter().map(|name| {
        let found = ALL.iter().find(|scenario| scenario.name == name);
        let known: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
        found
            .copied()
            .ok_or_else(|| Failure::unusable(format!("no scenario {name}; there are {}", known.join(", "))))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_are_found_by_name_and_names_are_unique() {
        assert_eq!(select(&[]).unwrap().len(), ALL.len());
        for scenario in ALL {
            let found = select(&[scenario.name.to_owned()]).unwrap();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].about, scenario.about);
        }
        assert!(select(&["fly".into()]).is_err());
    }
}
