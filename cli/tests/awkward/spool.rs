//! What waits for a verdict is bounded, and nothing of it stays.

use super::curl::{Answer, curl};
use super::file_of;
use super::instance::wait_until;
use super::raw::CLIENT;
use super::scene::{SERVERS, Scene, set};

const MEGABYTE: usize = 1024 * 1024;
/// The bound that the operator sets here, in bytes.
const BOUND: usize = 20 * MEGABYTE;

#[test]
fn the_spool_is_bounded_and_cleaned() {
    let Some(mut scene) = Scene::up(44) else { return };
    scene.restart_with(|settings| {
        set(settings, "message-log", "message-body-logging", false);
        let bound = i64::try_from(BOUND).unwrap();
        set(settings, "kiirtee", "spool-bytes", bound);
    });
    what_exceeds_the_bound_is_refused(&scene);
    all_messages_share_the_bound(&scene);
    a_killed_server_leaves_nothing(&mut scene);
}

fn get(scene: &Scene, size: usize) -> Answer {
    let url = scene.instance.url(&format!("echo/bytes?size={size}"));
    curl(&["-H", CLIENT.trim_end(), &url])
}

fn post(scene: &Scene, size: usize) -> Answer {
    let file = file_of(scene.instance.dir(), "body", &vec![7; size]);
    let body = format!("@{}", file.display());
    curl(&[
        "-H",
        CLIENT.trim_end(),
        "--data-binary",
        &body,
        &scene.instance.url("echo/sink"),
    ])
}

fn refused(answer: &Answer, code: &str) {
    assert_eq!(answer.header("x-road-error"), Some(code), "{answer:?}");
    assert!(
        answer
            .text()
            .contains(&format!("spool space is used up ({BOUND} bytes)")),
        "{}",
        answer.text()
    );
}

fn what_exceeds_the_bound_is_refused(scene: &Scene) {
    assert_eq!(get(scene, BOUND).body.len(), BOUND);
    refused(
        &get(scene, BOUND + 1),
        "server.clientproxy.service_failed.io_error",
    );
    scene.is_as_before("a response too large for the spool");
    assert_eq!(post(scene, BOUND).json()["size"], BOUND);
    refused(
        &post(scene, BOUND + 1),
        "server.serverproxy.service_failed.io_error",
    );
    scene.is_as_before("a request too large for the spool");
}

/// A reader that takes nothing keeps its answer in the spool, and with it what others may have.
fn all_messages_share_the_bound(scene: &Scene) {
    let mut holder = scene.raw();
    let size = 15 * MEGABYTE;
    holder.get(&scene.path(&format!("echo/bytes?size={size}")));
    wait_until("the first answer to be held", || {
        scene.metric("consumer", "xroad_spool_bytes") == size as u64
    });
    refused(&get(scene, size), "server.clientproxy.service_failed.io_error");
    assert_eq!(get(scene, MEGABYTE).status, 200);
    let answer = holder.answer().unwrap();
    assert_eq!((answer.status(), answer.body.len()), (200, size));
    assert_eq!(get(scene, size).status, 200);
    scene.is_as_before("a full spool");
}

fn a_killed_server_leaves_nothing(scene: &mut Scene) {
    let mut holder = scene.raw();
    holder.get(&scene.path(&format!("echo/bytes?size={}", 15 * MEGABYTE)));
    wait_until("an answer to be held", || scene.spool_files("consumer") > 0);
    let killed = scene.instance.kill("consumer-proxy");
    let folder = scene.instance.get("consumer/data_dir") + "/proxy/spool";
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "files with names");
    // Where a file system has no files without names, a killed process can leave one.
    std::fs::write(format!("{folder}/left"), "over").unwrap();
    scene.instance.restart(&killed);
    wait_until("the proxy to be back and its spool to be empty", || {
        std::fs::read_dir(&folder).unwrap().count() == 0
    });
    for server in SERVERS {
        scene.restart(server, |_| {});
    }
    scene.is_as_before("a killed server");
}
