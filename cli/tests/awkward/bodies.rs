//! Services that answer while they are still being asked.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::curl::{self, curl};
use super::file_of;
use super::instance::wait_until;
use super::raw::CLIENT;
use super::scene::{Scene, set};
use super::services;

/// Far more than the kernel keeps for a connection that nobody reads.
const SIZE: u64 = 100 * 1024 * 1024;

#[test]
fn a_service_may_answer_before_it_has_the_whole_request() {
    let Some(mut scene) = Scene::up(42) else { return };
    scene.restart_with(|settings| {
        set(settings, "message-log", "message-body-logging", false);
    });
    a_service_streams_back_what_it_gets(&scene);
    a_service_answers_before_it_takes_the_request(&scene);
    a_service_refuses_what_it_does_not_read(&scene);
    scene.is_as_before("hasty services");
}

fn a_service_streams_back_what_it_gets(scene: &Scene) {
    scene.within_memory("an echo of 100 MiB", || {
        let began = Instant::now();
        let mut bytes = Command::new("head")
            .args(["-c", &SIZE.to_string(), "/dev/zero"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut send = curl::command();
        send.args([
            "-X",
            "POST",
            "-H",
            CLIENT.trim_end(),
            "-T",
            "-",
            "-o",
            "/dev/null",
        ])
        .args(["-w", "%{http_code} %{size_download}", &scene.instance.url("echo")])
        .stdin(bytes.stdout.take().unwrap());
        let output = send.output().unwrap();
        bytes.wait().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert_eq!(
            told,
            format!("200 {SIZE}"),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
    });
}

fn a_service_answers_before_it_takes_the_request(scene: &Scene) {
    let (address, taken) = services::hasty(42);
    scene.add_rest_service("hasty", &format!("http://{address}"));
    let size = 30 * 1024 * 1024;
    let file = file_of(scene.instance.dir(), "body", &vec![7; size]);
    let body = format!("@{}", file.display());
    let answer = curl(&[
        "-H",
        CLIENT.trim_end(),
        "--data-binary",
        &body,
        &scene.instance.url("hasty"),
    ]);
    assert_eq!((answer.status, answer.text()), (202, "ok"));
    // Accepted means that it gets all of it.
    wait_until("the service to have taken the request", || {
        *taken.lock().unwrap() == size as u64
    });
}

fn a_service_refuses_what_it_does_not_read(scene: &Scene) {
    let body = format!("@{}", scene.instance.dir().join("body").display());
    let began = Instant::now();
    let answer = curl(&[
        "-H",
        CLIENT.trim_end(),
        "--data-binary",
        &body,
        &scene.instance.url("echo/status/413"),
    ]);
    assert_eq!(answer.status, 413);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}
