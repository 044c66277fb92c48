//! Asking a time-stamping service, and judging its answer (wire.md 5.2).

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use protocol_pki::certificate::Certificate;
use protocol_pki::tsp::{self, Imprint, MAX_TSP_BYTES, Response, TimeStampToken, TspError};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::error::ProviderError;

/// Where the system keeps the certificates that `https` services are verified by. The proof is the token's own
/// signature, whatever the transport.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Media type of a request (RFC 3161 3.4).
const QUERY: &str = "application/timestamp-query";

/// Asks time-stamping services.
#[derive(Debug, Clone)]
pub struct Provider(Agent);

impl Provider {
    /// With limits for connecting and for reading (wire.md 5.2); none = for ever.
    #[must_use]
    pub fn new(connect: Option<Duration>, read: Option<Duration>) -> Self {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(system_roots())))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(connect)
            .timeout_send_body(read)
            .timeout_recv_response(read)
            .timeout_recv_body(read)
            .user_agent(concat!("kiirtee-proxy/", env!("CARGO_PKG_VERSION")))
            .build();
        Self(config.into())
    }

    /// A time-stamp token for the imprint, made by one of the authorities, with the authority's certificate in it.
    ///
    /// # Errors
    /// [`ProviderError`]
    pub fn time_stamp(
        &self,
        url: &str,
        imprint: &Imprint,
        authorities: &[Certificate],
    ) -> Result<TimeStampToken, ProviderError> {
        let answer = self.ask(url, &tsp::request(imprint))?;
        Ok(judge(&answer, imprint, authorities)?)
    }

    fn ask(&self, url: &str, request: &[u8]) -> Result<Vec<u8>, ProviderError> {
        let mut response = self
            .0
            .post(url)
            .content_type(QUERY)
            .send(request)
            .map_err(not_asked)?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(ProviderError::Status(status));
        }
        // One byte more than is taken, so that the judge sees that it is too long.
        let limit = u64::try_from(MAX_TSP_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut answer = Vec::new();
        let mut body = response.body_mut().as_reader().take(limit);
        body.read_to_end(&mut answer)
            .map_err(|error| ProviderError::Body(Box::new(ureq::Error::from(error))))?;
        Ok(answer)
    }
}

fn judge(answer: &[u8], imprint: &Imprint, authorities: &[Certificate]) -> Result<TimeStampToken, TspError> {
    let token = Response::parse(answer)?.into_token()?;
    let authority = token.verify_answer(imprint, authorities)?;
    token.with_certificate(&authority)
}

fn not_asked(error: ureq::Error) -> ProviderError {
    let error = Box::new(error);
    match *error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => ProviderError::Url(error),
        ureq::Error::Timeout(_) => ProviderError::TimedOut(error),
        _ => ProviderError::Connect(error),
    }
}

/// None at all where the system has none: `https` fails then, and the log says why.
fn system_roots() -> Vec<ureq::tls::Certificate<'static>> {
    let pem = std::fs::read(SYSTEM_ROOTS).unwrap_or_else(|error| {
        tracing::info!(path = SYSTEM_ROOTS, %error, "no root certificates: time-stamping services are asked over http only");
        Vec::new()
    });
    let items = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    items.collect()
}
