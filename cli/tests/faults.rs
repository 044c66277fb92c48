//! What an information system is told when something is amiss, and what the operator reads about it: every failure has
//! the reference's fault code and HTTP status, the log says why, and all is well again once the cause is gone.

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

use std::path::PathBuf;
use std::process::Command;

use instance::{Instance, agent, is_built, kiirtee, wait_until};
use protocol_pki::certificate::Certificate;
use signer_client::KeyUsage;

/// A registered client's calls of allowed services.
const REST: &str = "echo/letters";
const SOAP: &str = "echoMessage";

#[test]
fn what_may_not_be_called_or_does_not_exist_is_refused_by_its_name() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(140);
    works(&instance);

    let provider = |service: &str| rest(&instance, service);
    provider("private/x")
        .is(500, "server.serverproxy.access_denied")
        .logged("not allowed");
    provider("nothing/x")
        .is(500, "server.serverproxy.unknown_service")
        .logged("Unknown service");
    provider("closed/x")
        .is(500, "server.serverproxy.service_disabled")
        .logged("Closed for the holidays");
    let of_rest = envelope::request("echo", "kind").replace("<id:serviceVersion>v1</id:serviceVersion>", "");
    Answer::soap(&instance, &of_rest)
        .is(200, "server.serverproxy.service_type")
        .logged("REST service");
    provider("pets/pets/1").answered();
    rest_by(&instance, "DELETE", "pets/pets/1")
        .is(500, "server.serverproxy.access_denied")
        .logged("not allowed");
    soap(&instance, "echoForbidden")
        .is(200, "server.serverproxy.access_denied")
        .logged("not allowed");
    soap(&instance, "nothing")
        .is(200, "server.serverproxy.unknown_service")
        .logged("Unknown service");

    let at = |path: &str| format!("{}/r1/SANDBOX/ORG/{path}", instance.get("consumer/client_http"));
    let from = |client: &str, url: &str| Answer::rest(&instance, "GET", url, client);
    let unknown_member = "server.clientproxy.unknown_member";
    from(CLIENT, &at("2002/nobody/echo"))
        .is(500, unknown_member)
        .logged("Could not find addresses");
    from(CLIENT, &at("9999/provider/echo"))
        .is(500, unknown_member)
        .logged("Could not find addresses");
    from("SANDBOX/ORG/1001/other", &instance.url(REST))
        .is(500, unknown_member)
        .logged("not found");
    from("SANDBOX/ORG/2002/provider", &instance.url(REST))
        .is(500, unknown_member)
        .logged("not found");
    from("SANDBOX", &instance.url(REST))
        .is(500, "server.clientproxy.internal_error")
        .logged("malformed");
    Answer::soap(&instance, &envelope::request_to("nobody", SOAP, "unknown")).is(200, unknown_member);

    the_provider_drops_a_client_without_telling_anybody(&instance);
    information_systems_fail(&mut instance);
    works(&instance);
}

/// The global configuration says that the provider is there, its server says that it is not.
fn the_provider_drops_a_client_without_telling_anybody(instance: &Instance) {
    let without_clients = |text: &str| text.split("[[client]]").next().unwrap().to_owned();
    configure(instance, "provider", without_clients);
    let code = "server.serverproxy.service_failed.unknown_member";
    wait_until("the client to be gone", || rest(instance, REST).code == code);
    rest(instance, REST).is(500, code).logged("not found");
    soap(instance, SOAP).is(200, code).logged("not found");
    configure(instance, "provider", str::to_owned);
    wait_until("the client to be back", || rest(instance, REST).status == 200);
}

fn information_systems_fail(instance: &mut Instance) {
    rest(instance, "down/x")
        .is(500, "server.serverproxy.network_error")
        .logged("connect");
    rest(instance, "slow/delay?ms=3000")
        .is(500, "server.serverproxy.io_error")
        .logged("time");
    rest(instance, "slow/delay?ms=1").answered();
    rest(instance, "echo/status/503").is_of_the_service(503);

    let service = instance.kill("service");
    rest(instance, REST)
        .is(500, "server.serverproxy.network_error")
        .logged("connect");
    soap(instance, SOAP)
        .is(200, "server.serverproxy.service_failed.network_error")
        .logged("connect");
    instance.restart(&service);
    wait_until("the service to be back", || rest(instance, REST).status == 200);
}

#[test]
fn processes_that_are_down_are_told_apart_and_forgiven() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(141);
    works(&instance);

    let proxy = instance.kill("provider-proxy");
    // A dying process gives up its ports a moment after its memory.
    let peer = instance.get("provider/peer");
    wait_until("the port to close", || {
        std::net::TcpStream::connect(&peer).is_err()
    });
    rest(&instance, REST)
        .is(500, "server.clientproxy.network_error")
        .logged("connect");
    soap(&instance, SOAP)
        .is(200, "server.clientproxy.network_error")
        .logged("connect");
    instance.restart(&proxy);
    recovers(&instance);

    // One client connection, so that one worker with open connections to the provider's server serves all.
    let agent = agent();
    let call = || Answer::rest_by(&instance, &agent, "GET", &instance.url(REST), CLIENT);
    call().answered();
    let signer = instance.kill("consumer-signer");
    call().is(500, "server.clientproxy.io_error").logged("signer");
    Answer::soap_by(&instance, &agent, &envelope::request(SOAP, "signer-down"))
        .is(200, "server.clientproxy.cannot_create_signature")
        .logged("signer");
    instance.restart(&signer);
    recovers(&instance);

    let signer = instance.kill("provider-signer");
    let (rest_code, soap_code) = (rest(&instance, REST), soap(&instance, SOAP));
    rest_code
        .is(500, "server.serverproxy.cannot_create_signature")
        .logged("signer");
    soap_code
        .is(200, "server.serverproxy.cannot_create_signature")
        .logged("signer");
    instance.restart(&signer);
    recovers(&instance);
    expired_global_configuration(&mut instance);
}

/// The configuration client stands still and the configuration on disk runs out.
fn expired_global_configuration(instance: &mut Instance) {
    for (server, side) in [("consumer", "clientproxy"), ("provider", "serverproxy")] {
        let confclient = instance.kill(&format!("{server}-confclient"));
        works(instance);
        expire(instance, server);
        let code = format!("server.{side}.global_conf_outdated");
        wait_until("the expiry to be seen", || rest(instance, REST).code == code);
        rest(instance, REST).is(500, &code).logged("expired");
        soap(instance, SOAP).is(200, &code).logged("expired");
        instance.restart(&confclient);
        recovers(instance);
    }
}

fn expire(instance: &Instance, server: &str) {
    for name in ["private-params.xml.metadata", "shared-params.xml.metadata"] {
        let file = instance.dir().join(server).join("globalconf/SANDBOX").join(name);
        let mut metadata: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        metadata["expirationDate"] = "2020-01-01T00:00:00Z".into();
        replace(&file, metadata.to_string().as_bytes());
    }
}

#[test]
fn certificates_that_ocsp_does_not_call_good_are_not_used() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(142);
    works(&instance);
    the_configuration_client_hears_of_a_revocation(&mut instance);

    // From here on the responses on disk are the test's.
    let clients = SERVERS.map(|server| instance.kill(&format!("{server}-confclient")));
    for (status, reason) in [
        ("revoked", "revoked"),
        ("unknown", "unknown"),
        ("stale", "too old"),
    ] {
        for (server, usage, rest_code, soap_code) in [
            (
                "consumer",
                KeyUsage::Authentication,
                "server.clientproxy.ssl_authentication_failed",
                None,
            ),
            (
                "consumer",
                KeyUsage::Signing,
                "server.clientproxy.io_error",
                Some("server.clientproxy.cannot_create_signature"),
            ),
            (
                "provider",
                KeyUsage::Signing,
                "server.serverproxy.service_failed.cannot_create_signature",
                None,
            ),
        ] {
            let ocsp = OcspFile::of(&instance, server, usage);
            ocsp.say(&instance, status);
            wait_until("the OCSP response to be seen", || {
                rest(&instance, REST).code == rest_code
            });
            rest(&instance, REST).is(500, rest_code).logged("certificate");
            soap(&instance, SOAP)
                .is(200, soap_code.unwrap_or(rest_code))
                .logged("certificate");
            let log = instance.log(&format!("{server}-proxy"));
            assert!(
                log.contains("key not usable") && log.to_lowercase().contains(reason),
                "{reason}: {log}"
            );
            ocsp.say(&instance, "good");
            recovers(&instance);
        }
    }
    the_providers_authentication_certificate_is_revoked(&mut instance);
    for client in &clients {
        instance.restart(client);
    }
    recovers(&instance);
}

/// The whole way: responder, configuration client, proxy.
fn the_configuration_client_hears_of_a_revocation(instance: &mut Instance) {
    edit_settings(instance, "consumer-confclient", |text| {
        text.replace("[ocsp]", "[ocsp]\ninterval = 1")
    });
    instance.control_trust(r#"{"ocsp":{"mode":"revoked"}}"#);
    let code = "server.clientproxy.ssl_authentication_failed";
    wait_until("the revocation to be heard of", || {
        rest(instance, REST).code == code
    });
    let log = instance.log("consumer-confclient");
    assert!(
        log.contains("no fresh OCSP response") && log.contains("Revoked"),
        "{log}"
    );
    instance.control_trust(r#"{"ocsp":{"mode":"good"}}"#);
    recovers(instance);
}

/// Its server offers no TLS then; connections that are open already end with what its OCSP service says.
fn the_providers_authentication_certificate_is_revoked(instance: &mut Instance) {
    let ocsp = OcspFile::of(instance, "provider", KeyUsage::Authentication);
    ocsp.say(instance, "revoked");
    let seen = || instance.log("provider-proxy").matches("key not usable").count();
    let before = seen();
    wait_until("the revocation to be seen", || {
        seen() > before || !rest(instance, REST).code.is_empty()
    });
    // The consumer's server knows no earlier response and has no open connection.
    let proxy = instance.kill("consumer-proxy");
    instance.restart(&proxy);
    healthy(instance, "consumer");
    let code = "server.clientproxy.ssl_authentication_failed";
    rest(instance, REST).is(500, code).logged("TLS");
    soap(instance, SOAP).is(200, code).logged("TLS");
    ocsp.say(instance, "good");
    recovers(instance);
}

/// The OCSP response of one certificate, as the configuration client keeps it for the proxy.
struct OcspFile {
    certificate: PathBuf,
    file: PathBuf,
}

impl OcspFile {
    fn of(instance: &Instance, server: &str, usage: KeyUsage) -> Self {
        let socket = PathBuf::from(instance.get(&format!("{server}/signer_socket")));
        let status = signer_client::Client::connect(&socket).status().unwrap();
        let (_, info) = status.usable(usage).next().unwrap();
        let certificate = Certificate::from_der(&info.der).unwrap();
        let pem = instance.dir().join(format!("{server}-{usage:?}.pem"));
        std::fs::write(&pem, certificate.to_pem()).unwrap();
        let name = format!("{}.ocsp", certificate.sha1().to_hex());
        Self {
            certificate: pem,
            file: instance.dir().join(server).join("ocsp").join(name),
        }
    }

    /// Asks the responder, which says what it is told to.
    fn say(&self, instance: &Instance, status: &str) {
        instance.control_trust(match status {
            "revoked" => r#"{"ocsp":{"mode":"revoked"}}"#,
            "unknown" => r#"{"ocsp":{"mode":"unknown"}}"#,
            "stale" => r#"{"ocsp":{"this_update_offset_seconds":-7200}}"#,
            _ => r#"{"ocsp":{}}"#,
        });
        let response = instance.dir().join("response.ocsp");
        let trust = instance.dir().join("trust");
        let output = Command::new("openssl")
            .args(["ocsp", "-noverify", "-issuer"])
            .arg(trust.join("ca.pem"))
            .arg("-cert")
            .arg(&self.certificate)
            .args(["-url", &instance.get("trust/ocsp"), "-respout"])
            .arg(&response)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        replace(&self.file, &std::fs::read(&response).unwrap());
        instance.control_trust(r#"{"ocsp":{}}"#);
    }
}

#[test]
fn without_time_stamps_no_message_is_taken() {
    if !is_built() {
        return;
    }
    let mut instance = Instance::up(143);
    works(&instance);
    no_service_is_configured(&instance);
    for (server, side) in [("provider", "serverproxy"), ("consumer", "clientproxy")] {
        the_service_fails_for_too_long(&mut instance, server, side);
    }
}

fn no_service_is_configured(instance: &Instance) {
    let nothing = "mlog.no_timestamping_provider_found";
    let without = |text: &str| text.split("[[time_stamping_service]]").next().unwrap().to_owned();
    for (server, rest_code, soap_code) in [
        (
            "consumer",
            "server.clientproxy.io_error".to_owned(),
            format!("server.clientproxy.logging_failed.{nothing}"),
        ),
        (
            "provider",
            format!("server.serverproxy.logging_failed.{nothing}"),
            format!("server.serverproxy.logging_failed.{nothing}"),
        ),
    ] {
        configure(instance, server, without);
        wait_until("the configuration to take effect", || {
            rest(instance, REST).code == rest_code
        });
        // Neither the server that refuses nor the one behind it keeps anything.
        let kept = || [server, "provider"].map(|server| records(instance, server).len());
        let before = kept();
        rest(instance, REST)
            .is(500, &rest_code)
            .logged("Cannot time-stamp messages");
        soap(instance, SOAP)
            .is(200, &soap_code)
            .logged("Cannot time-stamp messages");
        assert_eq!(kept(), before, "what was refused is in no log");
        assert!(
            instance
                .log(&format!("{server}-proxy"))
                .contains("no time-stamping service is configured")
        );
        configure(instance, server, str::to_owned);
        recovers(instance);
    }
}

fn the_service_fails_for_too_long(instance: &mut Instance, server: &str, side: &str) {
    edit_settings(instance, &format!("{server}-proxy"), |text| {
        format!("{text}\n[message-log]\nacceptable-timestamp-failure-period = 1\ntimestamp-retry-delay = 1\n")
    });
    recovers(instance);
    instance.control_trust(r#"{"tsa":{"mode":"unavailable"}}"#);
    let code = format!("server.{side}.logging_failed.timestamping_failed");
    wait_until("time-stamping to have failed for too long", || {
        soap(instance, SOAP).code == code
    });
    soap(instance, SOAP)
        .is(200, &code)
        .logged("Cannot time-stamp messages");
    let rest_code = if server == "consumer" {
        "server.clientproxy.io_error"
    } else {
        &code
    };
    rest(instance, REST)
        .is(500, rest_code)
        .logged("Cannot time-stamp messages");
    assert!(
        instance
            .log(&format!("{server}-proxy"))
            .contains("time-stamping failed")
    );
    assert!(
        records(instance, server)
            .iter()
            .any(|record| record["time_stamped"] == false)
    );
    instance.control_trust(r#"{"tsa":{"mode":"granted"}}"#);
    recovers(instance);
    wait_until("the records to be time-stamped after all", || {
        records(instance, server)
            .iter()
            .all(|record| record["time_stamped"] == true)
    });
}

// --- calls ---

const SERVERS: [&str; 2] = ["consumer", "provider"];
const CLIENT: &str = instance::CLIENT.1;

/// What an information system was told.
struct Answer<'a> {
    instance: &'a Instance,
    status: u16,
    /// The fault code; empty for the answer of a service.
    code: String,
    body: String,
}

impl<'a> Answer<'a> {
    fn rest(instance: &'a Instance, method: &str, url: &str, client: &str) -> Self {
        Self::rest_by(instance, &agent(), method, url, client)
    }

    fn rest_by(instance: &'a Instance, agent: &ureq::Agent, method: &str, url: &str, client: &str) -> Self {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header(instance::CLIENT.0, client);
        let mut answer = agent.run(request.body(()).unwrap()).unwrap();
        let code = answer
            .headers()
            .get("x-road-error")
            .map(|code| code.to_str().unwrap().to_owned());
        let body = answer.body_mut().read_to_string().unwrap();
        Self {
            instance,
            status: answer.status().as_u16(),
            code: code.unwrap_or_default(),
            body,
        }
    }

    fn soap(instance: &'a Instance, envelope: &str) -> Self {
        Self::soap_by(instance, &agent(), envelope)
    }

    fn soap_by(instance: &'a Instance, agent: &ureq::Agent, envelope: &str) -> Self {
        let post = agent.post(instance.get("consumer/client_http"));
        let mut answer = post
            .header("content-type", "text/xml; charset=UTF-8")
            .send(envelope)
            .unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        let code = between(&body, "<faultcode>", "</faultcode>")
            .unwrap_or_default()
            .to_owned();
        Self {
            instance,
            status: answer.status().as_u16(),
            code,
            body,
        }
    }

    /// It is this fault, in every place where the protocol puts the code.
    #[track_caller]
    fn is(&self, status: u16, code: &str) -> &Self {
        assert_eq!((self.status, self.code.as_str()), (status, code), "{}", self.body);
        if !self.body.starts_with('<') {
            let told: serde_json::Value = serde_json::from_str(&self.body).unwrap();
            assert_eq!(told["type"], code);
        }
        self
    }

    #[track_caller]
    fn answered(&self) {
        assert_eq!((self.status, self.code.as_str()), (200, ""), "{}", self.body);
    }

    /// A status of the service itself is no fault.
    #[track_caller]
    fn is_of_the_service(&self, status: u16) {
        assert_eq!((self.status, self.code.as_str()), (status, ""), "{}", self.body);
    }

    /// The failure's number is in the log of the server where it happened, beside the reason.
    #[track_caller]
    fn logged(&self, reason: &str) {
        let detail = self.detail();
        let logs = SERVERS.map(|server| self.instance.log(&format!("{server}-proxy")));
        let line = logs
            .iter()
            .flat_map(|log| log.lines())
            .find(|line| line.contains(&detail));
        let line = line.unwrap_or_else(|| panic!("{detail} is in no log: {}", self.body));
        assert!(
            line.contains(reason) && line.contains(&self.code),
            "no {reason} in {line}"
        );
    }

    fn detail(&self) -> String {
        if let Ok(told) = serde_json::from_str::<serde_json::Value>(&self.body) {
            return told["detail"].as_str().unwrap().to_owned();
        }
        let detail = between(&self.body, "<detail>", "</detail>").unwrap_or_else(|| panic!("{}", self.body));
        let start = detail.find('>').map_or(0, |end| end + 1);
        detail[start..].split('<').next().unwrap().to_owned()
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

fn rest<'a>(instance: &'a Instance, service: &str) -> Answer<'a> {
    rest_by(instance, "GET", service)
}

fn rest_by<'a>(instance: &'a Instance, method: &str, service: &str) -> Answer<'a> {
    Answer::rest(instance, method, &instance.url(service), CLIENT)
}

fn soap<'a>(instance: &'a Instance, operation: &str) -> Answer<'a> {
    Answer::soap(instance, &envelope::request(operation, "faults"))
}

/// The mirror of every failure.
#[track_caller]
fn works(instance: &Instance) {
    rest(instance, REST).answered();
    soap(instance, SOAP).answered();
}

/// As [`works`], soon.
#[track_caller]
fn recovers(instance: &Instance) {
    for server in SERVERS {
        healthy(instance, server);
    }
    wait_until("the servers to recover", || rest(instance, REST).code.is_empty());
    works(instance);
}

fn healthy(instance: &Instance, server: &str) {
    let url = instance.get(&format!("{server}/health"));
    let healthy = || {
        agent()
            .get(&url)
            .call()
            .is_ok_and(|answer| answer.status() == 200)
    };
    wait_until("the server to be healthy", healthy);
}

/// What is in a server's message log.
fn records(instance: &Instance, server: &str) -> Vec<serde_json::Value> {
    let log = instance.get(&format!("{server}/message_log"));
    let output = kiirtee()
        .args(["log", "list", "--json", "--message-log", &log])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

// --- changes ---

fn replace(file: &std::path::Path, content: &[u8]) {
    let new = file.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// Applies the server configuration that the sandbox began with, changed.
fn configure(instance: &Instance, server: &str, change: impl Fn(&str) -> String) {
    let file = instance.dir().join(server).join("server.toml");
    let changed = change(&std::fs::read_to_string(file).unwrap());
    let new = instance.dir().join("changed.toml");
    std::fs::write(&new, changed).unwrap();
    let database = instance.get(&format!("{server}/server_configuration"));
    let output = kiirtee()
        .args(["config", "apply"])
        .arg(new)
        .args(["--database", &database])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Starts a process again with changed settings.
fn edit_settings(instance: &mut Instance, process: &str, change: impl Fn(&str) -> String) {
    let killed = instance.kill(process);
    let file = instance
        .dir()
        .join(process.replace('-', "/"))
        .with_extension("toml");
    let changed = change(&std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, changed).unwrap();
    instance.restart(&killed);
}
