//! REST from outside: curl at one server, the example information system behind the other, all processes real.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod curl;
mod instance;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use curl::{Answer, curl, measure};
use instance::{Instance, kiirtee, resident, wait_until};
use protocol_pki::digest::DigestAlgorithm;
use toml::Table;

/// The header that names the sandbox's service client.
const CLIENT: &str = "X-Road-Client: SANDBOX/ORG/1001/client";
/// `message_log.max_loggable_message_body_size` unless an operator says otherwise.
const LOGGABLE: usize = 10 * 1024 * 1024;
/// How much a proxy may grow while a gigabyte passes.
const MEMORY: u64 = 64 * 1024 * 1024;
const HUNDRED_MEGABYTES: usize = 100 * 1024 * 1024;
const GIGABYTE: u64 = 1024 * 1024 * 1024;

fn can_run() -> bool {
    instance::is_built() && curl::is_installed()
}

/// Calls a service of the provider as the consumer's subsystem.
fn call(instance: &Instance, service_and_path: &str, arguments: &[&str]) -> Answer {
    let url = instance.url(service_and_path);
    curl(&[&["-H", CLIENT], arguments, &[&url]].concat())
}

/// The code of a fault, after checking that status, header and body agree on it.
fn fault(answer: &Answer) -> String {
    let code = answer
        .header("x-road-error")
        .unwrap_or_else(|| panic!("no fault: {answer:?}"));
    assert_eq!(
        answer.status,
        if code.starts_with("server.") { 500 } else { 400 },
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.headers("date").len(), 1);
    let body = answer.json();
    assert_eq!(body["type"], code);
    assert!(!body["message"].as_str().unwrap().is_empty());
    assert!(!body["detail"].as_str().unwrap().is_empty());
    code.to_owned()
}

fn file_of(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Bytes without a pattern that could hide a lost or swapped piece.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8))
        .flat_map(|_| next().to_le_bytes())
        .collect();
    bytes.truncate(length);
    bytes
}

#[test]
fn services_are_called_with_every_method_body_and_header() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(110);
    methods_reach_the_service_with_and_without_body(&instance);
    bodies_come_back_as_they_were_sent(&instance);
    path_and_query_reach_the_service_undecoded(&instance);
    headers_of_the_hop_stay_there_and_all_others_travel(&instance);
    message_ids_are_kept_or_made(&instance);
    statuses_of_the_provider_are_answers(&instance);
    connections_are_used_again(&instance);
    a_client_that_asks_before_it_sends_is_told_to_go_on(&instance);
    somebody_is_there(&instance);
}

fn methods_reach_the_service_with_and_without_body(instance: &Instance) {
    for method in ["GET", "DELETE", "OPTIONS", "TRACE", "POST", "PUT", "PATCH"] {
        let answer = call(instance, "echo/things/7", &["-X", method]);
        assert_eq!(
            (answer.status, answer.header("x-echo-method")),
            (200, Some(method))
        );
        assert_eq!(answer.json()["path"], "/rest/things/7", "{method}");
    }
    for method in ["POST", "PUT", "PATCH"] {
        let answer = call(
            instance,
            "echo",
            &["-X", method, "-d", "tere", "-H", "Content-Type: text/plain"],
        );
        assert_eq!(
            (answer.status, answer.header("x-echo-method")),
            (200, Some(method))
        );
        assert_eq!(
            (answer.text(), answer.header("content-type")),
            ("tere", Some("text/plain"))
        );
    }
    let head = call(instance, "echo/things", &["--head"]);
    assert_eq!((head.status, head.header("x-echo-method")), (200, Some("HEAD")));
    assert!(head.body.is_empty());
    // The reference signs such a body and does not deliver it (wire.md 6.3).
    let answer = call(instance, "echo", &["-X", "DELETE", "-d", "tere"]);
    assert_eq!((answer.status, &answer.json()["method"]), (200, &"DELETE".into()));
}

fn bodies_come_back_as_they_were_sent(instance: &Instance) {
    for length in [0, 1, 1024, 1024 * 1024] {
        let sent = noise(length);
        let file = file_of(instance.dir(), "body", &sent);
        let data = format!("@{}", file.display());
        let known = call(instance, "echo", &["--data-binary", &data]);
        let chunked = call(
            instance,
            "echo",
            &["--data-binary", &data, "-H", "Transfer-Encoding: chunked"],
        );
        for answer in [known, chunked] {
            assert_eq!(answer.status, 200);
            // Of an empty body the service tells what it saw.
            assert!(
                answer.body == sent || (length == 0 && answer.json()["method"] == "POST"),
                "{length}"
            );
            let told = answer.header("content-length").map(str::to_owned);
            assert_eq!(told, Some(answer.body.len().to_string()));
        }
    }
    let answer = call(instance, "echo/bytes?size=1048577", &[]);
    assert_eq!((answer.status, answer.body.len()), (200, 1_048_577));
    assert!(
        answer
            .body
            .chunks(26)
            .all(|chunk| b"abcdefghijklmnopqrstuvwxyz".starts_with(chunk))
    );
    assert_eq!(call(instance, "echo/bytes?size=0", &[]).body, b"");
}

fn path_and_query_reach_the_service_undecoded(instance: &Instance) {
    for raw in [
        "/a%2Fb/%C3%B5%20+;x=1?q=%2F+%26&q=2",
        "/a%2fb",
        "//a//b/",
        "/x?",
        "?x",
        "/%7E~%2D-",
        "",
    ] {
        let answer = call(instance, &format!("echo{raw}"), &["--path-as-is"]);
        let expected = format!("/rest{raw}");
        assert_eq!(
            (answer.status, answer.header("x-echo-path")),
            (200, Some(expected.as_str())),
            "{raw}"
        );
    }
}

fn headers_of_the_hop_stay_there_and_all_others_travel(instance: &Instance) {
    let travels = [
        "Authorization: Basic a2FsYQ==",
        "Cookie: a=b; c=d",
        "X-Own: õ",
        "Accept-Encoding: identity",
    ];
    let stays = [
        "Keep-Alive: 5",
        "TE: trailers",
        "User-Agent: kala",
        "Proxy-Authorization: x",
        "Trailer: X-T",
    ];
    let replaced = ["X-Road-Request-Id: mine", "X-Road-Request-Hash: mine"];
    let all = travels
        .iter()
        .chain(&stays)
        .chain(&replaced)
        .chain(&["Host: elsewhere.example"]);
    let arguments: Vec<&str> = all.flat_map(|header| ["-H", *header]).collect();
    let answer = call(instance, "echo", &arguments);
    let seen = answer.json()["headers"].clone();
    for header in travels {
        let (name, value) = header.split_once(": ").unwrap();
        assert_eq!(seen[name.to_ascii_lowercase()], value);
    }
    for header in stays {
        let name = header.split_once(": ").unwrap().0.to_ascii_lowercase();
        assert!(seen[&name].is_null(), "{name}: {seen}");
    }
    assert_eq!(
        seen["host"],
        instance.get("information_system").trim_start_matches("http://")
    );
    assert_ne!(seen["x-road-request-id"], "mine");
    assert!(seen["x-road-request-hash"].is_null());
    // The service streams its echo in chunks; of that the client sees nothing.
    let answer = call(instance, "echo", &["-d", "tere"]);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.header("content-length"), Some("4"));
}

fn message_ids_are_kept_or_made(instance: &Instance) {
    let kept = call(instance, "echo", &["-H", "X-Road-Id: minu-sõnum"]);
    assert_eq!(kept.header("x-road-id"), Some("minu-sõnum"));
    assert_eq!(kept.json()["headers"]["x-road-id"], "minu-sõnum");
    let made = [call(instance, "echo", &[]), call(instance, "echo", &[])];
    let ids = made.each_ref().map(|answer| answer.header("x-road-id").unwrap());
    assert_ne!(ids[0], ids[1]);
    for (answer, id) in made.iter().zip(ids) {
        uuid::Uuid::parse_str(id.strip_prefix("SANDBOX-").unwrap()).unwrap();
        assert_eq!(answer.json()["headers"]["x-road-id"], id);
        let request_id = answer.header("x-road-request-id").unwrap();
        uuid::Uuid::parse_str(request_id).unwrap();
        assert_eq!(answer.json()["headers"]["x-road-request-id"], request_id);
        assert_eq!(answer.header("x-road-client"), Some("SANDBOX/ORG/1001/client"));
        assert_eq!(
            answer.header("x-road-service"),
            Some("SANDBOX/ORG/2002/provider/echo")
        );
        // 64 bytes in base64.
        assert_eq!(answer.header("x-road-request-hash").unwrap().len(), 88);
    }
}

fn statuses_of_the_provider_are_answers(instance: &Instance) {
    for status in [200, 201, 302, 400, 403, 404, 418, 500, 503] {
        let answer = call(instance, &format!("echo/status/{status}"), &[]);
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (status, &status.into())
        );
        assert_eq!(answer.header("x-road-error"), None);
        assert!(answer.header("x-road-request-hash").is_some());
        assert_eq!(answer.headers("date").len(), 1);
    }
    for status in [204, 304] {
        let answer = call(instance, &format!("echo/status/{status}"), &[]);
        assert_eq!((answer.status, &answer.body[..]), (status, &b""[..]));
    }
}

fn connections_are_used_again(instance: &Instance) {
    let (good, bad) = (instance.url("echo"), instance.url("nothing"));
    let urls = [good.as_str(), &bad, &good, &good];
    let made = measure(
        "%{http_code} %{num_connects}",
        &[&["-H", CLIENT], &urls[..]].concat(),
    );
    assert_eq!(made, ["200 1", "500 0", "200 0", "200 0"]);
}

fn a_client_that_asks_before_it_sends_is_told_to_go_on(instance: &Instance) {
    let asked = call(instance, "echo", &["-d", "tere", "-H", "Expect: 100-continue"]);
    assert_eq!(
        (asked.interim, asked.status, &asked.body[..]),
        (vec![100], 200, &b"tere"[..])
    );
    let not_asked = call(instance, "echo", &["-d", "tere"]);
    assert_eq!((not_asked.interim, not_asked.status), (vec![], 200));
}

fn somebody_is_there(instance: &Instance) {
    let root = format!("{}/", instance.get("consumer/client_http"));
    assert_eq!(curl(&[&root]).status, 200);
    assert_eq!(curl(&["--head", &root]).status, 200);
    let elsewhere = format!("{root}r2/SANDBOX");
    assert!(curl(&[&elsewhere]).text().contains("client.invalid_http_method"));
}

#[test]
fn failures_are_told_in_status_header_and_body() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(111);
    each_failure_has_its_code(&instance);
    a_fault_is_written_as_the_client_accepts_it(&instance);
    a_named_security_server_is_the_only_one_called(&instance);
}

fn each_failure_has_its_code(instance: &Instance) {
    for (service, code) in [
        ("echo%28%C3%28", "server.clientproxy.internal_error"),
        ("nothing", "server.serverproxy.unknown_service"),
        ("private", "server.serverproxy.access_denied"),
        ("closed", "server.serverproxy.service_disabled"),
        ("down", "server.serverproxy.network_error"),
        ("slow/delay?ms=20000", "server.serverproxy.io_error"),
    ] {
        assert_eq!(fault(&call(instance, service, &[])), code, "{service}");
    }
    for (working, arguments) in [
        ("echo", &[][..]),
        ("slow/delay?ms=1", &[]),
        ("echo", &["-X", "PUT"]),
    ] {
        assert_eq!(call(instance, working, arguments).status, 200);
    }
    let disabled = call(instance, "closed", &[]).json()["message"].to_string();
    assert!(disabled.contains("Closed for the holidays"), "{disabled}");
    assert_eq!(
        fault(&call(instance, "echo", &["-X", "BREW"])),
        "server.clientproxy.internal_error"
    );

    let http = instance.get("consumer/client_http");
    let from = |client: &str, path: &str| curl(&["-H", client, &format!("{http}{path}")]);
    let echo = "/r1/SANDBOX/ORG/2002/provider/echo";
    for (client, path, code) in [
        ("X-Nothing: 1", echo, "invalid_client_identifier"),
        ("X-Road-Client: SANDBOX/ORG", echo, "internal_error"),
        ("X-Road-Client: SANDBOX/ORG/1001/nobody", echo, "unknown_member"),
        (CLIENT, "/r1/SANDBOX/ORG/2002/nobody/echo", "unknown_member"),
        (CLIENT, "/r1/invalid", "internal_error"),
        (CLIENT, "/r1/SANDBOX/ORG/2002/provider", "internal_error"),
    ] {
        assert_eq!(
            fault(&from(client, path)),
            format!("server.clientproxy.{code}"),
            "{client} {path}"
        );
    }
    assert_eq!(from(CLIENT, echo).status, 200);
}

fn a_fault_is_written_as_the_client_accepts_it(instance: &Instance) {
    for (accept, content_type) in [
        ("text/xml", "text/xml;charset=utf-8"),
        (
            "application/xml;q=0.1, application/json",
            "application/xml;charset=utf-8",
        ),
        ("image/png, text/*", "text/xml;charset=utf-8"),
    ] {
        let answer = call(instance, "nothing", &["-H", &format!("Accept: {accept}")]);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (500, Some(content_type)),
            "{accept}"
        );
        let code = answer.header("x-road-error").unwrap();
        assert_eq!(code, "server.serverproxy.unknown_service");
        let text = answer.text();
        assert!(
            text.contains(&format!("<error><type>{code}</type><message>")),
            "{text}"
        );
        assert!(text.trim_end().ends_with("</detail></error>"), "{text}");
    }
    for accept in ["*/*", "application/json", "application/*", "text/html"] {
        let answer = call(instance, "nothing", &["-H", &format!("Accept: {accept}")]);
        assert_eq!(fault(&answer), "server.serverproxy.unknown_service", "{accept}");
    }
}

fn a_named_security_server_is_the_only_one_called(instance: &Instance) {
    let named = |server: &str| {
        call(
            instance,
            "echo",
            &["-H", &format!("X-Road-Security-Server: {server}")],
        )
    };
    assert_eq!(named("SANDBOX/ORG/2002/provider").status, 200);
    let other = named("SANDBOX/ORG/1001/consumer");
    assert_eq!(fault(&other), "server.clientproxy.invalid_security_server");
    assert_eq!(
        fault(&named("SANDBOX/ORG/2002")),
        "server.clientproxy.internal_error"
    );
}

/// Changes a file of TOML.
fn edit(path: &Path, change: impl FnOnce(&mut Table)) {
    let mut table: Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
    change(&mut table);
    std::fs::write(path, table.to_string()).unwrap();
}

/// Tables of an array in TOML.
fn tables<'a>(table: &'a mut Table, name: &str) -> impl Iterator<Item = &'a mut Table> {
    let array = table.get_mut(name).unwrap().as_array_mut().unwrap();
    array.iter_mut().map(|value| value.as_table_mut().unwrap())
}

/// Changes a server's configuration as an operator does: export, edit, apply.
fn configure(instance: &Instance, server: &str, change: impl FnOnce(&mut Table)) {
    let database = instance.get(&format!("{server}/server_configuration"));
    let exported = kiirtee()
        .args(["config", "export", "--database", &database])
        .output()
        .unwrap();
    assert!(exported.status.success(), "{exported:?}");
    let file = file_of(instance.dir(), "edited.toml", &exported.stdout);
    edit(&file, change);
    let mut apply = kiirtee();
    let applied = apply
        .args(["config", "apply", "--database", &database])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        applied.status.success(),
        "{}",
        String::from_utf8_lossy(&applied.stderr)
    );
}

#[test]
fn identifiers_may_hold_any_character() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(112);
    register(&instance, "SANDBOX/ORG/1001", "klient õ");
    register(&instance, "SANDBOX/ORG/2002", "Ülle & Co");
    configure(&instance, "consumer", |table| {
        add_client(table, "SANDBOX/ORG/1001/klient õ", "")
    });
    let service = format!("{}/rest", instance.get("information_system"));
    configure(&instance, "provider", |table| {
        add_client(table, "SANDBOX/ORG/2002/Ülle & Co", &service)
    });

    let http = instance.get("consumer/client_http");
    let provider = "SANDBOX/ORG/2002/%C3%9Clle%20%26%20Co";
    let client = "X-Road-Client: SANDBOX/ORG/1001/klient%20%C3%B5";
    let url = |service: &str| format!("{http}/r1/{provider}/{service}/a%2Fb%20c?d=%2F");
    let called = || curl(&["-H", client, &url("k%C3%BCsi%20a+b")]);
    wait_until("the servers to hear of the subsystems", || called().status == 200);
    let answer = called();
    assert_eq!(answer.header("x-echo-path"), Some("/rest/a%2Fb%20c?d=%2F"));
    assert_eq!(
        answer.header("x-road-client"),
        Some("SANDBOX/ORG/1001/klient%20%C3%B5")
    );
    let escaped = "SANDBOX/ORG/2002/%C3%9Clle%20&%20Co/k%C3%BCsi%20a+b";
    assert_eq!(answer.header("x-road-service"), Some(escaped));
    assert_eq!(
        answer.json()["headers"]["x-road-client"],
        "SANDBOX/ORG/1001/klient%20%C3%B5"
    );
    // A plus is a plus, not a space.
    let other = curl(&["-H", client, &url("k%C3%BCsi%20a%20b")]);
    assert_eq!(fault(&other), "server.serverproxy.unknown_service");
}

/// Enters a subsystem in the central server's registry, as a client of its member's server.
fn register(instance: &Instance, member: &str, subsystem: &str) {
    edit(&instance.dir().join("central/registry.toml"), |registry| {
        let member_of = |table: &&mut Table| table["id"].as_str() == Some(member);
        let found = tables(registry, "member").find(member_of).unwrap();
        let entry = toml::toml! { code = subsystem };
        found["subsystem"].as_array_mut().unwrap().push(entry.into());
        let owned = |table: &&mut Table| table["owner"].as_str() == Some(member);
        let server = tables(registry, "security_server").find(owned).unwrap();
        server["clients"]
            .as_array_mut()
            .unwrap()
            .push(format!("{member}/{subsystem}").into());
    });
}

/// A client, with a REST service if there is an address for it, which the other subsystem may use.
fn add_client(configuration: &mut Table, id: &str, address: &str) {
    let mut client = toml::toml! { authentication = "NOSSL" };
    client.insert("id".into(), id.into());
    if !address.is_empty() {
        let mut service = toml::toml! { code = "küsi a+b" };
        service.insert("url".into(), address.into());
        let mut description = toml::toml! { type = "REST" };
        description.insert("url".into(), address.into());
        description.insert("service".into(), vec![service].into());
        client.insert("service_description".into(), vec![description].into());
        let endpoint = toml::toml! { service = "küsi a+b" subjects = ["client:SANDBOX/ORG/1001/klient õ"] };
        client.insert("endpoint".into(), vec![endpoint].into());
    }
    configuration["client"]
        .as_array_mut()
        .unwrap()
        .push(client.into());
}

#[test]
fn connection_modes_of_a_client_are_kept_within_a_second_of_a_change() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(113);
    let identity = Identity::new(instance.dir(), "own");
    let stranger = Identity::new(instance.dir(), "stranger");
    let plain = || call(&instance, "echo", &[]);
    let https = instance.url("echo").replace(
        &instance.get("consumer/client_http"),
        &instance.get("consumer/client_https"),
    );
    let tls = |arguments: &[&str]| curl(&[&["-k", "-H", CLIENT, &https], arguments].concat());
    let refused = |answer: &Answer| fault(answer) == "server.clientproxy.ssl_authentication_failed";

    // NOSSL: as the sandbox is.
    assert_eq!(plain().status, 200);
    for (arguments, version) in [
        (&["--tls-max", "1.2"][..], "TLSv1.2"),
        (&["--tlsv1.3"], "TLSv1.3"),
    ] {
        assert_eq!(tls(arguments).status, 200);
        let output = curl::command()
            .args(["-v", "-k"])
            .args(arguments)
            .arg(&https)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains(&format!("SSL connection using {version}")),
            "{said}"
        );
    }
    assert_eq!(tls(&stranger.arguments()).status, 200);

    authenticate(&instance, "SSLNOAUTH", &[]);
    within_a_second(|| plain().status == 500);
    assert!(refused(&plain()));
    assert_eq!(tls(&[]).status, 200);
    assert_eq!(tls(&stranger.arguments()).status, 200);

    authenticate(&instance, "SSLAUTH", &[&identity]);
    within_a_second(|| tls(&[]).status == 500);
    for answer in [plain(), tls(&[]), tls(&stranger.arguments())] {
        assert!(refused(&answer));
    }
    for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        assert_eq!(
            tls(&[&identity.arguments(), version].concat()).status,
            200,
            "{version:?}"
        );
    }

    authenticate(&instance, "NOSSL", &[]);
    within_a_second(|| plain().status == 200);
}

fn authenticate(instance: &Instance, mode: &str, certificates: &[&Identity]) {
    configure(instance, "consumer", |table| {
        let wanted = |table: &&mut Table| table["id"].as_str() == Some("SANDBOX/ORG/1001/client");
        let client = tables(table, "client").find(wanted).unwrap();
        client.insert("authentication".into(), mode.into());
        let pems = certificates
            .iter()
            .map(|identity| std::fs::read_to_string(&identity.certificate).unwrap());
        client.insert("certificates".into(), pems.collect::<Vec<_>>().into());
    });
}

/// A second, and another for machines that have more to do than this test.
fn within_a_second(condition: impl FnMut() -> bool) {
    let began = Instant::now();
    wait_until("the proxy to take the configuration over", condition);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Key and certificate of an information system.
struct Identity {
    key: PathBuf,
    certificate: PathBuf,
}

impl Identity {
    fn new(folder: &Path, name: &str) -> Self {
        let key = folder.join(format!("{name}.key"));
        let certificate = folder.join(format!("{name}.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ]);
        openssl
            .args(["-subj", &format!("/CN={name}")])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate);
        let output = openssl.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        Self { key, certificate }
    }

    fn arguments(&self) -> [&str; 4] {
        [
            "--cert",
            self.certificate.to_str().unwrap(),
            "--key",
            self.key.to_str().unwrap(),
        ]
    }
}

/// Sets a value of the message log in the settings of a proxy and starts it again.
fn restart_with(instance: &mut Instance, server: &str, setting: &str, value: bool) {
    let process = format!("{server}-proxy");
    let killed = instance.kill(&process);
    edit(&instance.dir().join(server).join("proxy.toml"), |settings| {
        let log = settings["message_log"].as_table_mut().unwrap();
        log.insert(setting.into(), value.into());
    });
    instance.restart(&killed);
    let root = format!("{}/", instance.get(&format!("{server}/client_http")));
    let health = instance.get(&format!("{server}/health"));
    let answers = |url: &str| {
        let output = curl::command()
            .args(["-o", "/dev/null", "-w", "%{http_code}", url])
            .output()
            .unwrap();
        output.stdout == b"200"
    };
    wait_until("the proxy to be back", || answers(&root) && answers(&health));
}

#[test]
fn a_body_too_large_for_the_log_is_refused_unless_the_operator_lets_it_pass() {
    if !can_run() {
        return;
    }
    let mut instance = Instance::up(114);
    let (largest, larger) = (noise(LOGGABLE), noise(LOGGABLE + 1));
    let largest = format!("@{}", file_of(instance.dir(), "largest", &largest).display());
    let larger = format!("@{}", file_of(instance.dir(), "larger", &larger).display());
    let send = |instance: &Instance, file: &str| call(instance, "echo/sink", &["--data-binary", file]);
    let get = |instance: &Instance, size| call(instance, &format!("echo/bytes?size={size}"), &[]);

    assert_eq!(send(&instance, &largest).json()["size"], LOGGABLE);
    assert_eq!(get(&instance, LOGGABLE).body.len(), LOGGABLE);
    assert_eq!(fault(&send(&instance, &larger)), "server.clientproxy.io_error");
    assert_eq!(
        fault(&get(&instance, LOGGABLE + 1)),
        "server.serverproxy.logging_failed"
    );

    restart_with(&mut instance, "provider", "message_body_logging", false);
    assert_eq!(fault(&send(&instance, &larger)), "server.clientproxy.io_error");
    assert_eq!(
        fault(&get(&instance, LOGGABLE + 1)),
        "server.clientproxy.logging_failed"
    );

    restart_with(&mut instance, "consumer", "truncated_body_allowed", true);
    assert_eq!(send(&instance, &larger).json()["size"], LOGGABLE + 1);
    assert_eq!(get(&instance, LOGGABLE + 1).body.len(), LOGGABLE + 1);
    a_hundred_megabytes_pass(&instance);

    // Now the provider's server keeps bodies again, and it is its turn to refuse.
    restart_with(&mut instance, "provider", "message_body_logging", true);
    assert_eq!(
        fault(&send(&instance, &larger)),
        "server.serverproxy.logging_failed"
    );
    assert_eq!(
        fault(&get(&instance, LOGGABLE + 1)),
        "server.serverproxy.logging_failed"
    );
}

fn a_hundred_megabytes_pass(instance: &Instance) {
    let sent = noise(HUNDRED_MEGABYTES);
    let file = format!("@{}", file_of(instance.dir(), "hundred", &sent).display());
    let told = call(instance, "echo/sink", &["--data-binary", &file]).json();
    let digest: String = DigestAlgorithm::Sha512
        .digest(&sent)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        (&told["size"], &told["sha512"]),
        (&HUNDRED_MEGABYTES.into(), &digest.into())
    );
    let answer = call(instance, &format!("echo/bytes?size={HUNDRED_MEGABYTES}"), &[]);
    assert_eq!((answer.status, answer.body.len()), (200, HUNDRED_MEGABYTES));
}

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
