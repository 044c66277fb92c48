//! Processor time of this process by thread, as the kernel counts it.

use std::collections::BTreeMap;
use std::fs;

/// Nanoseconds of processor time by thread name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpu(BTreeMap<String, u64>);

impl Cpu {
    /// As of now; empty where the kernel does not tell.
    pub(crate) fn now() -> Self {
        let mut by_name = BTreeMap::new();
        for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let spent = read("schedstat")
                .split(' ')
                .next()
                .and_then(|first| first.parse::<u64>().ok())
                .unwrap_or(0);
            *by_name.entry(read("comm").trim().to_owned()).or_default() += spent;
        }
        Self(by_name)
    }

    /// Microseconds since `before` of the threads whose names begin so.
    pub(crate) fn since(&self, before: &Self, prefix: &str) -> f64 {
        let of = |cpu: &Self| {
            let threads = cpu.0.iter().filter(|(name, _)| name.starts_with(prefix));
            threads.map(|(_, spent)| *spent).sum::<u64>()
        };
        std::time::Duration::from_nanos(of(self).saturating_sub(of(before))).as_secs_f64() * 1e6
    }
}

/// Resident memory of this process in MiB; 0 where the kernel does not tell.
pub(crate) fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}
