//! The initrd: `kiirtee-initrd` as init, what it is linked with, `dmsetup`, and the modules of a kernel that has them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use cpio::newc;

use crate::failure::{At, Failure};
use crate::root::elf;

/// `S_IFDIR`, `S_IFREG`, `S_IFLNK` (inode(7)).
const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
/// The loader that every program names.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
/// Folders that init mounts something on.
const MOUNT_POINTS: [&str; 5] = ["dev", "proc", "run", "sys", "root"];
/// Where libraries are, in the root tree and in the initrd.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// What an initrd is made from.
#[derive(Debug)]
pub struct Ingredients<'a> {
    /// Our init.
    pub init: &'a Path,
    /// The root tree, which has `dmsetup` and the libraries.
    pub tree: &'a Path,
    /// The modules' paths, each in a line, in the order in which they are loaded, paragraphs side by side; none for a kernel that
    /// has everything built in.
    pub modules: &'a str,
}

/// The archive.
///
/// # Errors
/// When something is missing.
pub fn build(ingredients: &Ingredients<'_>) -> Result<Vec<u8>, Failure> {
    let mut files = Files::default();
    for name in MOUNT_POINTS {
        files.folder(Path::new(name));
    }
    files.program("init", ingredients.init, ingredients.tree)?;
    files.program(
        "usr/bin/dmsetup",
        &ingredients.tree.join("usr/bin/dmsetup"),
        ingredients.tree,
    )?;
    files.link("lib64", "usr/lib64");
    let loader = ingredients
        .tree
        .join("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    files.file(&Path::new("usr").join(LOADER.trim_start_matches('/')), &loader)?;
    let mut order = String::new();
    for line in ingredients.modules.lines() {
        if !line.is_empty() {
            let module = Path::new(line);
            let name = module.file_name().unwrap_or_default().to_string_lossy();
            files.file(&Path::new("modules").join(name.as_ref()), module)?;
            order.push_str(&format!("/modules/{name}"));
        }
        order.push('\n');
    }
    files.text("modules.order", order);
    files.archive()
}

enum Content {
    Folder,
    Link(String),
    File { mode: u32, bytes: Vec<u8> },
}

/// What is in the archive, in the order of names.
#[derive(Default)]
struct Files(BTreeMap<PathBuf, Content>);

impl Files {
    fn folder(&mut self, path: &Path) {
        for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
            self.0.entry(folder.to_owned()).or_insert(Content::Folder);
        }
    }

    fn parent(&mut self, path: &Path) {
        if let Some(parent) = path.parent() {
            self.folder(parent);
        }
    }

    fn link(&mut self, path: &str, target: &str) {
        self.0.insert(path.into(), Content::Link(target.to_owned()));
    }

    fn text(&mut self, path: &str, text: String) {
        let bytes = text.into_bytes();
        self.0.insert(path.into(), Content::File { mode: 0o644, bytes });
    }

    fn file(&mut self, path: &Path, source: &Path) -> Result<(), Failure> {
        self.parent(path);
        let bytes = fs::read(source).at(source)?;
        let mode = source.metadata().at(source)?.permissions().mode() & 0o755;
        self.0.insert(path.to_owned(), Content::File { mode, bytes });
        Ok(())
    }

    /// A program and all libraries below it.
    fn program(&mut self, path: &str, source: &Path, tree: &Path) -> Result<(), Failure> {
        self.file(Path::new(path), source)?;
        let mut queue = vec![source.to_owned()];
        while let Some(file) = queue.pop() {
            for name in elf::linked(&file)?.unwrap_or_default().libraries {
                let place = Path::new(LIBRARIES).join(&name);
                if !self.0.contains_key(&place) {
                    let library = tree.join(&place);
                    self.file(&place, &library)?;
                    queue.push(library);
                }
            }
        }
        Ok(())
    }

    /// Times are zero and numbers follow the order of names, so that the same content is the same archive.
    fn archive(self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        for (number, (path, content)) in (1_u32..).zip(self.0) {
            let (mode, data) = match content {
                Content::Folder => (FOLDER | 0o755, Vec::new()),
                Content::Link(target) => (SYMLINK | 0o777, target.into_bytes()),
                Content::File { mode, bytes } => (REGULAR | mode, bytes),
            };
            let name = path.display().to_string();
            write(
                &mut bytes,
                newc::Builder::new(&name).ino(number).mode(mode).nlink(1),
                &data,
            )
            .at(&path)?;
        }
        newc::trailer(&mut bytes).at(Path::new("the initrd"))?;
        Ok(bytes)
    }
}

fn write(bytes: &mut Vec<u8>, builder: newc::Builder, data: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(data.len()).map_err(std::io::Error::other)?;
    let mut writer = builder.write(bytes, length);
    std::io::Write::write_all(&mut writer, data)?;
    writer.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    /// A root tree with a `dmsetup` that stands for the real one, and the libraries of this machine.
    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().unwrap();
        let libraries = tree.path().join(LIBRARIES);
        fs::create_dir_all(&libraries).unwrap();
        fs::create_dir_all(tree.path().join("usr/bin")).unwrap();
        fs::copy("/bin/true", tree.path().join("usr/bin/dmsetup")).unwrap();
        for name in ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2"] {
            fs::copy(
                Path::new("/lib/x86_64-linux-gnu").join(name),
                libraries.join(name),
            )
            .unwrap();
        }
        tree
    }

    fn read(archive: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        let mut rest = archive;
        loop {
            let mut reader = cpio::NewcReader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                return entries;
            }
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            entries.push((name, mode, content));
            rest = reader.finish().unwrap();
        }
    }

    #[test]
    fn init_its_libraries_and_the_modules_in_their_order_are_in_it() {
        let tree = tree();
        let module = |name: &str| {
            let path = tree.path().join(name);
            fs::write(&path, name).unwrap();
            path.display().to_string()
        };
        let modules = format!("{}\n\n{}\n", module("z.ko"), module("a.ko"));
        let init = std::env::current_exe().unwrap();
        let ingredients = Ingredients {
            init: &init,
            tree: tree.path(),
            modules: &modules,
        };
        let archive = build(&ingredients).unwrap();
        assert_eq!(archive, build(&ingredients).unwrap());
        let entries = read(&archive);
        let find = |name: &str| entries.iter().find(|entry| entry.0 == name).unwrap();
        assert_eq!(find("modules.order").2, b"/modules/z.ko\n\n/modules/a.ko\n");
        assert_eq!(find("init").1 & 0o170_111, REGULAR | 0o111);
        assert_eq!(find("lib64").2, b"usr/lib64");
        assert!(find("usr/lib64/ld-linux-x86-64.so.2").2.starts_with(b"\x7fELF"));
        find("usr/lib/x86_64-linux-gnu/libc.so.6");
        // The kernel makes what it unpacks in this order: a folder comes before what is in it.
        let names: Vec<PathBuf> = entries.iter().map(|entry| entry.0.clone().into()).collect();
        assert!(names.is_sorted());
    }

    #[test]
    fn a_library_that_the_root_lacks_is_named() {
        let tree = tree();
        fs::remove_file(tree.path().join(LIBRARIES).join("libc.so.6")).unwrap();
        let ingredients = Ingredients {
            init: &std::env::current_exe().unwrap(),
            tree: tree.path(),
            modules: "",
        };
        assert!(build(&ingredients).unwrap_err().to_string().contains("libc.so.6"));
    }
}
