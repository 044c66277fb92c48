//! The firmware's partition: boot loader, its settings, kernel images. Times in it are zero.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};

use crate::failure::{At, Failure};

/// Its label: eleven characters, padded with spaces.
pub const LABEL: [u8; 11] = *b"KIIRTEE ESP";
/// Serial number of the file system.
const VOLUME_ID: u32 = 0x6b69_6901;

/// A file of the partition.
#[derive(Debug, Clone)]
pub struct EspFile {
    /// Where it goes, with slashes.
    pub path: String,
    /// Where it comes from.
    pub source: PathBuf,
}

/// Makes the file system of this size with these files.
///
/// # Errors
/// When it cannot be written, or they do not fit.
pub fn make(image: &Path, size: u64, label: [u8; 11], files: &[EspFile]) -> Result<(), Failure> {
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(image)
        .at(image)?;
    file.set_len(size).at(image)?;
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .volume_id(VOLUME_ID)
        .volume_label(label);
    fatfs::format_volume(&mut file, options).at(image)?;
    file.rewind().at(image)?;
    let filesystem = FileSystem::new(file, FsOptions::new()).at(image)?;
    for entry in files {
        write(&filesystem, entry).at(&entry.source)?;
    }
    filesystem.unmount().at(image)
}

fn write(filesystem: &FileSystem<File>, entry: &EspFile) -> std::io::Result<()> {
    let mut source = Vec::new();
    File::open(&entry.source)?.read_to_end(&mut source)?;
    let mut folder = filesystem.root_dir();
    let (folders, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
    for part in folders.split('/').filter(|part| !part.is_empty()) {
        folder = folder.create_dir(part)?;
    }
    let mut file = folder.create_file(name)?;
    file.truncate()?;
    file.write_all(&source)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_back_and_equal_input_is_equal_output() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        std::fs::write(&source, b"kernel").unwrap();
        let files = [EspFile {
            path: "EFI/Linux/kiirtee_1.efi".into(),
            source,
        }];
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        make(&one, 40 << 20, LABEL, &files).unwrap();
        make(&two, 40 << 20, LABEL, &files).unwrap();
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
        let filesystem = FileSystem::new(File::open(&one).unwrap(), FsOptions::new()).unwrap();
        let mut content = String::new();
        let root = filesystem.root_dir();
        root.open_file("EFI/Linux/kiirtee_1.efi")
            .unwrap()
            .read_to_string(&mut content)
            .unwrap();
        assert_eq!(content, "kernel");
    }
}
