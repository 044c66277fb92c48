//! Messages on the port of the security servers whose sender is not who it says: none of their content is taken.

use std::process::Stdio;

use super::curl;
use super::information_system::between;
use super::information_system::pair::request;
use super::scene::{Scene, set};
use super::scripted_peer::Peer;
use super::services::pattern;

/// What a server would like to have kept in another's name, in bytes.
const CONTENT: u64 = 400 * 1024 * 1024;
const REST: &str = "Content-Type: application/x-road-rest-request\r\n\r\n\
    GET\r\n/r1/SANDBOX/ORG/2002/provider/echo\r\nx-road-client:SANDBOX/ORG/1001/client\r\nx-road-id:1\r\n";

#[test]
fn who_speaks_for_another_is_refused_before_its_content_is_taken() {
    let Some(mut scene) = Scene::up(46) else { return };
    // Whoever took the content would fail by this, with another code.
    scene.restart("provider", |settings| {
        set(settings, "kiirtee", "spool-bytes", 1_000_000)
    });
    Peer::join(&scene.instance, "3003", 60);
    let soap = format!("Content-Type: text/xml; charset=UTF-8\r\n\r\n{}", request().xml());
    for (what, kind, part, code) in [
        ("SOAP", "SOAP", &soap[..], "ssl_authentication_failed"),
        ("REST", "REST", REST, "ssl_authentication_failed"),
        ("SOAP as REST", "REST", &soap, "missing_rest"),
        ("REST as SOAP", "SOAP", REST, "missing_soap"),
    ] {
        let fault = scene.within_memory(what, || send(&scene, kind, part));
        let found = between(&fault, "<faultcode>", "</faultcode>");
        let found = found.unwrap_or_else(|| panic!("{what}: {fault}"));
        assert!(
            found.starts_with("server.serverproxy.") && found.ends_with(code),
            "{what}: {found}"
        );
        scene.is_as_before(what);
    }
}

/// Sends a message whose content has no end; what the server says to it.
fn send(scene: &Scene, kind: &str, part: &str) -> String {
    let server = format!("https://127.0.46.20:5500/{kind}");
    let mut command = curl::command();
    command
        .current_dir(scene.instance.dir())
        .args([
            "-k",
            "--cert-type",
            "P12",
            "--cert",
            "peer-3003/auth.p12:sandbox",
            "-X",
            "POST",
            "-T",
            "-",
        ])
        .args([
            "-H",
            "Expect:",
            "-H",
            "x-hash-algorithm: SHA-512",
            "-H",
            "x-proxy-version: 7.8.1",
        ])
        .args([
            "-H",
            "Content-Type: multipart/mixed; boundary=b",
            "-H",
            "x-original-content-type: text/xml",
        ]);
    if kind == "REST" {
        command.args(["-H", "x-road-message-type: REST"]);
    }
    command
        .arg(server)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut curl = command.spawn().unwrap();
    let mut input = curl.stdin.take().unwrap();
    let content = match kind {
        "REST" => "Content-Type: application/x-road-rest-body",
        _ => "Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain",
    };
    let head = format!("--b\r\n{part}\r\n--b\r\n{content}\r\n\r\n");
    let writing = std::thread::spawn(move || {
        use std::io::Write;
        input.write_all(head.as_bytes())?;
        pattern(&mut input, CONTENT)
    });
    let output = curl.wait_with_output().unwrap();
    let _ = writing.join().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
