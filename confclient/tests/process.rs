//! The program itself: exit codes, the status file, SIGTERM.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use confclient::status::Status;
use protocol_globalconf::{GlobalConf, Version};
use support::{Central, store};
use time::OffsetDateTime;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kiirtee-confclient"))
}

fn download(directory: &Path) -> i32 {
    let anchor = directory.join("anchor.xml");
    let conf = directory.join("globalconf");
    let output = program()
        .arg("download")
        .arg("--anchor")
        .arg(anchor)
        .arg("--dir")
        .arg(conf)
        .output()
        .unwrap();
    output.status.code().unwrap()
}

#[test]
fn one_shot_download_has_the_exit_codes_of_the_reference() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let mut central = Central::new("EE");
    let now = OffsetDateTime::now_utc();
    assert_eq!(download(path), 115);
    std::fs::write(path.join("anchor.xml"), "no anchor").unwrap();
    assert_eq!(download(path), 116);
    central.write_anchor(path);
    assert_eq!(download(path), 122);
    central.publish(Version::V6, now - time::Duration::minutes(1));
    assert_eq!(download(path), 123);
    central.publish(Version::V6, now + time::Duration::hours(1));
    assert_eq!(download(path), 0);
    assert_eq!(GlobalConf::load(&store(path), now).unwrap().instance(), "EE");
    central.key = support::new_key();
    central.publish(Version::V6, now + time::Duration::hours(1));
    assert_eq!(download(path), 124);
}

#[test]
fn running_program_refreshes_tells_its_status_and_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let central = Central::new("EE");
    central.write_anchor(path);
    let config = path.join("confclient.toml");
    let text = format!(
        "[kiirtee]\nanchor = {:?}\nglobal-configuration = {:?}\n\
         [configuration-client]\ndownloader-read-timeout = 2000\n\
         [signer]\nocsp-response-retrieval-active = false\n",
        path.join("anchor.xml"),
        path.join("globalconf")
    );
    std::fs::write(&config, text).unwrap();
    let mut command = program();
    command
        .arg("run")
        .arg("--config")
        .arg(&config)
        .args(["--interval", "1"])
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();

    let failed = wait(path, |status| status.last_error.is_some());
    assert_eq!(failed.last_error.unwrap().code, "global_conf_get_version_failed");
    central.publish(Version::V6, OffsetDateTime::now_utc() + time::Duration::hours(1));
    let fresh = wait(path, |status| status.last_success.is_some());
    assert_eq!(
        (fresh.instance.as_deref(), fresh.version, fresh.last_error),
        (Some("EE"), Some(6), None)
    );
    wait(path, |status| status.last_success > fresh.last_success);

    Command::new("kill")
        .arg("-TERM")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn wait(directory: &Path, until: impl Fn(&Status) -> bool) -> Status {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let bytes = std::fs::read(directory.join("confclient-status.json")).unwrap_or_default();
        match serde_json::from_slice::<Status>(&bytes) {
            Ok(status) if until(&status) => return status,
            _ if Instant::now() > deadline => panic!("{}", String::from_utf8_lossy(&bytes)),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
