//! How long a service may take (wire.md 6.3), and a provider's server (2.6): what the information system is told, and what
//! both servers have on record of an exchange that ended like this.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::choosing::Silent;
use super::instance::{self, CLIENT, Instance, kiirtee, wait_until};
use super::operator::{configure_service, restart_with};
use super::{rest, rest_with, soap, soap_request};

#[test]
fn a_service_that_takes_too_long_ends_the_exchange_after_its_request_was_logged() {
    if !instance::is_built() {
        return;
    }
    let mut instance = Instance::up(54);
    a_rest_service_is_waited_for(&instance);
    a_soap_service_is_waited_for(&instance);
    connecting_is_limited_for_soap_only(&instance);
    the_providers_server_is_waited_for(&mut instance);
}

/// The service `slow` has a time-out of one second.
fn a_rest_service_is_waited_for(instance: &Instance) {
    let id = super::uuid();
    let began = Instant::now();
    let told = rest_with(instance, "slow/delay?ms=10000", ("X-Road-Id", &id));
    let took = began.elapsed();
    assert_eq!(
        (told.status, told.code.as_str()),
        (500, "server.serverproxy.io_error"),
        "{told:?}"
    );
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(6),
        "{took:?}"
    );
    only_the_request_is_logged(instance, &id);

    let id = super::uuid();
    rest_with(instance, "slow/delay?ms=1", ("X-Road-Id", &id)).is_answer();
    for server in ["consumer", "provider"] {
        assert_eq!(logged(instance, server, &id), ["request", "response"], "{server}");
    }
}

fn a_soap_service_is_waited_for(instance: &Instance) {
    let service = instance.get("information_system");
    let change = |path: &str| {
        let url = format!("{service}{path}");
        configure_service(instance, "echoMessage", move |service| {
            service.insert("url".into(), url.clone().into());
            service.insert("timeout".into(), 1.into());
        });
    };
    change("/slow/delay?ms=10000");
    let code = "server.serverproxy.service_failed.io_error";
    wait_until("the service to be slow", || {
        soap(instance, &soap_request()).code == code
    });
    let id = super::uuid();
    let began = Instant::now();
    let told = soap(instance, &super::envelope::request("echoMessage", &id));
    let took = began.elapsed();
    assert_eq!(told.code, code, "{told:?}");
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_secs(6),
        "{took:?}"
    );
    only_the_request_is_logged(instance, &id);
    change("/soap");
    wait_until("the service to be fast", || {
        soap(instance, &soap_request()).status == 200
    });
}

/// At an address that takes no notice, SOAP gives up after the service's time-out; REST goes on for as long as the system
/// tries to connect.
fn connecting_is_limited_for_soap_only(instance: &Instance) {
    let silent = Silent::at("127.0.54.40:8000");
    for service in ["echoMessage", "slow"] {
        configure_service(instance, service, |service| {
            service.insert("url".into(), "http://127.0.54.40:8000/".into());
            service.insert("timeout".into(), 1.into());
        });
    }
    let code = "server.serverproxy.service_failed.io_error";
    wait_until("the change to be known", || {
        soap(instance, &soap_request()).code == code
    });
    let impatient: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(4)))
        .build()
        .into();
    let url = instance.url("slow/letters");
    let waiting = impatient.get(&url).header(CLIENT.0, CLIENT.1).call();
    assert!(matches!(waiting, Err(ureq::Error::Timeout(_))), "{waiting:?}");
    drop(silent);
    let refused = "server.serverproxy.network_error";
    wait_until("nobody to listen there", || {
        rest(instance, "slow/letters").code == refused
    });
    assert_eq!(
        soap(instance, &soap_request()).code,
        "server.serverproxy.service_failed.network_error"
    );
}

/// `client-httpclient-timeout`, which is none by default.
fn the_providers_server_is_waited_for(instance: &mut Instance) {
    let slow = "echo/delay?ms=3000";
    rest(instance, slow).is_answer();
    let setting = "proxy/client-httpclient-timeout";
    restart_with(instance, "consumer", &[(setting, 1000.into())]);
    let began = Instant::now();
    let told = rest(instance, slow);
    let took = began.elapsed();
    assert_eq!(told.code, "server.clientproxy.io_error", "{told:?}");
    assert!(
        took >= Duration::from_secs(1) && took < Duration::from_millis(2900),
        "{took:?}"
    );
    rest(instance, "echo/letters").is_answer();
    restart_with(instance, "consumer", &[(setting, 0.into())]);
    rest(instance, slow).is_answer();
}

/// Both servers have the signed request and no response; what the service would have said nobody knows.
fn only_the_request_is_logged(instance: &Instance, id: &str) {
    for server in ["consumer", "provider"] {
        assert_eq!(logged(instance, server, id), ["request"], "{server}");
    }
}

/// The records of an exchange: `request`, `response`.
fn logged(instance: &Instance, server: &str, id: &str) -> Vec<String> {
    let log = instance.get(&format!("{server}/message_log"));
    let listed = kiirtee()
        .args(["log", "list", "--json", "--query-id", id, "--message-log"])
        .arg(Path::new(&log))
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let records: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let records = records.as_array().unwrap().iter();
    records
        .map(|record| record["direction"].as_str().unwrap().to_owned())
        .collect()
}
