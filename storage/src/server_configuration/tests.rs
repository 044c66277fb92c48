#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use proptest::prelude::*;
use protocol_message::identifier::{GlobalGroupId, ServiceId};
use protocol_message::rest::EndpointPath;

use super::document::{
    Client, Endpoint, InternalTls, LocalGroup, Service, ServiceDescription, TimeStampingService,
};
use super::*;

const EXAMPLE: &str = r#"
server = "EE/GOV/1/ss1"

[internal_tls]
key = "/etc/kiirtee/internal.key"
certificate = "/etc/kiirtee/internal.pem"

[[time_stamping_service]]
name = "TSA"
url = "http://tsa.test:8899"

[[client]]
id = "EE/GOV/1/provider"
authentication = "NOSSL"
certificates = ["MAA="]

[[client.local_group]]
code = "friends"
members = ["EE/GOV/2/a"]

[[client.service_description]]
type = "REST"
url = "https://pets.test/api"
[[client.service_description.service]]
code = "pets"
url = "https://pets.test/api"

[[client.service_description]]
type = "WSDL"
url = "http://soap.test/a.wsdl"
disabled = true
[[client.service_description.service]]
code = "random"
version = "v1"
url = "http://soap.test/"
timeout = 5
ssl_authentication = false

[[client.endpoint]]
service = "pets"
subjects = ["client:EE/GOV/3/whole"]
[[client.endpoint]]
service = "pets"
method = "get"
path = "/pets/*"
subjects = ["local-group:friends", "global-group:EE/vets"]
[[client.endpoint]]
service = "random"
subjects = ["client:EE/GOV/3/whole"]

[[client]]
id = "EE/GOV/1"
status = "registration in progress"
"#;

fn open() -> (tempfile::TempDir, ServerConfiguration) {
    let directory = tempfile::tempdir().unwrap();
    let configuration = ServerConfiguration::open(&directory.path().join("server.db")).unwrap();
    (directory, configuration)
}

fn example() -> (tempfile::TempDir, ServerConfiguration) {
    let (directory, mut configuration) = open();
    configuration.apply_toml(EXAMPLE).unwrap();
    (directory, configuration)
}

#[test]
fn applying_twice_changes_nothing_and_an_export_says_the_same() {
    let (_directory, mut configuration) = open();
    let first = configuration.apply_toml(EXAMPLE).unwrap();
    assert_eq!(
        first.to_string(),
        "server settings changed\nclient EE/GOV/1 added\nclient EE/GOV/1/provider added\n"
    );
    assert_eq!(configuration.version().unwrap(), 1);
    assert!(configuration.apply_toml(EXAMPLE).unwrap().is_empty());
    let export = configuration.export_toml().unwrap();
    assert!(configuration.apply_toml(&export).unwrap().is_empty(), "{export}");
    assert_eq!(configuration.version().unwrap(), 1);
}

#[test]
fn what_a_document_leaves_out_is_removed() {
    let (_directory, mut configuration) = example();
    let changes = configuration.apply_toml("[[client]]\nid = \"EE/GOV/1\"").unwrap();
    assert_eq!(
        changes.to_string(),
        "server settings changed\nclient EE/GOV/1 changed\nclient EE/GOV/1/provider removed\n"
    );
    assert_eq!(configuration.export_toml().unwrap().matches("EE/").count(), 1);
    let left: i64 = configuration
        .db
        .query_row(
            "SELECT count(*) FROM access_right, endpoint, service, certificate",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
}

#[test]
fn errors_name_place_finding_and_expectation() {
    let (_directory, mut configuration) = example();
    let before = configuration.export_toml().unwrap();
    let cases = [
        (
            "timeout = 5",
            "timeout = 0",
            "service random, timeout: found 0, expected 1 to 1000 seconds",
        ),
        (
            "\"http://soap.test/\"",
            "\"soap.test\"",
            "service random, url: found \"soap.test\", expected a URL",
        ),
        (
            "service = \"random\"",
            "service = \"rand\"",
            "service: found \"rand\", expected the code of a service",
        ),
        (
            "local-group:friends",
            "local-group:foes",
            "found local-group:foes, expected the code of a local_group",
        ),
        (
            "path = \"/pets/*\"",
            "path = \"pets\"",
            "path: found \"pets\", expected `**` or a path",
        ),
        (
            "method = \"get\"",
            "method = \"G T\"",
            "method: found \"G T\", expected an HTTP method",
        ),
        (
            "id = \"EE/GOV/1\"",
            "id = \"EE/GOV/1/provider\"",
            "client: found ClientId",
        ),
    ];
    for (present, wrong, expected) in cases {
        let text = EXAMPLE.replace(present, wrong);
        assert_ne!(text, EXAMPLE, "{present}");
        let error = configuration.apply_toml(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(configuration.export_toml().unwrap(), before);
    assert_eq!(configuration.version().unwrap(), 1);
}

#[test]
fn unknown_keys_and_words_are_refused_with_their_line() {
    let (_directory, mut configuration) = open();
    for (text, expected) in [
        ("servr = \"EE/GOV/1/s\"", "unknown field `servr`"),
        (
            "[[client]]\nid = \"EE/GOV/1\"\nauthentication = \"TLS\"",
            "unknown variant `TLS`, expected one of `NOSSL`",
        ),
        ("[[client]]\nid = \"EE\"", "line 2"),
        (
            "[[client]]\nid = \"EE/GOV/1\"\ncertificates = [\"/a.pem\"]",
            "expected one certificate",
        ),
        (
            "[[client]]\nid = \"EE/GOV/1\"\n[[client.endpoint]]\nservice=\"s\"\nsubjects=[\"EE/GOV/1\"]",
            "is no subject",
        ),
    ] {
        let error = configuration.apply_toml(text).unwrap_err();
        let ConfigurationError::Toml(source) = error else {
            panic!("{error}")
        };
        assert!(source.to_string().contains(expected), "{source}");
    }
}

fn service(code: &str, version: Option<&str>) -> ServiceId {
    ServiceId {
        provider: "EE/GOV/1/provider".parse().unwrap(),
        service_code: code.into(),
        service_version: version.map(Into::into),
    }
}

#[test]
fn look_ups_answer_what_the_document_says() {
    let (_directory, configuration) = example();
    let snapshot = configuration.snapshot().unwrap();
    assert_eq!(snapshot.owner().unwrap().to_string(), "EE/GOV/1");
    let provider = snapshot.client(&"EE/GOV/1/provider".parse().unwrap()).unwrap();
    assert!(provider.is_registered());
    assert_eq!(provider.authentication, Authentication::NoSsl);
    assert!(provider.certificates.contains([0x30, 0].as_slice()));
    assert_eq!(provider.services().len(), 2);
    assert!(
        !snapshot
            .client(&"EE/GOV/1".parse().unwrap())
            .unwrap()
            .is_registered()
    );
    assert!(snapshot.client(&"EE/GOV/9".parse().unwrap()).is_none());

    let pets = snapshot.service(&service("pets", None)).unwrap();
    assert_eq!(
        (pets.kind, pets.timeout.as_secs(), pets.ssl_authentication),
        (DescriptionType::Rest, 60, true)
    );
    assert_eq!(pets.disabled_notice, None);
    let random = snapshot.service(&service("random", Some("v1"))).unwrap();
    assert_eq!((random.timeout.as_secs(), random.ssl_authentication), (5, false));
    // Disabled without a notice is disabled.
    assert_eq!(random.disabled_notice.as_deref(), Some("Out of order"));
    assert!(snapshot.service(&service("random", None)).is_none());
}

#[test]
fn access_rights_are_given_to_clients_groups_and_endpoints() {
    let (_directory, configuration) = example();
    let snapshot = configuration.snapshot().unwrap();
    let vets = |group: &GlobalGroupId, client: &protocol_message::identifier::ClientId| {
        group.to_string() == "EE/vets" && client.to_string() == "EE/GOV/4/vet"
    };
    let allowed = |client: &str, code: &str, rest: Option<(&str, &str)>| {
        let path = rest.map(|(_, path)| EndpointPath::from_raw(path).unwrap());
        let target = Target {
            method: rest.map(|(method, _)| method),
            path: path.as_ref(),
        };
        snapshot.is_allowed(
            &client.parse().unwrap(),
            &service(code, Some("any")),
            target,
            &vets,
        )
    };
    for (client, code, rest, expected) in [
        ("EE/GOV/3/whole", "random", None, true),
        ("EE/GOV/3", "random", None, false),
        ("EE/GOV/2/a", "random", None, false),
        ("EE/GOV/3/whole", "pets", Some(("DELETE", "/any/thing")), true),
        ("EE/GOV/2/a", "pets", Some(("GET", "/pets/1")), true),
        ("EE/GOV/2/a", "pets", Some(("POST", "/pets/1")), false),
        ("EE/GOV/2/a", "pets", Some(("GET", "/pets/1/x")), false),
        ("EE/GOV/2/a", "pets", None, false),
        ("EE/GOV/4/vet", "pets", Some(("get", "/pets/1")), true),
        ("EE/GOV/5/vet", "pets", Some(("get", "/pets/1")), false),
        ("EE/GOV/3/whole", "cats", None, false),
    ] {
        assert_eq!(allowed(client, code, rest), expected, "{client} {code} {rest:?}");
    }
    let (friend, pets) = ("EE/GOV/2/a".parse().unwrap(), service("pets", None));
    let endpoints: Vec<_> = snapshot
        .allowed_endpoints(&friend, &pets, &vets)
        .map(|endpoint| endpoint.path.as_str())
        .collect();
    assert_eq!(endpoints, ["/pets/*"]);
}

#[test]
fn another_process_sees_a_change_and_cannot_change() {
    let (directory, mut configuration) = open();
    let mut reader = ServerConfiguration::open_read_only(&directory.path().join("server.db")).unwrap();
    assert_eq!(reader.version().unwrap(), 0);
    configuration.apply_toml(EXAMPLE).unwrap();
    assert_eq!(reader.version().unwrap(), 1);
    assert_eq!(reader.snapshot().unwrap().version, 1);
    assert!(matches!(
        reader.apply_toml(""),
        Err(ConfigurationError::Database(_))
    ));
}

#[test]
fn an_edit_changes_one_thing_and_keeps_the_rest() {
    let (_directory, mut configuration) = example();
    let changes = configuration
        .edit(|document| {
            for client in &mut document.clients {
                client.status = ClientStatus::Registered;
            }
        })
        .unwrap();
    assert_eq!(changes.to_string(), "client EE/GOV/1 changed\n");
    assert_eq!(configuration.document().unwrap().clients[1].endpoints.len(), 3);
}

#[test]
fn refuses_files_of_others_and_versions_of_the_future() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("server.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text)").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(
        ServerConfiguration::open(&path),
        Err(ConfigurationError::Format { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), before);

    let path = directory.path().join("future.db");
    let configuration = ServerConfiguration::open(&path).unwrap();
    configuration
        .db
        .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .unwrap();
    drop(configuration);
    let error = ServerConfiguration::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("it has version 2, this program knows 1"),
        "{error}"
    );
}

prop_compose! {
    fn client()(
        member in "[a-z]{1,3}", subsystem in proptest::option::of("[A-Za-z /%ä]{1,6}"),
    ) -> protocol_message::identifier::ClientId {
        protocol_message::identifier::ClientId::from_parts(["EE", "GOV", &member], subsystem.as_deref())
    }
}

fn word() -> impl Strategy<Value = String> {
    "[a-z\"'\\\\#ä ]{1,8}"
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        client().prop_map(Subject::Client),
        word().prop_map(|code| Subject::GlobalGroup(GlobalGroupId {
            instance: "EE".into(),
            group_code: code
        })),
        Just(Subject::LocalGroup("group".into())),
    ]
}

prop_compose! {
    fn endpoint()(
        method in prop_oneof![Just("*"), Just("GET"), Just("post")],
        path in prop_oneof![Just("**".to_owned()), "/[a-z*]{0,6}"],
        generated: bool,
        subjects in proptest::collection::vec(subject(), 0..4),
    ) -> Endpoint {
        Endpoint { service: "service".into(), method: method.into(), path, generated, subjects }
    }
}

prop_compose! {
    fn description()(
        url in "https?://[a-z]{1,8}/[a-z?=&]{0,8}",
        disabled: bool,
        disabled_notice in proptest::option::of("\\PC{0,20}"),
        title in proptest::option::of(word()),
        versions in proptest::collection::btree_set(proptest::option::of(word()), 1..4),
        timeout in 1_u32..1000,
        ssl_authentication: bool,
    ) -> ServiceDescription {
        let services = versions.into_iter().map(|version| Service {
            code: "service".into(), version, title: title.clone(), url: url.clone(), timeout, ssl_authentication,
        });
        let services = services.collect();
        ServiceDescription { kind: DescriptionType::Wsdl, url, disabled, disabled_notice, services }
    }
}

prop_compose! {
    fn configured_client()(
        id in client(),
        status in prop_oneof![Just(ClientStatus::Saved), Just(ClientStatus::Registered), Just(ClientStatus::GlobalError)],
        authentication in prop_oneof![Just(Authentication::NoSsl), Just(Authentication::SslAuth)],
        certificates in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..3),
        members in proptest::collection::vec(client(), 0..4),
        text in "\\PC{0,20}",
        description in description(),
        endpoints in proptest::collection::vec(endpoint(), 0..5),
    ) -> Client {
        let der = |content: Vec<u8>| [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat();
        let certificates = certificates.into_iter().map(|content| Certificate::from_der(der(content)).unwrap());
        let mut endpoints = endpoints;
        let key = |endpoint: &Endpoint| (endpoint.method.to_uppercase(), endpoint.path.clone());
        endpoints.sort_by_key(key);
        endpoints.dedup_by_key(|endpoint| key(endpoint));
        Client {
            id, status, authentication,
            certificates: certificates.collect(),
            local_groups: vec![LocalGroup { code: "group".into(), description: text, members }],
            service_descriptions: vec![description],
            endpoints,
        }
    }
}

prop_compose! {
    fn document()(
        clients in proptest::collection::vec(configured_client(), 0..4),
        settings in proptest::collection::btree_map(word(), "\\PC{0,20}", 0..3),
        urls in proptest::collection::btree_set("http://[a-z]{1,8}", 0..3),
        tls: bool,
    ) -> Document {
        let mut clients = clients;
        clients.sort_by(|a, b| a.id.cmp(&b.id));
        clients.dedup_by(|a, b| a.id == b.id);
        clients.reverse();
        Document {
            server: tls.then(|| "EE/GOV/1/ss1".parse().unwrap()),
            internal_tls: tls.then(|| InternalTls { key: "k".into(), certificate: "c".into() }),
            settings,
            time_stamping_services:
                urls.into_iter().rev().map(|url| TimeStampingService { name: "TSA".into(), url }).collect(),
            clients,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_export_is_the_normal_form_of_what_was_applied(first in document(), second in document()) {
        let mut configuration = ServerConfiguration { db: Connection::open_in_memory().unwrap() };
        prepare(&configuration.db).unwrap();
        configuration.db.execute_batch(include_str!("schema.sql")).unwrap();
        for wanted in [first, second] {
            let normal = wanted.clone().normal();
            configuration.apply_toml(&toml::to_string(&wanted).unwrap()).unwrap();
            prop_assert_eq!(&configuration.document().unwrap(), &normal);
            let export = configuration.export_toml().unwrap();
            prop_assert_eq!(&export, &toml::to_string_pretty(&normal).unwrap());
            prop_assert!(configuration.apply_toml(&export).unwrap().is_empty());
        }
    }
}
