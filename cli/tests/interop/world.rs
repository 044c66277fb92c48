//! What the cases run in: an instance with a provider and a scripted peer, configured with everything that some case
//! needs to be configured.

use std::net::SocketAddr;

use protocol_message::identifier::ClientId;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::{Extension, Template};
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use storage::server_configuration::document::{
    Authentication, Client, ClientStatus, DescriptionType, Document, Endpoint, Service, ServiceDescription,
};
use storage::server_configuration::{Certificate, ServerConfiguration, Subject};
use time::{Duration, OffsetDateTime};
use toml::{Table, Value};

use super::information_system::{Answer, Provider, consumer, send};
use super::instance::{self, Instance};
use super::scripted_peer::server::Server;
use super::scripted_peer::{Identity, Peer};

/// What came: a fault code or `ok`; an error is what no fault code tells.
pub(crate) type Got = Result<String, String>;

/// The member whose server is the scripted peer.
pub(crate) const PEER: &str = "3003";
/// Servers of this member have addresses that lead nowhere.
const AWAY: &str = "9009";
/// The server of this member is in maintenance mode.
const RESTING: &str = "9010";
/// The server of this member is said to be where the scripted peer is, which has no certificate of it.
const IMPOSTOR: &str = "9011";
const CONSUMER: &str = "SANDBOX/ORG/1001";
const PROVIDER: &str = "SANDBOX/ORG/2002";

pub(crate) struct World {
    pub(crate) instance: Instance,
    pub(crate) provider: Provider,
    /// The same provider behind TLS.
    pub(crate) tls_provider: Server,
    pub(crate) peer: Peer,
    pub(crate) scripted: Server,
    identities: Vec<(&'static str, Identity)>,
    net: u8,
}

impl World {
    /// Brings everything up on `127.0.<net>.*`.
    pub(crate) fn up(net: u8) -> Self {
        let mut instance = Instance::up(net);
        restart_with_settings(&mut instance);
        let provider = Provider::start(&format!("127.0.{net}.40"));
        let identities: Vec<_> = ["own", "wrong", "expired", "service"]
            .map(|name| (name, identity(name)))
            .into();
        edit_registry(&instance);
        let of = |name: &str| certificate(&identities, name);
        edit(&instance, "consumer", |document| {
            for (subsystem, certificates) in [
                ("sslauth", vec![of("own")]),
                ("sslexpired", vec![of("expired")]),
                ("sslnone", vec![]),
                ("sslwrong", vec![of("wrong")]),
            ] {
                let client = new_client(&format!("{CONSUMER}/{subsystem}"), Authentication::SslAuth);
                document.clients.push(Client {
                    certificates,
                    ..client
                });
            }
            let id = format!("{CONSUMER}/sub%2Fsystem");
            document.clients.push(new_client(&id, Authentication::NoSsl));
        });
        let urls = Urls {
            plain: format!("http://{}/service", provider.address),
            tls: format!("https://127.0.{net}.41:5500/service"),
        };
        edit(&instance, "provider", |document| {
            services(document, &urls, (of("service"), of("wrong")));
        });
        let peer = Peer::join(&instance, PEER, 60);
        share(&instance);
        let scripted = Server::start(&peer);
        let service = &identities.iter().find(|(name, _)| *name == "service").unwrap().1;
        let tls_provider = Server::at(&format!("127.0.{net}.41"), service);
        let world = Self {
            instance,
            provider,
            tls_provider,
            peer,
            scripted,
            identities,
            net,
        };
        world.wait();
        world
    }

    /// Until both servers know of everything.
    fn wait(&self) {
        self.provider.answers(Answer::new("text/plain", ""));
        for query in [
            ("client", "many", "getState", "server.serverproxy.service_failed."),
            ("sslwrong", "provider", "getState", "server.clientproxy.ssl_"),
            (
                "client",
                "provider",
                "shut",
                "server.serverproxy.service_disabled",
            ),
            (
                "client",
                "second",
                "forbidden",
                "server.serverproxy.access_denied",
            ),
        ] {
            let (client, provider, service, code) = query;
            let xml = String::from_utf8(super::vectors::read("getstate-subsystem.query")).unwrap();
            let xml = xml
                .replace(">client<", &format!(">{client}<"))
                .replace(">provider<", &format!(">{provider}<"))
                .replace("getState", service);
            instance::wait_until("the configuration to be known", || {
                let headers = [("Content-Type", "text/xml; charset=UTF-8")];
                let got = send(consumer(&self.instance), "POST /", &headers, xml.as_bytes());
                got.fault_code().is_some_and(|found| found.starts_with(code))
            });
        }
    }

    /// An information system's certificate by its name; `none` is none.
    pub(crate) fn identity(&self, name: &str) -> Option<&Identity> {
        let found = self.identities.iter().find(|(known, _)| *known == name);
        assert!(
            found.is_some() || name == "none",
            "there is no certificate {name}"
        );
        found.map(|(_, identity)| identity)
    }

    /// Where the consumer's server listens for information systems with TLS.
    pub(crate) fn consumer_https(&self) -> SocketAddr {
        format!("127.0.{}.10:8443", self.net).parse().unwrap()
    }
}

struct Urls {
    plain: String,
    tls: String,
}

/// Every service that the cases ask for, and certificates of the owners' information systems.
fn services(document: &mut Document, urls: &Urls, (right, wrong): (Certificate, Certificate)) {
    for subsystem in ["", "/provider", "/many", "/second", "/s%2Fub"] {
        let id = format!("{PROVIDER}{subsystem}");
        let id: ClientId = id.parse().unwrap();
        if !document.clients.iter().any(|client| client.id == id) {
            document
                .clients
                .push(new_client(&id.to_string(), Authentication::NoSsl));
        }
        let client = document
            .clients
            .iter_mut()
            .find(|client| client.id == id)
            .unwrap();
        match id.subsystem_code() {
            None => client.certificates.push(right.clone()),
            Some("many") => client.certificates.push(wrong.clone()),
            Some(_) => {}
        }
        for code in ["getState", "test", "testQuery", "generateMtom"] {
            add(client, service(code, &urls.plain, false), None, true);
        }
        add(client, service("forbidden", &urls.plain, false), None, false);
        add(
            client,
            service("shut", &urls.plain, false),
            Some("Service is disabled"),
            true,
        );
        let nowhere = "http://non.existing.site.invalid/service";
        add(client, service("nowhere", nowhere, false), None, true);
        add(client, service("trusting", &urls.tls, false), None, true);
        add(client, service("careful", &urls.tls, true), None, true);
        rest(client, &urls.plain);
    }
}

fn service(code: &str, url: &str, ssl_authentication: bool) -> Service {
    Service {
        code: code.into(),
        version: None,
        title: None,
        url: url.into(),
        timeout: 60,
        ssl_authentication,
    }
}

/// A SOAP service.
fn add(client: &mut Client, service: Service, disabled: Option<&str>, allowed: bool) {
    let code = service.code.clone();
    client.service_descriptions.push(ServiceDescription {
        kind: DescriptionType::Wsdl,
        url: format!("{}/{code}?wsdl", service.url),
        disabled: disabled.is_some(),
        disabled_notice: disabled.map(str::to_owned),
        services: vec![service],
    });
    if allowed {
        client.endpoints.push(endpoint(&code, "*", "**"));
    }
}

/// REST services: one that may be used, one that may be used with GET only.
fn rest(client: &mut Client, url: &str) {
    let root = url.trim_end_matches("/service");
    for (code, at) in [("rest", "/1"), ("öäå", "/2"), ("readOnly", "/3")] {
        client.service_descriptions.push(ServiceDescription {
            kind: DescriptionType::Rest,
            url: format!("{root}{at}"),
            disabled: false,
            disabled_notice: None,
            services: vec![service(code, root, false)],
        });
        let method = if code == "readOnly" { "GET" } else { "*" };
        client.endpoints.push(endpoint(code, method, "**"));
    }
}

fn endpoint(service: &str, method: &str, path: &str) -> Endpoint {
    let callers = [
        CONSUMER.to_owned(),
        format!("{CONSUMER}/client"),
        format!("{CONSUMER}/sub%2Fsystem"),
        format!("{CONSUMER}/sslauth"),
        format!("{CONSUMER}/sslexpired"),
        format!("SANDBOX/ORG/{PEER}"),
        format!("SANDBOX/ORG/{PEER}/peer"),
    ];
    Endpoint {
        service: service.into(),
        method: method.into(),
        path: path.into(),
        generated: false,
        subjects: callers.map(|id| Subject::Client(id.parse().unwrap())).into(),
    }
}

fn new_client(id: &str, authentication: Authentication) -> Client {
    Client {
        id: id.parse().unwrap(),
        status: ClientStatus::Registered,
        authentication,
        certificates: Vec::new(),
        local_groups: Vec::new(),
        service_descriptions: Vec::new(),
        endpoints: Vec::new(),
    }
}

/// The settings that the cases rely on. The reference's suite runs without a message log; with one, longer bodies than it
/// keeps are refused (as there), unless it may keep a part of them. The least version is Estonia's and Finland's.
fn restart_with_settings(instance: &mut Instance) {
    for server in ["consumer", "provider"] {
        instance.reconfigure(server, |settings| {
            let log = settings.entry("message-log").or_insert(Table::new().into());
            let log = log.as_table_mut().unwrap();
            log.insert("truncated-body-allowed".into(), true.into());
            let proxy = settings["proxy"].as_table_mut().unwrap();
            proxy.insert("server-min-supported-client-version".into(), "7.6.0".into());
        });
    }
}

/// Changes a server's configuration.
fn edit(instance: &Instance, server: &str, change: impl FnOnce(&mut Document)) {
    let database = instance.get(&format!("{server}/server_configuration"));
    let mut configuration = ServerConfiguration::open(database.as_ref()).unwrap();
    configuration.edit(change).unwrap();
}

/// More subsystems of the two members, and members whose servers nobody reaches.
fn edit_registry(instance: &Instance) {
    edit_registry_file(instance, |registry| {
        more_clients(registry);
        more_servers(registry, &format!("{}.60", instance.get("net")));
    });
}

fn more_clients(registry: &mut Table) {
    for (member, subsystem) in [
        (CONSUMER, "sub/system"),
        (CONSUMER, "sslauth"),
        (CONSUMER, "sslexpired"),
        (CONSUMER, "sslnone"),
        (CONSUMER, "sslwrong"),
        (PROVIDER, "many"),
        (PROVIDER, "second"),
        (PROVIDER, "s/ub"),
    ] {
        let known = find(registry, "member", "id", member);
        let mut entry = Table::new();
        entry.insert("code".into(), subsystem.into());
        known["subsystem"].as_array_mut().unwrap().push(entry.into());
        let server = find(registry, "security_server", "owner", member);
        let id = format!("{member}/{}", subsystem.replace('/', "%2F"));
        server["clients"].as_array_mut().unwrap().push(id.into());
    }
}

/// Members whose servers nobody reaches; `peer` is where the scripted peer listens.
fn more_servers(registry: &mut Table, peer: &str) {
    for (member, code, address, client) in [
        (AWAY, "away1", "foo.invalid.", Some("SANDBOX/ORG/2002/many")),
        (AWAY, "away2", "bar.invalid.", None),
        (AWAY, "away3", "127.0.0,1", Some("SANDBOX/ORG/2002/many")),
        (
            AWAY,
            "away4",
            "\u{feff}zero\u{200b}.width",
            Some("SANDBOX/ORG/2002/many"),
        ),
        (AWAY, "away5", "::1", Some("SANDBOX/ORG/2002/many")),
        (RESTING, "resting", "127.0.0.1", None),
        (IMPOSTOR, "impostor", peer, None),
    ] {
        let id = format!("SANDBOX/ORG/{member}");
        if member != AWAY || code == "away1" {
            let mut entry = Table::new();
            entry.insert("id".into(), id.clone().into());
            entry.insert("name".into(), "Elsewhere".into());
            push(registry, "member", entry);
        }
        let mut server = Table::new();
        server.insert("code".into(), code.into());
        server.insert("address".into(), address.into());
        server.insert("owner".into(), id.into());
        let clients: Vec<Value> = client.into_iter().map(Value::from).collect();
        server.insert("clients".into(), clients.into());
        if member == RESTING {
            server.insert("maintenance".into(), "Maintenance mode is on".into());
        }
        push(registry, "security_server", server);
    }
}

/// Registers a subsystem of the provider at the peer's server as well.
fn share(instance: &Instance) {
    edit_registry_file(instance, |registry| {
        let server = find(
            registry,
            "security_server",
            "owner",
            &format!("SANDBOX/ORG/{PEER}"),
        );
        let id = format!("{PROVIDER}/second");
        server["clients"].as_array_mut().unwrap().push(id.into());
    });
    let shared = instance
        .dir()
        .join("consumer/globalconf/SANDBOX/shared-params.xml");
    instance::wait_until("the shared subsystem to be known", || {
        std::fs::read_to_string(&shared).is_ok_and(|text| text.contains("second"))
    });
}

/// The authentication certificate that is registered for the server of a member; registers a further one.
pub(crate) fn registered_auth_certificate(
    instance: &Instance,
    owner: &str,
    further: Option<&protocol_pki::certificate::Certificate>,
) -> protocol_pki::certificate::Certificate {
    let mut first = None;
    edit_registry_file(instance, |registry| {
        let server = find(registry, "security_server", "owner", owner);
        let certificates = server["auth_certificates"].as_array_mut().unwrap();
        first = certificates[0].as_str().map(str::to_owned);
        certificates.extend(further.map(|certificate| Value::from(certificate.to_pem())));
    });
    let first = first.unwrap();
    protocol_pki::certificate::Certificate::from_der_or_pem(first.as_bytes()).unwrap()
}

fn edit_registry_file(instance: &Instance, change: impl FnOnce(&mut Table)) {
    let file = instance.dir().join("central/registry.toml");
    let mut registry: Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    change(&mut registry);
    let new = file.with_extension("new");
    std::fs::write(&new, registry.to_string()).unwrap();
    std::fs::rename(new, file).unwrap();
}

fn find<'a>(registry: &'a mut Table, list: &str, key: &str, value: &str) -> &'a mut Value {
    let entries = registry[list].as_array_mut().unwrap();
    let mut found = entries
        .iter_mut()
        .filter(|entry| entry[key].as_str() == Some(value));
    found.next().unwrap()
}

fn push(registry: &mut Table, list: &str, entry: Table) {
    registry[list].as_array_mut().unwrap().push(entry.into());
}

fn certificate(identities: &[(&str, Identity)], name: &str) -> Certificate {
    let (_, identity) = identities.iter().find(|(known, _)| *known == name).unwrap();
    Certificate::from_der(identity.certificate.as_der().to_vec()).unwrap()
}

/// Key and certificate of an information system; `expired` is no longer valid.
fn identity(name: &str) -> Identity {
    let key = SoftwareKey::generate(KeySpec::P256).unwrap();
    let subject = DistinguishedName::build(&[("CN", name)]).unwrap();
    let now = OffsetDateTime::now_utc();
    let days = Duration::days(if name == "expired" { -1 } else { 1 });
    let template = Template {
        serial: &[1],
        issuer: &subject,
        subject: &subject,
        not_before: now - Duration::days(2),
        not_after: now + days,
        spki: key.spki_der(),
        extensions: vec![Extension::end_entity()],
    };
    let certificate = template.sign(&key.signer(DigestAlgorithm::Sha256)).unwrap();
    Identity {
        key,
        certificate,
        ocsp_response: Vec::new(),
    }
}
