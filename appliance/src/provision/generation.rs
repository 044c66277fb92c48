//! What is kept: folders with complete sets of files, of which one counts.
//!
//! ```text
//! /var/lib/kiirtee/generations/7/…      a complete set, never changed
//! /var/lib/kiirtee/etc -> generations/7 the one that counts; replaced by a rename
//! ```
//!
//! A set that was not finished is removed by the next run, since nothing points at it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{self, Disk};
use crate::paths::Root;

/// Files by their paths below the folder, of at most one folder more.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Folder of the sets, and the link to the one that counts.
const FOLDER: &str = "var/lib/kiirtee/generations";
const LINK: &str = "var/lib/kiirtee/etc";
/// The folder of the sets as the link has it.
const FROM_LINK: &str = "generations";
/// The most bytes of a kept file.
const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;
/// The owner writes, the group (`kiirtee`) reads.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// The sets below a root.
#[derive(Debug)]
pub struct Generations<'d> {
    disk: &'d Disk,
    folder: PathBuf,
    link: PathBuf,
}

impl<'d> Generations<'d> {
    /// Those of `root`.
    #[must_use]
    pub fn new(root: &Root, disk: &'d Disk) -> Self {
        Self {
            disk,
            folder: root.path(FOLDER),
            link: root.path(LINK),
        }
    }

    /// The number of the set that counts; `None` where there is no link yet.
    fn number(&self) -> io::Result<Option<u64>> {
        let target = match std::fs::read_link(&self.link) {
            // The second: something else than a link.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::InvalidInput
                ) =>
            {
                return Ok(None);
            }
            target => target?,
        };
        let number = target.strip_prefix(FROM_LINK).ok().and_then(Path::to_str);
        let number = number.and_then(|number| number.parse().ok());
        number.map(Some).ok_or_else(|| {
            io::Error::other(format!(
                "{} points at {}: expected {FROM_LINK}/ and a number",
                self.link.display(),
                target.display()
            ))
        })
    }

    /// The set that counts; `None` on a new appliance.
    ///
    /// # Errors
    /// What the system says.
    pub fn current(&self) -> io::Result<Option<Files>> {
        let Some(number) = self.number()? else {
            return Ok(None);
        };
        let folder = self.folder.join(number.to_string());
        let mut files = Files::new();
        collect(&folder, "", &mut files)?;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if let (true, Ok(name)) = (entry.file_type()?.is_dir(), entry.file_name().into_string()) {
                collect(&entry.path(), &format!("{name}/"), &mut files)?;
            }
        }
        Ok(Some(files))
    }

    /// Makes `files` the set that counts.
    ///
    /// # Errors
    /// What the system says; the former set counts then.
    pub fn switch(&self, files: &Files) -> io::Result<()> {
        self.disk.folder(&self.folder, FOLDER_MODE)?;
        self.clean()?;
        let next = self.number()?.unwrap_or_default().saturating_add(1).to_string();
        self.write(&self.folder.join(&next), files)?;
        self.disk.sync_folder(&self.folder)?;
        self.make_room_for_link()?;
        self.disk.point(&self.link, &Path::new(FROM_LINK).join(&next))?;
        self.clean()
    }

    fn write(&self, folder: &Path, files: &Files) -> io::Result<()> {
        self.disk.create_folder(folder, FOLDER_MODE)?;
        let mut folders = vec![folder.to_owned()];
        for (name, bytes) in files {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            if !folders.iter().any(|made| made == parent) {
                self.disk.create_folder(parent, FOLDER_MODE)?;
                folders.push(parent.to_owned());
            }
            self.disk.create(&path, bytes, FILE_MODE)?;
        }
        folders
            .iter()
            .try_for_each(|folder| self.disk.sync_folder(folder))
    }

    /// A folder may stand where the link is to be, made together with its siblings: it goes if nothing is in it.
    fn make_room_for_link(&self) -> io::Result<()> {
        match std::fs::symlink_metadata(&self.link) {
            Ok(metadata) if metadata.is_dir() => std::fs::remove_dir(&self.link),
            _ => Ok(()),
        }
    }

    /// Removes all sets but the one that counts: those that were not finished, and the former one.
    ///
    /// # Errors
    /// What the system says.
    pub fn clean(&self) -> io::Result<()> {
        let kept = self.number()?.map(|number| number.to_string());
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_str() != kept.as_deref() {
                self.disk.remove_folder(&entry.path())?;
            }
        }
        Ok(())
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Files) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        if let (true, Ok(name)) = (entry.file_type()?.is_file(), name) {
            let bytes = disk::read(&entry.path(), MAX_FILE_BYTES)?;
            files.insert(format!("{prefix}{name}"), bytes.unwrap_or_default());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(what: &str) -> Files {
        let names = ["appliance.toml", "certificates/1.pem", "run/resolv.conf"];
        let content = |name: &str| format!("{name} {what}").into_bytes();
        names.map(|name| (name.to_owned(), content(name))).into()
    }

    #[test]
    fn the_old_set_or_the_new_one_counts_whenever_the_world_ends() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        let healthy = Disk::default();
        let current = || Generations::new(&root, &healthy).current().unwrap();
        assert_eq!(current(), None);
        let mut before = None;
        for round in 0..3 {
            let after = Some(files(&round.to_string()));
            for steps in 0.. {
                let disk = Disk::failing_after(steps);
                let done = Generations::new(&root, &disk).switch(after.as_ref().unwrap());
                let found = current();
                assert!(
                    found == before || found == after,
                    "round {round}, after {steps} steps"
                );
                if done.is_ok() {
                    assert_eq!(found, after);
                    break;
                }
            }
            before = after;
        }
        let sets = || std::fs::read_dir(folder.path().join(FOLDER)).unwrap().count();
        assert_eq!(sets(), 1, "what was not finished is gone");

        let link = folder.path().join(LINK);
        std::fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("elsewhere", &link).unwrap();
        assert!(Generations::new(&root, &healthy).clean().is_err());
        assert_eq!(sets(), 1, "nothing is removed where it is not known what counts");
    }
}
