//! Changes on disk that the loss of power at any instant leaves whole: a file is written beside, synced and renamed, a
//! folder is complete before anything points at it.
//!
//! Every change is a step of [`Disk`], so that tests can end the world after each of them.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// What stands behind the name of a file that is not finished.
const UNFINISHED: &str = ".new";

/// Where changes are made.
#[derive(Debug, Default)]
pub struct Disk {
    /// How many more steps may be made; unlimited if absent.
    left: Cell<Option<u32>>,
}

impl Disk {
    /// A disk that fails after so many steps, for tests of what is left behind.
    #[must_use]
    pub const fn failing_after(steps: u32) -> Self {
        Self {
            left: Cell::new(Some(steps)),
        }
    }

    fn step(&self) -> io::Result<()> {
        match self.left.get() {
            Some(0) => Err(io::Error::other("no more steps are allowed")),
            Some(left) => {
                self.left.set(Some(left - 1));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Makes a file say `bytes`: whoever opens it finds the old content or the new one, also after a loss of power.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let beside = beside(path);
        self.remove(&beside)?;
        self.create(&beside, bytes, mode)?;
        self.rename(&beside, path)
    }

    /// The same, unless the file says so already. True if it was written.
    ///
    /// # Errors
    /// What the system says.
    pub fn write_if_changed(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<bool> {
        match read(path, bytes.len()) {
            Ok(Some(present)) if present == bytes => return Ok(false),
            Err(error) if error.kind() != io::ErrorKind::FileTooLarge => return Err(error),
            _ => {}
        }
        self.write(path, bytes, mode).map(|()| true)
    }

    /// Makes a file that is not there yet, and syncs it.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.step()?;
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(mode).open(path)?;
        self.step()?;
        file.write_all(bytes)?;
        self.step()?;
        file.sync_all()
    }

    /// Makes a folder that is not there yet; its parents must be.
    ///
    /// # Errors
    /// What the system says.
    pub fn create_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.step()?;
        DirBuilder::new().mode(mode).create(path)
    }

    /// Sees to it that a folder and its parents are there.
    ///
    /// # Errors
    /// What the system says.
    pub fn folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.step()?;
        DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    /// Makes `link` a symbolic link to `target`, in the place of another one.
    ///
    /// # Errors
    /// What the system says.
    pub fn point(&self, link: &Path, target: &Path) -> io::Result<()> {
        let beside = beside(link);
        self.remove(&beside)?;
        self.step()?;
        std::os::unix::fs::symlink(target, &beside)?;
        self.rename(&beside, link)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        fs::rename(from, to)?;
        self.sync_folder(to.parent().unwrap_or(to))
    }

    /// Makes what was made, renamed or removed in a folder last.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        File::open(path)?.sync_all()
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(());
        }
        self.step()?;
        fs::remove_file(path)
    }

    /// Removes a folder with all that is in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        fs::remove_dir_all(path)
    }

    /// Writes zeros over a file and removes it. Flash memory may keep the old bytes all the same.
    ///
    /// # Errors
    /// What the system says.
    pub fn destroy(&self, path: &Path) -> io::Result<()> {
        let mut file = opening().write(true).open(path)?;
        let length = file.metadata()?.len();
        self.step()?;
        io::copy(&mut io::repeat(0).take(length), &mut file)?;
        file.sync_all()?;
        self.step()?;
        fs::remove_file(path)?;
        self.sync_folder(path.parent().unwrap_or(path))
    }
}

/// Whether a file says what [`Disk::destroy`] leaves when it is interrupted.
#[must_use]
pub fn is_destroyed(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| *byte == 0)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

fn opening() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    options
}

/// Reads a file of at most `most` bytes; `None` if there is none. Symbolic links are not followed, and what is no regular
/// file is not read.
///
/// # Errors
/// What the system says, and [`io::ErrorKind::FileTooLarge`].
pub fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match opening().read(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    // Allocated whole, so that no copy of a secret is left behind by growing.
    let mut bytes =
        Vec::with_capacity(usize::try_from(file.metadata()?.len().min(bound)).unwrap_or_default());
    file.take(bound).read_to_end(&mut bytes)?;
    match bytes.len() > most {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(Some(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_the_old_or_the_new_whenever_the_world_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let disk = Disk::default();
        disk.write(&path, b"old", 0o640).unwrap();
        let mut was_new = false;
        for steps in 0..10 {
            let done = Disk::failing_after(steps).write(&path, b"new", 0o640).is_ok();
            let present = read(&path, 10).unwrap().unwrap();
            assert!(present == b"old" || present == b"new", "after {steps} steps");
            assert!(!done || present == b"new", "after {steps} steps");
            was_new |= done;
        }
        assert!(was_new);
        assert!(!disk.write_if_changed(&path, b"new", 0o640).unwrap());
        assert!(disk.write_if_changed(&path, b"newer", 0o640).unwrap());
        assert!(disk.write_if_changed(&path, b"new", 0o640).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_pipes_and_endless_files_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "12345").unwrap();
        std::os::unix::fs::symlink("file", path("link")).unwrap();
        assert!(read(&path("link"), 10).is_err());
        assert!(read(folder.path(), 10).is_err());
        assert_eq!(
            read(&path("file"), 4).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
        assert_eq!(read(&path("file"), 5).unwrap().unwrap(), b"12345");
        assert_eq!(read(&path("none"), 5).unwrap(), None);
    }

    #[test]
    fn a_destroyed_file_is_gone_and_a_link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("pin"), "12345").unwrap();
        // Another name of the same bytes shows what was written over them.
        fs::hard_link(path("pin"), path("other")).unwrap();
        Disk::default().destroy(&path("pin")).unwrap();
        assert!(!path("pin").exists());
        assert_eq!(fs::read(path("other")).unwrap(), [0; 5]);
        fs::write(path("kept"), "kept").unwrap();
        std::os::unix::fs::symlink("kept", path("link")).unwrap();
        assert!(Disk::default().destroy(&path("link")).is_err());
        assert_eq!(fs::read(path("kept")).unwrap(), b"kept");
    }
}
