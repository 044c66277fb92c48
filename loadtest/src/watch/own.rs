//! Processor time of this process, as the kernel counts it.

use rustix::time::{ClockId, clock_gettime};

use super::processes::read_stat;

/// Processor time, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct OwnCpu {
    /// In user mode.
    pub(crate) user: f64,
    /// In the kernel.
    pub(crate) system: f64,
}

impl OwnCpu {
    /// What was used since.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}

/// What this process has used so far: the whole by the process clock, to the nanosecond, divided into user mode
/// and kernel as `/proc` does, to the tick.
pub(crate) fn own_cpu() -> OwnCpu {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let total = std::time::Duration::try_from(time).map_or(0.0, |time| time.as_secs_f64() * 1e6);
    let user_share = read_stat(std::process::id()).map_or(0.0, |stat| stat.user_share());
    OwnCpu {
        user: total * user_share,
        system: total * (1.0 - user_share),
    }
}
