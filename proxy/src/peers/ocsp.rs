//! OCSP responses for the certificates of peers, asked of the peers themselves on 5577 (wire.md 2.7, 2.8).

use std::cell::RefCell;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lru::LruCache;
use protocol_message::transport::multipart::{Event, Multipart};
use protocol_message::transport::{ContentType, TransportError};
use protocol_pki::certificate::Certificate;
use protocol_pki::ocsp::{MAX_OCSP_BYTES, Response};
use time::OffsetDateTime;

use crate::http::{ClientConnection, ClientSettings, HttpError, Method, RequestHead};
use crate::net::local::Lock;
use crate::net::{ConnectError, Stream, race};
use crate::snapshot::{Keys, LoadedGlobalConf};

/// Responses that a worker remembers.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(1024).expect("1024 is not zero");
/// Longest answer: a response for each certificate of a chain.
const MAX_ANSWER: usize = 10 * (MAX_OCSP_BYTES + 1024);

/// Why responses can't be had.
#[derive(Debug, thiserror::Error)]
pub enum OcspFetchError {
    /// The service can't be reached.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The exchange with it failed.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// It answered with an error.
    #[error("the service answered HTTP {0}")]
    Status(u16),
    /// Its answer is not multipart.
    #[error("the answer is malformed: {0}")]
    Malformed(#[from] TransportError),
    /// It took too long.
    #[error("the service took too long")]
    TimedOut,
    /// Another exchange asked at the same time and failed.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// It gave another number of responses than it was asked for.
    #[error("asked for {asked} OCSP responses, got {got}")]
    Count {
        /// Certificates asked about.
        asked: usize,
        /// Responses received.
        got: usize,
    },
}

/// The responses that a worker knows, by SHA-1 of the certificate.
#[derive(Debug)]
pub struct OcspResponsesOfPeers {
    remembered: RefCell<LruCache<String, Bytes>>,
    turns: RefCell<LruCache<SocketAddr, Rc<Turn>>>,
    limits: Limits,
}

/// How long asking a service may take (wire.md 2.7).
#[derive(Debug, Clone, Copy)]
struct Limits {
    connect: Duration,
    read: Duration,
}

/// One exchange at a time asks a service; the others wait for what it learns, be it that the service fails.
#[derive(Debug, Default)]
struct Turn {
    lock: Lock,
    failed: RefCell<Option<(Instant, Arc<OcspFetchError>)>>,
}

impl Turn {
    /// The failure of somebody who asked while we waited.
    fn failed_since(&self, since: Instant) -> Option<Arc<OcspFetchError>> {
        let failed = self.failed.borrow();
        failed
            .as_ref()
            .filter(|(at, _)| *at >= since)
            .map(|(_, error)| Arc::clone(error))
    }
}

impl OcspResponsesOfPeers {
    /// Knows none yet; a service may take so long to be connected and to answer.
    #[must_use]
    pub fn new(connect: Duration, read: Duration) -> Self {
        Self {
            remembered: RefCell::new(LruCache::new(REMEMBERED)),
            turns: RefCell::new(LruCache::new(REMEMBERED)),
            limits: Limits { connect, read },
        }
    }

    /// Responses for all the certificates: own and remembered ones while they are fresh, the others from `service`.
    ///
    /// # Errors
    /// [`OcspFetchError`] when some are missing and the service does not give them.
    pub async fn of(
        &self,
        certificates: &[Certificate],
        own: &Keys,
        service: SocketAddr,
        globalconf: &LoadedGlobalConf,
        at: OffsetDateTime,
    ) -> Result<Vec<Bytes>, OcspFetchError> {
        let freshness = time::Duration::seconds(globalconf.ocsp_freshness_seconds().into());
        let fresh = |certificate: &Certificate| {
            let mut known = self.known(certificate, own).into_iter().flatten();
            known.find(|der| is_fresh(der, at, freshness))
        };
        if let Some(all) = certificates.iter().map(fresh).collect() {
            return Ok(all);
        }
        let since = Instant::now();
        let turn = self.turn(service);
        let _guard = turn.lock.acquire().await;
        let missing: Vec<_> = certificates
            .iter()
            .filter(|certificate| fresh(certificate).is_none())
            .collect();
        if !missing.is_empty() {
            self.ask(service, &missing, &turn, since).await?;
        }
        // What was fetched may be stale as well: why it is not good is for the judge to say.
        let any = |certificate| {
            fresh(certificate).or_else(|| self.known(certificate, own).into_iter().flatten().next())
        };
        Ok(certificates.iter().filter_map(any).collect())
    }

    /// Forgets the responses of certificates that were not good by them.
    pub fn forget(&self, certificates: &[Certificate]) {
        let mut remembered = self.remembered.borrow_mut();
        for certificate in certificates {
            remembered.pop(&certificate.sha1().to_hex());
        }
    }

    async fn ask(
        &self,
        service: SocketAddr,
        missing: &[&Certificate],
        turn: &Turn,
        since: Instant,
    ) -> Result<(), OcspFetchError> {
        if let Some(failed) = turn.failed_since(since) {
            return Err(OcspFetchError::Shared(failed));
        }
        let whole_limit = self.limits.connect + self.limits.read;
        let fetched = monoio::time::timeout(whole_limit, fetch(service, missing, self.limits)).await;
        match fetched.unwrap_or(Err(OcspFetchError::TimedOut)) {
            Ok(responses) => {
                let mut remembered = self.remembered.borrow_mut();
                for (certificate, response) in missing.iter().zip(responses) {
                    remembered.put(certificate.sha1().to_hex(), response);
                }
                Ok(())
            }
            Err(error) => {
                let error = Arc::new(error);
                turn.failed.replace(Some((Instant::now(), Arc::clone(&error))));
                Err(OcspFetchError::Shared(error))
            }
        }
    }

    fn turn(&self, service: SocketAddr) -> Rc<Turn> {
        Rc::clone(self.turns.borrow_mut().get_or_insert(service, Rc::default))
    }

    /// Remembered first: they came from the peer itself.
    fn known(&self, certificate: &Certificate, own: &Keys) -> [Option<Bytes>; 2] {
        let sha1 = certificate.sha1().to_hex();
        let remembered = self.remembered.borrow_mut().get(&sha1).cloned();
        [remembered, own.ocsp_responses.get(&sha1).cloned()]
    }
}

/// Whether it is worth using; whether it is good is judged with the certificate.
fn is_fresh(der: &[u8], at: OffsetDateTime, freshness: time::Duration) -> bool {
    Response::from_der(der).is_ok_and(|response| {
        response.this_update() + freshness >= at && response.next_update().is_none_or(|next| next >= at)
    })
}

async fn fetch(
    service: SocketAddr,
    certificates: &[&Certificate],
    limits: Limits,
) -> Result<Vec<Bytes>, OcspFetchError> {
    let tcp = race::connect_first(&[service], limits.connect).await?.1;
    let stream = Stream::plain(tcp).map_err(HttpError::Io)?;
    let settings = ClientSettings {
        response_limit: Some(limits.read),
        ..ClientSettings::default()
    };
    let mut connection = ClientConnection::new(stream, settings);
    let head = RequestHead::new(Method::GET, target(certificates))
        .with("Host", service.to_string())
        .with("Accept", "multipart/related")
        .with("Connection", "close");
    let answer = connection.send_full(&head, Bytes::new()).await?;
    if !(200..300).contains(&answer.status) {
        return Err(OcspFetchError::Status(answer.status));
    }
    let content_type = ContentType::parse(answer.headers.get("content-type").unwrap_or_default())?;
    let body = connection
        .body()
        .read_to_end(MAX_ANSWER)
        .await
        .map_err(HttpError::Body)?;
    let responses = parts(&content_type.boundary()?, &body)?;
    if responses.len() != certificates.len() {
        return Err(OcspFetchError::Count {
            asked: certificates.len(),
            got: responses.len(),
        });
    }
    Ok(responses)
}

/// Servers read the SHA-1 only; the SHA-256 is what newer clients send besides.
fn target(certificates: &[&Certificate]) -> String {
    let sha1 = certificates
        .iter()
        .map(|certificate| format!("cert={}", certificate.sha1().to_hex()));
    let sha256 = certificates
        .iter()
        .map(|certificate| format!("cert_hash={}", certificate.sha256().to_hex()));
    format!("/?{}", sha1.chain(sha256).collect::<Vec<_>>().join("&"))
}

fn parts(boundary: &str, body: &[u8]) -> Result<Vec<Bytes>, TransportError> {
    let mut multipart = Multipart::new(boundary)?;
    let (mut parts, mut rest): (Vec<Vec<u8>>, &[u8]) = (Vec::new(), body);
    while let Some(event) = multipart.next(&mut rest)? {
        match (event, parts.last_mut()) {
            (Event::PartStart(_), _) => parts.push(Vec::new()),
            (Event::Data(bytes), Some(part)) => part.extend_from_slice(bytes),
            _ => {}
        }
    }
    multipart.finish()?;
    Ok(parts.into_iter().map(Bytes::from).collect())
}

#[cfg(test)]
mod tests;
