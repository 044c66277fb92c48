//! Requests of other security servers, from accepting to answering (wire.md 6.2).
//!
//! POST → global configuration valid → version → digest algorithm → message with its OCSP responses → who calls
//! ([`peer`]) → message complete → access ([`authorize`]) → signature → log → service ([`call`]) → outgoing. What a
//! provider tells of its services ([`metadata`]) is answered here, without access and call.

pub mod authorize;
pub mod call;
pub mod metadata;
pub mod peer;
mod rest;
mod soap;
pub(crate) mod version;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol_message::fault::{Fault, SOAP_FAULT_CONTENT_TYPE};
use protocol_message::transport::header;
use protocol_pki::digest::DigestAlgorithm;
use time::OffsetDateTime;

use crate::exchange::{ExchangeError, Outgoing, Party};
use crate::fault;
use crate::http::{Body, BodyLength, Handler, HttpError, Request, Responder, ResponseHead};
use crate::metrics::Side;
use crate::snapshot::{LoadedGlobalConf, Snapshot};
use crate::worker_state::WorkerState;

/// What is received of a message that is refused for overload, unread, to keep its connection: bytes and time.
const SKIP_BYTES: u64 = 256 * 1024;
const SKIP_LIMIT: Duration = Duration::from_millis(500);

/// Serves the port on which security servers meet.
#[derive(Debug)]
pub struct ServerProxy(pub Rc<WorkerState>);

/// What one exchange is decided by and told to.
struct Exchange<'a> {
    worker: &'a WorkerState,
    request: &'a Request,
    snapshot: Arc<Snapshot>,
    globalconf: Arc<LoadedGlobalConf>,
    algorithm: DigestAlgorithm,
    at: OffsetDateTime,
}

impl Handler for ServerProxy {
    async fn handle(
        &self,
        request: Request,
        body: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        let process = &self.0.process;
        if !process.settings.proxy.server_support_clients_pooled_connections {
            responder.close_after();
        }
        let _admitted = match self.0.admit(Side::ServerProxy, &request) {
            Ok(admitted) => admitted,
            Err(error) => {
                // A handshake costs more than the rest of a message: who sends little keeps its connection.
                if !body.skip(SKIP_BYTES, SKIP_LIMIT).await {
                    responder.close_after();
                }
                return refuse(responder, &request, &error).await;
            }
        };
        let counted = process.metrics.side(Side::ServerProxy).begin();
        let outcome = match begin(&self.0, &request) {
            Ok(exchange) => exchange.run(body, responder).await,
            Err(error) => Err(error),
        };
        counted.end(outcome.is_ok());
        match outcome {
            Ok(()) => Ok(()),
            Err(error) if responder.is_started() => {
                // The fault is in the message already, or the peer is gone.
                tracing::info!(peer = %request.peer.address, %error, "exchange failed after the response began");
                Ok(())
            }
            Err(error) => {
                if !body.is_end() {
                    // Told so, the peer stops sending and takes the fault; else its next write would fail first.
                    responder.close_after();
                }
                refuse(responder, &request, &error).await
            }
        }
    }
}

/// What can be decided from the head of the request.
fn begin<'a>(worker: &'a WorkerState, request: &'a Request) -> Result<Exchange<'a>, ExchangeError> {
    let at = OffsetDateTime::now_utc();
    if request.head.method != "POST" {
        return Err(ExchangeError::Method(request.head.method.to_string()));
    }
    let snapshot = worker.process.current.take();
    let globalconf = Arc::clone(snapshot.valid_globalconf(at)?);
    let oldest = worker
        .process
        .settings
        .proxy
        .server_min_supported_client_version
        .as_deref();
    version::check(oldest, request.head.headers.get(header::PROXY_VERSION))?;
    let algorithm = request
        .head
        .headers
        .get(header::HASH_ALGORITHM)
        .and_then(DigestAlgorithm::from_name);
    let algorithm = algorithm.ok_or(ExchangeError::HashAlgorithm)?;
    Ok(Exchange {
        worker,
        request,
        snapshot,
        globalconf,
        algorithm,
        at,
    })
}

impl Exchange<'_> {
    async fn run(&self, body: &mut Body, responder: &mut Responder) -> Result<(), ExchangeError> {
        match self.header(header::MESSAGE_TYPE) {
            Some("REST") => rest::serve(self, body, responder).await,
            _ => soap::serve(self, body, responder).await,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.request.head.headers.get(name)
    }

    /// The transport message's content type.
    fn content_type(&self) -> &str {
        self.header("content-type").unwrap_or_default()
    }

    /// The id that ties the parties' records together.
    fn request_id(&self) -> &str {
        self.header(header::REQUEST_ID).unwrap_or_default()
    }

    /// The calling server's certificates.
    fn caller<'c>(&'c self, ocsp_responses: &'c [Bytes]) -> peer::Caller<'c> {
        let certificates = self
            .request
            .peer
            .tls
            .as_ref()
            .map_or(&[][..], |tls| &tls.certificates);
        peer::Caller {
            certificates,
            ocsp_responses,
        }
    }

    /// This server's part in the exchange.
    fn party(&self) -> Party<'_> {
        Party {
            worker: self.worker,
            globalconf: &self.globalconf,
            side: Side::ServerProxy,
            request_id: self.request_id(),
        }
    }

    /// Begins the response: what fails from here on is told inside the message (wire.md 2.4).
    async fn start(
        &self,
        responder: &mut Responder,
        original_content_type: Option<&str>,
    ) -> Result<Outgoing, ExchangeError> {
        let outgoing = Outgoing::new()?;
        let mut head = ResponseHead::new(200)
            .with("content-type", outgoing.content_type())
            .with(header::HASH_ALGORITHM, crate::exchange::DIGEST.name());
        if let Some(content_type) = original_content_type {
            head = head.with(header::ORIGINAL_CONTENT_TYPE, content_type.to_owned());
        }
        responder.start(&head, BodyLength::Chunked).await?;
        Ok(outgoing)
    }

    /// Ends a response that was begun with a fault in place of its signature.
    async fn fail(
        &self,
        responder: &mut Responder,
        outgoing: Outgoing,
        error: ExchangeError,
    ) -> ExchangeError {
        let fault = fault::of(&error, Side::ServerProxy);
        log_fault(self.request, &error, &fault);
        match outgoing.fail(responder.body(), &fault).await {
            Ok(()) => error,
            Err(failed) => failed,
        }
    }
}

/// A fault before the response began: HTTP 200 with the fault as its body, for REST too (wire.md 2.4).
async fn refuse(
    responder: &mut Responder,
    request: &Request,
    error: &ExchangeError,
) -> Result<(), HttpError> {
    let fault = fault::of(error, Side::ServerProxy);
    log_fault(request, error, &fault);
    let head = ResponseHead::new(200)
        .with("Content-Type", SOAP_FAULT_CONTENT_TYPE)
        .with("SOAPAction", "");
    responder.send_full(&head, Bytes::from(fault.to_soap_xml())).await
}

fn log_fault(request: &Request, error: &ExchangeError, fault: &Fault) {
    if matches!(error, ExchangeError::Overloaded) {
        // The admission has told it.
        return;
    }
    tracing::warn!(
        side = "server_proxy",
        peer = %request.peer.address,
        request_id = request.head.headers.get(header::REQUEST_ID),
        code = %fault.code,
        detail = fault.detail.as_deref(),
        cause = crate::exchange::error::causes(error),
        "exchange failed"
    );
}
