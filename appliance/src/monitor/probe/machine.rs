//! The machine: is the clock right, is there space, do the processes run, which addresses has it?

use std::path::Path;
use std::time::Duration;

use super::read_small;
use crate::monitor::verdict::Finding;
use crate::paths::Root;

/// Touched by systemd-timesyncd whenever the clock is synchronised (systemd-timesyncd.service(8)).
const SYNCHRONISED: &str = "run/systemd/timesync/synchronized";
/// Time servers are asked at least every 34 minutes; who did not hear of any for so long has lost them.
const LOST: Duration = Duration::from_secs(24 * 3600);
/// Where the volumes are, and names of their checks.
const VOLUMES: [(&str, &str); 2] = [("space_configuration", "var"), ("space_evidence", "srv/evidence")];
/// A volume with less free than a twentieth of it and less than this is full too soon.
const MIN_FREE: u64 = 1024 * 1024 * 1024;
const MIN_SHARE: u64 = 20;
/// The units that exchanges need.
const UNITS: [&str; 3] = ["kiirtee-signer", "kiirtee-confclient", "kiirtee-proxy"];
/// Where the kernel tells of a unit's processes. The manager's own socket is for root alone.
const CGROUPS: &str = "sys/fs/cgroup/system.slice";
/// Addresses that are told at most.
const MAX_ADDRESSES: usize = 32;

/// Every check of the machine.
#[must_use]
pub fn findings(root: &Root) -> Vec<Finding> {
    let mut findings = vec![clock(root)];
    findings.extend(VOLUMES.map(|(name, path)| Finding::new(name, space(&root.path(path)))));
    findings.extend(UNITS.map(|unit| Finding::new(unit.replace('-', "_"), runs(root, unit))));
    findings
}

/// Whether the clock was synchronised since the machine started.
#[must_use]
pub fn is_synchronised(root: &Root) -> bool {
    root.path(SYNCHRONISED).exists()
}

fn clock(root: &Root) -> Finding {
    let touched = std::fs::metadata(root.path(SYNCHRONISED)).and_then(|metadata| metadata.modified());
    let age = touched.map(|touched| touched.elapsed().unwrap_or_default());
    let result = match age {
        Ok(age) if age < LOST => Ok(()),
        Ok(age) => Err(format!(
            "no time server was heard of for {} hours; the clock goes on by itself",
            age.as_secs() / 3600
        )),
        Err(_) => Err("the clock is not synchronised: evidence needs the right time".to_owned()),
    };
    Finding::new("clock", result)
}

fn space(path: &Path) -> Result<(), String> {
    let volume = rustix::fs::statvfs(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    enough(bytes(volume.f_bavail), bytes(volume.f_blocks))
}

fn enough(free: u64, size: u64) -> Result<(), String> {
    if free >= MIN_FREE || free >= size / MIN_SHARE {
        return Ok(());
    }
    const MIB: u64 = 1024 * 1024;
    Err(format!("{} MiB of {} MiB are free", free / MIB, size / MIB))
}

/// Whether a unit has processes.
fn runs(root: &Root, unit: &str) -> Result<(), String> {
    let path = root.path(CGROUPS).join(format!("{unit}.service/cgroup.events"));
    let events = read_small(path).unwrap_or_default();
    let populated = events.lines().any(|line| line == "populated 1");
    populated
        .then_some(())
        .ok_or_else(|| format!("{unit}.service does not run"))
}

/// Addresses of the interfaces with prefix length and interface, but for loopback and those of a link alone.
#[must_use]
pub fn addresses() -> Vec<String> {
    let all = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let told = all.filter_map(|found| {
        let ip = ip_of(found.address.as_ref()?)?;
        let bits = found.netmask.as_ref().and_then(ip_of).map_or(0, prefix);
        let is_link = matches!(ip, std::net::IpAddr::V6(ip) if ip.is_unicast_link_local());
        (!ip.is_loopback() && !is_link).then(|| format!("{ip}/{bits} ({})", found.interface_name))
    });
    told.take(MAX_ADDRESSES).collect()
}

fn ip_of(address: &nix::sys::socket::SockaddrStorage) -> Option<std::net::IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| address.ip().into());
    v4.or_else(|| address.as_sockaddr_in6().map(|address| address.ip().into()))
}

fn prefix(mask: std::net::IpAddr) -> u32 {
    match mask {
        std::net::IpAddr::V4(mask) => mask.to_bits().count_ones(),
        std::net::IpAddr::V6(mask) => mask.to_bits().count_ones(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<'a>(findings: &'a [Finding], name: &str) -> &'a Result<(), String> {
        &findings
            .iter()
            .find(|finding| finding.name == name)
            .unwrap()
            .result
    }

    #[test]
    fn clock_volumes_and_units_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let before = findings(&root);
        assert!(before.iter().all(|finding| finding.result.is_err()), "{before:?}");

        write("run/systemd/timesync/synchronized", "");
        write("var/x", "");
        write("srv/evidence/x", "");
        let events = |unit: &str| format!("{CGROUPS}/{unit}.service/cgroup.events");
        write(&events("kiirtee-proxy"), "populated 1\nfrozen 0\n");
        write(&events("kiirtee-signer"), "populated 0\nfrozen 0\n");
        let after = findings(&root);
        for name in ["clock", "kiirtee_proxy"] {
            assert_eq!(named(&after, name), &Ok(()), "{name}");
        }
        let touched = std::time::SystemTime::now() - LOST;
        let file = std::fs::File::open(root.path(SYNCHRONISED)).unwrap();
        file.set_modified(touched).unwrap();
        let late = named(&findings(&root), "clock").clone().unwrap_err();
        assert!(late.contains("for 24 hours"), "{late}");
        let stopped = named(&after, "kiirtee_signer").clone().unwrap_err();
        assert_eq!(stopped, "kiirtee-signer.service does not run");
        assert!(named(&after, "kiirtee_confclient").is_err());
    }

    #[test]
    fn a_volume_is_full_when_share_and_bytes_are_small() {
        const MIB: u64 = 1024 * 1024;
        assert_eq!(enough(6 * MIB, 100 * MIB), Ok(()));
        assert_eq!(enough(2048 * MIB, 1_000_000 * MIB), Ok(()));
        assert_eq!(
            enough(4 * MIB, 100 * MIB).unwrap_err(),
            "4 MiB of 100 MiB are free"
        );
        assert!(enough(1000 * MIB, 1_000_000 * MIB).is_err());
    }
}
