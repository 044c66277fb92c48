//! Processor time, switches and memory of other processes, out of `/proc`.

/// Microseconds of a tick of `/proc/PID/stat` (`USER_HZ` is 100 everywhere).
const TICK: f64 = 10_000.0;

/// Processor time of a process with all of its threads, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Stat {
    /// In user mode.
    pub(crate) user: f64,
    /// In the kernel.
    pub(crate) system: f64,
}

impl Stat {
    /// The share of user mode.
    pub(crate) fn user_share(&self) -> f64 {
        let total = self.user + self.system;
        if total > 0.0 { self.user / total } else { 0.0 }
    }
}

/// Reads the processor time of a process; `None` when there is none.
pub(crate) fn read_stat(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name in parentheses may contain anything: fields are counted behind the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, behind) = text.rsplit_once(')')?;
    let mut fields = behind.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok().map(|ticks| ticks * TICK);
    Some(Stat {
        user: ticks()?,
        system: ticks()?,
    })
}
