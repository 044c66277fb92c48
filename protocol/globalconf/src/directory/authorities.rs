//! Index of one instance's approved services: CAs, OCSP responders, TSAs.

use std::collections::HashMap;
use std::sync::Arc;

use protocol_pki::certificate::Certificate;
use protocol_pki::name::DistinguishedName;
use protocol_pki::profile::Profile;

use super::GlobalConfError;
use crate::shared_params::{ApprovedCa, ApprovedTsa, CaInfo, CostType, OcspInfo, SharedParams};

/// The certificate of an approved CA, top or intermediate.
#[derive(Debug, Clone)]
pub struct CaCertificate {
    /// The certificate.
    pub certificate: Certificate,
    /// Name of the certification service.
    pub service_name: String,
    /// Whether it is the service's trust anchor, not an intermediate CA.
    pub is_top: bool,
    /// Whether its certificates may authenticate servers only, not sign messages.
    pub authentication_only: bool,
    /// How to read the member from a signing certificate; nothing when the class is not known here.
    pub profile: Option<Profile>,
    /// Class name of the profile.
    pub profile_class: String,
    /// Responders for the certificates that this CA issued.
    pub ocsp_responders: Vec<OcspResponder>,
}

/// An OCSP responder of a CA.
#[derive(Debug, Clone)]
pub struct OcspResponder {
    /// Where to ask.
    pub url: String,
    /// Certificate that may sign its answers besides the CA itself and those that the CA delegated to.
    pub certificate: Option<Certificate>,
    /// Whether asking costs; known in version 6 and later.
    pub cost_type: Option<CostType>,
}

/// A time-stamping service.
#[derive(Debug, Clone)]
pub struct Tsa {
    /// Name for user interfaces.
    pub name: String,
    /// Where to ask.
    pub url: String,
    /// Certificate that signs its tokens.
    pub certificate: Certificate,
    /// Whether asking costs; known in version 6 and later.
    pub cost_type: Option<CostType>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Authorities {
    pub(crate) cas: Vec<Arc<CaCertificate>>,
    /// By DER of the subject. Several CAs may have the same name while a key is replaced; all are kept.
    by_subject: HashMap<Vec<u8>, Vec<Arc<CaCertificate>>>,
    pub(crate) tsas: Vec<Tsa>,
}

impl Authorities {
    /// Reads the certificates; services whose certificate cannot be read are left out and reported.
    pub(super) fn new(shared: &SharedParams) -> (Self, Vec<GlobalConfError>) {
        let (mut authorities, mut problems) = (Self::default(), Vec::new());
        for ca in &shared.approved_cas {
            authorities.add_ca(ca, &ca.top_ca, true, &mut problems);
            ca.intermediate_cas
                .iter()
                .for_each(|info| authorities.add_ca(ca, info, false, &mut problems));
        }
        let tsas = shared.approved_tsas.iter();
        authorities.tsas = tsas.filter_map(|service| tsa(service, &mut problems)).collect();
        (authorities, problems)
    }

    fn add_ca(&mut self, ca: &ApprovedCa, info: &CaInfo, is_top: bool, problems: &mut Vec<GlobalConfError>) {
        let Some(certificate) = read_certificate(&ca.name, &info.cert, problems) else {
            return;
        };
        let responders = info.ocsp.iter();
        let entry = Arc::new(CaCertificate {
            service_name: ca.name.clone(),
            is_top,
            authentication_only: ca.authentication_only == Some(true),
            profile: Profile::from_class_name(&ca.certificate_profile_info).ok(),
            profile_class: ca.certificate_profile_info.clone(),
            ocsp_responders: responders
                .map(|ocsp| responder(&ca.name, ocsp, problems))
                .collect(),
            certificate,
        });
        self.by_subject
            .entry(entry.certificate.subject_der().to_vec())
            .or_default()
            .push(Arc::clone(&entry));
        self.cas.push(entry);
    }

    /// CAs with the given name, in the order of the file. Names are compared as bytes; only when no CA has these
    /// bytes, as names (RFC 5280 7.1), for issuers that encode their name in two ways.
    pub(crate) fn with_name<'a>(
        &'a self,
        name: &DistinguishedName,
    ) -> impl Iterator<Item = &'a CaCertificate> + use<'a> {
        let same_bytes = self.by_subject.get(name.as_der());
        let same_name = match same_bytes {
            Some(_) => Vec::new(),
            None => self
                .cas
                .iter()
                .filter(|ca| ca.certificate.subject() == name)
                .collect(),
        };
        same_bytes.into_iter().flatten().chain(same_name).map(Arc::as_ref)
    }
}

fn responder(service: &str, ocsp: &OcspInfo, problems: &mut Vec<GlobalConfError>) -> OcspResponder {
    let certificate = ocsp
        .cert
        .as_ref()
        .and_then(|cert| read_certificate(service, cert, problems));
    OcspResponder {
        url: ocsp.url.clone(),
        certificate,
        cost_type: ocsp.cost_type,
    }
}

fn tsa(service: &ApprovedTsa, problems: &mut Vec<GlobalConfError>) -> Option<Tsa> {
    Some(Tsa {
        name: service.name.clone(),
        url: service.url.clone(),
        certificate: read_certificate(&service.name, &service.cert, problems)?,
        cost_type: service.cost_type,
    })
}

fn read_certificate(service: &str, bytes: &[u8], problems: &mut Vec<GlobalConfError>) -> Option<Certificate> {
    match Certificate::from_der_or_pem(bytes) {
        Ok(certificate) => Some(certificate),
        Err(source) => {
            problems.push(GlobalConfError::BadCertificate {
                service: service.to_owned(),
                source,
            });
            None
        }
    }
}
