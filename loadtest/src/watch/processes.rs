//! Processor time, switches and memory of processes, out of `/proc`.

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

/// A process at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ProcessReading {
    /// Processor time so far.
    pub(crate) cpu: Stat,
    /// Switches of the threads that it has now.
    pub(crate) switches: u64,
    /// Resident memory in bytes.
    pub(crate) resident: u64,
}

impl Stat {
    /// The share of user mode.
    pub(crate) fn user_share(&self) -> f64 {
        let total = self.user + self.system;
        if total > 0.0 { self.user / total } else { 0.0 }
    }
}

/// The name of a running process.
pub(crate) fn name(pid: u32) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Reads a process; `None` when there is none.
pub(crate) fn read(pid: u32) -> Option<ProcessReading> {
    let cpu = read_stat(pid)?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    Some(ProcessReading {
        cpu,
        switches: switches(pid),
        resident: field(&status, "VmRSS:") * 1024,
    })
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

fn switches(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let of_thread = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        field(&status, "voluntary_ctxt_switches:") + field(&status, "nonvoluntary_ctxt_switches:")
    };
    threads.map(of_thread).sum()
}

/// The number behind a name at the beginning of a line.
fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_whitespace().next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = parse_stat("7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 30 0 0").unwrap();
        assert_eq!((stat.user, stat.system), (2_500_000.0, 300_000.0));
        assert_eq!(parse_stat("7 (a) S 1 2"), None);
    }

    #[test]
    fn this_process_is_there_and_one_that_is_not_is_not() {
        let own = read(std::process::id()).unwrap();
        assert!(own.resident > 0);
        assert!(name(std::process::id()).is_some());
        assert_eq!((read(u32::MAX), name(u32::MAX)), (None, None));
    }
}
