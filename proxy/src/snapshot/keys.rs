//! The keys and certificates that can be used now: registered, active, valid, and with a good OCSP response.
//!
//! The signer knows which certificates there are, the configuration client keeps their OCSP responses on disk, the
//! global configuration says whom they belong to. What comes out is ready for use on the request path.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use protocol_message::identifier::{ClientId, SecurityServerId};
use protocol_pki::certificate::Certificate;
use protocol_pki::ocsp::Response;
use protocol_signature::verify::Material;
use signer_client::{Blob, CertificateInfo, CertificateSha256, KeyAlgorithm, KeyUsage, Status};
use time::OffsetDateTime;

use super::material::LoadedGlobalConf;

/// OCSP responses on disk: by SHA-1 of the certificate, as `<sha1 hex>.ocsp` files are named (wire.md 5.1).
pub type OcspResponses = HashMap<String, Bytes>;

/// What a member's messages are signed with.
#[derive(Debug, Clone)]
pub struct SigningContext {
    /// How the signer knows the certificate.
    pub certificate: CertificateSha256,
    /// CA certificates between it and its anchor.
    pub intermediates: Vec<Blob>,
    /// OCSP responses: the certificate's, then the intermediates'.
    pub ocsp_responses: Vec<Blob>,
    /// Until when certificate and OCSP responses are good.
    pub good_until: OffsetDateTime,
}

/// What this server authenticates with to others.
#[derive(Debug, Clone)]
pub struct AuthenticationKey {
    /// Certificates without the anchor, the server's own first (wire.md 2.5).
    pub chain: Vec<Certificate>,
    /// Their OCSP responses, in the same order; they open each request (wire.md 2.2).
    pub ocsp_responses: Vec<Bytes>,
    /// How the signer knows the certificate.
    pub certificate: CertificateSha256,
    /// What the key is, which decides the TLS signatures it can make.
    pub algorithm: KeyAlgorithm,
    /// Until when certificate and OCSP responses are good.
    pub good_until: OffsetDateTime,
}

/// All usable keys at one moment.
#[derive(Debug, Default)]
pub struct Keys {
    authentication: Option<Arc<AuthenticationKey>>,
    signing: HashMap<ClientId, Arc<SigningContext>>,
    /// OCSP responses of own certificates, for peers that ask on 5577 (wire.md 2.8).
    pub ocsp_responses: OcspResponses,
    /// Why certificates can't be used, for operators.
    pub problems: Vec<String>,
}

impl Keys {
    /// Chooses among the signer's certificates.
    #[must_use]
    pub fn select(
        status: &Status,
        server: Option<&SecurityServerId>,
        globalconf: &LoadedGlobalConf,
        ocsp_responses: OcspResponses,
        at: OffsetDateTime,
    ) -> Self {
        let mut keys = Self {
            ocsp_responses,
            ..Self::default()
        };
        keys.authentication =
            server.and_then(|server| keys.select_authentication(status, server, globalconf, at));
        keys.select_signing(status, globalconf, at);
        keys
    }

    /// The authentication key, if there is one that is good at `at`.
    #[must_use]
    pub fn authentication(&self, at: OffsetDateTime) -> Option<&Arc<AuthenticationKey>> {
        self.authentication.as_ref().filter(|key| key.good_until >= at)
    }

    /// What messages of the member are signed with, if that is good at `at`.
    #[must_use]
    pub fn signing(&self, client: &ClientId, at: OffsetDateTime) -> Option<&Arc<SigningContext>> {
        self.signing
            .get(&client.member())
            .filter(|context| context.good_until >= at)
    }

    fn select_authentication(
        &mut self,
        status: &Status,
        server: &SecurityServerId,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
    ) -> Option<Arc<AuthenticationKey>> {
        for (key, info) in status.usable(KeyUsage::Authentication) {
            let Some(certificate) = self.readable(info) else {
                continue;
            };
            if globalconf
                .server_by_auth_cert(&certificate)
                .is_none_or(|found| found.id != *server)
            {
                self.problems.push(format!(
                    "certificate {}: not registered for {server}",
                    info.sha256
                ));
                continue;
            }
            let Some(good) = self.good(&certificate, &server.instance, globalconf, at) else {
                continue;
            };
            return Some(Arc::new(AuthenticationKey {
                chain: good.chain,
                ocsp_responses: good.ocsp_responses,
                certificate: info.sha256,
                algorithm: key.algorithm,
                good_until: good.until,
            }));
        }
        None
    }

    fn select_signing(&mut self, status: &Status, globalconf: &LoadedGlobalConf, at: OffsetDateTime) {
        for (_, info) in status.usable(KeyUsage::Signing) {
            let Some(certificate) = self.readable(info) else {
                continue;
            };
            let Some(member) = member_of(&certificate, globalconf) else {
                self.problems.push(format!(
                    "certificate {}: no approved CA names its member",
                    info.sha256
                ));
                continue;
            };
            if self.signing.contains_key(&member) {
                continue;
            }
            let Some(good) = self.good(&certificate, member.instance(), globalconf, at) else {
                continue;
            };
            let context = SigningContext {
                certificate: info.sha256,
                intermediates: good
                    .chain
                    .iter()
                    .skip(1)
                    .map(|ca| Blob::from(ca.as_der()))
                    .collect(),
                ocsp_responses: good
                    .ocsp_responses
                    .iter()
                    .map(|der| Blob::from(&der[..]))
                    .collect(),
                good_until: good.until,
            };
            self.signing.insert(member, Arc::new(context));
        }
    }

    fn readable(&mut self, info: &CertificateInfo) -> Option<Certificate> {
        let certificate = Certificate::from_der(&info.der);
        if let Err(error) = &certificate {
            self.problems
                .push(format!("certificate {}: {error}", info.sha256));
        }
        certificate.ok()
    }

    /// The certificate's chain and OCSP responses, if all of them are good at `at`.
    fn good(
        &mut self,
        certificate: &Certificate,
        instance: &str,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
    ) -> Option<Good> {
        let good = self.try_good(certificate, instance, globalconf, at);
        match good {
            Ok(good) => Some(good),
            Err(problem) => {
                self.problems
                    .push(format!("certificate of {}: {problem}", certificate.subject()));
                None
            }
        }
    }

    fn try_good(
        &self,
        certificate: &Certificate,
        instance: &str,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
    ) -> Result<Good, super::material::StatusError> {
        let chain = globalconf.chain(certificate, &[], instance, at)?;
        let certificates = chain.without_anchor().to_vec();
        let on_disk = certificates
            .iter()
            .filter_map(|one| self.ocsp_responses.get(&one.sha1().to_hex()));
        let ocsp_responses: Vec<Bytes> = on_disk.cloned().collect();
        let parsed: Vec<_> = ocsp_responses
            .iter()
            .filter_map(|der| Response::from_der(der).ok())
            .collect();
        let until = globalconf.chain_status(&chain, &parsed, at)?;
        Ok(Good {
            chain: certificates,
            ocsp_responses,
            until,
        })
    }
}

/// A certificate that can be used, with what proves it.
struct Good {
    chain: Vec<Certificate>,
    ocsp_responses: Vec<Bytes>,
    until: OffsetDateTime,
}

/// The member that a signing certificate of the own instance speaks for, by the profile of its CA (wire.md 3.6).
fn member_of(certificate: &Certificate, globalconf: &LoadedGlobalConf) -> Option<ClientId> {
    let instance = globalconf.instance();
    let issuers = Material::issuer_candidates(&**globalconf, certificate, instance);
    issuers.into_iter().find_map(|ca| {
        let member = globalconf
            .profile(&ca, instance)?
            .member(certificate, instance)
            .ok()?;
        Some(ClientId::for_member(
            member.instance,
            member.member_class,
            member.member_code,
        ))
    })
}
