//! Files of the root that are put together at build time: who it is, and whom it trusts on the web.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{At, Failure};

/// The name of the image in `os-release`, and the beginning of its files' and partitions' names.
pub const IMAGE_ID: &str = "kiirtee";
/// Where the packages keep the certificates, one a file.
const CERTIFICATES: &str = "usr/share/ca-certificates/mozilla";

/// Writes `os-release`, from which systemd reads the running version.
///
/// # Errors
/// When it cannot be written.
pub fn os_release(tree: &Path, version: &str) -> Result<PathBuf, Failure> {
    let path = tree.join("usr/lib/os-release");
    let text = format!(
        "ID={IMAGE_ID}\nNAME=Kiirtee\nPRETTY_NAME=\"Kiirtee {version}\"\nVERSION_ID={version}\n\
         IMAGE_ID={IMAGE_ID}\nIMAGE_VERSION={version}\n"
    );
    fs::write(&path, text).at(&path)?;
    // An empty one is what systemd mounts the machine's own identifier over.
    let id = tree.join("etc/machine-id");
    fs::write(&id, "").at(&id)?;
    let link = tree.join("etc/os-release");
    if link.symlink_metadata().is_err() {
        std::os::unix::fs::symlink("../usr/lib/os-release", &link).at(&link)?;
    }
    Ok(path)
}

/// Writes the bundle of root certificates that the configuration client reads, from the package `ca-certificates`.
///
/// # Errors
/// When there are none.
pub fn certificates(tree: &Path, package: &Path) -> Result<(), Failure> {
    let folder = package.join(CERTIFICATES);
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).at(&folder)? {
        files.push(entry.at(&folder)?.path());
    }
    files.sort();
    let mut bundle = Vec::new();
    for file in files {
        bundle.extend(fs::read(&file).at(&file)?);
    }
    let path = tree.join("etc/ssl/certs/ca-certificates.crt");
    let parent = tree.join("etc/ssl/certs");
    fs::create_dir_all(&parent).at(&parent)?;
    fs::write(&path, bundle).at(&path)
}
