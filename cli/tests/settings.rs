//! Settings as operators know them: presets of countries, body logging for each subsystem, truncated bodies, the health
//! check, files of the reference.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod instance;

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use instance::{Instance, agent, is_built, kiirtee, wait_until};
use toml::Table;

const BODY: &str = "a body that may be kept, or not, or only its beginning";

// --- presets and body logging ---

#[test]
fn servers_of_a_country_do_what_its_package_sets_and_subsystems_are_exceptions() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up_with(90, &["--preset", "fi"]);
    keys_have_the_length_of_the_country(&instance);

    // Finland keeps no bodies: verb and path without the service's, and X-Road's headers, at both servers.
    post(&instance, "no-bodies");
    for server in ["consumer", "provider"] {
        let parts = container(&instance, server, "queryId=no-bodies&requestOnly&unique&force");
        assert!(!parts.contains_key("attachment1"), "the {server} keeps no body");
        let message = text(&parts["message.xml"]);
        assert!(
            message.contains("x-road-client") || message.contains("X-Road-Client"),
            "{message}"
        );
        assert!(!message.to_lowercase().contains("content-type"), "{message}");
        assert!(
            !message.contains("letters"),
            "the path inside the service is not kept: {message}"
        );
    }
    let filtered = saved(
        &instance,
        "consumer",
        "queryId=no-bodies&requestOnly&unique&force",
    );
    assert_eq!(
        verify(&instance, &filtered).status.code(),
        Some(1),
        "what was signed is not there"
    );

    // Each server names the provider as an exception, in the list for its side.
    let list = |producers: &str| format!("enabled-body-logging-{producers}-producer-subsystems");
    let provider = instance.get("provider/subsystem");
    set(&mut instance, "provider", &list("local"), provider.as_str());
    set(
        &mut instance,
        "consumer",
        &list("remote"),
        format!("SANDBOX/ORG/9/x, {provider}").as_str(),
    );
    post(&instance, "bodies");
    for server in ["consumer", "provider"] {
        let query = "queryId=bodies&requestOnly&unique&force";
        assert_eq!(
            container(&instance, server, query)["attachment1"],
            BODY.as_bytes()
        );
        let output = verify(&instance, &saved(&instance, server, query));
        assert!(output.status.success(), "{}", text(&output.stdout));
    }

    // The lists of the other side change nothing.
    set(&mut instance, "provider", &list("local"), "SANDBOX/ORG/9/x");
    set(&mut instance, "provider", &list("remote"), provider.as_str());
    post(&instance, "wrong-side");
    let query = "queryId=wrong-side&requestOnly&unique&force";
    assert!(!container(&instance, "provider", query).contains_key("attachment1"));
    assert!(container(&instance, "consumer", query).contains_key("attachment1"));
}

fn keys_have_the_length_of_the_country(instance: &Instance) {
    let certificate = instance.dir().join("consumer/internal-tls.pem");
    match Command::new("openssl")
        .args(["x509", "-noout", "-text", "-in"])
        .arg(certificate)
        .output()
    {
        Ok(output) => assert!(text(&output.stdout).contains("(3072 bit)")),
        Err(error) => eprintln!("SKIPPED: openssl: {error}"),
    }
}

#[test]
fn the_beginning_of_a_body_too_large_is_kept_where_that_is_allowed_and_a_limit_of_zero_keeps_none() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(91);
    instance.reconfigure("consumer", |settings| {
        let log = section(settings, "message-log");
        log.insert("max-loggable-message-body-size".into(), 10.into());
        log.insert("truncated-body-allowed".into(), true.into());
    });
    post(&instance, "truncated");
    let query = "queryId=truncated&requestOnly&unique&force";
    let parts = container(&instance, "consumer", query);
    assert_eq!(parts["attachment1"], &BODY.as_bytes()[..10]);
    let output = verify(&instance, &saved(&instance, "consumer", query));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(
        text(&output.stdout).contains("invalid_hash_chain_ref"),
        "{}",
        text(&output.stdout)
    );
    // The provider's server kept all of it, and its record proves the body.
    assert_eq!(
        container(&instance, "provider", query)["attachment1"],
        BODY.as_bytes()
    );
    assert!(
        verify(&instance, &saved(&instance, "provider", query))
            .status
            .success()
    );

    set(&mut instance, "consumer", "max-loggable-message-body-size", 0);
    set(&mut instance, "consumer", "truncated-body-allowed", false);
    post(&instance, "none");
    let query = "queryId=none&requestOnly&unique&force";
    assert!(!container(&instance, "consumer", query).contains_key("attachment1"));
    let output = verify(&instance, &saved(&instance, "consumer", query));
    assert!(
        output.status.success(),
        "the message is proven without its body: {}",
        text(&output.stdout)
    );

    a_load_balancer_asks_for_health(&mut instance);
}

fn a_load_balancer_asks_for_health(instance: &mut Instance) {
    instance.reconfigure("provider", |settings| {
        let proxy = section(settings, "proxy");
        proxy.insert("health-check-port".into(), 5588.into());
        proxy.insert("health-check-interface".into(), "127.0.91.20".into());
    });
    let ask = || {
        let mut answer = agent().get("http://127.0.91.20:5588/anything").call().unwrap();
        (
            answer.status().as_u16(),
            answer.body_mut().read_to_string().unwrap(),
        )
    };
    assert_eq!(ask(), (200, String::new()));
    let killed = instance.kill("provider-signer");
    let failing = (
        500,
        "No authentication key available. Signer might be down.\n".to_owned(),
    );
    wait_until("the health check to fail", || ask() == failing);
    instance.restart(&killed);
    wait_until("the health check to succeed", || ask().0 == 200);

    // Before work on the server its operator has the load balancer send no more, and what comes all the same is served.
    let admin = instance.get("provider/health");
    let maintain = |target_state: &str| {
        let url = format!(
            "{}?targetState={target_state}",
            admin.replace("/health", "/maintenance")
        );
        let output = Command::new("curl").args(["-s", &url]).output().unwrap();
        text(&output.stdout)
    };
    assert_eq!(maintain("true"), "Maintenance mode set: false => true\n");
    assert_eq!(
        ask(),
        (503, "Health check interface is in maintenance mode.".to_owned())
    );
    post(instance, "in-maintenance");
    assert_eq!(
        maintain("soon"),
        "Invalid parameter 'targetState', request ignored\n"
    );
    assert_eq!(maintain("false"), "Maintenance mode set: true => false\n");
    assert_eq!(ask(), (200, String::new()));
}

// --- what settings files may say ---

#[test]
fn a_settings_file_says_what_is_wrong_with_it_and_what_was_meant() {
    if !is_built() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, more: &[&str]| {
        let file = folder.path().join("proxy.toml");
        std::fs::write(&file, text).unwrap();
        let proxy = Path::new(env!("CARGO_BIN_EXE_kiirtee")).with_file_name("kiirtee-proxy");
        let mut command = Command::new(proxy);
        let output = command
            .args(["check", "--config"])
            .arg(&file)
            .args(more)
            .output()
            .unwrap();
        (output.status.code().unwrap(), text_of(&output))
    };
    for (wrong, expected) in [
        ("[proxy]\nclient-timeot = 1", "did you mean client-timeout?"),
        (
            "[proxy]\nclient-timeout = -1",
            "expected a whole number from 0 to 2147483647 (ms)",
        ),
        (
            "[proxy]\ntimestamp-immediately = true",
            "did you mean [message-log] timestamp-immediately?",
        ),
        ("[signer]\nkey-length = 3072", "is a setting of kiirtee-signer"),
        ("[proxy]\nssl-enabled = false", "always TLS"),
        ("client-timeout = 1", "outside of a section"),
    ] {
        let (code, said) = check(wrong, &[]);
        assert!(code == 2 && said.contains(expected), "{wrong}: {code} {said}");
    }
    let (code, said) = check(
        "[proxy]\njetty-serverproxy-configuration-file = '/x'",
        &["--preset", "is"],
    );
    assert!(code == 0 && said.contains("there is none here"), "{said}");
    assert_eq!(check("", &["--preset", "se"]).0, 2);
}

#[test]
fn a_file_of_the_reference_is_imported_and_the_proxy_takes_it() {
    if !is_built() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ini = folder.path().join("local.ini");
    let content = "; ours\n[proxy]\nclient-timeout=7000\njetty-clientproxy-configuration-file=/x.xml\n\
                   [message-log]\nmessage-body-logging=false\n[proxy-ui-api]\nrate-limit-requests-per-second=5\n";
    std::fs::write(&ini, content).unwrap();
    let output = kiirtee()
        .args(["config", "import-ini"])
        .arg(&ini)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text_of(&output));
    let settings: Table = text(&output.stdout).parse().unwrap();
    assert_eq!(settings["proxy"]["client-timeout"].as_integer(), Some(7000));
    assert!(text(&output.stdout).contains("# [proxy-ui-api] rate-limit-requests-per-second: "));

    std::fs::write(&ini, "[proxy]\nclient-timeoot=7000\n").unwrap();
    let output = kiirtee()
        .args(["config", "import-ini"])
        .arg(&ini)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text_of(&output).contains("line 2"), "{}", text_of(&output));
}

#[test]
fn the_command_shows_what_a_preset_sets() {
    let shown = |arguments: &[&str]| {
        let output = kiirtee()
            .args(["config", "parameters"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text_of(&output));
        text(&output.stdout)
    };
    let rows: Vec<serde_json::Value> = serde_json::from_str(&shown(&["--json", "--preset", "fi"])).unwrap();
    let value = |rows: &[serde_json::Value], key: &str| {
        let row = rows.iter().find(|row| row["key"] == key).unwrap();
        row["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(value(&rows, "acceptable-timestamp-failure-period"), "172800");
    let rows: Vec<serde_json::Value> = serde_json::from_str(&shown(&["--json"])).unwrap();
    assert_eq!(value(&rows, "acceptable-timestamp-failure-period"), "14400");
    assert!(shown(&["--process", "signer"]).contains("key-named-curve"));
    assert!(!shown(&["--process", "signer"]).contains("client-http-port"));
    assert!(shown(&["--markdown"]).starts_with("# Parameters"));
}

// --- tools ---

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn text_of(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

fn section<'a>(settings: &'a mut Table, name: &str) -> &'a mut Table {
    let section = settings.entry(name).or_insert_with(|| Table::new().into());
    section.as_table_mut().unwrap()
}

/// Sets a value of the message log and starts the proxy again.
fn set(instance: &mut Instance, server: &str, key: &str, value: impl Into<toml::Value>) {
    instance.reconfigure(server, |settings| {
        section(settings, "message-log").insert(key.into(), value.into());
    });
}

fn post(instance: &Instance, id: &str) {
    let answer = agent()
        .post(instance.url("echo/letters"))
        .header(instance::CLIENT.0, instance::CLIENT.1)
        .header("x-road-id", id)
        .header("content-type", "text/plain")
        .send(BODY)
        .unwrap();
    assert_eq!(answer.status(), 200);
}

/// What `/asic` gives for the subsystem on a server.
fn download(instance: &Instance, server: &str, query: &str) -> Vec<u8> {
    let subsystem = instance.get(&format!("{server}/subsystem"));
    let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode"];
    let client: Vec<String> = names
        .iter()
        .zip(subsystem.split('/'))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let http = instance.get(&format!("{server}/client_http"));
    let url = format!("{http}/asic?{}&{query}", client.join("&"));
    let mut answer = agent().get(&url).call().unwrap();
    let bytes = answer.body_mut().read_to_vec().unwrap();
    assert_eq!(answer.status(), 200, "{query}: {}", text(&bytes));
    bytes
}

fn saved(instance: &Instance, server: &str, query: &str) -> PathBuf {
    let file = instance.dir().join("container.asice");
    std::fs::write(&file, download(instance, server, query)).unwrap();
    file
}

/// The parts of a container.
fn container(instance: &Instance, server: &str, query: &str) -> BTreeMap<String, Vec<u8>> {
    let bytes = download(instance, server, query);
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut file = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn verify(instance: &Instance, file: &Path) -> Output {
    let mut command = kiirtee();
    command.arg("verify").arg(file).arg("--globalconf");
    command
        .arg(instance.get("global_configuration/directory"))
        .output()
        .unwrap()
}
