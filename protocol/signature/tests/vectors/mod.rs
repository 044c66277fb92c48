//! Test data: the reference's vectors, outside the repository.

#![allow(dead_code, reason = "each test file uses a part of this")]

pub(crate) mod issued;
pub(crate) mod trust;

use std::path::{Path, PathBuf};

use protocol_signature::asic::{self, Container, Limits};

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no vectors at {}", folder.display());
    None
}

/// A file of the vectors, or `None` when there are no vectors.
pub(crate) fn file(name: &str) -> Option<Vec<u8>> {
    Some(std::fs::read(folder()?.join(name)).unwrap())
}

/// A file of the vectors' folder `signatures`.
pub(crate) fn signature(name: &str) -> Option<Vec<u8>> {
    file(&format!("signatures/{name}"))
}

/// A container of the vectors.
pub(crate) fn asic(name: &str) -> Option<Container> {
    Some(asic::read(&file(&format!("asic/{name}"))?, &Limits::default()).unwrap())
}
