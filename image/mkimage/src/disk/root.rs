//! The root's file system and its hash tree.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::failure::{At, Failure};
use crate::tool::{MKFS_EROFS, VERITYSETUP};

/// Identifier of the file system, and of the hash tree: nobody looks for them, so they need not differ between images.
const UUID: &str = "6b696972-7465-6500-8000-000000000001";
/// The salt is no secret (dm-verity, kernel documentation): a fixed one makes equal roots equal.
const SALT: &str = "6b6969727465650000000000000000000000000000000000000000000000a001";
/// Bytes of a block of data and of hashes.
pub const BLOCK: u64 = 4096;
/// Bytes of a sector of the device mapper.
const SECTOR: u64 = 512;
/// Files of the root are from no time.
const EPOCH: &str = "0";

/// A root as it goes onto a disk.
#[derive(Debug)]
pub struct Root {
    /// The file system.
    pub data: PathBuf,
    /// Its hash tree.
    pub hashes: PathBuf,
    /// The hash of everything, in hexadecimal.
    pub hash: String,
    /// Bytes of the file system.
    pub size: u64,
}

impl Root {
    /// Packs a tree into `data`, and its hash tree into `hashes`.
    ///
    /// # Errors
    /// When the programs that do it fail.
    pub fn pack(tree: &Path, data: PathBuf, hashes: PathBuf) -> Result<Self, Failure> {
        for old in [&data, &hashes] {
            if old.exists() {
                std::fs::remove_file(old).at(old)?;
            }
        }
        MKFS_EROFS.run([
            "-zlz4hc,12".as_ref(),
            "-C65536".as_ref(),
            "-Eztailpacking".as_ref(),
            "--all-root".as_ref(),
            "-T".as_ref(),
            EPOCH.as_ref(),
            "-U".as_ref(),
            UUID.as_ref(),
            data.as_os_str(),
            tree.as_os_str(),
        ])?;
        pad(&data)?;
        let said = VERITYSETUP.run([
            "format".as_ref(),
            "--hash=sha256".as_ref(),
            "--salt".as_ref(),
            SALT.as_ref(),
            "--uuid".as_ref(),
            UUID.as_ref(),
            data.as_os_str(),
            hashes.as_os_str(),
        ])?;
        let line = said.lines().find_map(|line| line.strip_prefix("Root hash:"));
        let hash = line.ok_or_else(|| Failure::unusable("veritysetup", "it names no root hash"))?;
        Ok(Self {
            size: data.metadata().at(&data)?.len(),
            data,
            hashes,
            hash: hash.trim().to_owned(),
        })
    }

    /// The identifier of the partition that holds it: the first half of the hash, so that the kernel image finds the slot
    /// that it belongs to by content (UAPI Group's specification 2).
    ///
    /// # Errors
    /// When the hash is none.
    pub fn data_uuid(&self) -> Result<Uuid, Failure> {
        half(&self.hash, 0..32)
    }

    /// The identifier of the partition with its hash tree: the second half.
    ///
    /// # Errors
    /// When the hash is none.
    pub fn hashes_uuid(&self) -> Result<Uuid, Failure> {
        half(&self.hash, 32..64)
    }

    /// The kernel's command line that opens it: the device mapper's own form (kernel documentation, dm-init), which a kernel
    /// with `CONFIG_DM_INIT` understands by itself and our initrd otherwise.
    ///
    /// # Errors
    /// When the hash is none.
    pub fn command_line(&self) -> Result<String, Failure> {
        let (data, hashes) = (self.data_uuid()?, self.hashes_uuid()?);
        let (sectors, blocks) = (self.size / SECTOR, self.size / BLOCK);
        let table = format!(
            "0 {sectors} verity 1 PARTUUID={data} PARTUUID={hashes} {BLOCK} {BLOCK} {blocks} 1 sha256 {} {SALT} 1 panic_on_corruption",
            self.hash
        );
        Ok(format!(
            "root=/dev/dm-0 ro rootfstype=erofs dm-mod.create=\"root,,0,ro,{table}\""
        ))
    }
}

fn half(hash: &str, range: std::ops::Range<usize>) -> Result<Uuid, Failure> {
    let half = hash.get(range).and_then(|half| Uuid::try_parse(half).ok());
    half.ok_or_else(|| Failure::unusable("veritysetup", format!("`{hash}` is no SHA-256")))
}

/// The hash tree covers whole blocks.
fn pad(path: &Path) -> Result<(), Failure> {
    let file = std::fs::File::options().write(true).open(path).at(path)?;
    let length = file.metadata().at(path)?.len();
    file.set_len(length.next_multiple_of(BLOCK)).at(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_named_by_the_hash() {
        let root = Root {
            data: PathBuf::new(),
            hashes: PathBuf::new(),
            hash: "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef".into(),
            size: 8192,
        };
        assert_eq!(
            root.data_uuid().unwrap().to_string(),
            "00112233-4455-6677-8899-aabbccddeeff"
        );
        assert_eq!(
            root.hashes_uuid().unwrap().to_string(),
            "01234567-89ab-cdef-0123-456789abcdef"
        );
        let line = root.command_line().unwrap();
        assert!(line.contains("0 16 verity 1 PARTUUID=00112233-"), "{line}");
        assert!(line.contains(" 4096 4096 2 1 sha256 0011"), "{line}");
    }
}
