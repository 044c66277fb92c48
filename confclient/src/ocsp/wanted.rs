//! Which certificates need an OCSP response.

use protocol_globalconf::GlobalConf;
use protocol_pki::certificate::Certificate;
use protocol_pki::chain::MAX_CHAIN_LENGTH;

/// A certificate that needs a response, with its issuer.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// SHA-1 of the certificate, in hexadecimal.
    pub(super) sha1: String,
    /// The certificate.
    pub(super) certificate: Certificate,
    /// The CA that signed it.
    pub(super) issuer: Certificate,
}

/// Active, registered certificates of all tokens and the CAs above them, except those that signed themselves.
pub(super) fn certificates(status: &signer_client::Status, conf: &GlobalConf) -> Vec<Wanted> {
    let usable = status
        .keys()
        .flat_map(|key| &key.certificates)
        .filter(|certificate| certificate.is_usable());
    let mut wanted = Vec::new();
    for certificate in usable {
        match Certificate::from_der(&certificate.der) {
            Ok(certificate) => add_chain(certificate, conf, &mut wanted),
            Err(error) => {
                tracing::warn!(certificate = %certificate.sha256, %error, "signer has a malformed certificate")
            }
        }
    }
    wanted
}

fn add_chain(leaf: Certificate, conf: &GlobalConf, wanted: &mut Vec<Wanted>) {
    let mut next = leaf;
    for _ in 0..MAX_CHAIN_LENGTH {
        let sha1 = next.sha1().to_hex();
        if next.is_self_issued() || wanted.iter().any(|known| known.sha1 == sha1) {
            return;
        }
        let Some(issuer) = issuer(&next, conf) else {
            tracing::warn!(
                certificate = next.subject().readable(),
                "no approved CA issued this certificate"
            );
            return;
        };
        wanted.push(Wanted {
            sha1,
            certificate: next,
            issuer: issuer.clone(),
        });
        next = issuer;
    }
}

fn issuer(certificate: &Certificate, conf: &GlobalConf) -> Option<Certificate> {
    let mut candidates = conf.issuer_candidates_anywhere(certificate);
    candidates
        .find(|ca| certificate.is_issued_by(&ca.certificate))
        .map(|ca| ca.certificate.clone())
}
