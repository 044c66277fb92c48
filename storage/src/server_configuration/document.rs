//! The configuration as the operator writes it: one TOML document, unknown keys refused.
//!
//! The *normal form* is the document that an export gives: lists whose order means nothing are sorted, defaults that
//! mean "as usual" are left out. Two documents say the same exactly when their normal forms are equal.

use std::collections::BTreeMap;

use protocol_message::identifier::{ClientId, SecurityServerId};
use serde::{Deserialize, Serialize};

use super::certificate::Certificate;
use super::subject::Subject;

/// Timeout of a service that does not say one, in seconds (features.md 3.2).
pub const DEFAULT_TIMEOUT: u32 = 60;

/// What a disabled service description says when the operator gives no notice (features.md 3.2).
pub const DEFAULT_DISABLED_NOTICE: &str = "Out of order";

/// Method of the base endpoint, which stands for the whole service.
pub const BASE_METHOD: &str = "*";
/// Path of the base endpoint.
pub const BASE_PATH: &str = "**";

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The id of this security server; its member is the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<SecurityServerId>,
    /// How the server shows itself to information systems.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_tls: Option<InternalTls>,
    /// Settings kept with the configuration, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Time-stamping services in the order in which they are tried.
    #[serde(
        default,
        rename = "time_stamping_service",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub time_stamping_services: Vec<TimeStampingService>,
    /// Members and subsystems that this server serves.
    #[serde(default, rename = "client", skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<Client>,
}

/// Files of the internal TLS key and certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InternalTls {
    /// Path of the private key. The key itself is never in the configuration.
    pub key: String,
    /// Path of the certificate chain, PEM.
    pub certificate: String,
}

/// A time-stamping service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeStampingService {
    /// As in the global configuration.
    pub name: String,
    /// Where requests are posted.
    pub url: String,
}

/// A member or subsystem and all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Who.
    pub id: ClientId,
    /// Whether it is registered; only registered clients exchange messages.
    #[serde(default)]
    pub status: ClientStatus,
    /// How its information systems prove that they are its.
    #[serde(default)]
    pub authentication: Authentication,
    /// TLS certificates of its information systems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
    /// Groups that it forms for its access rights.
    #[serde(default, rename = "local_group", skip_serializing_if = "Vec::is_empty")]
    pub local_groups: Vec<LocalGroup>,
    /// The services that it provides.
    #[serde(
        default,
        rename = "service_description",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub service_descriptions: Vec<ServiceDescription>,
    /// Who may call what.
    #[serde(default, rename = "endpoint", skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
}

/// States of a client (features.md 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClientStatus {
    /// Known here only.
    #[serde(rename = "saved")]
    Saved,
    /// The central server was asked.
    #[serde(rename = "registration in progress")]
    RegistrationInProgress,
    /// In the global configuration as a client of this server.
    #[default]
    #[serde(rename = "registered")]
    Registered,
    /// Being removed.
    #[serde(rename = "deletion in progress")]
    DeletionInProgress,
    /// Not in the global configuration though it should be.
    #[serde(rename = "global error")]
    GlobalError,
    /// Being disabled.
    #[serde(rename = "disabling in progress")]
    DisablingInProgress,
    /// Disabled for a while.
    #[serde(rename = "disabled")]
    Disabled,
    /// Being enabled again.
    #[serde(rename = "enabling in progress")]
    EnablingInProgress,
}

/// How information systems of a client are authenticated (wire.md 1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Authentication {
    /// Anyone, with or without TLS.
    #[serde(rename = "NOSSL")]
    NoSsl,
    /// Anyone, with TLS.
    #[serde(rename = "SSLNOAUTH")]
    SslNoAuth,
    /// Only with one of the client's certificates. The default: opening up is the operator's decision.
    #[default]
    #[serde(rename = "SSLAUTH")]
    SslAuth,
}

/// A local group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalGroup {
    /// By which access rights name it.
    pub code: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who is in it.
    #[serde(default)]
    pub members: Vec<ClientId>,
}

/// A description file, or a REST base path, and its services.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceDescription {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: DescriptionType,
    /// Where the description lies; for [`DescriptionType::Rest`] the base URL of the service.
    pub url: String,
    /// Whether its services are refused for now.
    #[serde(default, skip_serializing_if = "is_false")]
    pub disabled: bool,
    /// What callers are told while it is disabled; [`DEFAULT_DISABLED_NOTICE`] if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_notice: Option<String>,
    /// Its services.
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
}

/// Types of service descriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DescriptionType {
    /// SOAP services.
    #[serde(rename = "WSDL")]
    Wsdl,
    /// One REST service without a description.
    #[serde(rename = "REST")]
    Rest,
    /// One REST service with an OpenAPI 3 description.
    #[serde(rename = "OPENAPI3")]
    OpenApi3,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its code.
    pub code: String,
    /// Its version, of SOAP services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where it is called.
    pub url: String,
    /// Seconds to wait for it, 1 to 1000.
    #[serde(default = "default_timeout")]
    pub timeout: u32,
    /// Whether its TLS certificate must be one of the client's certificates.
    #[serde(default = "yes")]
    pub ssl_authentication: bool,
}

/// A part of a service, and who may call it. The base endpoint (method `*`, path `**`) is the whole service; it
/// exists without being named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Code of a service of the same client, all its versions.
    pub service: String,
    /// An HTTP method, or `*`.
    #[serde(default = "base_method")]
    pub method: String,
    /// A path glob (wire.md 6.2), or `**`.
    #[serde(default = "base_path")]
    pub path: String,
    /// Whether it came from an OpenAPI description.
    #[serde(default, skip_serializing_if = "is_false")]
    pub generated: bool,
    /// Who may call it.
    #[serde(default)]
    pub subjects: Vec<Subject>,
}

impl Endpoint {
    /// Whether this is the whole service.
    #[must_use]
    pub fn is_base(&self) -> bool {
        self.method == BASE_METHOD && self.path == BASE_PATH
    }
}

impl Document {
    /// The normal form.
    #[must_use]
    pub fn normal(mut self) -> Self {
        for client in &mut self.clients {
            client.normalise();
        }
        self.clients.sort_by(|a, b| a.id.cmp(&b.id));
        self
    }
}

impl Client {
    fn normalise(&mut self) {
        self.certificates.sort();
        self.certificates.dedup();
        for group in &mut self.local_groups {
            group.members.sort();
            group.members.dedup();
        }
        self.local_groups.sort_by(|a, b| a.code.cmp(&b.code));
        for description in &mut self.service_descriptions {
            description
                .services
                .sort_by(|a, b| (&a.code, &a.version).cmp(&(&b.code, &b.version)));
        }
        self.service_descriptions
            .sort_by(|a, b| (&a.url, a.kind).cmp(&(&b.url, b.kind)));
        for endpoint in &mut self.endpoints {
            endpoint.method.make_ascii_uppercase();
            endpoint.subjects.sort();
            endpoint.subjects.dedup();
        }
        self.endpoints
            .retain(|endpoint| !endpoint.is_base() || !endpoint.subjects.is_empty());
        self.endpoints
            .sort_by(|a, b| (&a.service, &a.path, &a.method).cmp(&(&b.service, &b.path, &b.method)));
    }
}

/// serde's `skip_serializing_if` passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature is serde's")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const fn yes() -> bool {
    true
}

const fn default_timeout() -> u32 {
    DEFAULT_TIMEOUT
}

fn base_method() -> String {
    BASE_METHOD.into()
}

fn base_path() -> String {
    BASE_PATH.into()
}
