//! A Unix socket that appears with its final mode and owner.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

/// Owner and group may connect; peer credentials decide the rest.
const SOCKET_MODE: u32 = 0o660;

/// Why the socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The system refused.
    #[error("cannot listen on {path}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process listens there.
    #[error("another process listens on {0}")]
    InUse(PathBuf),
    /// Something that is not a socket has that name.
    #[error("{0} exists and is not a socket")]
    NotASocket(PathBuf),
}

/// Binds beside, sets mode and group, and renames: nobody can connect before the mode is right.
pub(super) fn bind(path: &Path, gid: Option<u32>) -> Result<UnixListener, SocketError> {
    check_free(path)?;
    let failed = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // The remains of a start that was interrupted.
    let _ = fs::remove_file(&beside);
    let listener = UnixListener::bind(&beside).map_err(failed)?;
    fs::set_permissions(&beside, Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    chown(&beside, None, gid).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)?;
    Ok(listener)
}

/// A socket that nobody answers is the remains of a signer that was killed; it is replaced.
fn check_free(path: &Path) -> Result<(), SocketError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) if UnixStream::connect(path).is_ok() => Err(SocketError::InUse(path.to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_remains_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signer.sock");
        let listener = bind(&path, None).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            SOCKET_MODE
        );
        assert!(matches!(bind(&path, None), Err(SocketError::InUse(_))));
        drop(listener);
        bind(&path, None).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        assert!(matches!(bind(&path, None), Err(SocketError::NotASocket(_))));
    }
}
