//! Programs of others, unmodified, on both ends: pyxroad, node-soap and autocannon as information systems, services on
//! fastapi-xroad-soap and FastAPI as providers, two security servers of ours between them.
//!
//! `.ci/third-party` installs them; what we wrote for them is in `third_party/`. Where they are missing the tests are
//! skipped, but not where `CI` is set.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod information_system;
mod instance;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use information_system::{SUBSYSTEM, Service, register};
use instance::Instance;
use serde_json::{Value, json};

const PORT: u16 = 8087;

/// Where the programs are, if they are.
fn programs() -> Option<PathBuf> {
    let home = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = home("XDG_CACHE_HOME").or_else(|| Some(home("HOME")?.join(".cache")));
    let folder = cache?.join("kiirtee/third-party");
    if folder.join("installed").exists() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "not installed: run .ci/third-party"
    );
    eprintln!("SKIPPED: the programs of others are not installed; run .ci/third-party");
    None
}

/// A file of ours that one of them runs.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/third_party")
        .join(name)
}

/// An instance with a provider of others behind it.
struct Exchange {
    instance: Instance,
    programs: PathBuf,
    provider: Child,
    address: String,
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.provider.kill();
        let _ = self.provider.wait();
    }
}

impl Exchange {
    fn start(net: u8) -> Option<Self> {
        let programs = programs()?;
        if !instance::is_built() {
            return None;
        }
        let ip = format!("127.0.{net}.41");
        let mut python = Command::new(programs.join("provider/bin/python"));
        let provider = python
            .arg(script("provider.py"))
            .args([&ip, &PORT.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let instance = Instance::up(net);
        let exchange = Self {
            instance,
            programs,
            provider,
            address: format!("{ip}:{PORT}"),
        };
        let listens = || TcpStream::connect(&exchange.address).is_ok();
        let begin = std::time::Instant::now();
        // Interpreters start slowly on a busy machine.
        while !listens() {
            assert!(
                begin.elapsed() < Duration::from_secs(120),
                "the provider does not start"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        exchange.register();
        Some(exchange)
    }

    /// The REST service goes into the server's own configuration file, the SOAP services beside it.
    fn register(&self) {
        let file = self.instance.dir().join("provider/server.toml");
        let mut configuration: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
        let clients = configuration["client"].as_array_mut().unwrap();
        let owner = clients
            .iter_mut()
            .find(|client| client["id"].as_str() == Some(SUBSYSTEM))
            .unwrap();
        let url = format!("http://{}/rest", self.address);
        let service: toml::Table = toml::toml! { code = "rest" timeout = 60 ssl_authentication = false };
        let mut service = service;
        service.insert("url".into(), url.clone().into());
        let description = [
            ("type".to_owned(), "REST".into()),
            ("url".to_owned(), url.into()),
            ("service".to_owned(), vec![toml::Value::Table(service)].into()),
        ];
        push(owner, "service_description", description.into_iter().collect());
        let access = toml::toml! { service = "rest" subjects = ["client:SANDBOX/ORG/1001/client"] };
        push(owner, "endpoint", access);
        std::fs::write(&file, configuration.to_string()).unwrap();
        let url = format!("http://{}/service", self.address);
        let soap = |code| Service::new(SUBSYSTEM, code, &url);
        let hidden = Service {
            allowed: false,
            ..soap("hidden")
        };
        register(&self.instance, &[soap("echoText"), soap("echoFile"), hidden]);
    }

    fn description(&self) -> String {
        format!("http://{}/service?wsdl", self.address)
    }

    /// What node-soap prints after calling a service.
    fn node_soap(&self, service: &str, arguments: &Value) -> Value {
        let file = self.instance.dir().join("arguments.json");
        std::fs::write(&file, arguments.to_string()).unwrap();
        let mut node = Command::new("node");
        node.current_dir(self.programs.join("node"))
            .arg(script("node_soap_client.mjs"))
            .args([&self.instance.get("consumer/client_http"), instance::CLIENT.1])
            .args([&format!("{SUBSYSTEM}/{service}"), &self.description()])
            .arg(&file);
        last_line(node)
    }

    /// What pyxroad prints after calling `echoText`.
    fn pyxroad(&self, service: &str, text: &str, count: u32) -> Value {
        let mut python = Command::new(self.programs.join("client/bin/python"));
        python
            .arg(script("pyxroad_client.py"))
            .args([&self.instance.get("consumer/client_http"), instance::CLIENT.1])
            .args([
                &format!("{SUBSYSTEM}/{service}"),
                &self.description(),
                text,
                &count.to_string(),
            ]);
        last_line(python)
    }
}

fn push(owner: &mut toml::Value, key: &str, value: toml::Table) {
    let list = owner
        .as_table_mut()
        .unwrap()
        .entry(key)
        .or_insert_with(|| toml::Value::Array(Vec::new()));
    list.as_array_mut().unwrap().push(value.into());
}

/// The last line of a command's output, which is JSON.
fn last_line(mut command: Command) -> Value {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text
        .lines()
        .last()
        .unwrap_or_else(|| panic!("{command:?} said nothing; {said}"));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

const TEXT: &str = "Tere, õhtu! <&> \u{1F6E3} \"'";

#[test]
fn programs_of_others_exchange_messages_in_both_directions() {
    let Some(exchange) = Exchange::start(71) else {
        return;
    };
    pyxroad_calls(&exchange);
    node_soap_calls(&exchange);
    node_soap_sends_a_file_and_gets_it_back(&exchange);
    both_are_told_what_is_wrong(&exchange);
    autocannon_calls_a_rest_service(&exchange);
    every_exchange_is_in_both_logs(&exchange);
}

/// Client: pyxroad, provider: fastapi-xroad-soap.
fn pyxroad_calls(exchange: &Exchange) {
    let answer = exchange.pyxroad("echoText", TEXT, 7);
    assert_eq!(
        (&answer["text"], &answer["count"]),
        (&json!(TEXT), &json!(7)),
        "{answer}"
    );
}

/// Client: node-soap, provider: fastapi-xroad-soap. The answer carries the hash of the request.
fn node_soap_calls(exchange: &Exchange) {
    let answer = exchange.node_soap("echoText", &json!({"text": TEXT, "count": 41}));
    let result = &answer["result"];
    assert_eq!(
        (&result["text"], &result["count"]),
        (&json!(TEXT), &json!(41)),
        "{answer}"
    );
    let header = answer["header"].to_string();
    assert!(header.contains("requestHash"), "{answer}");
}

/// The attachment goes there as MTOM writes it and comes back in base64, as this provider writes it.
fn node_soap_sends_a_file_and_gets_it_back(exchange: &Exchange) {
    let bytes: Vec<u8> = (0..200_000_u32)
        .flat_map(|number| format!("{number:x} \r\n--").into_bytes())
        .collect();
    let file = json!({"name": "numbers.txt", "base64": STANDARD.encode(&bytes)});
    let answer = exchange.node_soap("echoFile", &json!({ "file": file }));
    assert_eq!(
        answer["result"]["size"],
        json!(bytes.len()),
        "{:.2000}",
        answer.to_string()
    );
    let came = answer["attachments"][0]["base64"].as_str().unwrap();
    let came = STANDARD.decode(came).unwrap();
    let compact: Vec<u8> = came
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    assert!(
        STANDARD.decode(compact).unwrap() == bytes,
        "another file came back"
    );
}

/// A fault of ours, as both libraries understand it.
fn both_are_told_what_is_wrong(exchange: &Exchange) {
    let told = exchange.node_soap("echoText/v2", &json!({"text": "a", "count": 1}));
    assert_eq!(
        told["fault"]["faultcode"], "server.serverproxy.unknown_service",
        "{told}"
    );
    let told = exchange.pyxroad("echoText/v2", "a", 1);
    assert_eq!(
        told["fault"]["code"], "server.serverproxy.unknown_service",
        "{told}"
    );
}

/// Client: autocannon, provider: FastAPI.
fn autocannon_calls_a_rest_service(exchange: &Exchange) {
    let url = exchange.instance.url("rest/a/b?c=d");
    let expected = format!(
        r#"{{"path":"a/b","query":"c=d","client":"{}","body":"hello"}}"#,
        instance::CLIENT.1
    );
    let mut autocannon = Command::new("node");
    autocannon
        .current_dir(exchange.programs.join("node"))
        .arg("node_modules/autocannon/autocannon.js")
        .args([
            "--json",
            "--connections",
            "4",
            "--amount",
            "100",
            "--method",
            "POST",
            "--body",
            "hello",
        ])
        .args([
            "--headers",
            &format!("{}={}", instance::CLIENT.0, instance::CLIENT.1),
        ])
        .args(["--headers", "Content-Type=text/plain", "--expectBody"])
        .args([&expected, &url]);
    let figures = last_line(autocannon);
    assert_eq!(figures["2xx"], 100, "{figures}");
    for wrong in ["non2xx", "errors", "timeouts", "mismatches"] {
        assert_eq!(figures[wrong], 0, "{figures}");
    }
}

/// Three SOAP exchanges, one with a file, and a hundred of REST: each left its response in both logs.
fn every_exchange_is_in_both_logs(exchange: &Exchange) {
    for server in ["consumer", "provider"] {
        let log = exchange.instance.get(&format!("{server}/message_log"));
        let listed = instance::kiirtee()
            .args(["log", "list", "--json", "--message-log", &log])
            .output()
            .unwrap();
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        let responses = listed
            .as_array()
            .unwrap()
            .iter()
            .filter(|record| record["direction"] == "response");
        assert_eq!(responses.count(), 103, "responses at the {server}");
    }
}
