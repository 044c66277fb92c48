//! What a process holds.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::instance::resident;

/// Longer than any connection is kept idle.
const PATIENCE: Duration = Duration::from_secs(120);

/// Memory and descriptors of a process at one moment.
#[derive(Debug)]
pub(crate) struct Resources {
    /// Resident memory in bytes.
    pub(crate) memory: u64,
    /// Open descriptors but for the files of the message log, whose number is the database's affair and bounded by it.
    pub(crate) descriptors: usize,
}

impl Resources {
    /// Of a process now.
    pub(crate) fn of(pid: u32) -> Self {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let of_log = |path: &Path| path.to_string_lossy().contains("/messagelog/");
        let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        Self {
            memory: resident(pid),
            descriptors: targets.filter(|target| !of_log(target)).count(),
        }
    }

    /// Fails when memory grew by more than `slack` bytes.
    pub(crate) fn assert_no_more_memory_than(&self, before: &Self, slack: u64, whose: &str) {
        let (before, now) = (before.memory, self.memory);
        assert!(
            now <= before + slack,
            "{whose}: resident memory grew from {before} to {now} bytes"
        );
    }
}

/// Waits for what takes as long as an idle connection is kept.
pub(crate) fn wait_long_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits for what may fail meanwhile; tells in the end how it failed.
pub(crate) fn wait_until_or(what: &str, mut attempt: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + Duration::from_secs(40);
    while let Err(why) = attempt() {
        assert!(Instant::now() < deadline, "waited in vain for {what}: {why}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
