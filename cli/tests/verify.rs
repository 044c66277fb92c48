//! `kiirtee verify` as an operator runs it, on containers that the reference made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The reference's test data, where it is at hand.
fn vectors() -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors"));
    if path.is_dir() {
        return Some(path.to_path_buf());
    }
    eprintln!("SKIPPED: no vectors at {}", path.display());
    None
}

fn verify(files: &[PathBuf], globalconf: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiirtee"));
    command
        .arg("verify")
        .args(files)
        .arg("--globalconf")
        .arg(globalconf)
        .args(more)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn valid_containers_are_accepted_with_exit_code_0() {
    let Some(vectors) = vectors() else { return };
    let names = [
        "valid-signed-message",
        "valid-signed-hashchain",
        "valid-batch-ts",
        "valid-non-batch-rest",
    ];
    let files: Vec<PathBuf> = names
        .iter()
        .map(|name| vectors.join(format!("asic/{name}.asice")))
        .collect();
    let output = verify(&files, &vectors.join("globalconf/globalconf_good2_v3"), &[]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert_eq!(text(&output.stdout).matches(": valid\n").count(), names.len());
}

#[test]
fn invalid_ones_are_refused_with_exit_code_1_and_the_fault_code() {
    let Some(vectors) = vectors() else { return };
    for (name, code) in [
        ("invalid-digest", "invalid_signature_value"),
        (
            "invalid-signed-hashchain",
            "malformed_signature.invalid_hash_chain_ref",
        ),
        (
            "invalid-hashchain-modified-message",
            "malformed_signature.hashchain_unused_inputs",
        ),
    ] {
        let files = [vectors.join(format!("asic/{name}.asice"))];
        let output = verify(
            &files,
            &vectors.join("globalconf/globalconf_good2_v3"),
            &["--json"],
        );
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["valid"], false);
        assert_eq!(answer["files"][0]["code"], code, "{name}: {answer}");
    }
}

#[test]
fn a_file_that_is_no_container_is_not_valid() {
    let Some(vectors) = vectors() else { return };
    let globalconf = vectors.join("globalconf/globalconf_good2_v3");
    let output = verify(&[globalconf.join("instance-identifier")], &globalconf, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stdout).contains("NOT VALID, asic_invalid_container"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn what_cannot_be_read_ends_with_exit_code_2_and_says_what_was_expected() {
    let Some(vectors) = vectors() else { return };
    let file = vectors.join("asic/valid-signed-message.asice");
    let output = verify(std::slice::from_ref(&file), &vectors.join("asic"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("expected a global configuration"),
        "{}",
        text(&output.stderr)
    );

    let output = verify(
        &[vectors.join("none.asice")],
        &vectors.join("globalconf/globalconf_good2_v3"),
        &[],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("none.asice"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn another_instances_configuration_does_not_vouch() {
    let Some(vectors) = vectors() else { return };
    let file = vectors.join("asic/valid-signed-message.asice");
    let output = verify(&[file], &vectors.join("globalconf/globalconf_good_v4"), &[]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}
