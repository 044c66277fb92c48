//! The power goes after any step of provisioning.

use std::fs;

use appliance::disk::Disk;
use appliance::provision::{Arguments, provision};
use clap::Parser;

use crate::harness::{Appliance, DOCUMENT};

/// What the medium's `pin` says.
const PIN: &str = "Sunny-day-42\n";

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(appliance: &Appliance) -> Arguments {
    let path = |path: &str| appliance.path(path).display().to_string();
    let line = [
        "provision".to_owned(),
        format!("--root={}", path("root")),
        format!("--medium={}", path("medium")),
    ];
    Line::parse_from(line).arguments
}

/// What the settings that count say: the port in `proxy.toml`, and the same in the document that it was made of.
fn ports(appliance: &Appliance) -> Option<(String, String)> {
    let read = |name: &str| fs::read_to_string(appliance.root("var/lib/kiirtee/etc").join(name));
    let port = |text: String| {
        text.lines()
            .find(|line| line.contains("client-http-port"))
            .unwrap()
            .to_owned()
    };
    let proxy = read("proxy.toml").ok()?;
    Some((port(proxy), port(read("appliance.toml").unwrap())))
}

#[test]
fn whenever_the_power_goes_a_whole_set_of_settings_counts_and_no_pin_is_lost() {
    let appliance = Appliance::new();
    let healthy = Disk::default();
    let arguments = arguments(&appliance);
    let mut before = None;
    for port in ["8081", "8082", "8083"] {
        appliance.fill_medium();
        fs::write(appliance.medium("appliance.toml"), DOCUMENT.replace("8081", port)).unwrap();
        let after = Some((
            format!("client-http-port = {port}"),
            format!("client-http-port = {port}"),
        ));
        let kept = appliance.root("var/lib/kiirtee/credentials/kiirtee-signer.pin");
        let mut steps = 0;
        while provision(&arguments, &Disk::failing_after(steps)).is_err_or_troubled() {
            let found = ports(&appliance);
            assert!(
                found == before || found == after,
                "{port}, after {steps} steps: {found:?}"
            );
            let pin = fs::read_to_string(appliance.medium("pin")).unwrap_or_default();
            assert!(
                [pin, fs::read_to_string(&kept).unwrap_or_default()].contains(&PIN.to_owned()),
                "{port}, after {steps} steps: the PIN is lost"
            );
            steps += 1;
            assert!(steps < 500);
        }
        let done = provision(&arguments, &healthy).unwrap();
        assert!(done.problems.is_empty() && done.pin_is_kept, "{done:?}");
        assert!(!appliance.medium("pin").exists());
        assert_eq!(fs::read_to_string(&kept).unwrap(), PIN);
        assert_eq!(ports(&appliance), after);
        let sets = fs::read_dir(appliance.root("var/lib/kiirtee/generations")).unwrap();
        assert_eq!(sets.count(), 1, "nothing unfinished is left");
        before = after;
    }
}

#[test]
fn a_pin_of_which_the_medium_was_being_cleared_is_the_one_that_is_kept() {
    let appliance = Appliance::new();
    let arguments = arguments(&appliance);
    appliance.fill_medium();
    appliance.provisioned();
    let kept = appliance.root("var/lib/kiirtee/credentials/kiirtee-signer.pin");
    for steps in 0..500 {
        fs::write(appliance.medium("pin"), PIN).unwrap();
        let first = provision(&arguments, &Disk::failing_after(steps));
        let second = provision(&arguments, &Disk::default());
        assert!(!second.is_err_or_troubled(), "after {steps} steps");
        assert_eq!(fs::read_to_string(&kept).unwrap(), PIN, "after {steps} steps");
        assert!(!appliance.medium("pin").exists());
        if !first.is_err_or_troubled() {
            return;
        }
    }
    panic!("it never ends");
}

trait Troubled {
    fn is_err_or_troubled(&self) -> bool;
}

impl Troubled for Result<appliance::provision::Outcome, appliance::provision::ProvisionError> {
    fn is_err_or_troubled(&self) -> bool {
        self.as_ref().map_or(true, |outcome| !outcome.problems.is_empty())
    }
}
