//! What verifying chains, signatures, OCSP responses and time-stamps needs from the configuration.
//!
//! An issuer is looked up by name, and there may be several CAs with the same name (a CA that replaces its key);
//! callers try all candidates.

use protocol_pki::certificate::Certificate;
use protocol_pki::material::Material;
use protocol_pki::name::DistinguishedName;
use protocol_pki::ocsp::{ConfiguredResponder, VerifyContext};
use protocol_pki::profile::Profile;
use time::Duration;

use crate::directory::{CaCertificate, GlobalConf};

impl GlobalConf {
    /// Approved CAs of an instance, top and intermediate.
    pub fn ca_certs(&self, instance: &str) -> impl Iterator<Item = &CaCertificate> {
        let cas = self
            .instance_named(instance)
            .into_iter()
            .flat_map(|instance| &instance.authorities.cas);
        cas.map(AsRef::as_ref)
    }

    /// Approved CAs of all instances: the trust anchors of TLS between servers.
    pub fn all_ca_certs(&self) -> impl Iterator<Item = &CaCertificate> {
        self.all_instances()
            .flat_map(|instance| &instance.authorities.cas)
            .map(AsRef::as_ref)
    }

    /// Approved CAs of an instance whose certificates may sign messages.
    pub fn signing_ca_certs(&self, instance: &str) -> impl Iterator<Item = &CaCertificate> {
        self.ca_certs(instance).filter(|ca| !ca.authentication_only)
    }

    /// CAs of an instance that may have issued the certificate, by name.
    pub fn issuer_candidates<'a>(
        &'a self,
        certificate: &Certificate,
        instance: &str,
    ) -> impl Iterator<Item = &'a CaCertificate> + use<'a> {
        self.ca_certs_named(certificate.issuer(), instance)
    }

    /// CAs of an instance with the given subject.
    pub fn ca_certs_named<'a>(
        &'a self,
        name: &DistinguishedName,
        instance: &str,
    ) -> impl Iterator<Item = &'a CaCertificate> + use<'a> {
        let cas = self
            .instance_named(instance)
            .map(|instance| instance.authorities.with_name(name));
        cas.into_iter().flatten()
    }

    /// CAs of any instance that may have issued the certificate, by name.
    pub fn issuer_candidates_anywhere<'a>(
        &'a self,
        certificate: &'a Certificate,
    ) -> impl Iterator<Item = &'a CaCertificate> {
        let issuer = certificate.issuer();
        self.all_instances()
            .flat_map(move |instance| instance.authorities.with_name(issuer))
    }

    /// The approved CA with exactly this certificate, in an instance.
    #[must_use]
    pub fn approved_ca(&self, ca: &Certificate, instance: &str) -> Option<&CaCertificate> {
        let authorities = &self.instance_named(instance)?.authorities;
        authorities
            .with_name(ca.subject())
            .find(|candidate| candidate.certificate == *ca)
    }

    /// How to read the member from certificates that the CA issued for an instance.
    #[must_use]
    pub fn profile_for_ca(&self, ca: &Certificate, instance: &str) -> Option<Profile> {
        self.approved_ca(ca, instance)?.profile
    }

    /// Where to ask about a certificate: responders of its possible issuers (of any instance), then those that the
    /// certificate itself names; without repetition.
    #[must_use]
    pub fn ocsp_responder_urls(&self, certificate: &Certificate) -> Vec<String> {
        let approved = self
            .issuer_candidates_anywhere(certificate)
            .flat_map(|ca| &ca.ocsp_responders);
        let approved = approved.map(|responder| responder.url.as_str());
        let mut urls: Vec<String> = Vec::new();
        for url in approved.chain(certificate.ocsp_urls().iter().map(String::as_str)) {
            let url = url.trim();
            if !url.is_empty() && !urls.iter().any(|known| known == url) {
                urls.push(url.to_owned());
            }
        }
        urls
    }

    /// The rules for OCSP responses: responders and CAs of all instances, freshness of the own one (wire.md 3.7).
    #[must_use]
    pub fn ocsp_context(&self) -> VerifyContext<'_> {
        let freshness = Duration::seconds(self.ocsp_freshness_seconds().into());
        let mut context = VerifyContext::new(&self.ocsp.responders, &self.ocsp.authorities, freshness);
        context.verify_next_update = self.optional_parts().verify_ocsp_next_update;
        context
    }

    /// Certificates that may sign OCSP responses about certificates of exactly this CA, besides the CA itself and
    /// those that it delegated to (wire.md 3.7, step 4).
    pub fn ocsp_responder_certs<'a>(&'a self, ca: &'a Certificate) -> impl Iterator<Item = &'a Certificate> {
        let approved = self
            .all_instances()
            .flat_map(|i| i.authorities.with_name(ca.subject()));
        let approved = approved.filter(move |candidate| candidate.certificate == *ca);
        approved
            .flat_map(|ca| &ca.ocsp_responders)
            .filter_map(|responder| responder.certificate.as_ref())
    }

    /// All OCSP responder certificates of all instances (wire.md 3.7, step 2).
    pub fn all_ocsp_responder_certs(&self) -> impl Iterator<Item = &Certificate> {
        let responders = self.all_ca_certs().flat_map(|ca| &ca.ocsp_responders);
        responders.filter_map(|responder| responder.certificate.as_ref())
    }
}

impl Material for GlobalConf {
    fn ca_certificates(&self, instance: &str) -> Vec<Certificate> {
        certificates(self.signing_ca_certs(instance))
    }

    fn issuer_candidates(&self, certificate: &Certificate, instance: &str) -> Vec<Certificate> {
        let candidates = Self::issuer_candidates(self, certificate, instance);
        certificates(candidates.filter(|ca| !ca.authentication_only))
    }

    fn profile(&self, ca: &Certificate, instance: &str) -> Option<Profile> {
        self.profile_for_ca(ca, instance)
    }

    fn authorities(&self) -> Vec<Certificate> {
        self.ocsp_context().authorities.to_vec()
    }

    fn ocsp_responders(&self) -> Vec<ConfiguredResponder> {
        self.ocsp_context().responders.to_vec()
    }

    fn ocsp_freshness_seconds(&self) -> u32 {
        Self::ocsp_freshness_seconds(self)
    }

    fn verify_next_update(&self) -> bool {
        self.optional_parts().verify_ocsp_next_update
    }

    fn tsa_certificates(&self) -> Vec<Certificate> {
        self.tsa_certs().cloned().collect()
    }
}

fn certificates<'a>(cas: impl Iterator<Item = &'a CaCertificate>) -> Vec<Certificate> {
    cas.map(|ca| ca.certificate.clone()).collect()
}
