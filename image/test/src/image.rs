//! The files that `make image` makes.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::{Failure, OrUnusable};
use crate::tool;

/// Size that the disk is given before its first boot, in bytes: room for the data partitions.
const DISK: u64 = 3 << 30;

/// An image: the folder that `make image` wrote.
#[derive(Debug, Clone)]
pub struct Image {
    folder: PathBuf,
    /// What the folder says of itself.
    pub manifest: Manifest,
}

/// `image.json`, as far as it is read here.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    /// Version of the image.
    pub version: String,
    /// PCR 11 of a machine that booted this image, as the build predicts it: hexadecimal.
    #[serde(default)]
    pub pcr11: Option<String>,
}

/// A partition of a disk image.
#[derive(Debug, Clone, Deserialize)]
pub struct Partition {
    /// First sector, of 512 bytes.
    pub start: u64,
    /// Number of sectors.
    pub size: u64,
    /// Its label.
    #[serde(default)]
    pub name: String,
}

#[derive(Debug, Deserialize)]
struct Table {
    partitiontable: Partitions,
}

#[derive(Debug, Deserialize)]
struct Partitions {
    partitions: Vec<Partition>,
}

impl Image {
    /// The image in `folder`.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let folder = std::path::absolute(folder).or_unusable(|| format!("find {}", folder.display()))?;
        let path = folder.join("image.json");
        let missing = || format!("read {}; `make image` makes it", path.display());
        let text = std::fs::read_to_string(&path).or_unusable(missing)?;
        let manifest =
            serde_json::from_str(&text).or_unusable(|| format!("understand {}", path.display()))?;
        Ok(Self { folder, manifest })
    }

    /// A file of the image.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The unified kernel image without a signature.
    pub fn unsigned_kernel(&self) -> PathBuf {
        self.file(&format!("kiirtee_{}.unsigned.efi", self.manifest.version))
    }

    /// Label of the partition with its root.
    pub fn root_label(&self) -> String {
        format!("kiirtee_{}", self.manifest.version)
    }

    /// The kernel command line for booting without firmware.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn command_line(&self) -> Result<String, Failure> {
        let path = self.file("cmdline");
        let text = std::fs::read_to_string(&path).or_unusable(|| format!("read {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// Length of a file of the image, in bytes.
    ///
    /// # Errors
    /// When it is not there.
    pub fn size(&self, name: &str) -> Result<u64, Failure> {
        let path = self.file(name);
        let file = std::fs::metadata(&path).or_unusable(|| format!("read {}", path.display()))?;
        Ok(file.len())
    }

    /// Copies the disk to `to`, as a disk that is larger than the image.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn write_disk(&self, to: &Path) -> Result<(), Failure> {
        copy(&self.file("disk.raw"), to)?;
        std::fs::File::options()
            .write(true)
            .open(to)
            .and_then(|disk| disk.set_len(DISK.max(disk.metadata()?.len())))
            .or_unusable(|| format!("grow {}", to.display()))
    }
}

/// Copies a file and leaves its holes holes.
///
/// # Errors
/// When it cannot be copied.
pub fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let arguments = ["--sparse=always".as_ref(), from.as_os_str(), to.as_os_str()];
    tool::run("cp", &arguments).map(drop)
}

/// The partition of a disk image with this label; where there are several, the first.
///
/// # Errors
/// When there is none.
pub fn partition(disk: &Path, label: &str) -> Result<Partition, Failure> {
    let text = tool::run("sfdisk", &["--json".as_ref(), disk.as_os_str()])?;
    let table: Table = serde_json::from_str(&text).or_unusable(|| format!("understand {text}"))?;
    let mut partitions = table.partitiontable.partitions.into_iter();
    partitions
        .find(|partition| partition.name == label)
        .ok_or_else(|| Failure::wrong(format!("{} has no partition {label}", disk.display())))
}
