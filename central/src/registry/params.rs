//! The registry as parameters of the global configuration.

use std::collections::BTreeSet;
use std::path::Path;

use protocol_globalconf::Version;
use protocol_globalconf::anchor::Anchor;
use protocol_globalconf::layout;
use protocol_globalconf::optional_parts;
use protocol_globalconf::private_params::{self, PrivateParams};
use protocol_globalconf::shared_params::{self as shared, ApprovedCa, ApprovedTsa, CaInfo, SharedParams};
use protocol_message::identifier::{ClientId, GlobalGroupId};
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;

use super::{Ca, Cost, CsrFormat, Loaded, Member, Ocsp, RegistryError, SecurityServer, Tsa};

/// Package of the reference's certificate profiles; a profile without a dot is short for a class in it.
const PROFILE_PACKAGE: &str = "ee.ria.xroad.common.certificateprofile.impl";
/// End of the class name of a profile.
const PROFILE_SUFFIX: &str = "CertificateProfileInfoProvider";

/// An optional part of the internal configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalPart {
    /// Content identifier.
    pub identifier: &'static str,
    /// File name.
    pub file_name: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Loaded {
    /// Shared parameters for a version, which decides how authentication certificates are hashed. Sources are
    /// added by the caller, who knows the signing keys.
    ///
    /// # Errors
    /// When a certificate cannot be read.
    pub fn shared_params(&self, version: Version) -> Result<SharedParams, RegistryError> {
        let registry = &self.registry;
        Ok(SharedParams {
            instance: registry.instance.clone(),
            sources: Vec::new(),
            approved_cas: registry
                .ca
                .iter()
                .map(|ca| self.approved_ca(ca))
                .collect::<Result<_, _>>()?,
            approved_tsas: registry
                .tsa
                .iter()
                .map(|tsa| self.approved_tsa(tsa))
                .collect::<Result<_, _>>()?,
            members: registry.member.iter().map(|member| self.member(member)).collect(),
            security_servers: registry
                .security_server
                .iter()
                .map(|server| self.security_server(server, version))
                .collect::<Result<_, _>>()?,
            global_groups: self.global_groups(),
            settings: shared::GlobalSettings {
                member_classes: self.member_classes(),
                ocsp_freshness_seconds: registry.ocsp_freshness,
            },
        })
    }

    /// Private parameters, with the anchors of federated instances.
    ///
    /// # Errors
    /// When an anchor or a certificate cannot be read.
    pub fn private_params(&self) -> Result<PrivateParams, RegistryError> {
        let service = &self.registry.management_service;
        let certificate = service.certificate.as_deref();
        let certificate =
            certificate.map(|certificate| self.certificate("the management service", certificate));
        Ok(PrivateParams {
            instance: self.registry.instance.clone(),
            anchors: self
                .registry
                .federation
                .iter()
                .map(|path| self.anchor(path))
                .collect::<Result<_, _>>()?,
            management_service: private_params::ManagementService {
                auth_cert_reg_address: service.address.clone(),
                auth_cert_reg_cert: certificate
                    .transpose()?
                    .map(|certificate| certificate.as_der().to_vec()),
                provider: service.provider.clone(),
            },
            time_stamping_interval_seconds: self.registry.time_stamping_interval,
        })
    }

    /// The optional parts that the registry asks for.
    #[must_use]
    pub fn optional_parts(&self) -> Vec<OptionalPart> {
        let part = |identifier, file_name, bytes| OptionalPart {
            identifier,
            file_name,
            bytes,
        };
        let registry = &self.registry;
        let interval = registry
            .ocsp_fetch_interval
            .map(optional_parts::write_ocsp_fetch_interval);
        let next_update = registry
            .verify_ocsp_next_update
            .map(optional_parts::write_verify_next_update);
        let client = registry.monitoring_client.as_ref();
        let monitoring = client.map(|client| optional_parts::write_monitoring_client(Some(client)));
        let parts = [
            interval.map(|bytes| part(layout::FETCH_INTERVAL, layout::FETCH_INTERVAL_PARAMS_FILE, bytes)),
            next_update.map(|bytes| part(layout::NEXT_UPDATE, layout::NEXT_UPDATE_PARAMS_FILE, bytes)),
            monitoring.map(|bytes| part(layout::MONITORING, layout::MONITORING_PARAMS_FILE, bytes)),
        ];
        parts.into_iter().flatten().collect()
    }

    fn member(&self, member: &Member) -> shared::Member {
        let classes = &self.registry.member_class;
        let class = classes
            .iter()
            .find(|class| class.code == member.id.member_class());
        let subsystem = |subsystem: &super::Subsystem| shared::Subsystem {
            id: member.id.with_subsystem(&subsystem.code),
            name: subsystem.name.clone(),
        };
        shared::Member {
            class_description: class.map_or_else(String::new, |class| class.description.clone()),
            name: member.name.clone(),
            subsystems: member.subsystem.iter().map(subsystem).collect(),
            id: member.id.clone(),
        }
    }

    fn member_classes(&self) -> Vec<shared::MemberClass> {
        let class = |class: &super::MemberClass| shared::MemberClass {
            code: class.code.clone(),
            description: class.description.clone(),
        };
        self.registry.member_class.iter().map(class).collect()
    }

    fn security_server(
        &self,
        server: &SecurityServer,
        version: Version,
    ) -> Result<shared::SecurityServer, RegistryError> {
        let algorithm = match version.names_certificates_by_sha1() {
            true => DigestAlgorithm::Sha1,
            false => DigestAlgorithm::Sha256,
        };
        let hash = |text: &String| {
            let certificate = self.certificate(&format!("security server {}", server.code), text)?;
            Ok(algorithm.digest(certificate.as_der()).to_vec())
        };
        Ok(shared::SecurityServer {
            owner: server.owner.clone(),
            server_code: server.code.clone(),
            address: server.address.clone(),
            auth_cert_hashes: server
                .auth_certificates
                .iter()
                .map(hash)
                .collect::<Result<_, _>>()?,
            clients: server
                .clients
                .iter()
                .filter(|client| **client != server.owner)
                .cloned()
                .collect(),
            maintenance_mode: server
                .maintenance
                .as_ref()
                .map(|message| shared::MaintenanceMode {
                    message: Some(message.clone()).filter(|message| !message.is_empty()),
                }),
        })
    }

    fn approved_ca(&self, ca: &Ca) -> Result<ApprovedCa, RegistryError> {
        let intermediate = ca.intermediate.iter();
        Ok(ApprovedCa {
            name: ca.name.clone(),
            authentication_only: Some(ca.authentication_only),
            top_ca: self.ca_info(&ca.name, &ca.certificate, &ca.ocsp)?,
            intermediate_cas: intermediate
                .map(|info| self.ca_info(&ca.name, &info.certificate, &info.ocsp))
                .collect::<Result<_, _>>()?,
            certificate_profile_info: profile_class(&ca.profile),
            default_csr_format: ca.default_csr_format.map(csr_format),
            acme_server: None,
        })
    }

    fn ca_info(&self, name: &str, certificate: &str, responders: &[Ocsp]) -> Result<CaInfo, RegistryError> {
        Ok(CaInfo {
            cert: self.certificate(name, certificate)?.as_der().to_vec(),
            ocsp: responders
                .iter()
                .map(|ocsp| self.ocsp_info(name, ocsp))
                .collect::<Result<_, _>>()?,
        })
    }

    fn ocsp_info(&self, name: &str, ocsp: &Ocsp) -> Result<shared::OcspInfo, RegistryError> {
        let certificate = ocsp
            .certificate
            .as_deref()
            .map(|certificate| self.certificate(name, certificate));
        Ok(shared::OcspInfo {
            url: ocsp.url.clone(),
            cert: certificate
                .transpose()?
                .map(|certificate| certificate.as_der().to_vec()),
            cost_type: Some(cost_type(ocsp.cost)),
        })
    }

    fn approved_tsa(&self, tsa: &Tsa) -> Result<ApprovedTsa, RegistryError> {
        Ok(ApprovedTsa {
            name: tsa.name.clone(),
            url: tsa.url.clone(),
            cert: self.certificate(&tsa.name, &tsa.certificate)?.as_der().to_vec(),
            cost_type: Some(cost_type(tsa.cost)),
        })
    }

    /// The groups of the registry and the group of all owners.
    fn global_groups(&self) -> Vec<shared::GlobalGroup> {
        let registry = &self.registry;
        let id = |code: &str| GlobalGroupId {
            instance: registry.instance.clone(),
            group_code: code.to_owned(),
        };
        let owners: BTreeSet<&ClientId> = registry
            .security_server
            .iter()
            .map(|server| &server.owner)
            .collect();
        let owners = shared::GlobalGroup {
            id: id(&registry.owners_group),
            description: "Security server owners".to_owned(),
            members: owners.into_iter().cloned().collect(),
        };
        let groups = registry.global_group.iter().map(|group| shared::GlobalGroup {
            id: id(&group.code),
            description: group.description.clone(),
            members: group.members.clone(),
        });
        std::iter::once(owners).chain(groups).collect()
    }

    fn anchor(&self, path: &Path) -> Result<Anchor, RegistryError> {
        let path = self.directory.join(path);
        let bytes = read(&path)?;
        Anchor::parse(&bytes).map_err(|source| RegistryError::Anchor { path, source })
    }

    fn certificate(&self, whose: &str, text_or_path: &str) -> Result<Certificate, RegistryError> {
        let bytes = match text_or_path.trim_start().starts_with("-----BEGIN") {
            true => text_or_path.trim().as_bytes().to_vec(),
            false => read(&self.directory.join(text_or_path))?,
        };
        Certificate::from_der_or_pem(&bytes).map_err(|source| RegistryError::Certificate {
            whose: whose.to_owned(),
            source,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    std::fs::read(path).map_err(|source| RegistryError::Read {
        path: path.to_owned(),
        source,
    })
}

fn profile_class(profile: &str) -> String {
    match profile.contains('.') {
        true => profile.to_owned(),
        false => format!("{PROFILE_PACKAGE}.{profile}{PROFILE_SUFFIX}"),
    }
}

fn cost_type(cost: Option<Cost>) -> shared::CostType {
    match cost {
        Some(Cost::Free) => shared::CostType::Free,
        Some(Cost::Paid) => shared::CostType::Paid,
        None => shared::CostType::Undefined,
    }
}

fn csr_format(format: CsrFormat) -> shared::CsrFormat {
    match format {
        CsrFormat::Pem => shared::CsrFormat::Pem,
        CsrFormat::Der => shared::CsrFormat::Der,
    }
}
