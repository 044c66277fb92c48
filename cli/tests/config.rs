//! `kiirtee config` as an operator runs it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::path::Path;
use std::process::{Command, Output};

const CONFIGURATION: &str = r#"
server = "EE/GOV/70000001/server1"

[[client]]
id = "EE/GOV/70000001/sub"
authentication = "NOSSL"

[[client.service_description]]
type = "REST"
url = "http://192.0.2.1/pets"
[[client.service_description.service]]
code = "pets"
url = "http://192.0.2.1/pets"

[[client.endpoint]]
service = "pets"
method = "GET"
path = "/list"
subjects = ["client:EE/GOV/70000002/other"]
"#;

fn config(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kiirtee"))
        .arg("config")
        .args(arguments)
        .current_dir(folder)
        .env_remove("KIIRTEE_SERVER_CONFIGURATION")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_was_applied_is_exported_and_applied_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.toml"), CONFIGURATION).unwrap();
    let applied = config(
        folder.path(),
        &["apply", "server.toml", "--database", "server.db"],
    );
    assert_eq!(applied.status.code(), Some(0), "{applied:?}");
    assert!(stdout(&applied).starts_with("applied"));

    let exported = config(folder.path(), &["export", "--database", "server.db"]);
    std::fs::write(folder.path().join("exported.toml"), stdout(&exported)).unwrap();
    let again = config(
        folder.path(),
        &["apply", "exported.toml", "--database", "server.db"],
    );
    assert_eq!(stdout(&again), "nothing changed\n");

    let shown = stdout(&config(folder.path(), &["show", "--database", "server.db"]));
    assert!(
        shown.contains("GET /list: client:EE/GOV/70000002/other"),
        "{shown}"
    );
}

#[test]
fn a_file_is_checked_without_being_applied() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("server.toml"), CONFIGURATION).unwrap();
    let checked = config(folder.path(), &["check", "server.toml"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert!(!folder.path().join("server.db").exists());

    let wrong = CONFIGURATION.replace("authentication", "autentication");
    std::fs::write(folder.path().join("server.toml"), wrong).unwrap();
    let checked = config(folder.path(), &["check", "server.toml"]);
    assert_eq!(checked.status.code(), Some(2));
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        said.contains("server.toml") && said.contains("autentication"),
        "{said}"
    );
}

#[test]
fn a_database_that_is_not_there_is_not_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    let exported = config(folder.path(), &["export", "--database", "none.db"]);
    assert_eq!(exported.status.code(), Some(2));
    assert!(!folder.path().join("none.db").exists());
}
