//! Fresh OCSP responses for the server's own certificates (wire.md 5.1).
//!
//! Which certificates are the signer's to say: those that are active and registered. Their intermediate CAs need
//! responses too. A response is stored as `<SHA-1 of the certificate in hexadecimal>.ocsp`, where the proxy reads it.

mod wanted;

use std::collections::HashMap;
use std::path::PathBuf;

use protocol_globalconf::GlobalConf;
use protocol_pki::certificate::Certificate;
use protocol_pki::ocsp::{self, CertificateStatus as Told, MAX_OCSP_BYTES, OcspError, Response};
use signer_client::SignerError;
use time::{Duration, OffsetDateTime};

use crate::error::chain;
use crate::http::{Http, HttpError};
use crate::settings::OcspSettings;
use crate::status::{CertificateStatus, Failure, OcspStatus};
use crate::store::{Store, write_atomically};

use wanted::Wanted;

/// Content type of a request.
const REQUEST_TYPE: &str = "application/ocsp-request";
/// Content type of a response.
const RESPONSE_TYPE: &str = "application/ocsp-response";
/// Shortest time between two requests about a certificate.
const MIN_INTERVAL: Duration = Duration::SECOND;

/// Why there is no fresh response.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The global configuration cannot be loaded or expired.
    #[error("the global configuration cannot be used")]
    GlobalConf(#[from] protocol_globalconf::GlobalConfError),
    /// The signer does not say which certificates there are.
    #[error("the signer does not answer")]
    Signer(#[from] SignerError),
    /// Neither the global configuration nor the certificate names a responder.
    #[error("no OCSP responder is known")]
    NoResponder,
    /// The responder cannot be reached or does not answer as it should.
    #[error("responder failed")]
    Http(#[from] HttpError),
    /// The response proves nothing.
    #[error("response of {url} is refused")]
    Refused {
        /// Whose response.
        url: String,
        /// Why.
        source: OcspError,
    },
    /// The certificate is revoked or unknown; the response was stored.
    #[error("certificate is not good: {0:?}")]
    NotGood(Told),
    /// The response cannot be stored.
    #[error("cannot store {path}")]
    Store {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl RefreshError {
    /// Fault code (wire.md 1.8).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::GlobalConf(failed) => failed.fault_code(),
            Self::Signer(failed) => failed.fault_code(),
            Self::NoResponder | Self::Store { .. } => "ocsp_failed",
            Self::Http(_) => "ocsp_connection_error",
            Self::Refused {
                source: OcspError::TooLong(_) | OcspError::Malformed(_),
                ..
            } => "ocsp_response_parsing_failure",
            Self::Refused { .. } => "ocsp_response_verification_failure",
            Self::NotGood(_) => "cert_validation",
        }
    }

    fn failure(&self) -> Failure {
        Failure {
            code: self.fault_code().to_owned(),
            message: chain(self),
        }
    }
}

/// Keeps the responses fresh.
#[derive(Debug)]
pub struct Refresher {
    signer: signer_client::Client,
    store: Store,
    http: Http,
    settings: OcspSettings,
    /// By SHA-1 of the certificate in hexadecimal.
    states: HashMap<String, CertificateStatus>,
}

impl Refresher {
    /// A refresher that asks this signer and reads the global configuration from this store.
    #[must_use]
    pub fn new(signer: signer_client::Client, store: Store, http: Http, settings: OcspSettings) -> Self {
        Self {
            signer,
            store,
            http,
            settings,
            states: HashMap::new(),
        }
    }

    /// Requests the responses that are due. To be called often: it asks the signer and nobody else when none is.
    pub fn refresh(&mut self, now: OffsetDateTime) -> OcspStatus {
        let last_error = self.refresh_due(now).err().map(|failed| failed.failure());
        let mut certificates: Vec<_> = self.states.values().cloned().collect();
        certificates.sort_by(|a, b| a.sha1.cmp(&b.sha1));
        OcspStatus {
            last_error,
            certificates,
        }
    }

    fn refresh_due(&mut self, now: OffsetDateTime) -> Result<(), RefreshError> {
        let status = self.signer.status()?;
        let conf = GlobalConf::load(&self.store, now)?;
        conf.verify_validity(now)?;
        let wanted = wanted::certificates(&status, &conf);
        self.states
            .retain(|sha1, _| wanted.iter().any(|wanted| wanted.sha1 == *sha1));
        for wanted in wanted {
            if self
                .states
                .get(&wanted.sha1)
                .is_none_or(|state| state.next_refresh <= now)
            {
                let state = self.request(&wanted, &conf, now);
                self.states.insert(wanted.sha1, state);
            }
        }
        Ok(())
    }

    fn request(&self, wanted: &Wanted, conf: &GlobalConf, now: OffsetDateTime) -> CertificateStatus {
        let previous = self.states.get(&wanted.sha1);
        let mut state = CertificateStatus {
            sha1: wanted.sha1.clone(),
            subject: wanted.certificate.subject().readable(),
            good_until: previous.and_then(|previous| previous.good_until),
            next_refresh: now + seconds(self.settings.retry_delay),
            last_error: None,
        };
        match self.fetch(wanted, conf, now) {
            Ok(good_until) => {
                let interval = self.interval(conf).min((good_until - now) / 2).max(MIN_INTERVAL);
                state.next_refresh = now + interval;
                state.good_until = Some(good_until);
            }
            Err(failed) => {
                let (code, error) = (failed.fault_code(), chain(&failed));
                tracing::warn!(certificate = state.subject, code, error, "no fresh OCSP response");
                state.last_error = Some(failed.failure());
            }
        }
        state
    }

    fn interval(&self, conf: &GlobalConf) -> Duration {
        let of_conf = || conf.optional_parts().ocsp_fetch_interval_seconds.into();
        seconds(self.settings.interval.unwrap_or_else(of_conf))
    }

    /// The first responder whose answer can be trusted decides.
    fn fetch(
        &self,
        wanted: &Wanted,
        conf: &GlobalConf,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, RefreshError> {
        let mut failure = RefreshError::NoResponder;
        for url in conf.ocsp_responder_urls(&wanted.certificate) {
            match self.ask(&url, wanted, conf, now) {
                Ok((response, good_until)) => {
                    self.save(wanted, &response)?;
                    return match response.certificate_status() {
                        Told::Good => Ok(good_until),
                        told => Err(RefreshError::NotGood(told)),
                    };
                }
                Err(failed) => failure = failed,
            }
        }
        Err(failure)
    }

    fn ask(
        &self,
        url: &str,
        wanted: &Wanted,
        conf: &GlobalConf,
        now: OffsetDateTime,
    ) -> Result<(Response, OffsetDateTime), RefreshError> {
        let request = ocsp::request(&wanted.certificate, &wanted.issuer);
        let limit = u64::try_from(MAX_OCSP_BYTES).unwrap_or(u64::MAX);
        let bytes = self
            .http
            .post(url, REQUEST_TYPE, &request, RESPONSE_TYPE, limit)?;
        let refused = |source| RefreshError::Refused {
            url: url.to_owned(),
            source,
        };
        let response = Response::from_der(&bytes).map_err(refused)?;
        let verified =
            response.verify_validity(&conf.ocsp_context(), &wanted.certificate, &wanted.issuer, now);
        let good_until = verified.map_err(refused)?.good_until;
        Ok((response, good_until))
    }

    fn save(&self, wanted: &Wanted, response: &Response) -> Result<(), RefreshError> {
        let path = self.settings.directory.join(format!("{}.ocsp", wanted.sha1));
        write_atomically(&path, response.as_der()).map_err(|source| RefreshError::Store { path, source })
    }
}

/// Name of the file with the response about a certificate.
#[must_use]
pub fn file_name(certificate: &Certificate) -> String {
    format!("{}.ocsp", certificate.sha1().to_hex())
}

fn seconds(seconds: u64) -> Duration {
    Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
