//! The registry: who takes part in the instance and which services it trusts (`registry.toml`).
//!
//! Identifiers are written in full, `INSTANCE/CLASS/CODE[/SUBSYSTEM]`. A certificate is PEM text, or the path of a
//! file with DER or PEM, relative to the registry.
//!
//! ```toml
//! instance = "DEV"
//! address = "cs.example.org"
//!
//! [management_service]
//! address = "https://cs.example.org:4001/managementservice/"
//! provider = "DEV/COM/1234/MANAGEMENT"
//!
//! [[member_class]]
//! code = "COM"
//! description = "Commercial"
//!
//! [[member]]
//! id = "DEV/COM/1234"
//! name = "Test member"
//! subsystem = [{ code = "TestService", name = "Test service" }]
//!
//! [[security_server]]
//! owner = "DEV/COM/1234"
//! code = "SS0"
//! address = "ss0.example.org"
//! auth_certificates = ["ss0-auth.pem"]
//! clients = ["DEV/COM/1234/TestService"]
//!
//! [[ca]]
//! name = "Test CA"
//! profile = "Ejbca"
//! certificate = "ca.pem"
//! ocsp = [{ url = "http://ca.example.org/ocsp", certificate = "ocsp.pem" }]
//!
//! [[tsa]]
//! name = "Test TSA"
//! url = "http://tsa.example.org"
//! certificate = "tsa.pem"
//! ```

mod check;
mod params;

use std::path::{Path, PathBuf};

use protocol_globalconf::anchor::AnchorError;
use protocol_message::identifier::ClientId;
use protocol_pki::certificate::CertificateError;
use serde::{Deserialize, Serialize};

/// Group of all owners of security servers, as in the reference.
pub const DEFAULT_OWNERS_GROUP: &str = "security-server-owners";
/// How long a signature may stay without a time-stamp, in seconds.
pub const DEFAULT_TIME_STAMPING_INTERVAL: u32 = 60;
/// How old an OCSP response may be, in seconds.
pub const DEFAULT_OCSP_FRESHNESS: u32 = 3600;

/// Everything in `registry.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// Code of the instance.
    pub instance: String,
    /// Host name or IP address of the central server, with a port if HTTP is not at 80: for anchors and sources.
    pub address: String,
    /// How long a signature may stay without a time-stamp, in seconds.
    #[serde(default = "default_time_stamping_interval")]
    pub time_stamping_interval: u32,
    /// How old an OCSP response may be, in seconds.
    #[serde(default = "default_ocsp_freshness")]
    pub ocsp_freshness: u32,
    /// Seconds between two requests for an OCSP response; its part is left out if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp_fetch_interval: Option<u32>,
    /// Whether the `nextUpdate` of OCSP responses counts; its part is left out if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_ocsp_next_update: Option<bool>,
    /// Who may query monitoring data of all servers; its part is left out if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_client: Option<ClientId>,
    /// Code of the group of all owners of security servers, which is made here.
    #[serde(default = "default_owners_group")]
    pub owners_group: String,
    /// Management services.
    pub management_service: ManagementService,
    /// Member classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub member_class: Vec<MemberClass>,
    /// Members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub member: Vec<Member>,
    /// Security servers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_server: Vec<SecurityServer>,
    /// Certification services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca: Vec<Ca>,
    /// Time-stamping services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tsa: Vec<Tsa>,
    /// Groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub global_group: Vec<GlobalGroup>,
    /// Anchor files of federated instances, relative to the registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub federation: Vec<PathBuf>,
}

/// Management services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagementService {
    /// URL for registering authentication certificates.
    pub address: String,
    /// TLS certificate of that URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Subsystem that offers the management services.
    pub provider: ClientId,
}

/// A member class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberClass {
    /// Code.
    pub code: String,
    /// Description.
    pub description: String,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Identifier.
    pub id: ClientId,
    /// Full name.
    pub name: String,
    /// Subsystems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subsystem: Vec<Subsystem>,
}

/// A subsystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subsystem {
    /// Code.
    pub code: String,
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A security server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecurityServer {
    /// Member that owns it.
    pub owner: ClientId,
    /// Code, unique for its owner.
    pub code: String,
    /// Host name or IP address, without a port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Authentication certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auth_certificates: Vec<String>,
    /// Registered clients, besides the owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientId>,
    /// Present while it is in maintenance mode: what consumers are told, which may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<String>,
}

/// A certification service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ca {
    /// Name.
    pub name: String,
    /// Certificate profile: a short name (`Ejbca`, `FiVRK`, `Basic`, ...) or a class name.
    pub profile: String,
    /// Whether its certificates may authenticate servers only.
    #[serde(default)]
    pub authentication_only: bool,
    /// Certificate of the top CA.
    pub certificate: String,
    /// OCSP responders of the top CA.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ocsp: Vec<Ocsp>,
    /// CAs below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intermediate: Vec<IntermediateCa>,
    /// Format in which it likes its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_csr_format: Option<CsrFormat>,
}

/// An intermediate CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntermediateCa {
    /// Certificate.
    pub certificate: String,
    /// OCSP responders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ocsp: Vec<Ocsp>,
}

/// An OCSP responder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ocsp {
    /// Where to ask.
    pub url: String,
    /// Certificate that may sign the answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Whether asking costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

/// A time-stamping service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tsa {
    /// Name.
    pub name: String,
    /// Where to ask.
    pub url: String,
    /// Certificate that signs the tokens.
    pub certificate: String,
    /// Whether asking costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

/// Whether a service costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cost {
    /// Free of charge.
    Free,
    /// Paid.
    Paid,
}

/// Format of a certificate signing request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CsrFormat {
    /// Text.
    Pem,
    /// Binary.
    Der,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlobalGroup {
    /// Code.
    pub code: String,
    /// Description.
    pub description: String,
    /// Members and subsystems, of any instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<ClientId>,
}

/// Why the registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The registry is not what it should be.
    #[error("malformed registry {path}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A certificate cannot be read.
    #[error("certificate of {whose} is malformed")]
    Certificate {
        /// Whose certificate.
        whose: String,
        /// Why.
        source: CertificateError,
    },
    /// An anchor of a federated instance cannot be read.
    #[error("malformed anchor {path}")]
    Anchor {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: AnchorError,
    },
    /// The registry contradicts itself.
    #[error("{0}")]
    Contradiction(String),
}

fn default_time_stamping_interval() -> u32 {
    DEFAULT_TIME_STAMPING_INTERVAL
}

fn default_ocsp_freshness() -> u32 {
    DEFAULT_OCSP_FRESHNESS
}

fn default_owners_group() -> String {
    DEFAULT_OWNERS_GROUP.to_owned()
}

/// A registry with the files that it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    registry: Registry,
    /// Directory that paths are relative to.
    directory: PathBuf,
}

impl Loaded {
    /// Reads and checks a registry.
    ///
    /// # Errors
    /// When it cannot be read, is malformed, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        let text = std::fs::read_to_string(path).map_err(|source| RegistryError::Read {
            path: path.to_owned(),
            source,
        })?;
        let registry: Registry = toml::from_str(&text).map_err(|source| RegistryError::Malformed {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        registry.check()?;
        let directory = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        Ok(Self { registry, directory })
    }

    /// The registry as it was read.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}
