//! Identifiers that need percent-encoding.

use toml::Table;

use super::configure::{configure, edit, tables};
use super::curl::curl;
use super::instance::{Instance, wait_until};
use super::{can_run, fault};

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
