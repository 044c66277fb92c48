//! What the kernel's command line says of the root: `dm-mod.create="name,uuid,minor,flags,table"` (kernel documentation,
//! dm-init). A kernel that reads it by itself has made the volume already.

use crate::BootError;

const PARAMETER: &str = "dm-mod.create=\"";

/// A volume of the device mapper.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: String,
    /// What it is made of, with partitions as `PARTUUID=…`.
    pub(crate) targets: String,
}

/// Finds the root's volume.
///
/// # Errors
/// When it is absent, or of another form than ours.
pub(crate) fn table(text: &str) -> Result<Table, BootError> {
    let wrong = |what: &str| BootError::CommandLine(what.to_owned());
    let (_, rest) = text
        .split_once(PARAMETER)
        .ok_or_else(|| wrong("no dm-mod.create=\"…\""))?;
    let (value, _) = rest
        .split_once('"')
        .ok_or_else(|| wrong("dm-mod.create has no end"))?;
    if value.contains(';') {
        return Err(wrong(
            "dm-mod.create has several volumes; expected the root alone",
        ));
    }
    let mut fields = value.splitn(5, ',');
    let name = fields.next().filter(|name| !name.is_empty());
    let read_only = fields.nth(2) == Some("ro");
    match (name, read_only, fields.next()) {
        (Some(name), true, Some(targets)) if targets.contains(" verity ") => Ok(Table {
            name: name.to_owned(),
            targets: targets.trim().to_owned(),
        }),
        _ => Err(wrong(
            "dm-mod.create is no read-only verity volume: expected NAME,UUID,MINOR,ro,TABLE",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_found_among_other_words() {
        let text = "root=/dev/dm-0 ro dm-mod.create=\"root,,0,ro,0 16 verity 1 PARTUUID=a PARTUUID=b\" quiet";
        let table = table(text).unwrap();
        assert_eq!(table.name, "root");
        assert_eq!(table.targets, "0 16 verity 1 PARTUUID=a PARTUUID=b");
    }

    #[test]
    fn a_root_that_is_not_verified_is_refused() {
        for text in [
            "root=/dev/vda2 ro",
            "dm-mod.create=\"root,,0,ro,0 16 verity 1",
            "dm-mod.create=\"root,,0,rw,0 16 verity 1 a b\"",
            "dm-mod.create=\"root,,0,ro,0 16 linear /dev/vda2 0\"",
            "dm-mod.create=\"root,,0,ro,0 16 verity 1 a b;other,,1,ro,0 1 verity\"",
        ] {
            assert!(table(text).is_err(), "{text}");
        }
    }
}
