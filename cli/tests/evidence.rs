//! Evidence of real exchanges, from both servers' logs, judged by the operator's command and by programs that are not
//! ours: xmlsec1 and openssl.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod envelope;
mod instance;

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use instance::{Instance, agent, is_built, kiirtee, wait_until};
use serde_json::Value;

const SERVERS: [&str; 2] = ["consumer", "provider"];
/// Exchanges by the message id that they carry.
const EXCHANGES: [&str; 3] = ["evidence-get", "evidence-post", "evidence-soap"];

#[test]
fn every_record_of_an_exchange_is_evidence_at_both_servers_and_for_programs_that_are_not_ours() {
    if !is_built() {
        return;
    }
    let instance = Instance::up(130);
    exchange(&instance);
    let trusts = [globalconf(&instance), verification_conf(&instance)];
    for server in SERVERS {
        for id in EXCHANGES {
            let files = time_stamped(&instance, server, id);
            assert_eq!(files.len(), 2, "request and response of {id} at the {server}");
            for trust in &trusts {
                accepted(&files, trust);
            }
            for file in &files {
                judged_by_xmlsec1(file);
                judged_by_openssl(&instance, file);
            }
            downloads_are_the_same(&instance, server, id, &files);
        }
    }
    batches_are_evidence_too(&instance, &trusts[0]);
    says_what_it_proves(&instance);
    refuses_wrong_downloads(&instance);
    unusable_input_ends_with_exit_code_2(&instance);
}

#[test]
fn one_flipped_bit_anywhere_in_the_evidence_is_refused_with_its_fault_code() {
    if !is_built() {
        return;
    }
    let instance = Instance::up(131);
    exchange(&instance);
    for server in SERVERS {
        let single = single_time_stamped(&instance, server);
        let plain = of_request(&time_stamped(&instance, server, "evidence-get"));
        let chained = of_request(&time_stamped(&instance, server, "evidence-post"));
        let soap = of_request(&time_stamped(&instance, server, "evidence-soap"));
        judged_by_openssl(&instance, &single);
        judged_by_xmlsec1(&single);

        let flip = Flip {
            instance: &instance,
            file: &single,
        };
        flip.refused(
            "META-INF/signatures.xml",
            "EncapsulatedTimeStamp>",
            "malformed_signature",
        );
        flip.refused("META-INF/signatures.xml", "SignatureValue", "malformed_signature");
        flip.refused("message.xml", "evidence", "invalid_signature_value");

        let flip = Flip {
            instance: &instance,
            file: &plain,
        };
        flip.refused("message.xml", "evidence", "invalid_signature_value");
        flip.refused("META-INF/signatures.xml", "SignatureValue", "malformed_signature");
        flip.refused("ts-hashchainresult.xml", "DigestValue>", "malformed_signature");
        flip.refused("ts-hashchain.xml", "DigestValue>", "malformed_signature");
        flip.refused_at_end(
            "META-INF/timestamp.tst",
            "mlog.timestamp_signer_verification_failed",
        );

        let flip = Flip {
            instance: &instance,
            file: &chained,
        };
        flip.refused(
            "message.xml",
            "evidence",
            "malformed_signature.invalid_hash_chain_ref",
        );
        flip.refused(
            "attachment1",
            "body",
            "malformed_signature.invalid_hash_chain_ref",
        );
        flip.refused(
            "sig-hashchainresult.xml",
            "DigestValue>",
            "malformed_signature.invalid_hash_chain",
        );
        flip.refused(
            "sig-hashchain.xml",
            "DigestValue>",
            "malformed_signature.invalid_hash_chain_ref",
        );
        flip.refused("META-INF/signatures.xml", "SignatureValue", "malformed_signature");

        let flip = Flip {
            instance: &instance,
            file: &soap,
        };
        flip.refused(
            "message.xml",
            "EE377",
            "malformed_signature.invalid_hash_chain_ref",
        );
        flip.refused_at_end(
            "META-INF/timestamp.tst",
            "mlog.timestamp_signer_verification_failed",
        );
    }
}

// --- exchanges ---

/// REST without body, REST with body, SOAP with an attachment.
fn exchange(instance: &Instance) {
    get(instance, "evidence-get");
    let answer = agent()
        .post(instance.url("echo/letters"))
        .header(instance::CLIENT.0, instance::CLIENT.1)
        .header("x-road-id", "evidence-post")
        .header("content-type", "text/plain")
        .send("a body that is signed and kept")
        .unwrap();
    assert_eq!(answer.status(), 200);
    soap(instance);
}

fn get(instance: &Instance, id: &str) {
    let answer = agent()
        .get(instance.url("echo/letters"))
        .header(instance::CLIENT.0, instance::CLIENT.1)
        .header("x-road-id", id)
        .call()
        .unwrap();
    assert_eq!(answer.status(), 200);
}

fn soap(instance: &Instance) {
    let envelope = envelope::request("echoAttachments", "evidence-soap");
    let body = format!(
        "--edge\r\nContent-Type: text/xml; charset=UTF-8\r\n\r\n{envelope}\r\n\
         --edge\r\nContent-Type: text/plain\r\nContent-ID: <letter>\r\n\r\nan attachment\r\n--edge--\r\n"
    );
    let mut answer = agent()
        .post(instance.get("consumer/client_http"))
        .header(
            "content-type",
            "multipart/related; type=\"text/xml\"; boundary=edge",
        )
        .send(body)
        .unwrap();
    let text = text(&answer.body_mut().read_to_vec().unwrap());
    assert!(text.contains("the first attachment"), "{text}");
}

// --- containers ---

/// The containers of an exchange out of a server's log, once they are time-stamped: request, then response.
fn time_stamped(instance: &Instance, server: &str, id: &str) -> Vec<PathBuf> {
    let out = instance.dir().join("evidence").join(server).join(id);
    let mut files = Vec::new();
    wait_until("the records to be time-stamped", || {
        let output = kiirtee()
            .args(["log", "get", "--query-id", id, "--message-log"])
            .arg(instance.get(&format!("{server}/message_log")))
            .arg("--out")
            .arg(&out)
            .output()
            .unwrap();
        files = text(&output.stdout).lines().map(PathBuf::from).collect();
        output.status.success()
    });
    files
}

fn of_request(files: &[PathBuf]) -> PathBuf {
    let is_request = |file: &&PathBuf| file.file_name().unwrap().to_string_lossy().contains("-request-");
    files.iter().find(is_request).unwrap().clone()
}

/// A container whose time-stamp is in its signature document: of a record that was alone when it was stamped.
fn single_time_stamped(instance: &Instance, server: &str) -> PathBuf {
    let file = instance.dir().join(format!("{server}-single.asice"));
    let mut round = 0;
    // The next regular round may come between, and stamp the request together with its response.
    wait_until("a record that is stamped alone", || {
        round += 1;
        let id = format!("evidence-single-{server}-{round}");
        get(instance, &id);
        let (status, _, bytes) = download(
            instance,
            server,
            &format!("queryId={id}&requestOnly&unique&force"),
        );
        assert_eq!(status, 200, "{}", text(&bytes));
        std::fs::write(&file, bytes).unwrap();
        !entries(&std::fs::read(&file).unwrap())
            .iter()
            .any(|(name, _)| name == "META-INF/timestamp.tst")
    });
    file
}

fn entries(zip: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut read = |index| {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        (file.name().unwrap().into_owned(), content)
    };
    (0..zip::ZipArchive::new(Cursor::new(zip)).unwrap().len())
        .map(&mut read)
        .collect()
}

fn pack(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer
            .start_file(name.as_str(), zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// The parts of a container in a folder beside it.
fn unpacked(file: &Path) -> (PathBuf, BTreeMap<String, Vec<u8>>) {
    let folder = file.with_extension("parts");
    let parts: BTreeMap<_, _> = entries(&std::fs::read(file).unwrap()).into_iter().collect();
    for (name, content) in &parts {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    (folder, parts)
}

// --- judges ---

fn verify(files: &[PathBuf], globalconf: &Path) -> Output {
    kiirtee()
        .arg("verify")
        .args(files)
        .arg("--globalconf")
        .arg(globalconf)
        .arg("--json")
        .output()
        .unwrap()
}

fn accepted(files: &[PathBuf], globalconf: &Path) {
    let output = verify(files, globalconf);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["valid"], true);
    assert_eq!(answer["files"].as_array().unwrap().len(), files.len());
}

fn has(program: &str) -> bool {
    let found = Command::new("which")
        .arg(program)
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

fn judged_by_xmlsec1(file: &Path) {
    if !has("xmlsec1") {
        return;
    }
    let (folder, parts) = unpacked(file);
    let mut command = Command::new("xmlsec1");
    command.current_dir(&folder).args(["--verify", "--insecure"]);
    for id in [
        "http://www.w3.org/2000/09/xmldsig#:Signature",
        "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
        "http://www.w3.org/2000/09/xmldsig#:KeyInfo",
        "http://uri.etsi.org/01903/v1.3.2#:CompleteCertificateRefs",
    ] {
        command.args(["--id-attr:Id", id]);
    }
    for name in parts.keys().filter(|name| !name.starts_with("META-INF/")) {
        command.arg(format!("--url-map:/{name}")).arg(name);
    }
    let output = command.arg("META-INF/signatures.xml").output().unwrap();
    assert!(
        output.status.success(),
        "{}: {}{}",
        file.display(),
        text(&output.stdout),
        text(&output.stderr)
    );
}

fn judged_by_openssl(instance: &Instance, file: &Path) {
    if !has("openssl") {
        return;
    }
    let (folder, parts) = unpacked(file);
    let (token, data) = if parts.contains_key("META-INF/timestamp.tst") {
        (
            folder.join("META-INF/timestamp.tst"),
            folder.join("ts-hashchainresult.xml"),
        )
    } else {
        let signature = text(&parts["META-INF/signatures.xml"]);
        let write = |name: &str, base64: &str| {
            let path = folder.join(name);
            std::fs::write(&path, base64_decoded(base64)).unwrap();
            path
        };
        (
            write("token", element(&signature, "EncapsulatedTimeStamp")),
            write("value", element(&signature, "SignatureValue")),
        )
    };
    let output = Command::new("openssl")
        .args(["ts", "-verify", "-token_in", "-in"])
        .arg(token)
        .arg("-data")
        .arg(data)
        .arg("-CAfile")
        .arg(instance.dir().join("trust/ca.pem"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}{}",
        file.display(),
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// The text of the first element of this name.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let start = xml.find(name).unwrap();
    let content = start + xml[start..].find('>').unwrap() + 1;
    &xml[content..content + xml[content..].find('<').unwrap()]
}

fn base64_decoded(text: &str) -> Vec<u8> {
    let lines: String = text.split_whitespace().collect();
    let mut child = Command::new("openssl")
        .args(["base64", "-d", "-A"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// Changes one bit of a container and looks at what the operator is told.
struct Flip<'a> {
    instance: &'a Instance,
    file: &'a Path,
}

impl Flip<'_> {
    /// In the first letter behind `marker` that another bit leaves a letter: it is still base64 where it was.
    fn refused(&self, entry: &str, marker: &str, code: &str) {
        self.changed(entry, code, |content| {
            let start = content
                .windows(marker.len())
                .position(|window| window == marker.as_bytes());
            let behind = start.unwrap_or_else(|| panic!("no {marker} in {entry}")) + marker.len();
            let start = match marker {
                // Its attribute stands between.
                "SignatureValue" => {
                    behind + content[behind..].iter().position(|byte| *byte == b'>').unwrap() + 5
                }
                // In the token's imprint; the certificates that it carries prove nothing and may change.
                "EncapsulatedTimeStamp>" => behind + 200,
                _ => behind,
            };
            let stays_letter = |byte: &u8| byte.is_ascii_alphanumeric() && (byte ^ 1).is_ascii_alphanumeric();
            start + content[start..].iter().position(stays_letter).unwrap()
        });
    }

    fn refused_at_end(&self, entry: &str, code: &str) {
        self.changed(entry, code, |content| content.len() - 1);
    }

    fn changed(&self, entry: &str, code: &str, place: impl Fn(&[u8]) -> usize) {
        let trust = globalconf(self.instance);
        let mut parts = entries(&std::fs::read(self.file).unwrap());
        let copy = self.instance.dir().join("copy.asice");
        std::fs::write(&copy, pack(&parts)).unwrap();
        accepted(std::slice::from_ref(&copy), &trust);

        let (_, content) = parts.iter_mut().find(|(name, _)| name == entry).unwrap();
        let place = place(content);
        content[place] ^= 1;
        std::fs::write(&copy, pack(&parts)).unwrap();
        let output = verify(std::slice::from_ref(&copy), &trust);
        let answer = text(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{entry} of {}: {answer}",
            self.file.display()
        );
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let found = answer["files"][0]["code"].as_str().unwrap();
        assert!(
            found == code,
            "{entry} at {place}: expected {code}, found {answer}"
        );
    }
}

// --- downloads ---

fn globalconf(instance: &Instance) -> PathBuf {
    instance.get("global_configuration/directory").into()
}

/// What `/verificationconf` gives, unpacked.
fn verification_conf(instance: &Instance) -> PathBuf {
    let url = format!("{}/verificationconf", instance.get("provider/client_http"));
    let mut answer = agent().get(&url).call().unwrap();
    assert_eq!(answer.status(), 200);
    let folder = instance.dir().join("downloaded");
    for (name, content) in entries(&answer.body_mut().read_to_vec().unwrap()) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    folder.join("verificationconf")
}

/// Status, media type and body of `/asic`, asked for the subsystem that is on the server.
fn download(instance: &Instance, server: &str, query: &str) -> (u16, String, Vec<u8>) {
    let subsystem = instance.get(&format!("{server}/subsystem"));
    let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
    let client: Vec<String> = names
        .iter()
        .zip(subsystem.split('/'))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let url = format!(
        "{}/asic?{}&{query}",
        instance.get(&format!("{server}/client_http")),
        client.join("&")
    );
    let mut answer = agent().get(&url).call().unwrap();
    let media_type = answer
        .headers()
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned());
    let bytes = answer.body_mut().read_to_vec().unwrap();
    (answer.status().as_u16(), media_type.unwrap_or_default(), bytes)
}

fn downloads_are_the_same(instance: &Instance, server: &str, id: &str, files: &[PathBuf]) {
    let expected: Vec<_> = files
        .iter()
        .map(|file| entries(&std::fs::read(file).unwrap()))
        .collect();
    let zipped = |query: &str| {
        let (status, media_type, bytes) = download(instance, server, &format!("queryId={id}{query}"));
        assert_eq!(
            (status, media_type.as_str()),
            (200, "application/zip"),
            "{}",
            text(&bytes)
        );
        entries(&bytes)
            .into_iter()
            .map(|(_, container)| entries(&container))
            .collect::<Vec<_>>()
    };
    assert_eq!(zipped(""), expected);
    assert_eq!(zipped("&force"), expected);
    assert_eq!(zipped("&requestOnly"), expected[..1]);
    assert_eq!(zipped("&responseOnly"), expected[1..]);
    for (only, container) in [("requestOnly", &expected[0]), ("responseOnly", &expected[1])] {
        let (status, media_type, bytes) = download(instance, server, &format!("queryId={id}&{only}&unique"));
        assert_eq!(
            (status, media_type.as_str()),
            (200, "application/vnd.etsi.asic-e+zip")
        );
        assert_eq!(entries(&bytes), *container);
    }
}

/// Messages that wait for the same key share a signature; each of them is evidence by itself.
fn batches_are_evidence_too(instance: &Instance, trust: &Path) {
    let ids: Vec<String> = (0..12).map(|number| format!("evidence-batch-{number}")).collect();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| get(instance, id));
        }
    });
    for server in SERVERS {
        let files: Vec<PathBuf> = ids
            .iter()
            .flat_map(|id| time_stamped(instance, server, id))
            .collect();
        assert_eq!(files.len(), 2 * ids.len());
        accepted(&files, trust);
        let signed_together = |file: &&PathBuf| {
            let (_, parts) = unpacked(file);
            parts
                .get("sig-hashchain.xml")
                .is_some_and(|chain| text(chain).contains("STEP1"))
        };
        let shared: Vec<_> = files.iter().filter(signed_together).collect();
        assert!(
            !shared.is_empty(),
            "none of {} messages shared a signature",
            files.len()
        );
        for file in shared.iter().take(4) {
            judged_by_xmlsec1(file);
            judged_by_openssl(instance, file);
        }
    }
}

fn says_what_it_proves(instance: &Instance) {
    let proven = |id: &str| {
        let output = verify(&time_stamped(instance, "provider", id), &globalconf(instance));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["files"].clone()
    };
    let post = proven("evidence-post");
    assert_eq!(post[0]["signer"], "SANDBOX/ORG/1001");
    assert_eq!(post[1]["signer"], "SANDBOX/ORG/2002");
    assert_eq!(
        post[0]["parts"],
        serde_json::json!(["/message.xml", "/attachment1"])
    );
    // Attachments of SOAP messages are signed but not kept.
    let soap = proven("evidence-soap");
    assert_eq!(soap[0]["parts"], serde_json::json!(["/message.xml"]));
    assert_eq!(
        soap[0]["unverified_attachments"],
        serde_json::json!(["/attachment1"])
    );
}

fn refuses_wrong_downloads(instance: &Instance) {
    for (query, status) in [
        ("requestOnly", 400),
        ("queryId=evidence-get&requestOnly&responseOnly", 400),
        ("queryId=evidence-get&unique", 400),
        ("queryId=never-sent", 404),
    ] {
        assert_eq!(download(instance, "consumer", query).0, status, "{query}");
    }
    let url = instance.get("consumer/client_http");
    let stranger = "xRoadInstance=SANDBOX&memberClass=ORG&memberCode=2002&subsystemCode=provider";
    let answer = agent()
        .get(format!("{url}/asic?{stranger}&queryId=evidence-get"))
        .call()
        .unwrap();
    assert_eq!(
        answer.status(),
        401,
        "the provider is no client of the consumer's server"
    );
}

fn unusable_input_ends_with_exit_code_2(instance: &Instance) {
    let file = of_request(&time_stamped(instance, "consumer", "evidence-get"));
    let trust = globalconf(instance);
    let code = |file: &Path, trust: &Path| verify(&[file.to_path_buf()], trust).status.code();
    assert_eq!(code(&instance.dir().join("none.asice"), &trust), Some(2));
    assert_eq!(code(&file, &instance.dir().join("trust")), Some(2));
    assert_eq!(code(&file, &trust), Some(0));
    let nothing = instance.dir().join("nothing.asice");
    std::fs::write(&nothing, b"not a container").unwrap();
    assert_eq!(code(&nothing, &trust), Some(1));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
