//! The configuration as the request path reads it: immutable, and hashed by what is looked up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use protocol_message::identifier::{ClientId, GlobalGroupId, SecurityServerId, ServiceId};
use protocol_message::rest::EndpointPath;

use super::document::{
    self, Authentication, ClientStatus, DEFAULT_DISABLED_NOTICE, DescriptionType, Document, InternalTls,
    TimeStampingService,
};
use super::endpoint::Endpoint;
use super::subject::Subject;

/// The configuration at one version. Replaced as a whole, never changed.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// See [`ServerConfiguration::version`](super::ServerConfiguration::version).
    pub version: u64,
    /// The id of this server.
    pub server: Option<SecurityServerId>,
    /// Files of the internal TLS key and certificate.
    pub internal_tls: Option<InternalTls>,
    /// Settings by name.
    pub settings: BTreeMap<String, String>,
    /// Time-stamping services in the order in which they are tried.
    pub time_stamping_services: Vec<TimeStampingService>,
    clients: HashMap<ClientId, Client>,
    services: HashMap<ServiceId, Service>,
}

/// A client of this server.
#[derive(Debug)]
pub struct Client {
    /// Only [`ClientStatus::Registered`] clients exchange messages.
    pub status: ClientStatus,
    /// How its information systems are authenticated.
    pub authentication: Authentication,
    /// DER of its information systems' TLS certificates.
    pub certificates: HashSet<Vec<u8>>,
    groups: HashMap<String, HashSet<ClientId>>,
    endpoints: HashMap<String, Vec<Endpoint>>,
    services: Vec<ServiceId>,
}

impl Client {
    /// Whether it may exchange messages.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.status == ClientStatus::Registered
    }

    /// Its services, in the order of code and version within a description.
    #[must_use]
    pub fn services(&self) -> &[ServiceId] {
        &self.services
    }

    /// The parts of a service that rights can be given for, without the base endpoint if nobody has a right to it.
    #[must_use]
    pub fn endpoints(&self, service_code: &str) -> &[Endpoint] {
        self.endpoints.get(service_code).map_or(&[], Vec::as_slice)
    }
}

/// A service of a client of this server.
#[derive(Debug)]
pub struct Service {
    /// The type of its description.
    pub kind: DescriptionType,
    /// Where its description lies.
    pub description_url: String,
    /// Where it is called.
    pub url: String,
    /// For people.
    pub title: Option<String>,
    /// How long to wait for it.
    pub timeout: Duration,
    /// Whether its TLS certificate must be one of its client's certificates (wire.md 6.3).
    pub ssl_authentication: bool,
    /// What callers are told if it is disabled; `None`: it is enabled.
    ///
    /// A disabled service without a notice is disabled here and says [`DEFAULT_DISABLED_NOTICE`]. The reference takes
    /// it as enabled when its cache answers and as disabled when not (wire.md 6.2): who disables a service wants it
    /// disabled.
    pub disabled_notice: Option<String>,
}

/// The parts of a request that an access right depends on. SOAP requests have neither and match base endpoints only.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// HTTP method.
    pub method: Option<&'a str>,
    /// Path behind the service.
    pub path: Option<&'a EndpointPath>,
}

/// Answers whether a client is in a global group: the global configuration's part of access rights.
pub type InGlobalGroup<'a> = dyn Fn(&GlobalGroupId, &ClientId) -> bool + 'a;

impl Snapshot {
    pub(super) fn new(document: Document, version: u64) -> Self {
        let Document {
            server,
            internal_tls,
            settings,
            time_stamping_services,
            clients,
        } = document;
        let mut snapshot = Self {
            version,
            server,
            internal_tls,
            settings,
            time_stamping_services,
            ..Self::default()
        };
        for client in clients {
            snapshot.add(client);
        }
        snapshot
    }

    fn add(&mut self, client: document::Client) {
        let mut services = Vec::new();
        for description in client.service_descriptions {
            let notice = notice(&description);
            for service in description.services {
                let id = ServiceId {
                    provider: client.id.clone(),
                    service_code: service.code.as_str().into(),
                    service_version: service.version.as_deref().map(Into::into),
                };
                services.push(id.clone());
                let service = Service {
                    kind: description.kind,
                    description_url: description.url.clone(),
                    url: service.url,
                    title: service.title,
                    timeout: Duration::from_secs(u64::from(service.timeout)),
                    ssl_authentication: service.ssl_authentication,
                    disabled_notice: notice.clone(),
                };
                self.services.insert(id, service);
            }
        }
        let mut endpoints: HashMap<String, Vec<Endpoint>> = HashMap::new();
        for endpoint in client.endpoints {
            let of_service = endpoints.entry(endpoint.service.clone()).or_default();
            of_service.push(Endpoint::new(endpoint));
        }
        let groups = client.local_groups.into_iter();
        let known = Client {
            status: client.status,
            authentication: client.authentication,
            certificates: client
                .certificates
                .iter()
                .map(|certificate| certificate.as_der().to_vec())
                .collect(),
            groups: groups
                .map(|group| (group.code, group.members.into_iter().collect()))
                .collect(),
            endpoints,
            services,
        };
        self.clients.insert(client.id, known);
    }

    /// The member that owns this server.
    #[must_use]
    pub fn owner(&self) -> Option<ClientId> {
        self.server.as_ref().map(SecurityServerId::owner)
    }

    /// A client of this server, whatever its status.
    #[must_use]
    pub fn client(&self, id: &ClientId) -> Option<&Client> {
        self.clients.get(id)
    }

    /// All clients of this server.
    pub fn clients(&self) -> impl Iterator<Item = (&ClientId, &Client)> {
        self.clients.iter()
    }

    /// A service of a client of this server, its version included.
    #[must_use]
    pub fn service(&self, id: &ServiceId) -> Option<&Service> {
        self.services.get(id)
    }

    /// Whether a client may call a service (wire.md 6.2, "ACL"). The version of the service does not count. Says
    /// nothing about whether the service exists or is disabled.
    #[must_use]
    pub fn is_allowed(
        &self,
        client: &ClientId,
        service: &ServiceId,
        target: Target<'_>,
        in_global_group: &InGlobalGroup<'_>,
    ) -> bool {
        let Some(provider) = self.client(&service.provider) else {
            return false;
        };
        provider
            .endpoints(&service.service_code)
            .iter()
            .any(|endpoint| endpoint.matches(target) && provider.grants(endpoint, client, in_global_group))
    }

    /// The parts of a service that a client may call; a client with none of them is not told of the service by
    /// `allowedMethods`.
    pub fn allowed_endpoints<'a, 'q>(
        &'a self,
        client: &'q ClientId,
        service: &'q ServiceId,
        in_global_group: &'q InGlobalGroup<'q>,
    ) -> impl Iterator<Item = &'a Endpoint> + use<'a, 'q> {
        self.client(&service.provider)
            .into_iter()
            .flat_map(move |provider| {
                let endpoints = provider.endpoints(&service.service_code).iter();
                endpoints.filter(move |endpoint| provider.grants(endpoint, client, in_global_group))
            })
    }
}

impl Client {
    fn grants(&self, endpoint: &Endpoint, client: &ClientId, in_global_group: &InGlobalGroup<'_>) -> bool {
        endpoint.subjects.iter().any(|subject| match subject {
            Subject::Client(id) => id == client,
            Subject::GlobalGroup(group) => in_global_group(group, client),
            Subject::LocalGroup(code) => self
                .groups
                .get(code)
                .is_some_and(|members| members.contains(client)),
        })
    }
}

fn notice(description: &document::ServiceDescription) -> Option<String> {
    let notice = || {
        description
            .disabled_notice
            .clone()
            .unwrap_or_else(|| DEFAULT_DISABLED_NOTICE.into())
    };
    description.disabled.then(notice)
}
