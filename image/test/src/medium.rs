//! Media that are plugged into the appliance: FAT volumes, known by their label.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, OrUnusable};
use crate::tool;

/// Label of a medium with configuration.
pub const CONFIGURATION: &str = "KIIRTEE-CFG";
/// Label of a medium with an update.
pub const UPDATE: &str = "KIIRTEE-UPD";
/// What the file system itself needs, in KiB, roughly: its tables and a reserve for what the appliance writes.
const RESERVE: u64 = 4 * 1024;

/// A medium.
#[derive(Debug)]
pub struct Medium {
    file: PathBuf,
}

impl Medium {
    /// Makes a medium with the content of a folder, in `file`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(file: &Path, label: &str, content: &Path) -> Result<Self, Failure> {
        // What was there before is another medium.
        let _ = std::fs::remove_file(file);
        let size = (size(content)? / 1024 + RESERVE).to_string();
        let arguments = ["-C", "-n", label].map(AsRef::as_ref);
        let arguments = [&arguments[..], &[file.as_os_str(), size.as_ref()]].concat();
        tool::run("mkfs.vfat", &arguments)?;
        let medium = Self {
            file: file.to_path_buf(),
        };
        for entry in entries(content)? {
            medium.add(&entry, "")?;
        }
        Ok(medium)
    }

    /// Copies a file or folder into a folder of the medium (`""` is the uppermost).
    ///
    /// # Errors
    /// When there is no room or no such folder.
    pub fn add(&self, what: &Path, folder: &str) -> Result<(), Failure> {
        let to = format!("::/{folder}");
        let arguments = ["-s", "-o", "-i"].map(AsRef::as_ref);
        let arguments = [
            &arguments[..],
            &[self.file.as_os_str(), what.as_os_str(), to.as_ref()],
        ]
        .concat();
        tool::run("mcopy", &arguments).map(drop)
    }

    /// The file that QEMU takes for a disk.
    pub fn file(&self) -> &Path {
        &self.file
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).or_unusable(|| format!("read {}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.path()).collect())
}

/// Bytes of all files below a folder.
fn size(folder: &Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in entries(folder)? {
        sum += match std::fs::metadata(&entry) {
            Ok(file) if file.is_file() => file.len(),
            _ => size(&entry)?,
        };
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_on_a_medium_is_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let content = folder.path().join("content");
        std::fs::create_dir_all(content.join("certificates")).unwrap();
        std::fs::write(content.join("appliance.toml"), "one").unwrap();
        std::fs::write(content.join("certificates/sign.pem"), "two").unwrap();
        let medium = match Medium::make(&folder.path().join("medium"), CONFIGURATION, &content) {
            Err(Failure::Unusable(why)) if why.contains("install") => {
                eprintln!("SKIPPED: {why}");
                return;
            }
            made => made.unwrap(),
        };
        let image = medium.file().display().to_string();
        let read = |name: &str| tool::run("mtype", &["-i", &image, name]).unwrap();
        assert_eq!(read("::/appliance.toml"), "one");
        assert_eq!(read("::/certificates/sign.pem"), "two");
        let label = tool::run("mlabel", &["-s", "-i", &image]).unwrap();
        assert!(label.contains("KIIRTEE-CFG"), "{label}");
    }
}
