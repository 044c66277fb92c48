//! The global configuration as trust material: what chains, OCSP responses, signatures and time-stamps are judged by.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol_globalconf::GlobalConf;
use protocol_pki::certificate::Certificate;
use protocol_pki::chain::{self, Chain, ChainError};
use protocol_pki::ocsp::{OcspError, Response};
use time::OffsetDateTime;

static SERIAL: AtomicU64 = AtomicU64::new(1);

/// A loaded global configuration with a number of its own.
#[derive(Debug, Clone)]
pub struct LoadedGlobalConf {
    conf: GlobalConf,
    serial: u64,
}

impl Deref for LoadedGlobalConf {
    type Target = GlobalConf;

    fn deref(&self) -> &GlobalConf {
        &self.conf
    }
}

/// Why the status of a certificate chain is not good (wire.md 2.7).
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// There is no chain to an approved certification service.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// No OCSP response for one of the certificates.
    #[error("Unable to find OCSP response for certificate {0}")]
    Missing(String),
    /// An OCSP response that does not prove the certificate good.
    #[error("OCSP response for certificate {subject}: {source}")]
    Ocsp {
        /// Whose certificate.
        subject: String,
        /// Why not.
        source: OcspError,
    },
}

impl StatusError {
    /// The fault code, to stand behind `ssl_authentication_failed`.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.fault_code(),
            Self::Missing(_) => "cert_validation",
            Self::Ocsp { source, .. } => source.fault_code(),
        }
    }
}

impl LoadedGlobalConf {
    /// Gives the configuration its number.
    #[must_use]
    pub fn new(conf: GlobalConf) -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Self { conf, serial }
    }

    /// A number that no other loaded configuration of this process has: what was verified by one is remembered under it.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// A path from a certificate to an approved certification service of an instance, valid at `at`.
    ///
    /// # Errors
    /// [`ChainError`] when there is none.
    pub fn chain(
        &self,
        leaf: &Certificate,
        intermediates: &[Certificate],
        instance: &str,
        at: OffsetDateTime,
    ) -> Result<Chain, ChainError> {
        let (anchors, others): (Vec<_>, Vec<_>) = self.conf.ca_certs(instance).partition(|ca| ca.is_top);
        let certificates = |cas: Vec<&protocol_globalconf::directory::CaCertificate>| {
            cas.into_iter()
                .map(|ca| ca.certificate.clone())
                .collect::<Vec<_>>()
        };
        let mut between = intermediates.to_vec();
        between.extend(certificates(others));
        chain::build(leaf, &between, &certificates(anchors), at)
    }

    /// Verifies that every certificate of the chain but the anchor has a good and fresh OCSP response, and tells until
    /// when that holds (wire.md 2.7, 3.7).
    ///
    /// # Errors
    /// [`StatusError`] names the certificate.
    pub fn chain_status(
        &self,
        chain: &Chain,
        responses: &[Response],
        at: OffsetDateTime,
    ) -> Result<OffsetDateTime, StatusError> {
        let context = self.conf.ocsp_context();
        let mut good_until = chain.good_until().unwrap_or(at);
        for (certificate, issuer) in chain.with_issuers() {
            let subject = || certificate.subject().to_string();
            let response = responses
                .iter()
                .find(|response| response.applies_to(certificate, issuer))
                .ok_or_else(|| StatusError::Missing(subject()))?;
            let verified = response
                .verify(&context, certificate, issuer, at)
                .map_err(|source| StatusError::Ocsp {
                    subject: subject(),
                    source,
                })?;
            good_until = good_until.min(verified.good_until);
        }
        Ok(good_until)
    }
}
