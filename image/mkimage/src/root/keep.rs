//! Copies what the manifest names from the packages into the root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::manifest::Entry;
use super::packages::{Packages, inside, resolve};
use crate::failure::{At, Failure};

/// Most links that are followed from one name to a file.
const MAX_LINKS: usize = 8;

/// A root that grows.
#[derive(Debug)]
pub struct Root<'a> {
    tree: &'a Path,
    packages: &'a Packages,
}

impl<'a> Root<'a> {
    /// The root at `tree`, filled from these packages.
    #[must_use]
    pub const fn new(tree: &'a Path, packages: &'a Packages) -> Self {
        Self { tree, packages }
    }

    /// Where a path of the root is now.
    #[must_use]
    pub fn place(&self, path: &Path) -> PathBuf {
        self.tree.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Does what the manifest says, but for libraries.
    ///
    /// # Errors
    /// When a pattern finds nothing, or something cannot be copied.
    pub fn keep(&self, entries: &[Entry]) -> Result<(), Failure> {
        for entry in entries {
            match entry {
                Entry::Folder(path) => fs::create_dir_all(self.place(path)).at(path)?,
                Entry::Link { path, target } => self.link(path, target)?,
                Entry::Keep(_) | Entry::Dlopen(_) => {}
            }
        }
        let mut missing = Vec::new();
        for pattern in entries.iter().filter_map(|entry| match entry {
            Entry::Keep(pattern) => Some(pattern),
            _ => None,
        }) {
            let found = self.packages.find(pattern)?;
            if found.is_empty() {
                missing.push(format!("{pattern}: no package has it"));
            }
            for path in found.keys() {
                self.take(path)?;
            }
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Failure::Root(missing))
        }
    }

    /// Copies a file of the packages, and what it points at if it is a link. Whether there is such a file.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn take(&self, path: &Path) -> Result<bool, Failure> {
        let mut path = path.to_owned();
        for _ in 0..MAX_LINKS {
            let Some(source) = self.packages.file(&path) else {
                return Ok(false);
            };
            let metadata = source.symlink_metadata().at(&source)?;
            if metadata.is_dir() {
                fs::create_dir_all(self.place(&path)).at(&path)?;
                return Ok(true);
            }
            if !metadata.is_symlink() {
                self.copy(&source, &path)?;
                return Ok(true);
            }
            let target = source.read_link().at(&source)?;
            self.link(&path, &target)?;
            if is_wish(&path) {
                return Ok(true);
            }
            path = resolve(&path, &target);
        }
        Err(Failure::unusable(
            path.display(),
            "links point at links without end",
        ))
    }

    fn copy(&self, source: &Path, path: &Path) -> Result<(), Failure> {
        let place = self.place(path);
        make_parent(&place)?;
        fs::copy(source, &place).at(source)?;
        // No file of the root has more rights than these: none runs as another user, none is written.
        let executable = source.metadata().at(source)?.permissions().mode() & 0o111 != 0;
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(&place, fs::Permissions::from_mode(mode)).at(&place)
    }

    fn link(&self, path: &Path, target: &Path) -> Result<(), Failure> {
        let place = self.place(path);
        make_parent(&place)?;
        if place.symlink_metadata().is_ok() {
            return Ok(());
        }
        symlink(target, &place).at(&place)
    }

    /// Removes links below a folder that point at nothing: of what is wanted, only what is kept is wanted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn drop_dangling(&self, folder: &Path) -> Result<(), Failure> {
        let place = self.place(folder);
        for entry in walkdir::WalkDir::new(&place).into_iter().flatten() {
            let path = inside(self.tree, entry.path());
            if !entry.path_is_symlink() {
                continue;
            }
            let target = entry.path().read_link().at(entry.path())?;
            if self.place(&resolve(&path, &target)).symlink_metadata().is_err() {
                fs::remove_file(entry.path()).at(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Whether this link says that a unit wants another, which brings nothing along.
fn is_wish(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::extension);
    folder.is_some_and(|ending| ending == "wants")
}

fn make_parent(place: &Path) -> Result<(), Failure> {
    match place.parent() {
        Some(parent) => fs::create_dir_all(parent).at(parent),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::root::elf;

    /// Packages `a` and `b`, and a root that is empty.
    struct World {
        folder: tempfile::TempDir,
        packages: Packages,
    }

    impl World {
        fn new(files: &[(&str, &[u8], u32)], links: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let place = |path: &str| {
                let path = folder.path().join("packages").join(path);
                make_parent(&path).unwrap();
                path
            };
            for (path, content, mode) in files {
                let path = place(path);
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
            }
            for (path, target) in links {
                symlink(target, place(path)).unwrap();
            }
            fs::create_dir(folder.path().join("root")).unwrap();
            let packages = Packages::open(&folder.path().join("packages")).unwrap();
            Self { folder, packages }
        }

        fn root(&self) -> PathBuf {
            self.folder.path().join("root")
        }

        fn keep(&self, lines: &[Entry]) -> Result<(), Failure> {
            Root::new(&self.root(), &self.packages).keep(lines)
        }
    }

    fn keep(pattern: &str) -> Entry {
        Entry::Keep(pattern.to_owned())
    }

    #[test]
    fn what_is_named_is_there_without_the_right_to_become_somebody_else() {
        let world = World::new(
            &[
                ("a/usr/bin/mount", b"x", 0o4755),
                ("a/usr/bin/other", b"x", 0o755),
                ("b/usr/lib/x.conf", b"y", 0o666),
            ],
            &[],
        );
        world
            .keep(&[keep("/usr/bin/mount"), keep("/usr/lib/*.conf")])
            .unwrap();
        let mode = |path: &str| world.root().join(path).metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode("usr/bin/mount"), mode("usr/lib/x.conf")), (0o755, 0o644));
        assert!(!world.root().join("usr/bin/other").exists());
        assert_eq!(elf::linked(&world.root().join("usr/bin/mount")).unwrap(), None);
    }

    #[test]
    fn a_link_brings_what_it_points_at_and_a_wish_does_not() {
        let world = World::new(
            &[
                ("a/usr/lib/libx.so.1.2", b"x", 0o644),
                ("a/usr/lib/systemd/system/y.service", b"x", 0o644),
            ],
            &[
                ("b/usr/lib/libx.so.1", "libx.so.1.2"),
                (
                    "a/usr/lib/systemd/system/z.target.wants/y.service",
                    "../y.service",
                ),
            ],
        );
        world
            .keep(&[
                keep("/usr/lib/libx.so.1"),
                keep("/usr/lib/systemd/system/*.wants/*"),
            ])
            .unwrap();
        let there = |path: &str| world.root().join(path).symlink_metadata().is_ok();
        assert!(there("usr/lib/libx.so.1") && there("usr/lib/libx.so.1.2"));
        let wish = "usr/lib/systemd/system/z.target.wants/y.service";
        assert!(there(wish) && !there("usr/lib/systemd/system/y.service"));
        Root::new(&world.root(), &world.packages)
            .drop_dangling(Path::new("/usr/lib/systemd/system"))
            .unwrap();
        assert!(!there(wish));
    }

    #[test]
    fn a_name_that_no_package_has_and_links_without_end_are_errors() {
        let world = World::new(&[], &[("a/usr/x", "y"), ("a/usr/y", "x")]);
        let missing = world.keep(&[keep("/usr/bin/none")]).unwrap_err().to_string();
        assert!(missing.contains("/usr/bin/none: no package has it"), "{missing}");
        assert!(world.keep(&[keep("/usr/x")]).is_err());
    }
}
