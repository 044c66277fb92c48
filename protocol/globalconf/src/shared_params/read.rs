//! Reading shared parameters.
//!
//! What a version does not have is ignored where it stands nevertheless, as the schema of that version would
//! not let it mean anything.

use std::collections::HashMap;

use protocol_message::identifier::{ClientId, GlobalGroupId};

use super::{
    AcmeServer, ApprovedCa, ApprovedTsa, CaInfo, CostType, CsrFormat, GlobalGroup, GlobalSettings,
    MaintenanceMode, Member, MemberClass, OcspInfo, SecurityServer, SharedParams, Source, Subsystem,
};
use crate::Version;
use crate::xml::{self, Element, Space, XmlError};

impl SharedParams {
    /// Reads a `shared-params.xml` of the given version.
    ///
    /// # Errors
    /// When it is not the XML that the version's schema describes.
    pub fn read(version: Version, bytes: &[u8]) -> Result<Self, XmlError> {
        let conf = Element::parse_document(bytes, "conf")?;
        Reader::new(version, conf.required_text("instanceIdentifier")?).read(&conf)
    }
}

struct Reader {
    version: Version,
    instance: String,
    /// Members and subsystems by the document's own ids, which servers refer to.
    clients: HashMap<String, ClientId>,
}

impl Reader {
    fn new(version: Version, instance: String) -> Self {
        Self {
            version,
            instance,
            clients: HashMap::new(),
        }
    }

    fn read(mut self, conf: &Element) -> Result<SharedParams, XmlError> {
        let members = conf
            .all("member")
            .map(|member| self.member(member))
            .collect::<Result<_, _>>()?;
        Ok(SharedParams {
            sources: if self.version >= Version::V3 {
                map(conf, "source", source)?
            } else {
                Vec::new()
            },
            approved_cas: map(conf, "approvedCA", |ca| self.approved_ca(ca))?,
            approved_tsas: map(conf, "approvedTSA", |tsa| self.approved_tsa(tsa))?,
            security_servers: map(conf, "securityServer", |server| self.security_server(server))?,
            global_groups: map(conf, "globalGroup", |group| self.global_group(group))?,
            settings: settings(conf.required("globalSettings")?)?,
            members,
            instance: self.instance,
        })
    }

    fn member(&mut self, member: &Element) -> Result<Member, XmlError> {
        let class = member_class(member.required("memberClass")?)?;
        let code = member.required_text("memberCode")?;
        let id = ClientId::for_member(self.instance.as_str(), class.code.as_str(), code);
        self.register(member, &id)?;
        Ok(Member {
            class_description: class.description,
            name: member.required_text("name")?,
            subsystems: map(member, "subsystem", |subsystem| self.subsystem(subsystem, &id))?,
            id,
        })
    }

    fn subsystem(&mut self, subsystem: &Element, member: &ClientId) -> Result<Subsystem, XmlError> {
        let id = member.with_subsystem(&subsystem.required_text("subsystemCode")?);
        self.register(subsystem, &id)?;
        let name = match self.version >= Version::V5 {
            true => subsystem.optional_text("subsystemName")?,
            false => None,
        };
        Ok(Subsystem { id, name })
    }

    fn register(&mut self, element: &Element, client: &ClientId) -> Result<(), XmlError> {
        let Some(id) = element.attribute(Space::None, "id") else {
            return Ok(());
        };
        match self.clients.insert(id.to_owned(), client.clone()) {
            Some(_) => Err(XmlError::DuplicateId(id.to_owned())),
            None => Ok(()),
        }
    }

    fn referred(&self, reference: &Element) -> Result<ClientId, XmlError> {
        let id = reference.text().trim();
        self.clients
            .get(id)
            .cloned()
            .ok_or_else(|| XmlError::DanglingReference(id.to_owned()))
    }

    fn security_server(&self, server: &Element) -> Result<SecurityServer, XmlError> {
        Ok(SecurityServer {
            owner: self.referred(server.required("owner")?)?.member(),
            server_code: server.required_text("serverCode")?,
            address: server.optional_trimmed("address")?,
            auth_cert_hashes: server.all_base64("authCertHash")?,
            clients: map(server, "client", |client| self.referred(client))?,
            maintenance_mode: self.maintenance_mode(server)?,
        })
    }

    fn maintenance_mode(&self, server: &Element) -> Result<Option<MaintenanceMode>, XmlError> {
        if self.version < Version::V5 {
            return Ok(None);
        }
        let Some(mode) = server.optional("inMaintenanceMode")? else {
            return Ok(None);
        };
        Ok(Some(MaintenanceMode {
            message: mode.optional_text("message")?,
        }))
    }

    fn approved_ca(&self, ca: &Element) -> Result<ApprovedCa, XmlError> {
        let authentication_only = ca.optional("authenticationOnly")?;
        Ok(ApprovedCa {
            name: ca.required_text("name")?,
            authentication_only: authentication_only.map(Element::boolean).transpose()?,
            top_ca: self.ca_info(ca.required("topCA")?)?,
            intermediate_cas: map(ca, "intermediateCA", |ca| self.ca_info(ca))?,
            certificate_profile_info: ca.required_text("certificateProfileInfo")?.trim().to_owned(),
            default_csr_format: self.csr_format(ca)?,
            acme_server: self.acme_server(ca)?,
        })
    }

    fn ca_info(&self, info: &Element) -> Result<CaInfo, XmlError> {
        Ok(CaInfo {
            cert: info.required("cert")?.base64()?,
            ocsp: map(info, "ocsp", |ocsp| self.ocsp_info(ocsp))?,
        })
    }

    fn ocsp_info(&self, ocsp: &Element) -> Result<OcspInfo, XmlError> {
        Ok(OcspInfo {
            url: ocsp.required_text("url")?.trim().to_owned(),
            cert: ocsp.optional("cert")?.map(Element::base64).transpose()?,
            cost_type: self.cost_type(ocsp)?,
        })
    }

    fn approved_tsa(&self, tsa: &Element) -> Result<ApprovedTsa, XmlError> {
        Ok(ApprovedTsa {
            name: tsa.required_text("name")?,
            url: tsa.required_text("url")?.trim().to_owned(),
            cert: tsa.required("cert")?.base64()?,
            cost_type: self.cost_type(tsa)?,
        })
    }

    fn cost_type(&self, service: &Element) -> Result<Option<CostType>, XmlError> {
        if self.version < Version::V6 {
            return Ok(None);
        }
        let Some(cost_type) = service.optional("costType")? else {
            return Ok(None);
        };
        match cost_type.text().trim() {
            "FREE" => Ok(Some(CostType::Free)),
            "PAID" => Ok(Some(CostType::Paid)),
            "UNDEFINED" => Ok(Some(CostType::Undefined)),
            _ => Err(cost_type.bad("cost type")),
        }
    }

    fn csr_format(&self, ca: &Element) -> Result<Option<CsrFormat>, XmlError> {
        if self.version < Version::V6 {
            return Ok(None);
        }
        let Some(format) = ca.optional("defaultCsrFormat")? else {
            return Ok(None);
        };
        match format.text().trim() {
            "PEM" => Ok(Some(CsrFormat::Pem)),
            "DER" => Ok(Some(CsrFormat::Der)),
            _ => Err(format.bad("CSR format")),
        }
    }

    fn acme_server(&self, ca: &Element) -> Result<Option<AcmeServer>, XmlError> {
        if self.version < Version::V3 {
            return Ok(None);
        }
        let Some(acme) = ca.optional("acmeServer")? else {
            return Ok(None);
        };
        let profile = |name| {
            if self.version >= Version::V4 {
                acme.optional_text(name)
            } else {
                Ok(None)
            }
        };
        Ok(Some(AcmeServer {
            directory_url: acme.required_text("directoryURL")?.trim().to_owned(),
            ip_address: acme.optional_text("ipAddress")?,
            authentication_certificate_profile_id: profile("authenticationCertificateProfileId")?,
            signing_certificate_profile_id: profile("signingCertificateProfileId")?,
        }))
    }

    fn global_group(&self, group: &Element) -> Result<GlobalGroup, XmlError> {
        Ok(GlobalGroup {
            id: GlobalGroupId {
                instance: self.instance.clone(),
                group_code: group.required_text("groupCode")?,
            },
            description: group.required_text("description")?,
            members: group_members(group)?,
        })
    }
}

fn map<T>(
    parent: &Element,
    name: &'static str,
    read: impl FnMut(&Element) -> Result<T, XmlError>,
) -> Result<Vec<T>, XmlError> {
    parent.all(name).map(read).collect()
}

/// A member whose type and parts contradict each other is left out, as the reference does: nobody is in the group
/// by mistake, and the rest of the configuration stays usable.
fn group_members(group: &Element) -> Result<Vec<ClientId>, XmlError> {
    let members = group.all("groupMember").map(xml::identifier::client_id);
    members
        .filter(|member| !matches!(member, Err(XmlError::BadIdentifier(_))))
        .collect()
}

fn source(source: &Element) -> Result<Source, XmlError> {
    Ok(Source {
        address: source.required_text("address")?.trim().to_owned(),
        internal_verification_certs: source.all_base64("internalVerificationCert")?,
        external_verification_certs: source.all_base64("externalVerificationCert")?,
    })
}

fn member_class(class: &Element) -> Result<MemberClass, XmlError> {
    Ok(MemberClass {
        code: class.required_text("code")?,
        description: class.required_text("description")?,
    })
}

fn settings(settings: &Element) -> Result<GlobalSettings, XmlError> {
    Ok(GlobalSettings {
        member_classes: map(settings, "memberClass", member_class)?,
        ocsp_freshness_seconds: settings.required("ocspFreshnessSeconds")?.number()?,
    })
}
