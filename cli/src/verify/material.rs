//! Trust material for verification, out of a global configuration.

use protocol_globalconf::GlobalConf;
use protocol_pki::certificate::Certificate;
use protocol_pki::ocsp::ConfiguredResponder;
use protocol_pki::profile::Profile;
use protocol_signature::verify::Material;

/// A global configuration as trust material.
#[derive(Debug)]
pub struct TrustMaterial {
    conf: GlobalConf,
}

impl TrustMaterial {
    /// What `conf` says is to be trusted.
    pub const fn new(conf: GlobalConf) -> Self {
        Self { conf }
    }
}

impl Material for TrustMaterial {
    fn ca_certificates(&self, instance: &str) -> Vec<Certificate> {
        self.conf
            .ca_certs(instance)
            .map(|ca| ca.certificate.clone())
            .collect()
    }

    fn profile(&self, ca: &Certificate, instance: &str) -> Option<Profile> {
        self.conf.profile_for_ca(ca, instance)
    }

    fn authorities(&self) -> Vec<Certificate> {
        self.conf.ocsp_context().authorities.to_vec()
    }

    fn ocsp_responders(&self) -> Vec<ConfiguredResponder> {
        self.conf.ocsp_context().responders.to_vec()
    }

    fn ocsp_freshness_seconds(&self) -> u32 {
        self.conf.ocsp_freshness_seconds()
    }

    fn verify_next_update(&self) -> bool {
        self.conf.ocsp_context().verify_next_update
    }

    fn tsa_certificates(&self) -> Vec<Certificate> {
        self.conf.tsa_certs().cloned().collect()
    }
}
