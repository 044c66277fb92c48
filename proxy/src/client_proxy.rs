//! Requests of our information systems, from accepting to answering (wire.md 6.1).
//!
//! The path alone tells REST, downloads, the list of clients and SOAP apart (wire.md 1.2). Then: global configuration valid → own
//! authentication certificate → message → sender ([`authenticate`]) → servers of the provider ([`route`]) → connection
//! → outgoing → incoming → answer ([`respond`]).

pub mod authenticate;
mod hang_up;
pub mod list_clients;
mod receive;
pub mod respond;
mod rest;
pub mod route;
mod soap;

use std::rc::Rc;
use std::sync::Arc;

use protocol_message::identifier::{ClientId, SecurityServerId, ServiceId};
use protocol_message::metadata::LIST_CLIENTS;
use protocol_message::rest::REST_PATH_PREFIX;
use protocol_message::transport::header;
use time::OffsetDateTime;

use crate::exchange::{ExchangeError, Party};
use crate::http::{Body, Handler, Headers, HttpError, Method, Request, RequestHead, Responder};
use crate::metrics::Side;
use crate::net::PooledConnection;
use crate::peers::Destination;
use crate::settings::PROXY_VERSION;
use crate::snapshot::tls::PeerTls;
use crate::snapshot::{AuthenticationKey, LoadedGlobalConf, Snapshot};
use crate::worker_state::WorkerState;

/// Room for the header fields of a transport message.
const TRANSPORT_HEADERS: usize = 8;

/// Serves the ports for information systems.
#[derive(Debug)]
pub struct ClientProxy(pub Rc<WorkerState>);

/// What one exchange is decided by and told to.
struct Exchange<'a> {
    worker: &'a WorkerState,
    request: &'a Request,
    snapshot: Arc<Snapshot>,
    globalconf: Arc<LoadedGlobalConf>,
    authentication: Arc<AuthenticationKey>,
    tls: Arc<PeerTls>,
    at: OffsetDateTime,
    /// Ties the parties' records together; fresh for each exchange.
    request_id: String,
}

impl Handler for ClientProxy {
    async fn handle(
        &self,
        request: Request,
        body: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        let path = request.head.target.path();
        match (request.head.method.as_str(), path) {
            _ if path.starts_with(REST_PATH_PREFIX) => self.rest(&request, body, responder).await,
            ("GET", "/asic" | "/verificationconf") => {
                crate::asic_download::serve(&self.0, &request, responder).await
            }
            ("GET", LIST_CLIENTS) => list_clients::serve(&self.0, &request, responder).await,
            _ => self.soap(&request, body, responder).await,
        }
    }
}

impl ClientProxy {
    async fn rest(
        &self,
        request: &Request,
        body: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        let _admitted = match self.0.admit(Side::ClientProxy, request) {
            Ok(admitted) => admitted,
            Err(error) => return respond::rest_fault(responder, request, &error).await,
        };
        let counted = self.0.process.metrics.side(Side::ClientProxy).begin();
        let answer = match begin(&self.0, request) {
            Ok(exchange) => rest::exchange(&exchange, body).await,
            Err(error) => Err(error),
        };
        counted.end(answer.is_ok());
        match answer {
            Ok(answer) => respond::rest(responder, &answer).await,
            Err(error) => respond::rest_fault(responder, request, &error).await,
        }
    }

    async fn soap(
        &self,
        request: &Request,
        body: &mut Body,
        responder: &mut Responder,
    ) -> Result<(), HttpError> {
        let _admitted = match self.0.admit(Side::ClientProxy, request) {
            Ok(admitted) => admitted,
            Err(error) => return respond::soap_fault(responder, request, &error).await,
        };
        let counted = self.0.process.metrics.side(Side::ClientProxy).begin();
        let answer = match begin_soap(&self.0, request) {
            Ok(exchange) => soap::exchange(&exchange, body).await,
            Err(error) => Err(error),
        };
        counted.end(answer.is_ok());
        match answer {
            Ok(answer) => soap::respond(responder, &answer).await,
            Err(error) => respond::soap_fault(responder, request, &error).await,
        }
    }
}

/// What can be decided before the message is read.
fn begin<'a>(worker: &'a WorkerState, request: &'a Request) -> Result<Exchange<'a>, ExchangeError> {
    let at = OffsetDateTime::now_utc();
    let snapshot = worker.process.current.take();
    let globalconf = Arc::clone(snapshot.valid_globalconf(at)?);
    let authentication = snapshot.keys.authentication(at).cloned();
    let (authentication, tls) = authentication
        .zip(snapshot.tls.peers.clone())
        .ok_or(ExchangeError::NoAuthenticationKey)?;
    let request_id = uuid::Uuid::new_v4().to_string();
    Ok(Exchange {
        worker,
        request,
        snapshot,
        globalconf,
        authentication,
        tls,
        at,
        request_id,
    })
}

/// As [`begin`], and SOAP must be posted.
fn begin_soap<'a>(worker: &'a WorkerState, request: &'a Request) -> Result<Exchange<'a>, ExchangeError> {
    if request.head.method != "POST" {
        return Err(ExchangeError::Method(request.head.method.to_string()).by_client());
    }
    begin(worker, request)
}

impl Exchange<'_> {
    /// The sender must be a registered client and satisfy its connection mode.
    fn authenticate(&self, client: &ClientId) -> Result<(), ExchangeError> {
        let settings = &self.worker.process.settings.proxy;
        Ok(authenticate::authenticate(
            &self.snapshot,
            settings,
            client,
            &self.request.peer,
            self.at,
        )?)
    }

    /// A connection to a server of the service's provider, verified to be one, and what the transport message names as its
    /// `Host`.
    async fn connect(
        &self,
        service: &ServiceId,
        only: Option<&SecurityServerId>,
    ) -> Result<(PooledConnection, String), ExchangeError> {
        let hosts = route::route(&self.globalconf, service, only)?;
        let destination = Destination {
            hosts: &hosts,
            provider: &service.provider,
        };
        let trust = (&*self.globalconf, &*self.tls);
        let process = &self.worker.process;
        let peers = &self.worker.peers;
        let connecting = peers.connect(process, &self.snapshot, trust, destination, self.at);
        let connection = connecting.await?;
        Ok((
            connection,
            destination.authority(process.settings.proxy.server_port),
        ))
    }

    /// This server's part in the exchange.
    fn party(&self) -> Party<'_> {
        Party {
            worker: self.worker,
            globalconf: &self.globalconf,
            side: Side::ClientProxy,
            request_id: &self.request_id,
        }
    }

    /// The head of the transport message (wire.md 2.1).
    fn transport_head(&self, authority: String, content_type: String) -> RequestHead {
        let original = self.request.head.headers.get_shared("content-type");
        let mut head = RequestHead::new(Method::POST, "/");
        head.headers = Headers::with_capacity(TRANSPORT_HEADERS);
        head.with("Host", authority)
            .with("content-type", content_type)
            .with(header::HASH_ALGORITHM, crate::exchange::DIGEST.name())
            .with(header::PROXY_VERSION, PROXY_VERSION)
            .with(header::ORIGINAL_CONTENT_TYPE, original.unwrap_or_default())
            .with(header::REQUEST_ID, self.request_id.clone())
    }
}
