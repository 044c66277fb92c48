//! The whole disk: a GUID partition table (UEFI 2.10, 5.3) and what the partitions hold.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{OperatingSystem, Type};
use uuid::Uuid;

use super::definition::{Definition, Kind};
use crate::failure::{At, Failure};

/// Bytes of a sector.
const SECTOR: u64 = 512;
/// Where partitions begin and end, in bytes.
const ALIGNMENT: u64 = 1 << 20;
/// The disk's identifier: systemd-repart replaces nothing that is there, so every appliance has the same.
const DISK: Uuid = Uuid::from_u128(0x6b69_6972_7465_6500_8000_0000_0000_0000);

/// A partition and what goes into it.
#[derive(Debug)]
pub struct Filled {
    /// Which.
    pub definition: Definition,
    /// Its own identifier.
    pub uuid: Uuid,
    /// The file whose bytes it gets; none for the slots of the first update.
    pub content: Option<PathBuf>,
}

/// Writes a disk with these partitions in this order. It is as large as they need; the appliance's own disk is larger, and
/// systemd-repart moves the second table to its end.
///
/// # Errors
/// When something does not fit.
pub fn write(image: &Path, partitions: &[Filled]) -> Result<(), Failure> {
    let size = partitions
        .iter()
        .map(|filled| filled.definition.size.next_multiple_of(ALIGNMENT))
        .sum::<u64>()
        .saturating_add(ALIGNMENT.saturating_mul(2));
    let file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(image)
        .at(image)?;
    file.set_len(size).at(image)?;
    write_protective(&file, size).at(image)?;
    let table = partitions.iter().enumerate();
    let mut begin = ALIGNMENT;
    let mut entries = BTreeMap::new();
    for (index, filled) in table {
        copy(&file, begin, filled).at(image)?;
        let number =
            u32::try_from(index.saturating_add(1)).map_err(|_| Failure::unusable("repart.d", "too many"))?;
        entries.insert(number, entry(begin, filled));
        begin = begin.saturating_add(filled.definition.size.next_multiple_of(ALIGNMENT));
    }
    write_table(file, entries).map_err(|error| Failure::unusable(image.display(), error.to_string()))
}

fn write_protective(mut file: &File, size: u64) -> std::io::Result<()> {
    let sectors = u32::try_from(size / SECTOR - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(sectors)
        .overwrite_lba0(&mut file)
        .map(drop)
        .map_err(std::io::Error::other)
}

fn entry(begin: u64, filled: &Filled) -> Partition {
    let kind = filled.definition.kind;
    // Bit 60: read-only (UAPI Group's specification 2).
    let flags = if kind == Kind::Esp { 0 } else { 1 << 60 };
    Partition {
        part_type_guid: Type {
            guid: kind.guid(),
            os: OperatingSystem::None,
        },
        part_guid: filled.uuid,
        first_lba: begin / SECTOR,
        last_lba: begin.saturating_add(filled.definition.size) / SECTOR - 1,
        flags,
        name: filled.definition.label.clone(),
    }
}

fn write_table(file: File, entries: BTreeMap<u32, Partition>) -> Result<(), Box<dyn std::error::Error>> {
    let config = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512);
    let mut disk = config.create_from_device(file, Some(DISK))?;
    disk.update_partitions(entries)?;
    disk.write()?;
    Ok(())
}

fn copy(mut disk: &File, begin: u64, filled: &Filled) -> std::io::Result<()> {
    let Some(path) = &filled.content else {
        return Ok(());
    };
    let mut source = File::open(path)?;
    let (length, size) = (source.metadata()?.len(), filled.definition.size);
    if length > size {
        let message = format!("{} has {length} bytes, its partition {size}", path.display());
        return Err(std::io::Error::other(message));
    }
    disk.seek(SeekFrom::Start(begin))?;
    std::io::copy(&mut source, &mut disk).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(name: &str, kind: Kind, content: Option<PathBuf>, number: u128) -> Filled {
        Filled {
            definition: Definition {
                name: name.to_owned(),
                kind,
                label: name.to_owned(),
                size: 2 << 20,
            },
            uuid: Uuid::from_u128(number),
            content,
        }
    }

    #[test]
    fn another_program_finds_the_partitions_and_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let content = folder.path().join("root");
        std::fs::write(&content, b"root file system").unwrap();
        let partitions = [
            partition("esp", Kind::Esp, None, 1),
            partition("kiirtee_1", Kind::Root, Some(content), 2),
        ];
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        write(&one, &partitions).unwrap();
        write(&two, &partitions).unwrap();
        let bytes = std::fs::read(&one).unwrap();
        assert!(bytes == std::fs::read(&two).unwrap());
        assert_eq!(&bytes[3 << 20..(3 << 20) + 16], b"root file system");
        let Ok(sfdisk) = std::process::Command::new("/usr/sbin/sfdisk")
            .arg("--json")
            .arg(&one)
            .output()
        else {
            std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED: sfdisk is not there\n").unwrap();
            return;
        };
        let table: serde_json::Value = serde_json::from_slice(&sfdisk.stdout).unwrap();
        let found = &table["partitiontable"]["partitions"];
        assert_eq!(found[1]["name"], "kiirtee_1");
        assert_eq!(found[1]["start"], 6144);
        assert_eq!(found[1]["size"], 4096);
        assert_eq!(found[1]["type"], "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709");
        assert_eq!(found[1]["uuid"], "00000000-0000-0000-0000-000000000002");
    }

    #[test]
    fn what_is_larger_than_its_partition_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let content = folder.path().join("root");
        std::fs::write(&content, vec![1; (2 << 20) + 1]).unwrap();
        let partitions = [partition("root", Kind::Root, Some(content), 2)];
        let refused = write(&folder.path().join("disk"), &partitions)
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("2097153 bytes, its partition 2097152"),
            "{refused}"
        );
    }
}
