//! What verification needs from outside: who may vouch for whom.

use crate::certificate::Certificate;
use crate::ocsp::ConfiguredResponder;
use crate::profile::Profile;

/// Trust material of the global configuration in force, which implements it.
pub trait Material {
    /// CA certificates of an instance: top and intermediate CAs of its approved certification services.
    fn ca_certificates(&self, instance: &str) -> Vec<Certificate>;

    /// Those of [`Material::ca_certificates`] whose subject is the issuer of `certificate`.
    fn issuer_candidates(&self, certificate: &Certificate, instance: &str) -> Vec<Certificate> {
        let mut candidates = self.ca_certificates(instance);
        candidates.retain(|ca| ca.subject_der() == certificate.issuer_der());
        candidates
    }

    /// The certificate profile of the approved certification service that `ca` belongs to (wire.md 3.6).
    fn profile(&self, ca: &Certificate, instance: &str) -> Option<Profile>;

    /// CA certificates of all instances: any of them may have signed an OCSP response as itself.
    fn authorities(&self) -> Vec<Certificate>;

    /// OCSP responder certificates of all instances, each with the CA that it is listed for.
    fn ocsp_responders(&self) -> Vec<ConfiguredResponder>;

    /// `ocspFreshnessSeconds` of the own instance: how old `thisUpdate` may be (wire.md 3.7).
    fn ocsp_freshness_seconds(&self) -> u32;

    /// Whether `nextUpdate` of an OCSP response is looked at. Part `nextupdate-params.xml`, true by default.
    fn verify_next_update(&self) -> bool {
        true
    }

    /// Certificates of the approved time-stamping services.
    fn tsa_certificates(&self) -> Vec<Certificate>;
}
