//! Two gigabytes: more than 31 bits count, and than memory holds.
//!
//! REST there and SOAP back have that size always; the other two ways take as long again, so they have it only where
//! `KIIRTEE_TEST_LARGE` is set, and an eighth of it elsewhere.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::curl;
use super::information_system::pair::{request, response};
use super::information_system::{SUBSYSTEM, Service, register};
use super::raw::CLIENT;
use super::scene::{Scene, set};
use super::services::{pattern, related_start, skip_chunks, soap};

/// A little more than 2 GiB.
const SIZE: u64 = 2 * 1024 * 1024 * 1024 + 12_345;

fn other_size() -> u64 {
    match std::env::var_os("KIIRTEE_TEST_LARGE") {
        Some(_) => SIZE,
        None => SIZE / 8,
    }
}

#[test]
fn bodies_and_attachments_of_two_gigabytes_pass_without_being_held_in_memory() {
    let Some(mut scene) = Scene::up(43) else { return };
    scene.restart_with(|settings| {
        set(settings, "message-log", "message-body-logging", false);
    });
    scene.within_memory("a large REST request", || rest_request(&scene, SIZE));
    scene.is_as_before("a large REST request");
    scene.within_memory("a large REST response", || rest_response(&scene, other_size()));
    scene.is_as_before("a large REST response");
    soap_attachments(&scene, [other_size(), SIZE]);
    scene.is_as_before("large SOAP attachments");
}

fn rest_request(scene: &Scene, size: u64) {
    let mut zeros = Command::new("head")
        .args(["-c", &size.to_string(), "/dev/zero"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut send = curl::command();
    send.args(["-X", "POST", "-H", CLIENT.trim_end(), "-T", "-"])
        .arg(scene.instance.url("echo/sink"))
        .stdin(zeros.stdout.take().unwrap());
    let told = said(send.stdout(Stdio::piped()).spawn().unwrap());
    zeros.wait().unwrap();
    assert!(told.contains(&format!("\"size\":{size}")), "{told}");
}

fn rest_response(scene: &Scene, size: u64) {
    let url = scene.instance.url(&format!("echo/bytes?size={size}"));
    let mut receive = curl::command();
    receive.args(["-H", CLIENT.trim_end(), "-o", "/dev/null"]);
    receive.args(["-w", "%{http_code} %{size_download}", &url]);
    let told = said(receive.stdout(Stdio::piped()).spawn().unwrap());
    assert_eq!(told, format!("200 {size}"));
}

fn said(process: Child) -> String {
    String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap()
}

/// There and back in turn: the service answers when it has the request, whose spool is given back only then.
fn soap_attachments(scene: &Scene, [asked, answered]: [u64; 2]) {
    for (what, there, back) in [
        ("a large SOAP request", asked, 10),
        ("a large SOAP response", 10, answered),
    ] {
        let (address, asked) = soap(43, response().xml(), back);
        let service = Service::new(SUBSYSTEM, "getState", &format!("http://{address}/"));
        register(&scene.instance, &[service]);
        scene.within_memory(what, || {
            let mut raw = scene.raw();
            raw.send(
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\
                 Content-Type: multipart/related; type=\"text/xml\"; boundary=sent\r\n\r\n",
            );
            let start = related_start("sent", &request().xml());
            chunk(raw.stream().get_mut(), start.as_bytes());
            write!(raw.stream().get_mut(), "{there:x}\r\n").unwrap();
            pattern(raw.stream().get_mut(), there).unwrap();
            raw.send("\r\n");
            chunk(raw.stream().get_mut(), b"\r\n--sent--\r\n");
            raw.send("0\r\n\r\n");
            let head = raw.head().to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            assert!(head.contains("transfer-encoding: chunked"), "{what}: {head}");
            let got = skip_chunks(raw.stream()).unwrap();
            let asked = *asked.lock().unwrap();
            for (expected, whole) in [(there, asked), (back, got)] {
                assert!((expected..expected + 10_000).contains(&whole), "{what}: {whole}");
            }
            assert!(raw.serves(&scene.path("echo")), "{what}");
        });
    }
}

fn chunk(out: &mut impl Write, bytes: &[u8]) {
    write!(out, "{:x}\r\n", bytes.len()).unwrap();
    out.write_all(bytes).unwrap();
    out.write_all(b"\r\n").unwrap();
}
