//! `listMethods` and `allowedMethods`.

use super::ask::{CLIENT, MEMBER, SUBSYSTEM, rest, rest_fault, soap};
use super::can_run;
use super::configured::Configured;
use super::curl::{Answer, curl};
use super::information_system::between;
use super::instance::Instance;

/// SOAP services of the sandbox that its client may call.
const ECHO: [&str; 6] = [
    "echoAttachments/v1",
    "echoBom/v1",
    "echoFault/v1",
    "echoLatin1/v1",
    "echoMessage/v1",
    "echoMtom/v1",
];

#[test]
fn a_provider_lists_its_services_and_those_that_the_client_may_call() {
    if !can_run() {
        return;
    }
    let Configured {
        instance,
        site: _site,
    } = Configured::up(61);
    let own = ["getHidden", "getOne", "getOne/v1", "getOne/v2", "getShut"];
    let all: Vec<&str> = ECHO.into_iter().chain(["echoForbidden/v1"]).chain(own).collect();
    assert_eq!(soap_services(&instance, SUBSYSTEM, "listMethods"), sorted(all));
    let allowed = ECHO
        .into_iter()
        .chain(own)
        .filter(|service| *service != "getHidden");
    let allowed = sorted(allowed.collect());
    assert_eq!(soap_services(&instance, SUBSYSTEM, "allowedMethods"), allowed);
    for (service, expected) in [("listMethods", 1), ("allowedMethods", 1)] {
        assert_eq!(
            soap_services(&instance, MEMBER, service),
            ["getMember/v1"].repeat(expected)
        );
    }
    rest_services(&instance);
    whose_rights_count(&instance);
    names_of_services(&instance);
}

fn sorted(mut services: Vec<&str>) -> Vec<String> {
    services.sort_unstable();
    services.into_iter().map(str::to_owned).collect()
}

/// Codes and versions of the services that an answer lists, after checking everything else in it.
fn soap_services(instance: &Instance, provider: &str, service: &str) -> Vec<String> {
    let id = format!("{service}-1");
    let answer = soap(instance, provider, service, &id, &format!("<xroad:{service}/>"));
    assert_eq!(answer.header("content-type"), Some("text/xml; charset=UTF-8"));
    let text = answer.text();
    let beginning = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<SOAP-ENV:Envelope\n        xmlns:SOAP-ENV=";
    assert!(text.starts_with(beginning), "{text}");
    assert!(
        text.trim_end()
            .ends_with("</SOAP-ENV:Body>\n</SOAP-ENV:Envelope>"),
        "{text}"
    );
    let header = between(text, "<SOAP-ENV:Header>", "</SOAP-ENV:Header>").unwrap();
    assert!(header.contains(&format!(
        "<xroad:id>{id}</xroad:id>\n        <xroad:requestHash algorithmId="
    )));
    let list = between(text, "<SOAP-ENV:Body>", "</SOAP-ENV:Body>").unwrap();
    let (name, end) = (
        format!("<xroad:{service}Response>"),
        format!("</xroad:{service}Response>"),
    );
    let list = list.strip_prefix(&name).unwrap().strip_suffix(&end).unwrap();
    let parts = provider
        .split('/')
        .zip(["xRoadInstance", "memberClass", "memberCode", "subsystemCode"]);
    let owner: String = parts
        .map(|(value, name)| format!("<id:{name}>{value}</id:{name}>"))
        .collect();
    let mut services: Vec<String> = list
        .split("<xroad:service id:objectType=\"SERVICE\">")
        .skip(1)
        .map(|service| {
            let rest = service.strip_suffix("</xroad:service>").unwrap();
            let rest = rest.strip_prefix(&owner).unwrap();
            let code = between(rest, "<id:serviceCode>", "</id:serviceCode>").unwrap();
            match between(rest, "<id:serviceVersion>", "</id:serviceVersion>") {
                Some(version) => format!("{code}/{version}"),
                None => code,
            }
        })
        .collect();
    services.sort_unstable();
    services
}

/// Code, type and endpoints of each service that an answer lists.
fn told(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let json = answer.json();
    let service = |service: &serde_json::Value| {
        assert_eq!(service["xroad_instance"], "SANDBOX");
        assert_eq!(service["member_class"], "ORG");
        assert_eq!(service["member_code"], "2002");
        assert_eq!(service["object_type"], "SERVICE");
        let endpoints = service["endpoint_list"].as_array().unwrap().iter();
        let endpoints = endpoints.map(|endpoint| {
            format!(
                " {}{}",
                endpoint["method"].as_str().unwrap(),
                endpoint["path"].as_str().unwrap()
            )
        });
        let text = |name: &str| service[name].as_str().unwrap().to_owned();
        format!(
            "{} {}{}",
            text("service_code"),
            text("service_type"),
            endpoints.collect::<String>()
        )
    };
    let mut services: Vec<String> = json["service"].as_array().unwrap().iter().map(service).collect();
    services.retain(|service| !service.starts_with("marker"));
    services.sort_unstable();
    services
}

fn rest_services(instance: &Instance) {
    let list = rest(
        instance,
        SUBSYSTEM,
        "listMethods",
        &["-H", "X-Road-Id: rest-list"],
    );
    assert_eq!(list.header("x-road-id"), Some("rest-list"));
    assert_eq!(list.header("x-road-client"), Some(CLIENT));
    let service = format!("{SUBSYSTEM}/listMethods");
    assert_eq!(list.header("x-road-service"), Some(service.as_str()));
    assert!(list.header("x-road-request-hash").is_some() && list.header("accept").is_none());
    assert_eq!(
        told(&list),
        [
            "books OPENAPI GET/books */books/* DELETE/books/*",
            "closed REST",
            "down REST",
            "echo REST",
            "pets OPENAPI GET/pets POST/pets DELETE/pets/* GET/pets/*",
            "private REST",
            "shutBooks OPENAPI GET/any",
            "slow REST",
        ]
    );
    assert!(
        list.text()
            .starts_with("{\"service\":[{\"member_class\":\"ORG\",\"member_code\":\"2002\",\"object_type\":"),
        "{}",
        list.text()
    );
    assert_eq!(
        told(&rest(instance, SUBSYSTEM, "allowedMethods", &[])),
        [
            "books OPENAPI */books/* DELETE/books/*",
            "closed REST",
            "down REST",
            "echo REST",
            "pets OPENAPI GET/pets GET/pets/*",
            "shutBooks OPENAPI GET/any",
            "slow REST",
        ]
    );
}

/// The member without its subsystem has no rights: it hears of nothing, and lists everything.
fn whose_rights_count(instance: &Instance) {
    let url = |service: &str| {
        format!(
            "{}/r1/{SUBSYSTEM}/{service}",
            instance.get("consumer/client_http")
        )
    };
    let member = ["-H", "X-Road-Client: SANDBOX/ORG/1001"];
    let allowed = curl(&[&member[..], &[&url("allowedMethods")]].concat());
    assert_eq!((allowed.status, allowed.text()), (200, r#"{"service":[]}"#));
    let listed = curl(&[&member[..], &[&url("listMethods")]].concat());
    assert_eq!(told(&listed).len(), 8);
}

/// By the REST interface metadata are only got; by SOAP a version does not count.
fn names_of_services(instance: &Instance) {
    for service in ["listMethods", "allowedMethods", "getOpenAPI"] {
        let (code, text) = rest_fault(&rest(instance, SUBSYSTEM, service, &["-d", "x"]));
        assert_eq!(code, "server.serverproxy.unknown_service", "{text}");
    }
    let (code, _) = rest_fault(&rest(instance, SUBSYSTEM, "getWsdl", &[]));
    assert_eq!(code, "server.serverproxy.unknown_service");
    let (code, _) = rest_fault(&rest(instance, "SANDBOX/ORG/2002/nobody", "listMethods", &[]));
    assert_eq!(code, "server.clientproxy.unknown_member");
    let request = super::ask::envelope(SUBSYSTEM, "listMethods", "v", "<xroad:listMethods/>").replace(
        "</id:serviceCode>",
        "</id:serviceCode><id:serviceVersion>v7</id:serviceVersion>",
    );
    let http = instance.get("consumer/client_http");
    let answer = curl(&["-H", "content-type: text/xml", "-d", &request, &http]);
    assert!(
        answer.text().contains("<xroad:listMethodsResponse>"),
        "{answer:?}"
    );
}
