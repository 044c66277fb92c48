//! Finds a partition by its identifier, in the partition tables of all disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::BootError;

/// How long disks may take to appear: controllers of servers search for many seconds.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it is waited before looking again: nothing tells this process that a disk came.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits for the partition with this identifier and gives its device.
///
/// # Errors
/// When it does not appear.
pub(crate) fn partition(identifier: &str) -> Result<PathBuf, BootError> {
    let begin = Instant::now();
    loop {
        if let Some(device) = find(identifier) {
            return Ok(device);
        }
        if begin.elapsed() > PATIENCE {
            return Err(BootError::NoPartition(identifier.to_owned()));
        }
        sleep(PAUSE);
    }
}

fn find(identifier: &str) -> Option<PathBuf> {
    let disks = fs::read_dir("/sys/block").ok()?.flatten();
    disks
        .filter_map(|disk| on_disk(&disk.file_name().to_string_lossy(), identifier))
        .next()
}

fn on_disk(disk: &str, identifier: &str) -> Option<PathBuf> {
    let device = Path::new("/dev").join(disk);
    let table = gpt::GptConfig::new().open(&device).ok()?;
    let mut partitions = table.partitions().iter();
    let (number, _) =
        partitions.find(|(_, partition)| partition.part_guid.to_string().eq_ignore_ascii_case(identifier))?;
    let partition = device_of(disk, *number);
    partition.exists().then_some(partition)
}

/// `vda2`, but `nvme0n1p2`: a number is told from a name that ends with one.
fn device_of(disk: &str, number: u32) -> PathBuf {
    let between = if disk.ends_with(|end: char| end.is_ascii_digit()) {
        "p"
    } else {
        ""
    };
    Path::new("/dev").join(format!("{disk}{between}{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_as_linux_does() {
        assert_eq!(device_of("vda", 2), Path::new("/dev/vda2"));
        assert_eq!(device_of("nvme0n1", 2), Path::new("/dev/nvme0n1p2"));
    }
}
