//! The bill of materials: every Debian package of which a file is in the root, and every crate that our programs are
//! made of (CycloneDX 1.5).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::failure::{At, Failure};
use crate::root::packages::{Packages, inside};

/// What the bill names beside the root.
#[derive(Debug)]
pub struct Sources<'a> {
    /// `packages.lock`: name, version, SHA-256.
    pub lock: &'a Path,
    /// The crates, each on a line: name, version, licence, with `|` between.
    pub crates: &'a Path,
    /// Packages that are in the image but not in the root, such as the kernel's.
    pub beside: &'a [&'a str],
}

/// Writes the bill of a root.
///
/// # Errors
/// When a list cannot be read.
pub fn bill(
    tree: &Path,
    packages: &Packages,
    sources: &Sources<'_>,
    version: &str,
) -> Result<Value, Failure> {
    let owners = owners(tree, packages);
    let lock = fs::read_to_string(sources.lock).at(sources.lock)?;
    let is_in =
        |name: &str| owners.contains(name) || sources.beside.iter().any(|beside| name.starts_with(beside));
    let debian = lock.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (name, version, sha256) = (fields.next()?, fields.next()?, fields.next()?);
        is_in(name).then(|| package(name, version, sha256))
    });
    let crates = fs::read_to_string(sources.crates).at(sources.crates)?;
    let lines: BTreeSet<&str> = crates.lines().collect();
    let ours = lines.iter().filter_map(|line| {
        let mut fields = line.split('|');
        Some(crate_of(fields.next()?, fields.next()?, fields.next()?))
    });
    let components: Vec<Value> = debian.chain(ours).collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "operating-system", "name": "kiirtee", "version": version}},
        "components": components,
    }))
}

fn owners(tree: &Path, packages: &Packages) -> BTreeSet<String> {
    let files = walkdir::WalkDir::new(tree).into_iter().flatten();
    files
        .filter(|entry| !entry.file_type().is_dir())
        .filter_map(|entry| {
            let path = inside(tree, entry.path());
            // The root has one folder of programs, the packages have two.
            let other = path
                .strip_prefix("/usr/bin")
                .map(|name| Path::new("/usr/sbin").join(name));
            packages.owner(&path).or_else(|| packages.owner(&other.ok()?))
        })
        .collect()
}

fn package(name: &str, version: &str, sha256: &str) -> Value {
    json!({
        "type": "library",
        "name": name,
        "version": version,
        "purl": format!("pkg:deb/debian/{name}@{version}?arch=amd64"),
        "hashes": [{"alg": "SHA-256", "content": sha256}],
    })
}

fn crate_of(name: &str, version: &str, licence: &str) -> Value {
    json!({
        "type": "library",
        "name": name,
        "version": version,
        "purl": format!("pkg:cargo/{name}@{version}"),
        "licenses": [{"expression": licence}],
    })
}
