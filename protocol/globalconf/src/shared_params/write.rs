//! Writing shared parameters, as the reference's central server writes them.

use std::collections::HashMap;

use protocol_message::identifier::ClientId;

use super::{
    AcmeServer, ApprovedCa, ApprovedTsa, CaInfo, CostType, CsrFormat, GlobalGroup, MaintenanceMode, Member,
    OcspInfo, SecurityServer, SharedParams, Source,
};
use crate::Version;
use crate::xml::{Writer, identifier};

/// What cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A server's owner or client is not among the members.
    #[error("security server {server} refers to {client}, which is not a member or subsystem")]
    UnknownClient {
        /// Code of the server.
        server: String,
        /// Whom it refers to.
        client: Box<ClientId>,
    },
}

impl SharedParams {
    /// Writes a `shared-params.xml` of the given version. Parts that the version does not have are left out; for
    /// versions before 5, which know no maintenance mode, a server in maintenance loses its subsystems instead,
    /// so that nobody calls it (features.md 0.3, item 9).
    ///
    /// # Errors
    /// When a server's owner or client is not among the members.
    pub fn write(&self, version: Version) -> Result<Vec<u8>, WriteError> {
        let writer = ParamsWriter {
            version,
            ids: self.ids(),
        };
        let mut out = Writer::document("conf");
        writer.write(&mut out, self)?;
        Ok(out.finish("conf"))
    }

    fn ids(&self) -> HashMap<&ClientId, String> {
        let clients = self.members.iter().flat_map(|member| {
            std::iter::once(&member.id).chain(member.subsystems.iter().map(|subsystem| &subsystem.id))
        });
        clients
            .enumerate()
            .map(|(number, client)| (client, format!("id{number}")))
            .collect()
    }
}

struct ParamsWriter<'a> {
    version: Version,
    ids: HashMap<&'a ClientId, String>,
}

impl ParamsWriter<'_> {
    fn write(&self, out: &mut Writer, params: &SharedParams) -> Result<(), WriteError> {
        out.text("instanceIdentifier", &params.instance);
        if self.version >= Version::V3 {
            params.sources.iter().for_each(|source| write_source(out, source));
        }
        params
            .approved_cas
            .iter()
            .for_each(|ca| self.approved_ca(out, ca));
        params
            .approved_tsas
            .iter()
            .for_each(|tsa| self.approved_tsa(out, tsa));
        params.members.iter().for_each(|member| self.member(out, member));
        params
            .security_servers
            .iter()
            .try_for_each(|server| self.security_server(out, server))?;
        params
            .global_groups
            .iter()
            .for_each(|group| write_group(out, group));
        out.nested("globalSettings", "", |out| {
            for class in &params.settings.member_classes {
                write_member_class(out, &class.code, &class.description);
            }
            out.text(
                "ocspFreshnessSeconds",
                &params.settings.ocsp_freshness_seconds.to_string(),
            );
        });
        Ok(())
    }

    fn approved_ca(&self, out: &mut Writer, ca: &ApprovedCa) {
        out.nested("approvedCA", "", |out| {
            out.text("name", &ca.name);
            let authentication_only = ca.authentication_only.map(|only| only.to_string());
            out.optional_text("authenticationOnly", authentication_only.as_deref());
            self.ca_info(out, "topCA", &ca.top_ca);
            ca.intermediate_cas
                .iter()
                .for_each(|info| self.ca_info(out, "intermediateCA", info));
            out.text("certificateProfileInfo", &ca.certificate_profile_info);
            if self.version >= Version::V6 {
                out.optional_text("defaultCsrFormat", ca.default_csr_format.map(csr_format));
            }
            if let (Some(acme), true) = (&ca.acme_server, self.version >= Version::V3) {
                self.acme_server(out, acme);
            }
        });
    }

    fn ca_info(&self, out: &mut Writer, name: &str, info: &CaInfo) {
        out.nested(name, "", |out| {
            out.base64("cert", &info.cert);
            info.ocsp.iter().for_each(|ocsp| self.ocsp_info(out, ocsp));
        });
    }

    fn ocsp_info(&self, out: &mut Writer, ocsp: &OcspInfo) {
        out.nested("ocsp", "", |out| {
            out.text("url", &ocsp.url);
            if let Some(cert) = &ocsp.cert {
                out.base64("cert", cert);
            }
            self.cost_type(out, ocsp.cost_type);
        });
    }

    fn acme_server(&self, out: &mut Writer, acme: &AcmeServer) {
        out.nested("acmeServer", "", |out| {
            out.text("directoryURL", &acme.directory_url);
            out.optional_text("ipAddress", acme.ip_address.as_deref());
            if self.version >= Version::V4 {
                let authentication = acme.authentication_certificate_profile_id.as_deref();
                out.optional_text("authenticationCertificateProfileId", authentication);
                let signing = acme.signing_certificate_profile_id.as_deref();
                out.optional_text("signingCertificateProfileId", signing);
            }
        });
    }

    fn approved_tsa(&self, out: &mut Writer, tsa: &ApprovedTsa) {
        out.nested("approvedTSA", "", |out| {
            out.text("name", &tsa.name);
            out.text("url", &tsa.url);
            out.base64("cert", &tsa.cert);
            self.cost_type(out, tsa.cost_type);
        });
    }

    fn cost_type(&self, out: &mut Writer, cost: Option<CostType>) {
        if self.version >= Version::V6 {
            out.optional_text("costType", cost.map(cost_type));
        }
    }

    fn member(&self, out: &mut Writer, member: &Member) {
        out.nested("member", &self.id_attribute(&member.id), |out| {
            write_member_class(out, member.id.member_class(), &member.class_description);
            out.text("memberCode", member.id.member_code());
            out.text("name", &member.name);
            for subsystem in &member.subsystems {
                out.nested("subsystem", &self.id_attribute(&subsystem.id), |out| {
                    out.text("subsystemCode", subsystem.id.subsystem_code().unwrap_or_default());
                    if self.version >= Version::V5 {
                        out.optional_text("subsystemName", subsystem.name.as_deref());
                    }
                });
            }
        });
    }

    fn id_attribute(&self, client: &ClientId) -> String {
        self.ids
            .get(client)
            .map(|id| format!(" id=\"{id}\""))
            .unwrap_or_default()
    }

    fn security_server(&self, out: &mut Writer, server: &SecurityServer) -> Result<(), WriteError> {
        let reference = |client: &ClientId| {
            self.ids.get(client).ok_or_else(|| WriteError::UnknownClient {
                server: server.server_code.clone(),
                client: Box::new(client.clone()),
            })
        };
        let owner = reference(&server.owner)?;
        let clients = self
            .visible_clients(server)
            .map(reference)
            .collect::<Result<Vec<_>, _>>()?;
        out.nested("securityServer", "", |out| {
            out.text("owner", owner);
            out.text("serverCode", &server.server_code);
            out.optional_text("address", server.address.as_deref());
            server
                .auth_cert_hashes
                .iter()
                .for_each(|hash| out.base64("authCertHash", hash));
            clients.into_iter().for_each(|client| out.text("client", client));
            if let (Some(mode), true) = (&server.maintenance_mode, self.version >= Version::V5) {
                write_maintenance_mode(out, mode);
            }
        });
        Ok(())
    }

    fn visible_clients<'s>(&self, server: &'s SecurityServer) -> impl Iterator<Item = &'s ClientId> {
        let hide_subsystems = server.maintenance_mode.is_some() && self.version < Version::V5;
        server
            .clients
            .iter()
            .filter(move |client| !hide_subsystems || client.subsystem_code().is_none())
    }
}

fn write_source(out: &mut Writer, source: &Source) {
    out.nested("source", "", |out| {
        out.text("address", &source.address);
        for cert in &source.internal_verification_certs {
            out.base64("internalVerificationCert", cert);
        }
        for cert in &source.external_verification_certs {
            out.base64("externalVerificationCert", cert);
        }
    });
}

fn write_member_class(out: &mut Writer, code: &str, description: &str) {
    out.nested("memberClass", "", |out| {
        out.text("code", code);
        out.text("description", description);
    });
}

fn write_maintenance_mode(out: &mut Writer, mode: &MaintenanceMode) {
    out.nested("inMaintenanceMode", "", |out| {
        out.optional_text("message", mode.message.as_deref())
    });
}

fn write_group(out: &mut Writer, group: &GlobalGroup) {
    out.nested("globalGroup", "", |out| {
        out.text("groupCode", &group.id.group_code);
        out.text("description", &group.description);
        group
            .members
            .iter()
            .for_each(|member| identifier::write_client_id(out, "groupMember", member));
    });
}

fn cost_type(cost: CostType) -> &'static str {
    match cost {
        CostType::Free => "FREE",
        CostType::Paid => "PAID",
        CostType::Undefined => "UNDEFINED",
    }
}

fn csr_format(format: CsrFormat) -> &'static str {
    match format {
        CsrFormat::Pem => "PEM",
        CsrFormat::Der => "DER",
    }
}
