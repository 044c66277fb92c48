//! `systemd/repart.d/*.conf`: the only definition of the partitions. systemd-repart reads the same files in the appliance
//! (repart.d(5)); here those are made whose size is fixed.

use std::path::Path;

use ini::Ini;
use uuid::Uuid;

use crate::failure::{At, Failure};

/// A partition that is made at build time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// The file's name without its ending, such as `20-root-a`.
    pub name: String,
    /// What the partition is for.
    pub kind: Kind,
    /// Its label, with the specifiers `%M` and `%A` filled in.
    pub label: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What a partition is for (UAPI Group's specification 2, "Discoverable Partitions").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The firmware's partition.
    Esp,
    /// A root file system for x86-64.
    Root,
    /// Its hash tree.
    RootVerity,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "esp" => Some(Self::Esp),
            "root" | "root-x86-64" => Some(Self::Root),
            "root-verity" | "root-x86-64-verity" => Some(Self::RootVerity),
            _ => None,
        }
    }

    /// The type's identifier in the partition table.
    #[must_use]
    pub const fn guid(self) -> Uuid {
        Uuid::from_u128(match self {
            Self::Esp => 0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b,
            Self::Root => 0x4f68_bce3_e8cd_4db1_96e7_fbca_f984_b709,
            Self::RootVerity => 0x2c73_57ed_ebd2_46d9_aec1_23d4_37ec_2bf5,
        })
    }
}

/// What the specifiers of labels stand for.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// `%M`
    pub image: &'a str,
    /// `%A`
    pub version: &'a str,
}

/// Reads all definitions of a folder that are made at build time: those of fixed size.
///
/// # Errors
/// When one cannot be read or used.
pub fn read(folder: &Path, names: Names<'_>) -> Result<Vec<Definition>, Failure> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).at(folder)? {
        files.push(entry.at(folder)?.path());
    }
    files.retain(|path| path.extension().is_some_and(|ending| ending == "conf"));
    files.sort();
    let mut definitions = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).at(&file)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let parsed = parse(&name, &text, names).map_err(|what| Failure::unusable(file.display(), what))?;
        definitions.extend(parsed);
    }
    Ok(definitions)
}

fn parse(name: &str, text: &str, names: Names<'_>) -> Result<Option<Definition>, String> {
    let ini = Ini::load_from_str(text).map_err(|error| error.to_string())?;
    let section = ini.section(Some("Partition")).ok_or("no section [Partition]")?;
    let field = |key: &str| {
        section
            .get(key)
            .ok_or_else(|| format!("[Partition] {key}= is missing"))
    };
    let kind = field("Type")?;
    // The others are as large as the disk allows, and are made at the first boot.
    let Some(kind) = Kind::named(kind) else {
        return Ok(None);
    };
    let (least, most) = (bytes(field("SizeMinBytes")?)?, bytes(field("SizeMaxBytes")?)?);
    if least != most {
        return Err(format!(
            "{kind:?} is made at build time, so SizeMinBytes= and SizeMaxBytes= must be equal"
        ));
    }
    let label = field("Label")?
        .replace("%M", names.image)
        .replace("%A", names.version);
    Ok(Some(Definition {
        name: name.to_owned(),
        kind,
        label,
        size: least,
    }))
}

/// A size with the suffixes of repart.d(5): K, M, G to the base of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size, such as 64M");
    let (digits, unit) = match text.trim().split_at_checked(text.trim().len().saturating_sub(1)) {
        Some((digits, "K")) => (digits, 1 << 10),
        Some((digits, "M")) => (digits, 1 << 20),
        Some((digits, "G")) => (digits, 1 << 30),
        _ => (text.trim(), 1),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'static> = Names {
        image: "kiirtee",
        version: "1.2",
    };

    #[test]
    fn a_partition_of_fixed_size_is_made_now() {
        let text = "# why\n[Partition]\nType=root\nLabel=%M_%A\nSizeMinBytes=64M\nSizeMaxBytes=64M\n";
        let definition = parse("20-root-a", text, NAMES).unwrap().unwrap();
        assert_eq!(
            (definition.kind, definition.label.as_str()),
            (Kind::Root, "kiirtee_1.2")
        );
        assert_eq!(definition.size, 64 << 20);
    }

    #[test]
    fn what_grows_with_the_disk_is_made_in_the_appliance() {
        assert_eq!(parse("50", "[Partition]\nType=srv\n", NAMES), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let sizes = |least, most| {
            format!("[Partition]\nType=esp\nLabel=esp\nSizeMinBytes={least}\nSizeMaxBytes={most}\n")
        };
        assert!(
            parse("x", &sizes("1M", "2M"), NAMES)
                .unwrap_err()
                .contains("must be equal")
        );
        assert!(parse("x", &sizes("1Q", "1Q"), NAMES).unwrap_err().contains("1Q"));
        assert!(
            parse("x", "[Partition]\nType=esp\n", NAMES)
                .unwrap_err()
                .contains("SizeMinBytes")
        );
        assert!(parse("x", "Type=esp\n", NAMES).is_err());
    }
}
