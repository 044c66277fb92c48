//! HTTP with bounds: every answer has a largest size and a latest time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

/// Most redirects that are followed.
const MAX_REDIRECTS: u32 = 3;

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No answer, or not within time and size.
    #[error("no answer from {url}")]
    NoAnswer {
        /// Which URL.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// An answer that is not 200.
    #[error("{url} answered with status {status}")]
    Status {
        /// Which URL.
        url: String,
        /// Status.
        status: u16,
    },
    /// An answer of another type than expected.
    #[error("{url} answered with content type {found:?}")]
    ContentType {
        /// Which URL.
        url: String,
        /// The type of the answer.
        found: String,
    },
}

impl HttpError {
    /// Whether the answer was that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { status: 404, .. })
    }
}

/// How `https` is verified.
#[derive(Debug, Clone)]
pub struct Tls {
    roots: RootCerts,
    verify: bool,
}

impl Tls {
    /// Trusts the certificates in a PEM file. A file that cannot be read leaves no root, so that `https` fails and
    /// `http` is used, which the signed directory permits.
    #[must_use]
    pub fn new(root_certificates: &Path, verify: bool) -> Self {
        let pem = std::fs::read(root_certificates).unwrap_or_else(|error| {
            tracing::warn!(path = %root_certificates.display(), %error, "no root certificates for https");
            Vec::new()
        });
        let certificates = parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        });
        let certificates: Vec<Certificate<'static>> = certificates.collect();
        Self {
            roots: RootCerts::Specific(Arc::new(certificates)),
            verify,
        }
    }
}

/// A client with its time limits.
#[derive(Debug, Clone)]
pub struct Http(Agent);

impl Http {
    /// A client that verifies `https` as told, with limits for connecting and for reading.
    #[must_use]
    pub fn new(tls: &Tls, connect_timeout: Duration, read_timeout: Duration) -> Self {
        install_crypto_provider();
        let tls = TlsConfig::builder()
            .root_certs(tls.roots.clone())
            .disable_verification(!tls.verify)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(MAX_REDIRECTS)
            .timeout_connect(Some(connect_timeout))
            .timeout_recv_response(Some(read_timeout))
            .timeout_recv_body(Some(read_timeout))
            .user_agent(concat!("kiirtee-confclient/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.into())
    }

    /// The body at a URL, at most `limit` bytes.
    ///
    /// # Errors
    /// When there is no answer with status 200 within time and size.
    pub fn get(&self, url: &str, limit: u64) -> Result<Vec<u8>, HttpError> {
        let failed = |source| HttpError::NoAnswer {
            url: url.to_owned(),
            source: Box::new(source),
        };
        let mut response = self.0.get(url).call().map_err(failed)?;
        require_ok(url, response.status().as_u16())?;
        response
            .body_mut()
            .with_config()
            .limit(limit)
            .read_to_vec()
            .map_err(failed)
    }

    /// The answer to a POST, at most `limit` bytes and of exactly the expected type.
    ///
    /// # Errors
    /// When there is no such answer within time and size.
    pub fn post(
        &self,
        url: &str,
        content_type: &str,
        body: &[u8],
        accept: &str,
        limit: u64,
    ) -> Result<Vec<u8>, HttpError> {
        let failed = |source| HttpError::NoAnswer {
            url: url.to_owned(),
            source: Box::new(source),
        };
        let request = self
            .0
            .post(url)
            .content_type(content_type)
            .header("Accept", accept);
        let mut response = request.send(body).map_err(failed)?;
        require_ok(url, response.status().as_u16())?;
        let found = response.body().mime_type().unwrap_or_default().to_owned();
        if !found.eq_ignore_ascii_case(accept) {
            return Err(HttpError::ContentType {
                url: url.to_owned(),
                found,
            });
        }
        response
            .body_mut()
            .with_config()
            .limit(limit)
            .read_to_vec()
            .map_err(failed)
    }
}

fn require_ok(url: &str, status: u16) -> Result<(), HttpError> {
    match status {
        200 => Ok(()),
        status => Err(HttpError::Status {
            url: url.to_owned(),
            status,
        }),
    }
}

/// Makes aws-lc-rs the process's crypto provider; a second call finds the first one's and leaves it.
fn install_crypto_provider() {
    let _already_installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
