//! From what there is to what is set. No input or output.

use super::hardware::{Hardware, Interface};

/// Connections that are steered to the core whose worker reads them, as entries of a table; a power of two. 4 bytes each.
const FLOWS: usize = 32_768;

/// Something to be written, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The file, relative to the root.
    pub path: String,
    /// What is written.
    pub value: String,
    /// Why, for people.
    pub reason: &'static str,
}

/// What to set; nothing with one core, where there is no choice.
#[must_use]
pub fn settings(hardware: &Hardware) -> Vec<Setting> {
    let cores = &hardware.cores[..];
    if cores.len() < 2 {
        return Vec::new();
    }
    let of_each = |interface| {
        let mut settings = interrupts(interface, cores);
        settings.extend(sending(interface, cores));
        settings.extend(receiving(interface, cores));
        settings
    };
    let mut settings: Vec<Setting> = hardware.interfaces.iter().flat_map(of_each).collect();
    if settings
        .iter()
        .any(|setting| setting.path.ends_with("rps_flow_cnt"))
    {
        settings.push(Setting {
            path: "proc/sys/net/core/rps_sock_flow_entries".to_owned(),
            value: FLOWS.to_string(),
            reason: "RFS: how many connections are remembered with the core whose worker reads them",
        });
    }
    settings
}

fn interrupts(interface: &Interface, cores: &[usize]) -> Vec<Setting> {
    let pairs = interface.interrupts.iter().zip(cores.iter().cycle());
    let setting = |(interrupt, core): (&u32, &usize)| Setting {
        path: format!("proc/irq/{interrupt}/smp_affinity_list"),
        value: core.to_string(),
        reason: "IRQ: each queue interrupts a core of its own, all cores in turn",
    };
    pairs.map(setting).collect()
}

/// A single queue is everybody's: the kernel has nothing to choose.
fn sending(interface: &Interface, cores: &[usize]) -> Vec<Setting> {
    let queues = &interface.transmit;
    if queues.len() < 2 {
        return Vec::new();
    }
    let setting = |(index, queue): (usize, &String)| Setting {
        path: file(interface, queue, "xps_cpus"),
        value: mask(&share(index, queues.len(), cores)),
        reason: "XPS: a core sends by a queue of its own, without waiting for others",
    };
    queues.iter().enumerate().map(setting).collect()
}

/// As many queues as cores spread packets by themselves (RSS).
fn receiving(interface: &Interface, cores: &[usize]) -> Vec<Setting> {
    let queues = &interface.receive;
    if queues.is_empty() || queues.len() >= cores.len() {
        return Vec::new();
    }
    let flows = FLOWS / queues.len().next_power_of_two();
    let both = |queue: &String| {
        [
            Setting {
                path: file(interface, queue, "rps_cpus"),
                value: mask(cores),
                reason: "RPS: fewer queues than cores, so packets are spread over all of them after the interrupt",
            },
            Setting {
                path: file(interface, queue, "rps_flow_cnt"),
                value: flows.to_string(),
                reason: "RFS: packets of a connection go to the core whose worker reads it",
            },
        ]
    };
    queues.iter().flat_map(both).collect()
}

fn file(interface: &Interface, queue: &str, file: &str) -> String {
    format!("sys/class/net/{}/queues/{queue}/{file}", interface.name)
}

/// The cores of one of `queues` queues: in turn, so that neither a core nor a queue is without the other.
fn share(queue: usize, queues: usize, cores: &[usize]) -> Vec<usize> {
    if queues < cores.len() {
        return cores.iter().copied().skip(queue).step_by(queues).collect();
    }
    cores.iter().copied().cycle().skip(queue).take(1).collect()
}

/// Cores as a mask of the kernel: hexadecimal, words of 32 bits with commas between them, the highest first.
fn mask(cores: &[usize]) -> String {
    let words = cores.iter().max().map_or(1, |highest| highest / 32 + 1);
    let word = |word: usize| -> u32 {
        let own = cores.iter().filter(|core| **core / 32 == word);
        own.fold(0, |bits, core| bits | (1 << (core % 32)))
    };
    let texts = (0..words)
        .rev()
        .map(word)
        .enumerate()
        .map(|(index, word)| match index {
            0 => format!("{word:x}"),
            _ => format!("{word:08x}"),
        });
    texts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hardware(cores: usize, queues: usize) -> Hardware {
        let named = |kind: &str| (0..queues).map(|queue| format!("{kind}-{queue}")).collect();
        Hardware {
            cores: (0..cores).collect(),
            interfaces: vec![Interface {
                name: "eth0".to_owned(),
                interrupts: (30..).take(queues).collect(),
                receive: named("rx"),
                transmit: named("tx"),
            }],
        }
    }

    fn values(settings: &[Setting], of: &str) -> Vec<String> {
        let found = settings.iter().filter(|setting| setting.path.contains(of));
        found.map(|setting| setting.value.clone()).collect()
    }

    #[test]
    fn as_many_queues_as_cores_need_no_spreading_in_software() {
        let settings = settings(&hardware(4, 4));
        assert_eq!(values(&settings, "smp_affinity_list"), ["0", "1", "2", "3"]);
        assert_eq!(values(&settings, "xps_cpus"), ["1", "2", "4", "8"]);
        assert_eq!(values(&settings, "rps_"), [""; 0]);
    }

    #[test]
    fn fewer_queues_than_cores_are_shared_and_spread() {
        let settings = settings(&hardware(4, 2));
        assert_eq!(values(&settings, "smp_affinity_list"), ["0", "1"]);
        // Every core has a queue to send by.
        assert_eq!(values(&settings, "xps_cpus"), ["5", "a"]);
        assert_eq!(values(&settings, "rps_cpus"), ["f", "f"]);
        assert_eq!(values(&settings, "rps_flow_cnt"), ["16384", "16384"]);
        assert_eq!(values(&settings, "rps_sock_flow_entries"), ["32768"]);
    }

    #[test]
    fn one_queue_is_everybodys_and_one_core_has_no_choice() {
        let one_queue = settings(&hardware(2, 1));
        assert_eq!(values(&one_queue, "xps_cpus"), [""; 0]);
        assert_eq!(values(&one_queue, "rps_cpus"), ["3"]);
        assert_eq!(settings(&hardware(1, 4)), []);
        assert_eq!(settings(&hardware(0, 4)), []);
        assert_eq!(settings(&hardware(2, 0)), []);
    }

    #[test]
    fn more_queues_than_cores_go_round() {
        let settings = settings(&hardware(2, 5));
        assert_eq!(values(&settings, "smp_affinity_list"), ["0", "1", "0", "1", "0"]);
        assert_eq!(values(&settings, "xps_cpus"), ["1", "2", "1", "2", "1"]);
    }

    #[test]
    fn masks_are_in_words_of_32_bits() {
        for (cores, text) in [
            (vec![0], "1"),
            (vec![31], "80000000"),
            (vec![32], "1,00000000"),
            (vec![0, 1, 63], "80000000,00000003"),
            (vec![64], "1,00000000,00000000"),
        ] {
            assert_eq!(mask(&cores), text, "{cores:?}");
        }
    }
}
