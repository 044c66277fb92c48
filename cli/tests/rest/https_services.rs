//! Services that are called over TLS (wire.md 6.3): whose certificate they may have, and what they see of us.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use toml::{Table, Value};

use super::configure::{configure, restart_edited, set, tables};
use super::connection_modes::{Identity, authenticate, within_a_second};
use super::curl::{Answer, curl};
use super::instance::{Instance, wait_until};
use super::{CLIENT, call, can_run, fault};

/// `openssl s_server`, whose only page tells what TLS knows of its caller.
struct Service(Child);

impl Service {
    fn start(address: SocketAddr, identity: &Identity, arguments: &[&str]) -> Self {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "s_server",
            "-www",
            "-verify",
            "1",
            "-accept",
            &address.to_string(),
        ]);
        openssl.arg("-cert").arg(&identity.certificate);
        openssl.arg("-key").arg(&identity.key);
        let quiet = openssl
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let service = Self(quiet.spawn().unwrap());
        wait_until("the service to listen", || {
            std::net::TcpStream::connect(address).is_ok()
        });
        service
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A REST service of a server's subsystem, which the consumer's subsystem may call.
fn offer(table: &mut Table, subsystem: &str, service: &str) {
    let wanted = |table: &&mut Table| table["id"].as_str() == Some(subsystem);
    let client = tables(table, "client").find(wanted).unwrap();
    let service: Table = service.parse().unwrap();
    let (code, url) = (service["code"].clone(), service["url"].clone());
    let endpoint = Table::from_iter([
        ("service".to_owned(), code),
        (
            "subjects".to_owned(),
            vec!["client:SANDBOX/ORG/1001/client".to_owned()].into(),
        ),
    ]);
    let description = Table::from_iter([
        ("type".to_owned(), "REST".into()),
        ("url".to_owned(), url),
        ("service".to_owned(), vec![Value::Table(service)].into()),
    ]);
    add(client, "service_description", description);
    add(client, "endpoint", endpoint);
}

fn add(table: &mut Table, name: &str, entry: Table) {
    let array = table.entry(name).or_insert_with(|| Value::Array(Vec::new()));
    array.as_array_mut().unwrap().push(Value::Table(entry));
}

/// The certificates by which services of a client are known.
fn register(instance: &Instance, certificates: &[&Identity]) {
    let pems: Vec<String> = certificates
        .iter()
        .map(|identity| std::fs::read_to_string(&identity.certificate).unwrap())
        .collect();
    let provider = instance.get("provider/subsystem");
    configure(instance, "provider", |table| {
        let wanted = |table: &&mut Table| table["id"].as_str() == Some(&provider);
        let client = tables(table, "client").find(wanted).unwrap();
        client.insert("certificates".into(), pems.into());
    });
}

#[test]
fn a_service_over_tls_is_known_by_its_certificate_and_sees_ours() {
    if !can_run() {
        return;
    }
    let instance = Instance::up(22);
    let provider = instance.get("provider/subsystem");
    let known = Identity::new(instance.dir(), "known");
    let other = Identity::new(instance.dir(), "other");
    let expired = Identity::expired(instance.dir(), "expired");
    let address = |port: u16| SocketAddr::from(([127, 0, 22, 50], port));
    let tls12 = ["-tls1_2", "-no_ticket"];
    let _services = [
        Service::start(address(9001), &known, &[]),
        Service::start(address(9002), &other, &tls12),
        Service::start(address(9003), &expired, &[]),
    ];
    configure(&instance, "provider", |table| {
        // What is not said means that the certificate matters, as in the reference.
        for (code, port, more) in [
            ("known", 9001, "ssl_authentication = true"),
            ("unsaid", 9001, ""),
            ("other", 9002, "ssl_authentication = true"),
            ("whoever", 9002, "ssl_authentication = false"),
            ("expired", 9003, "ssl_authentication = true"),
        ] {
            // The host name is not in the certificate and is not compared.
            let url = format!("https://{}/{code}", address(port));
            offer(
                table,
                &provider,
                &format!("code = '{code}'\nurl = '{url}'\n{more}"),
            );
        }
    });
    let untrusted = |answer: &Answer| {
        answer.status == 500 && fault(answer) == "server.serverproxy.ssl_authentication_failed"
    };

    // No certificate is registered.
    within_a_second(|| call(&instance, "whoever", &[]).status == 200);
    for code in ["known", "unsaid", "other", "expired"] {
        assert!(untrusted(&call(&instance, code, &[])), "{code}");
    }

    register(&instance, &[&known, &expired]);
    within_a_second(|| call(&instance, "known", &[]).status == 200);
    // As in the reference, the validity of a registered certificate does not matter.
    for code in ["known", "unsaid", "expired", "whoever"] {
        let answer = call(&instance, code, &[]);
        assert_eq!(answer.status, 200, "{code}");
        assert!(answer.text().contains("Client certificate"), "{}", answer.text());
        assert!(
            answer.text().contains(&our_serial(&instance)),
            "{}",
            answer.text()
        );
    }
    assert!(untrusted(&call(&instance, "other", &[])));

    // Taken away again, it is not believed, open connections or not.
    register(&instance, &[&other]);
    within_a_second(|| untrusted(&call(&instance, "known", &[])));
    assert_eq!(call(&instance, "other", &[]).status, 200);
}

/// Serial number of the provider's internal certificate, as openssl prints it.
fn our_serial(instance: &Instance) -> String {
    let certificate = instance.dir().join("provider/internal-tls.pem");
    let mut openssl = Command::new("openssl");
    let output = openssl
        .args(["x509", "-noout", "-text", "-in"])
        .arg(certificate)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let serial = text
        .lines()
        .skip_while(|line| !line.contains("Serial Number"))
        .take(2);
    serial.collect::<Vec<_>>().join("\n")
}

/// The consumer's server calls its own port 8443, as an information system that has the server's internal certificate.
#[test]
fn the_servers_own_internal_certificate_may_speak_for_every_client() {
    if !can_run() {
        return;
    }
    let mut instance = Instance::up(23);
    let identity = Identity::new(instance.dir(), "own");
    let own = "SANDBOX/ORG/1001/client";
    let https = instance.get("consumer/client_https");
    let echo = instance
        .url("echo")
        .replace(&instance.get("consumer/client_http"), &https);
    let loop_to = |table: &mut Table, subsystem: &str| {
        let service = format!("code = 'loop'\nurl = '{echo}'\nssl_authentication = false");
        offer(table, subsystem, &service);
    };
    configure(&instance, "consumer", |table| loop_to(table, own));
    let provider = instance.get("provider/subsystem");
    configure(&instance, "provider", |table| loop_to(table, &provider));
    authenticate(&instance, "SSLAUTH", &[&identity]);
    let ask = |service: &str| {
        let url = format!("{https}/r1/{service}");
        curl(&[&["-k", "-H", CLIENT, &url], &identity.arguments()[..]].concat())
    };
    // Its own certificate is accepted ...
    within_a_second(|| ask(&format!("{own}/loop")).status == 200);
    // ... that of another server is not.
    let answer = ask(&format!("{provider}/loop"));
    assert_eq!(fault(&answer), "server.clientproxy.ssl_authentication_failed");
    restart_edited(&mut instance, "consumer", |settings| {
        set(settings, "proxy", "verify-client-cert", false);
    });
    wait_until("the check to be off", || {
        ask(&format!("{provider}/loop")).status == 200
    });
}
