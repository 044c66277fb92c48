//! Memory does not grow with the message.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::configure::restart_with;
use super::curl::{self, measure};
use super::instance::{Instance, resident};
use super::{CLIENT, can_run};

/// How much a proxy may grow while a gigabyte passes.
const MEMORY: u64 = 64 * 1024 * 1024;
const GIGABYTE: u64 = 1024 * 1024 * 1024;

#[test]
fn a_gigabyte_passes_without_being_held_in_memory() {
    if !can_run() {
        return;
    }
    let mut instance = Instance::up(115);
    for server in ["consumer", "provider"] {
        restart_with(&mut instance, server, "message_body_logging", false);
    }
    let (sink, bytes) = (
        instance.url("echo/sink"),
        instance.url(&format!("echo/bytes?size={GIGABYTE}")),
    );
    let small = instance.url("echo/bytes?size=1000000");
    assert_eq!(
        measure("%{http_code}", &["-H", CLIENT, &small, &small]),
        ["200", "200"]
    );

    let watch = Watch::new(&instance);
    let size = GIGABYTE.to_string();
    let mut zeros = Command::new("head")
        .args(["-c", &size, "/dev/zero"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut send = curl::command();
    send.args(["-X", "POST", "-H", CLIENT, "-T", "-", &sink])
        .stdin(zeros.stdout.take().unwrap());
    let told = watch.until_done(send.stdout(Stdio::piped()).spawn().unwrap());
    zeros.wait().unwrap();
    assert!(told.contains(&format!("\"size\":{GIGABYTE}")), "{told}");

    let mut receive = curl::command();
    receive.args([
        "-H",
        CLIENT,
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{size_download}",
        &bytes,
    ]);
    let told = watch.until_done(receive.stdout(Stdio::piped()).spawn().unwrap());
    assert_eq!(told, format!("200 {GIGABYTE}"));
}

/// Watches the memory of both proxies.
struct Watch {
    pids: [u32; 2],
    before: [u64; 2],
}

impl Watch {
    fn new(instance: &Instance) -> Self {
        let pids = [instance.pid("consumer-proxy"), instance.pid("provider-proxy")];
        Self {
            pids,
            before: pids.map(resident),
        }
    }

    /// Fails when a proxy grows too much before the process ends; what the process said.
    fn until_done(&self, mut process: Child) -> String {
        while process.try_wait().unwrap().is_none() {
            let now = self.pids.map(resident);
            for (before, now) in self.before.iter().zip(now) {
                assert!(
                    now.saturating_sub(*before) < MEMORY,
                    "from {before} to {now} bytes"
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
    }
}
