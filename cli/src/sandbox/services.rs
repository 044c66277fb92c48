//! The services of the provider, and who may use them.

use serde_json::{Value, json};

use super::description::Service;
use super::layout::{CONSUMER, Net, PROVIDER, Server, port};
use super::trust;

/// The SOAP operations of the example information system; all have version `v1`.
const OPERATIONS: &[&str] = &[
    "echoMessage",
    "echoBom",
    "echoLatin1",
    "echoAttachments",
    "echoMtom",
    "echoFault",
];

/// Version of the SOAP services.
const VERSION: &str = "v1";

/// A REST service: code, path at the information system, timeout in seconds, what to expect.
struct Rest {
    code: &'static str,
    path: &'static str,
    timeout: u32,
    allowed: bool,
    disabled: bool,
    about: &'static str,
}

const fn rest(code: &'static str, path: &'static str, about: &'static str) -> Rest {
    Rest {
        code,
        path,
        timeout: 60,
        allowed: true,
        disabled: false,
        about,
    }
}

const REST: &[Rest] = &[
    rest(
        "echo",
        "/rest",
        "sends back what it gets; also /bytes?size=N, /sink, /status/NNN, /delay?ms=N",
    ),
    Rest {
        timeout: 1,
        ..rest(
            "slow",
            "/slow",
            "the same with a time-out of one second: try /delay?ms=5000",
        )
    },
    Rest {
        allowed: false,
        ..rest("private", "/rest/private", "nobody may use it: access_denied")
    },
    Rest {
        disabled: true,
        ..rest(
            "closed",
            "/rest/closed",
            "switched off by its operator: service_disabled",
        )
    },
];

/// Notice of the service that is switched off.
const CLOSED: &str = "Closed for the holidays";

/// What `sandbox.json` says of the services.
pub fn list() -> Vec<Service> {
    let service = |code: &str, kind: &str, about: &str| Service {
        id: format!("{}/{code}", PROVIDER.subsystem_id()),
        kind: kind.into(),
        about: about.into(),
    };
    let rest = REST.iter().map(|rest| service(rest.code, "REST", rest.about));
    let down = service(
        "down",
        "REST",
        "its information system does not run: network_error",
    );
    let pets = service(
        "pets",
        "OPENAPI3",
        "GET /pets and /pets/ID are allowed, the rest is not",
    );
    let soap = OPERATIONS
        .iter()
        .map(|code| service(&format!("{code}/{VERSION}"), "WSDL", "answers with the request"));
    let forbidden = service(
        &format!("echoForbidden/{VERSION}"),
        "WSDL",
        "nobody may use it: access_denied",
    );
    rest.chain([down, pets]).chain(soap).chain([forbidden]).collect()
}

/// The server configuration of the consumer's server.
pub fn consumer_configuration(net: Net) -> Value {
    configuration(net, &CONSUMER, json!([]), json!([]))
}

/// The server configuration of one of the provider's servers.
pub fn provider_configuration(net: Net, server: &Server) -> Value {
    let base = format!("http://{}:{}", net.service(), port::SERVICE);
    let mut descriptions: Vec<Value> = REST.iter().map(|rest| rest_description(&base, rest)).collect();
    let nobody = Rest {
        path: "",
        ..rest("down", "", "")
    };
    descriptions.push(rest_description(&format!("http://{}:9", net.service()), &nobody));
    descriptions.push(json!({
        "type": "OPENAPI3", "url": format!("{base}/api/openapi.yaml"),
        "service": [service("pets", None, &format!("{base}/api"), 60)],
    }));
    let operations = OPERATIONS.iter().copied().chain(["echoForbidden"]);
    let operations: Vec<Value> = operations
        .map(|code| service(code, Some(VERSION), &format!("{base}/soap"), 60))
        .collect();
    descriptions.push(json!({"type": "WSDL", "url": format!("{base}/soap?wsdl"), "service": operations}));
    configuration(net, server, json!(descriptions), json!(access_rights()))
}

fn configuration(net: Net, server: &Server, descriptions: Value, endpoints: Value) -> Value {
    json!({
        "server": server.server_id(),
        "time_stamping_service": [{"name": trust::TSA_NAME, "url": trust::urls(net).tsa}],
        "client": [
            {"id": server.member_id(), "authentication": "NOSSL"},
            {
                "id": server.subsystem_id(), "authentication": "NOSSL",
                "service_description": descriptions, "endpoint": endpoints,
            },
        ],
    })
}

fn service(code: &str, version: Option<&str>, url: &str, timeout: u32) -> Value {
    let mut service = json!({"code": code, "url": url, "timeout": timeout, "ssl_authentication": false});
    if let (Some(version), Some(fields)) = (version, service.as_object_mut()) {
        fields.insert("version".into(), version.into());
    }
    service
}

fn rest_description(base: &str, rest: &Rest) -> Value {
    let url = format!("{base}{}", rest.path);
    let services = json!([service(rest.code, None, &url, rest.timeout)]);
    if rest.disabled {
        return json!({"type": "REST", "url": url, "disabled": true, "disabled_notice": CLOSED, "service": services});
    }
    json!({"type": "REST", "url": url, "service": services})
}

/// Who may use what: the consumer's subsystem most services, of `pets` two endpoints.
fn access_rights() -> Vec<Value> {
    let consumer = format!("client:{}", CONSUMER.subsystem_id());
    let whole = |code: &str| json!({"service": code, "subjects": [consumer]});
    let part = |method: &str, path: &str, allowed: bool| {
        let subjects = if allowed { json!([consumer]) } else { json!([]) };
        json!({"service": "pets", "method": method, "path": path, "generated": true, "subjects": subjects})
    };
    let rest = REST
        .iter()
        .filter(|rest| rest.allowed)
        .map(|rest| whole(rest.code));
    let soap = OPERATIONS.iter().map(|code| whole(code));
    let pets = [
        part("GET", "/pets", true),
        part("POST", "/pets", false),
        part("GET", "/pets/*", true),
        part("DELETE", "/pets/*", false),
    ];
    rest.chain([whole("down")]).chain(soap).chain(pets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::server_configuration::ServerConfiguration;

    #[test]
    fn both_configurations_can_be_applied() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [
            ("c", consumer_configuration(Net::default())),
            ("p", provider_configuration(Net::default(), &PROVIDER)),
        ] {
            let mut configuration = ServerConfiguration::open(&folder.path().join(name)).unwrap();
            let changes = configuration
                .apply_toml(&toml::to_string(&value).unwrap())
                .unwrap();
            assert_eq!(changes.added.len(), 2);
        }
    }

    #[test]
    fn every_service_of_the_configuration_is_in_the_description() {
        let told = list();
        let configuration = provider_configuration(Net::default(), &PROVIDER);
        let descriptions = configuration["client"][1]["service_description"]
            .as_array()
            .unwrap();
        let services = descriptions
            .iter()
            .flat_map(|description| description["service"].as_array().unwrap());
        let mut count = 0;
        for service in services {
            let version = service["version"]
                .as_str()
                .map(|version| format!("/{version}"))
                .unwrap_or_default();
            let id = format!(
                "{}/{}{version}",
                PROVIDER.subsystem_id(),
                service["code"].as_str().unwrap()
            );
            assert!(told.iter().any(|told| told.id == id), "{id}");
            count += 1;
        }
        assert_eq!(count, told.len());
    }
}
