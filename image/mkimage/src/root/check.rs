//! What the root must not have: ways in, ways up, and files that nobody named.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::elf;
use super::packages::inside;
use crate::failure::{At, Failure};

/// Interpreters and shells: with one of these a hole becomes a login. A version number at the end changes nothing.
const INTERPRETERS: &[&str] = &[
    "ash", "awk", "bash", "busybox", "csh", "dash", "ed", "expect", "fish", "gawk", "gdb", "guile", "ksh",
    "lua", "m4", "mawk", "node", "perl", "php", "python", "ruby", "sed", "sh", "tclsh", "toybox", "vi",
    "vim", "zsh",
];
/// Programs that let somebody in, change who one is, or install something.
const WAYS_IN: &[&str] = &[
    "agetty",
    "apt",
    "apt-get",
    "dbus-daemon",
    "dpkg",
    "getty",
    "login",
    "run0",
    "sshd",
    "su",
    "sudo",
    "sulogin",
    "systemd-run",
    "telnetd",
];
const SET_ID: u32 = 0o6000;
const WORLD_WRITABLE: u32 = 0o002;

/// Looks at every file of a root.
///
/// # Errors
/// [`Failure::Root`] with everything that must not be there.
pub fn check(tree: &Path) -> Result<(), Failure> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(tree).sort_by_file_name() {
        let entry = entry.map_err(io::Error::from).at(tree)?;
        let path = inside(tree, entry.path());
        if let Some(problem) = problem(entry.path())? {
            found.push(format!("{}: {problem}", path.display()));
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(Failure::Root(found))
    }
}

fn problem(path: &Path) -> Result<Option<String>, Failure> {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let metadata = path.symlink_metadata().at(path)?;
    let mode = metadata.permissions().mode();
    let versionless = name.trim_end_matches(|end: char| end.is_ascii_digit() || end == '.');
    if INTERPRETERS.contains(&versionless) && !metadata.is_dir() {
        return Ok(Some("a shell or an interpreter".to_owned()));
    }
    if WAYS_IN.contains(&name.as_str()) && !metadata.is_dir() {
        return Ok(Some(
            "a way to log in, to become somebody else, or to install something".to_owned(),
        ));
    }
    if metadata.is_symlink() || metadata.is_dir() {
        return Ok(None);
    }
    if mode & SET_ID != 0 {
        return Ok(Some(format!("runs as somebody else (mode {mode:o})")));
    }
    if mode & WORLD_WRITABLE != 0 {
        return Ok(Some(format!("everybody may write to it (mode {mode:o})")));
    }
    if mode & 0o111 != 0 && elf::linked(path)?.is_none() {
        return Ok(Some(
            "a program that is no ELF file: a script without an interpreter".to_owned(),
        ));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn root_with(name: &str, mode: u32, content: &[u8]) -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let file = tree.path().join(name);
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        tree
    }

    fn refused(name: &str, mode: u32, content: &[u8]) -> bool {
        check(root_with(name, mode, content).path()).is_err()
    }

    #[test]
    fn a_way_in_is_refused_and_its_mirror_is_not() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        for (name, mode, is_refused) in [
            ("kiirtee-proxy", 0o755, false),
            ("bash", 0o755, true),
            ("python3.13", 0o755, true),
            ("sshd", 0o755, true),
            ("kiirtee-proxy", 0o4755, true),
            ("kiirtee-proxy", 0o2755, true),
            ("kiirtee-proxy", 0o777, true),
        ] {
            assert_eq!(refused(name, mode, &own), is_refused, "{name} {mode:o}");
        }
        assert!(refused("helper", 0o755, b"#!/bin/sh\n"));
        assert!(!refused("settings.toml", 0o644, b"#!/bin/sh\n"));
    }
}
