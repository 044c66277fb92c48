//! Which image this is: version, slot, what was measured.

use super::read_small;
use crate::image::Image;
use crate::paths::Root;

/// Partition numbers of the two roots, as `repart.d` orders them.
const SLOTS: [(&str, &str); 2] = [("2", "root-a"), ("4", "root-b")];

/// The version of the image; none where no image runs.
#[must_use]
pub fn version(root: &Root) -> Option<String> {
    Image::read(root).ok().map(|image| image.version.to_string())
}

/// The slot that `/` is read from: the partition below its verified device.
#[must_use]
pub fn slot(root: &Root) -> Option<String> {
    let mounts = read_small(root.path("proc/self/mountinfo")).ok()?;
    let device = mounts.lines().find_map(root_device)?;
    let folder = root.path(format!("sys/dev/block/{device}/slaves"));
    let mut numbers: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter_map(|entry| partition_number(&read_small(entry.path().join("uevent")).ok()?))
        .collect();
    numbers.sort();
    let slot = |number: &String| SLOTS.iter().find(|(slot, _)| slot == number);
    numbers.iter().find_map(slot).map(|(_, name)| (*name).to_owned())
}

/// `major:minor` of the device in a line of mountinfo, if it is mounted on `/` (proc_pid_mountinfo(5)).
fn root_device(line: &str) -> Option<&str> {
    let mut fields = line.split(' ').skip(2);
    let (device, _in_device, mounted_on) = (fields.next()?, fields.next()?, fields.next()?);
    (mounted_on == "/").then_some(device)
}

fn partition_number(uevent: &str) -> Option<String> {
    let number = uevent.lines().find_map(|line| line.strip_prefix("PARTN="))?;
    Some(number.to_owned())
}

/// PCR 11, which tells the kernel image that was measured; none without a TPM.
#[must_use]
pub fn pcr11(root: &Root) -> Option<String> {
    let text = read_small(root.path("sys/class/tpm/tpm0/pcr-sha256/11")).ok()?;
    let digits = text.trim().to_lowercase();
    let is_digest = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_digest.then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_with(files: &[(&str, &str)]) -> (tempfile::TempDir, Root) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = Root::new(folder.path());
        (folder, root)
    }

    #[test]
    fn the_slot_is_the_partition_below_the_root() {
        let mounts = "22 1 0:5 / /dev rw - devtmpfs dev rw\n1 1 253:0 / / ro - erofs /dev/dm-0 ro\n";
        let (_folder, root) = root_with(&[
            ("proc/self/mountinfo", mounts),
            (
                "sys/dev/block/253:0/slaves/vda4/uevent",
                "DEVNAME=vda4\nPARTN=4\n",
            ),
            (
                "sys/dev/block/253:0/slaves/vda5/uevent",
                "DEVNAME=vda5\nPARTN=5\n",
            ),
            (
                "usr/lib/os-release",
                "IMAGE_ID=kiirtee\nIMAGE_VERSION=\"7.0.1\"\n",
            ),
            (
                "sys/class/tpm/tpm0/pcr-sha256/11",
                &format!("{}\n", "AB".repeat(32)),
            ),
        ]);
        assert_eq!(slot(&root).as_deref(), Some("root-b"));
        assert_eq!(version(&root).as_deref(), Some("7.0.1"));
        assert_eq!(pcr11(&root), Some("ab".repeat(32)));
    }

    #[test]
    fn what_is_not_there_is_not_told() {
        let (_folder, root) = root_with(&[
            ("proc/self/mountinfo", "1 1 8:1 / / rw - ext4 /dev/sda1 rw\n"),
            ("usr/lib/os-release", "ID=debian\n"),
            ("sys/class/tpm/tpm0/pcr-sha256/11", "none\n"),
        ]);
        assert_eq!((slot(&root), version(&root), pcr11(&root)), (None, None, None));
    }
}
