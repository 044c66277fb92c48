//! Imports go downward only, never sideways, and a binary links only what it needs.
//!
//! The table below is the one of `docs/architecture.md`. A change of layer is a decision: write it down in
//! `docs/adr/` and change this table in the same commit.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::Findings;

const WORDS: &[&str] = &["protocol-message", "protocol-pki"];
const PROTOCOL: &[&str] = &[
    "protocol-message",
    "protocol-pki",
    "protocol-signature",
    "protocol-globalconf",
];

/// What each crate may import of ours, and which of our crates its tests may use besides.
fn allowed(name: &str) -> Option<(Vec<&'static str>, &'static [&'static str])> {
    let with = |base: &[&'static str], more: &[&'static str]| [base, more].concat();
    let (imports, tests): (Vec<&'static str>, &'static [&'static str]) = match name {
        "protocol-message" | "protocol-pki" | "proxy-http-codec" | "proxy-tls-cbc" | "reply" | "settings"
        | "tidy" | "image-mkimage" | "image-initrd" => (vec![], &[]),
        "protocol-signature" => (vec!["protocol-pki"], &[]),
        "protocol-globalconf" => (WORDS.to_vec(), &[]),
        "signer-client" => (vec!["protocol-pki", "reply"], &[]),
        "storage" => (
            vec!["protocol-message", "protocol-signature", "reply"],
            &["protocol-pki"],
        ),
        "signer" => (
            vec![
                "protocol-pki",
                "protocol-signature",
                "reply",
                "settings",
                "signer-client",
            ],
            &[],
        ),
        "confclient" => (
            vec!["protocol-globalconf", "protocol-pki", "settings", "signer-client"],
            &["trust"],
        ),
        "trust" => (vec!["protocol-pki"], &[]),
        "central" => (with(PROTOCOL, &["signer-client"]), &["trust"]),
        "proxy" => (
            with(
                PROTOCOL,
                &[
                    "proxy-http-codec",
                    "proxy-tls-cbc",
                    "reply",
                    "settings",
                    "signer-client",
                    "storage",
                ],
            ),
            &["trust"],
        ),
        "cli" => (
            with(
                PROTOCOL,
                &[
                    "settings",
                    "signer-client",
                    "storage",
                    "confclient",
                    "trust",
                    "central",
                ],
            ),
            &[],
        ),
        "appliance" => (
            with(PROTOCOL, &["settings", "signer-client", "storage"]),
            &["trust"],
        ),
        "image-test" => (vec!["protocol-pki"], &[]),
        "loadtest" => (vec!["protocol-message", "proxy-http-codec"], &[]),
        "bench" => (
            with(
                PROTOCOL,
                &["cli", "proxy-http-codec", "settings", "signer-client", "storage"],
            ),
            &[],
        ),
        "fuzz-properties" => (with(PROTOCOL, &["proxy-http-codec", "signer-client"]), &[]),
        _ => return None,
    };
    Some((imports, tests))
}

/// What no binary of ours, or not this one, may link (directly or through others), with the reason.
const NOT_LINKED: &[(&str, &str, &str)] = &[
    ("", "ring", "aws-lc is the only cryptographic library"),
    ("", "openssl-sys", "rustls on aws-lc is the only TLS stack"),
    ("", "native-tls", "rustls on aws-lc is the only TLS stack"),
    ("signer", "librocksdb-sys", "the signer stores keys, not messages"),
    ("signer", "hyper", "the signer faces a Unix socket only"),
    ("signer", "ureq", "the signer faces a Unix socket only"),
    ("signer", "rustls", "the signer faces a Unix socket only"),
    ("proxy", "cryptoki", "keys live in the signer"),
    ("proxy", "tokio", "the request path runs on monoio"),
    (
        "confclient",
        "librocksdb-sys",
        "the configuration client has no message log",
    ),
];

/// The part of `cargo metadata` that the checks read.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    description: Option<String>,
    license: Option<String>,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

/// Asks cargo about the workspace at `root`.
///
/// # Errors
/// A sentence that says what cargo answered, when it fails or its answer cannot be read.
pub fn metadata(root: &Path) -> Result<Metadata, String> {
    let answer = cargo(root, &["metadata", "--format-version=1", "--locked", "--no-deps"])?;
    serde_json::from_str(&answer).map_err(|e| format!("cargo metadata cannot be read: {e}"))
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<String, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let answer = Command::new(cargo).args(arguments).current_dir(root).output();
    let answer = answer.map_err(|e| format!("cargo does not start: {e}"))?;
    if answer.status.success() {
        return Ok(String::from_utf8_lossy(&answer.stdout).into_owned());
    }
    Err(format!(
        "cargo {arguments:?} failed: {}",
        String::from_utf8_lossy(&answer.stderr)
    ))
}

/// Imports among our crates that the table does not allow, and crates that the table does not know.
pub fn check_imports(metadata: &Metadata) -> Findings {
    let ours: BTreeSet<&str> = members(metadata).map(|package| package.name.as_str()).collect();
    members(metadata)
        .flat_map(|package| check_crate(package, &ours))
        .collect()
}

fn check_crate(package: &Package, ours: &BTreeSet<&str>) -> Findings {
    let Some((imports, tests)) = allowed(&package.name) else {
        return vec![format!(
            "{} has no place in the layers: add it to tidy/src/layers.rs",
            package.name
        )];
    };
    let imported = package
        .dependencies
        .iter()
        .filter(|dependency| ours.contains(dependency.name.as_str()));
    imported
        .filter(|dependency| {
            let name = dependency.name.as_str();
            let in_tests = dependency.kind.as_deref() == Some("dev");
            let allowed = imports.contains(&name) || (in_tests && tests.contains(&name));
            !allowed
        })
        .map(|dependency| {
            format!(
                "{} must not import {}: imports go downward only",
                package.name, dependency.name
            )
        })
        .collect()
}

/// Crates of ours without a description or with another licence.
pub fn check_manifests(metadata: &Metadata) -> Findings {
    let mut findings = Vec::new();
    for package in members(metadata) {
        if package.description.as_deref().is_none_or(str::is_empty) {
            findings.push(format!("{} has no description", package.manifest_path));
        }
        if package.license.as_deref() != Some("MIT OR Apache-2.0") {
            findings.push(format!(
                "{} is not licensed as `MIT OR Apache-2.0`",
                package.manifest_path
            ));
        }
    }
    findings
}

/// Crates that a binary of ours links although it must not.
///
/// # Errors
/// A sentence that says what cargo answered, when it fails.
pub fn check_linked(root: &Path, metadata: &Metadata) -> Result<Findings, String> {
    let mut findings = Vec::new();
    for package in members(metadata) {
        // `cargo tree` rather than the graph of `cargo metadata`, which also names what no feature switches on.
        let tree = cargo(
            root,
            &[
                "tree",
                "--locked",
                "-e=normal",
                "--prefix=none",
                "-p",
                &package.name,
            ],
        )?;
        findings.extend(banned(&package.name, &tree));
    }
    Ok(findings)
}

/// What `name` must not link, out of `tree`: the lines `crate vVERSION …` of everything that it does link.
fn banned(name: &str, tree: &str) -> Findings {
    let linked: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let applies = |from: &str| from.is_empty() || from == name;
    let found = NOT_LINKED
        .iter()
        .filter(|(from, banned, _)| applies(from) && linked.contains(banned));
    found
        .map(|(_, banned, why)| format!("{name} must not link {banned}: {why}"))
        .collect()
}

fn members(metadata: &Metadata) -> impl Iterator<Item = &Package> {
    metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(name: &str, imports: &str, kind: Option<&str>) -> Metadata {
        let package = |id: &str, dependencies: serde_json::Value| {
            serde_json::json!({"id": id, "name": id, "description": "d", "license": "MIT OR Apache-2.0",
                "manifest_path": "Cargo.toml", "dependencies": dependencies})
        };
        let value = serde_json::json!({
            "packages": [
                package(name, serde_json::json!([{"name": imports, "kind": kind}])),
                package(imports, serde_json::json!([])),
            ],
            "workspace_members": [name, imports],
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_import_downward_passes() {
        assert!(check_imports(&workspace("storage", "protocol-signature", None)).is_empty());
    }

    #[test]
    fn an_import_sideways_is_named() {
        let findings = check_imports(&workspace("proxy", "signer", None));
        assert_eq!(
            findings,
            ["proxy must not import signer: imports go downward only"]
        );
    }

    #[test]
    fn tests_may_use_trust_services_and_nothing_else() {
        assert!(check_imports(&workspace("confclient", "trust", Some("dev"))).is_empty());
        assert_eq!(check_imports(&workspace("confclient", "trust", None)).len(), 1);
        assert_eq!(
            check_imports(&workspace("confclient", "signer", Some("dev"))).len(),
            1
        );
    }

    #[test]
    fn an_unknown_crate_is_named() {
        assert_eq!(
            check_imports(&workspace("helpers", "protocol-pki", None)).len(),
            1
        );
    }

    #[test]
    fn a_banned_library_is_named_with_the_reason() {
        let tree = "signer v0.1.0 (/signer)\nhyper v1.12.0\nserde v1.0.0\n";
        assert_eq!(
            banned("signer", tree),
            ["signer must not link hyper: the signer faces a Unix socket only"]
        );
        assert!(banned("central", tree).is_empty());
        assert_eq!(banned("central", "ring v0.17.14\n").len(), 1);
    }
}
