//! What there is to tune: cores, and network interfaces with their interrupts and queues, as `/sys` and `/proc` tell.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::paths::Root;

/// Interfaces, and interrupts of one, that are tuned at most.
const MAX_INTERFACES: usize = 64;
const MAX_INTERRUPTS: usize = 1024;
/// Cores at most, as many as the largest machines have.
const MAX_CORES: usize = 4096;

/// What there is to tune.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hardware {
    /// Numbers of the cores that run.
    pub cores: Vec<usize>,
    /// Network interfaces with a device below them.
    pub interfaces: Vec<Interface>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Interrupts of its queues, in their order.
    pub interrupts: Vec<u32>,
    /// Names of its receive queues, in their order.
    pub receive: Vec<String>,
    /// Names of its transmit queues, in their order.
    pub transmit: Vec<String>,
}

impl Hardware {
    /// What is below `root`.
    ///
    /// # Errors
    /// When the system does not tell its cores or interfaces.
    pub fn read(root: &Root) -> io::Result<Self> {
        let cores = list(&fs::read_to_string(root.path("sys/devices/system/cpu/online"))?);
        let interrupts = interrupts(&fs::read_to_string(root.path("proc/interrupts")).unwrap_or_default());
        let folder = root.path("sys/class/net");
        let mut names = names(&folder)?;
        // Bridges, tunnels and the loopback have no device.
        names.retain(|name| folder.join(name).join("device").exists());
        names.truncate(MAX_INTERFACES);
        let interface = |name: String| Interface::read(&folder.join(&name), name, &interrupts);
        Ok(Self {
            cores,
            interfaces: names.into_iter().map(interface).collect(),
        })
    }
}

impl Interface {
    fn read(folder: &Path, name: String, all: &[(u32, String)]) -> Self {
        let queues = names(&folder.join("queues")).unwrap_or_default();
        let of = |kind: &str| {
            let own = queues.iter().filter(|queue| queue.starts_with(kind));
            let mut own: Vec<String> = own.cloned().collect();
            own.sort_by_key(|queue| number_in(queue));
            own
        };
        Self {
            interrupts: queue_interrupts(folder, &name, all),
            receive: of("rx-"),
            transmit: of("tx-"),
            name,
        }
    }
}

/// The interrupts of the device that are for queues. A device with message-signalled interrupts has a list of them; the labels
/// in `/proc/interrupts` tell which are for queues and which for the device itself.
fn queue_interrupts(folder: &Path, name: &str, all: &[(u32, String)]) -> Vec<u32> {
    let device = fs::canonicalize(folder.join("device")).unwrap_or_else(|_| folder.join("device"));
    // A virtio device hangs below the PCI device that has the interrupts.
    let above = device.parent().unwrap_or(&device);
    let own: BTreeSet<u32> = [&device, above]
        .iter()
        .filter_map(|device| names(&device.join("msi_irqs")).ok())
        .flatten()
        .filter_map(|number| number.parse().ok())
        .collect();
    let device_name = device.file_name().and_then(|name| name.to_str());
    let is_own = |label: &str| {
        let rest_of = |prefix: &str| label.strip_prefix(prefix);
        let begins = |prefix: &str| rest_of(prefix).is_some_and(|rest| rest.starts_with(['-', '.']));
        begins(name) || device_name.is_some_and(begins)
    };
    all.iter()
        .filter(|(number, label)| (own.contains(number) || is_own(label)) && is_queue(label))
        .map(|(number, _)| *number)
        .take(MAX_INTERRUPTS)
        .collect()
}

/// Whether an interrupt with this label is for packets: `eth0-TxRx-3`, `virtio0-input.0`, `mlx5_comp3@pci:…`.
fn is_queue(label: &str) -> bool {
    let label = label.to_ascii_lowercase();
    let packets = ["input", "output", "rx", "tx", "comp", "queue"];
    let device = ["config", "mgmnt", "async", "control", "admin", "events"];
    let has = |words: &[&str]| words.iter().any(|word| label.contains(word));
    has(&packets) && !has(&device)
}

/// Numbers and labels of `/proc/interrupts`; its first line has the cores.
fn interrupts(text: &str) -> Vec<(u32, String)> {
    let line = |line: &str| {
        let (number, rest) = line.trim_start().split_once(':')?;
        let label = rest.split_whitespace().last()?;
        Some((number.parse().ok()?, label.to_owned()))
    };
    text.lines().skip(1).filter_map(line).collect()
}

/// A list of the kernel: `0-3,8,10-11`.
fn list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        Some(first..=last)
    };
    let ranges = text.trim().split(',').filter_map(range);
    ranges.flatten().take(MAX_CORES).collect()
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// `rx-10` comes after `rx-9`.
fn number_in(queue: &str) -> usize {
    let digits = queue.rsplit('-').next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_read() {
        for (text, cores) in [
            ("0-3\n", vec![0, 1, 2, 3]),
            ("0,2,4-5", vec![0, 2, 4, 5]),
            ("0", vec![0]),
            ("", vec![]),
            ("x-y,1", vec![1]),
        ] {
            assert_eq!(list(text), cores, "{text}");
        }
        assert_eq!(list("0-99999999999").len(), MAX_CORES);
    }

    #[test]
    fn interrupts_of_queues_are_told_from_those_of_the_device() {
        for (label, queue) in [
            ("eth0-TxRx-3", true),
            ("virtio0-input.0", true),
            ("virtio0-output.0", true),
            ("mlx5_comp3@pci:0000:01:00.0", true),
            ("virtio0-config", false),
            ("mlx5_async0@pci:0000:01:00.0", false),
            ("ena-mgmnt@pci:0000:00:05.0", false),
            ("eth0", false),
        ] {
            assert_eq!(is_queue(label), queue, "{label}");
        }
    }
}
