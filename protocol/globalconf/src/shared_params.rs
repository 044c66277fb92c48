//! Shared parameters: members, security servers, approved services, groups (features.md 2.9).
//!
//! One model for all versions; [`SharedParams::read`] and [`SharedParams::write`] know which version has what.

mod read;
mod write;

pub use write::WriteError;

use protocol_message::identifier::{ClientId, GlobalGroupId, SecurityServerId};

/// Everything in one `shared-params.xml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SharedParams {
    /// Code of the instance that the parameters describe.
    pub instance: String,
    /// Addresses of the central server's nodes, with their certificates; version 3 and later.
    pub sources: Vec<Source>,
    /// Certification services.
    pub approved_cas: Vec<ApprovedCa>,
    /// Time-stamping services.
    pub approved_tsas: Vec<ApprovedTsa>,
    /// Members with their subsystems.
    pub members: Vec<Member>,
    /// Registered security servers.
    pub security_servers: Vec<SecurityServer>,
    /// Groups that services may be opened to.
    pub global_groups: Vec<GlobalGroup>,
    /// Classes and policies.
    pub settings: GlobalSettings,
}

/// One node that the configuration can be downloaded from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Source {
    /// Host name or IP address.
    pub address: String,
    /// DER certificates that verify `/internalconf`.
    pub internal_verification_certs: Vec<Vec<u8>>,
    /// DER certificates that verify `/externalconf`.
    pub external_verification_certs: Vec<Vec<u8>>,
}

/// A certification service: one top CA and the intermediate CAs below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovedCa {
    /// Name for user interfaces.
    pub name: String,
    /// True when its certificates may authenticate servers but not sign messages; absent means false.
    pub authentication_only: Option<bool>,
    /// Trust anchor.
    pub top_ca: CaInfo,
    /// CAs below the top.
    pub intermediate_cas: Vec<CaInfo>,
    /// Class name of the certificate profile (wire.md 3.6).
    pub certificate_profile_info: String,
    /// Format in which the CA likes its requests; version 6 and later.
    pub default_csr_format: Option<CsrFormat>,
    /// ACME server; version 3 and later.
    pub acme_server: Option<AcmeServer>,
}

/// One CA certificate and its OCSP responders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaInfo {
    /// Certificate: DER, or PEM text.
    pub cert: Vec<u8>,
    /// Responders for the certificates that this CA issued.
    pub ocsp: Vec<OcspInfo>,
}

/// One OCSP responder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OcspInfo {
    /// Where to ask.
    pub url: String,
    /// Certificate that may sign the answers: DER, or PEM text.
    pub cert: Option<Vec<u8>>,
    /// Whether asking costs; version 6 and later.
    pub cost_type: Option<CostType>,
}

/// Whether a service costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CostType {
    /// Free of charge.
    Free,
    /// Paid.
    Paid,
    /// Not told.
    Undefined,
}

/// Format of a certificate signing request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CsrFormat {
    /// Base64 text with a header and a footer line.
    Pem,
    /// Binary.
    Der,
}

/// ACME settings of a certification service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AcmeServer {
    /// Entry point.
    pub directory_url: String,
    /// Addresses for firewall rules, separated by commas.
    pub ip_address: Option<String>,
    /// Profile for authentication certificates; version 4 and later.
    pub authentication_certificate_profile_id: Option<String>,
    /// Profile for signing certificates; version 4 and later.
    pub signing_certificate_profile_id: Option<String>,
}

/// A time-stamping service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApprovedTsa {
    /// Name for user interfaces.
    pub name: String,
    /// Where to ask.
    pub url: String,
    /// Certificate that signs the tokens: DER, or PEM text.
    pub cert: Vec<u8>,
    /// Whether asking costs; version 6 and later.
    pub cost_type: Option<CostType>,
}

/// A member class with its description.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberClass {
    /// Code, for example `GOV`.
    pub code: String,
    /// Description for user interfaces.
    pub description: String,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Identifier (without a subsystem).
    pub id: ClientId,
    /// Description of its class.
    pub class_description: String,
    /// Full name.
    pub name: String,
    /// Its subsystems.
    pub subsystems: Vec<Subsystem>,
}

/// A subsystem of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subsystem {
    /// Identifier (with the subsystem code).
    pub id: ClientId,
    /// Full name; version 5 and later.
    pub name: Option<String>,
}

/// A registered security server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityServer {
    /// Member that owns it.
    pub owner: ClientId,
    /// Code, unique for its owner.
    pub server_code: String,
    /// Host name or IP address, without a port; servers that are not reachable have none.
    pub address: Option<String>,
    /// Hashes of its authentication certificates: SHA-1 in version 2, SHA-256 later.
    pub auth_cert_hashes: Vec<Vec<u8>>,
    /// Members and subsystems registered on it, besides the owner.
    pub clients: Vec<ClientId>,
    /// Present while the server is in maintenance mode; version 5 and later.
    pub maintenance_mode: Option<MaintenanceMode>,
}

impl SecurityServer {
    /// The server's identifier: instance, class and code of the owner and the server code.
    #[must_use]
    pub fn id(&self) -> SecurityServerId {
        SecurityServerId {
            instance: self.owner.instance().to_owned(),
            member_class: self.owner.member_class().to_owned(),
            member_code: self.owner.member_code().to_owned(),
            server_code: self.server_code.clone(),
        }
    }
}

/// A server that is being maintained takes no requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MaintenanceMode {
    /// What its administrator says about it.
    pub message: Option<String>,
}

/// A group of members and subsystems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalGroup {
    /// Identifier.
    pub id: GlobalGroupId,
    /// Description for user interfaces.
    pub description: String,
    /// Who is in it; a member does not stand for its subsystems.
    pub members: Vec<ClientId>,
}

/// Classes and policies of the instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GlobalSettings {
    /// Member classes.
    pub member_classes: Vec<MemberClass>,
    /// How old an OCSP response may be, in seconds.
    pub ocsp_freshness_seconds: u32,
}
