//! Files that are whole at every moment: written beside, synced, renamed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Whether the state before the change is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum History {
    /// As `<name>.previous`.
    KeepPrevious,
    /// Not at all.
    Forget,
}

/// Replaces the file's content. Afterwards the content is durable; if the process dies on the way, the file has its
/// former content. Only the owner may read it.
///
/// # Errors
/// What the file system says.
pub fn write(path: &Path, content: &[u8], history: History) -> io::Result<()> {
    let fresh = with_suffix(path, ".new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    if history == History::KeepPrevious && path.exists() {
        keep_previous(path)?;
    }
    fs::rename(&fresh, path)?;
    sync_directory(path)
}

fn keep_previous(path: &Path) -> io::Result<()> {
    let previous = with_suffix(path, ".previous");
    let link = with_suffix(path, ".previous.new");
    remove_if_there(&link)?;
    fs::hard_link(path, &link)?;
    fs::rename(&link, &previous)
}

/// Deletes the file, durably. It need not exist.
///
/// # Errors
/// What the file system says.
pub fn remove(path: &Path) -> io::Result<()> {
    remove_if_there(path)?;
    sync_directory(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Reads the file; `None` if it does not exist.
///
/// # Errors
/// What the file system says, or `FileTooLarge` if it has more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    let read = file.take(limit + 1).read_to_end(&mut content)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_state_before_the_last_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        for content in ["one", "two", "three"] {
            write(&path, content.as_bytes(), History::KeepPrevious).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read(directory.path().join("state.previous")).unwrap(), b"two");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_leftover_of_an_interrupted_write_is_harmless() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        write(&path, b"whole", History::Forget).unwrap();
        fs::write(directory.path().join("state.new"), b"a longer leftover").unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"whole");
        write(&path, b"next", History::Forget).unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"next");
    }

    #[test]
    fn reads_up_to_the_limit_and_no_further() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        assert!(read(&path, 3).unwrap().is_none());
        fs::write(&path, b"abc").unwrap();
        assert!(read(&path, 3).unwrap().is_some());
        assert!(read(&path, 2).is_err());
    }
}
