//! What a machine keeps while it is off: its disk, its TPM, the variables of its firmware.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, OrUnusable};
use crate::image::{self, Image};

/// Where Debian has the firmware (package ovmf).
const OVMF: &str = "/usr/share/OVMF";

/// Partitions begin at multiples of so many bytes (repart.d(5)).
const PARTITION_STEP: usize = 4096;
/// How a volume begins, where its metadata are, and how many bytes they have (LUKS2 On-Disk Format 1.1.3, 2.1 and 3.1).
const LUKS: &[u8; 8] = b"LUKS\xba\xbe\x00\x02";
const METADATA: u64 = 4096;
const METADATA_LENGTH: usize = 12 * 1024;

/// How a machine boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firmware {
    /// QEMU loads the kernel itself: fast, but nothing measures it.
    None,
    /// UEFI, without Secure Boot.
    Uefi,
    /// UEFI, whose variables only the firmware may write, and which enforces Secure Boot once keys are enrolled.
    SecureBoot,
}

impl Firmware {
    /// The code of the firmware.
    pub fn code(self) -> Option<PathBuf> {
        let name = match self {
            Self::None => return None,
            Self::Uefi => "OVMF_CODE_4M.fd",
            Self::SecureBoot => "OVMF_CODE_4M.secboot.fd",
        };
        Some(Path::new(OVMF).join(name))
    }

    /// A short name for folders and identifiers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "direct",
            Self::Uefi => "uefi",
            Self::SecureBoot => "secure",
        }
    }
}

/// What a machine keeps, in a folder.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
    /// How it boots: what the TPM holds is bound to it.
    pub firmware: Firmware,
}

impl State {
    /// A machine as it is delivered: the image on its disk, nothing else.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn blank(folder: &Path, image: &Image, firmware: Firmware) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder).or_unusable(|| format!("make {}", folder.display()))?;
        let state = Self {
            folder: folder.to_path_buf(),
            firmware,
        };
        image.write_disk(&state.disk())?;
        if firmware.code().is_some() {
            image::copy(&Path::new(OVMF).join("OVMF_VARS_4M.fd"), &state.variables())?;
        }
        Ok(state)
    }

    /// The same state in another folder. The machine must be off.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn copy_to(&self, folder: &Path) -> Result<Self, Failure> {
        let copy = Self {
            folder: folder.to_path_buf(),
            firmware: self.firmware,
        };
        std::fs::create_dir_all(copy.tpm()).or_unusable(|| format!("make {}", folder.display()))?;
        image::copy(&self.disk(), &copy.disk())?;
        if self.variables().exists() {
            image::copy(&self.variables(), &copy.variables())?;
        }
        let files = std::fs::read_dir(self.tpm()).or_unusable(|| "read the TPM's state".into())?;
        for file in files.flatten().filter(|file| file.path().is_file()) {
            image::copy(&file.path(), &copy.tpm().join(file.file_name()))?;
        }
        Ok(copy)
    }

    /// The disk.
    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk.raw")
    }

    /// The folder of the TPM.
    pub fn tpm(&self) -> PathBuf {
        self.folder.join("tpm")
    }

    /// The variables of the firmware.
    pub fn variables(&self) -> PathBuf {
        self.folder.join("variables.fd")
    }

    /// What tells the keys of the sealed volumes on the disk, in their order: configuration, evidence. A volume that is made anew
    /// has another key.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn volume_keys(&self) -> Result<Vec<String>, Failure> {
        let disk = self.disk();
        let doing = || format!("read {}", disk.display());
        let file = File::open(&disk).or_unusable(doing)?;
        let length = file.metadata().or_unusable(doing)?.len();
        let mut keys = Vec::new();
        for place in (0..length).step_by(PARTITION_STEP) {
            let mut magic = [0; LUKS.len()];
            if file.read_at(&mut magic, place).or_unusable(doing)? == LUKS.len() && magic == *LUKS {
                let mut metadata = vec![0; METADATA_LENGTH];
                file.read_exact_at(&mut metadata, place + METADATA)
                    .or_unusable(doing)?;
                keys.extend(key_digest(&metadata));
            }
        }
        Ok(keys)
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The digest of a volume's key in its metadata, which are JSON up to a NUL.
fn key_digest(metadata: &[u8]) -> Option<String> {
    let text = metadata.split(|byte| *byte == 0).next()?;
    let metadata: serde_json::Value = serde_json::from_slice(text).ok()?;
    Some(metadata.pointer("/digests/0/digest")?.as_str()?.to_owned())
}
