//! What a program is linked with.

use std::path::Path;

use goblin::elf::Elf;

use crate::failure::{At, Failure};

/// The part of an ELF file that tells what else it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Linked {
    /// Names of libraries, such as `libc.so.6`.
    pub libraries: Vec<String>,
    /// Folders where these are looked for first.
    pub folders: Vec<String>,
}

/// Reads what a file is linked with; `None` if it is no ELF file.
///
/// # Errors
/// When the file cannot be read, or begins like an ELF file and is none.
pub fn linked(path: &Path) -> Result<Option<Linked>, Failure> {
    let bytes = std::fs::read(path).at(path)?;
    if !bytes.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    let elf = Elf::parse(&bytes).map_err(|error| Failure::unusable(path.display(), error.to_string()))?;
    let folders = elf.runpaths.iter().chain(&elf.rpaths);
    Ok(Some(Linked {
        libraries: elf.libraries.iter().map(ToString::to_string).collect(),
        folders: folders
            .flat_map(|list| list.split(':'))
            .map(str::to_owned)
            .collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_names_its_libraries_and_a_text_none() {
        let own = std::env::current_exe().unwrap();
        let linked_with = linked(&own).unwrap().unwrap();
        assert!(
            linked_with.libraries.iter().any(|name| name == "libc.so.6"),
            "{linked_with:?}"
        );
        let text = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(text.path(), "#!/bin/sh\n").unwrap();
        assert_eq!(linked(text.path()).unwrap(), None);
    }

    #[test]
    fn a_broken_program_is_an_error() {
        let broken = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(broken.path(), b"\x7fELF\x02\x01").unwrap();
        assert!(linked(broken.path()).is_err());
    }
}
