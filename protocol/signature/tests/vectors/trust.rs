//! Trust material of the vectors' instance DEV, read with no more of the format than is needed.

use base64::Engine as _;
use protocol_pki::certificate::Certificate;
use protocol_pki::ocsp::ConfiguredResponder;
use protocol_pki::profile::{MemberName, Profile};
use protocol_signature::verify::Material;

/// Trust material with one CA.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    pub instance: String,
    pub ca: Certificate,
    pub profile: Profile,
    pub responder: Option<Certificate>,
    pub tsa: Vec<Certificate>,
    pub freshness: u32,
}

impl Material for Trust {
    fn ca_certificates(&self, instance: &str) -> Vec<Certificate> {
        if instance == self.instance {
            vec![self.ca.clone()]
        } else {
            Vec::new()
        }
    }

    fn profile(&self, _: &Certificate, _: &str) -> Option<Profile> {
        Some(self.profile)
    }

    fn authorities(&self) -> Vec<Certificate> {
        vec![self.ca.clone()]
    }

    fn ocsp_responders(&self) -> Vec<ConfiguredResponder> {
        let configured = |responder: &Certificate| ConfiguredResponder {
            authority: self.ca.clone(),
            responder: responder.clone(),
        };
        self.responder.iter().map(configured).collect()
    }

    fn ocsp_freshness_seconds(&self) -> u32 {
        self.freshness
    }

    fn tsa_certificates(&self) -> Vec<Certificate> {
        self.tsa.clone()
    }
}

/// The trust of `globalconf_good2_v3`, or `None` without vectors.
pub(crate) fn dev() -> Option<Trust> {
    let xml = super::file("globalconf/globalconf_good2_v3/DEV/shared-params.xml")?;
    let text = std::str::from_utf8(&xml).unwrap();
    let document = uppsala::parse(text).unwrap();
    let certificate = |parent: &str, index: usize| {
        let mut certificates = document
            .get_elements_by_tag_name("cert")
            .into_iter()
            .filter(|id| {
                document
                    .element(document.parent(*id).unwrap())
                    .unwrap()
                    .name
                    .local_name
                    == parent
            });
        let id = certificates.nth(index).unwrap();
        let base64: String = document.text_content_deep(id).split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(base64).unwrap();
        Certificate::from_der_or_pem(&bytes).unwrap()
    };
    let profile = document.get_elements_by_tag_name("certificateProfileInfo")[0];
    Some(Trust {
        instance: "DEV".to_owned(),
        ca: certificate("topCA", 0),
        profile: Profile::from_class_name(&document.text_content_deep(profile)).unwrap(),
        responder: Some(certificate("ocsp", 0)),
        tsa: vec![certificate("approvedTSA", 0)],
        freshness: 3600,
    })
}

/// A member of instance DEV, class COM.
pub(crate) fn member(code: &str) -> MemberName {
    MemberName {
        instance: "DEV".to_owned(),
        member_class: "COM".to_owned(),
        member_code: code.to_owned(),
    }
}
