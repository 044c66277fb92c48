//! The members and subsystems of an instance, for anybody who asks: `GET /listClients` (wire.md 1.2, features.md 5).
//!
//! Answered from the global configuration at hand, also when that has expired, as in the reference. Nothing is signed or
//! logged: the list is public.

use protocol_globalconf::GlobalConf;
use protocol_message::metadata::clients::{
    Format, JSON_CONTENT_TYPE, ListedClient, MalformedAccept, XML_CONTENT_TYPE, to_json, to_xml,
};

use super::respond;
use crate::exchange::ExchangeError;
use crate::http::{HttpError, Request, Responder, ResponseHead};
use crate::query_string;
use crate::snapshot::Outdated;
use crate::worker_state::WorkerState;

/// The parameter that names another instance than the own one.
const INSTANCE: &str = "xRoadInstance";

/// Why there is no list. The texts are the reference's.
#[derive(Debug, thiserror::Error)]
pub enum ListClientsError {
    /// The global configuration knows no such instance.
    #[error("Shared params for instance identifier {0} not found")]
    UnknownInstance(String),
    /// The `Accept` header is none.
    #[error(transparent)]
    Accept(#[from] MalformedAccept),
    /// The list cannot be written.
    #[error("list of clients: {0}")]
    Write(#[from] serde_json::Error),
}

impl ListClientsError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        "internal_error"
    }
}

/// Answers the request; with a SOAP fault if there is no list.
///
/// # Errors
/// When the connection fails.
pub async fn serve(
    worker: &WorkerState,
    request: &Request,
    responder: &mut Responder,
) -> Result<(), HttpError> {
    match list(worker, request) {
        Ok((content_type, body)) => {
            let head = ResponseHead::new(200).with("Content-Type", content_type);
            responder.send_full(&head, body).await
        }
        Err(error) => respond::soap_fault(responder, request, &error).await,
    }
}

fn list(worker: &WorkerState, request: &Request) -> Result<(&'static str, String), ExchangeError> {
    let snapshot = worker.process.current.take();
    let globalconf = snapshot.globalconf.as_ref().ok_or(Outdated::Absent)?;
    let query = request.head.target.query().unwrap_or_default();
    let clients = clients(globalconf, query)?;
    let accept = request.head.headers.get_all("accept");
    let accept = accept.map(|value| std::str::from_utf8(value).unwrap_or_default());
    Ok(match Format::of(accept).map_err(ListClientsError::from)? {
        Format::Xml => (XML_CONTENT_TYPE, to_xml(clients)),
        Format::Json => {
            let json = to_json(clients).map_err(ListClientsError::from)?;
            (JSON_CONTENT_TYPE, json)
        }
    })
}

/// Each member and behind it its subsystems, in the order of the global configuration.
fn clients<'g>(
    globalconf: &'g GlobalConf,
    query: &str,
) -> Result<impl Iterator<Item = ListedClient<'g>> + use<'g>, ListClientsError> {
    let named = query_string::pairs(query).find(|(name, _)| query_string::decode_lossy(name) == INSTANCE);
    let named = named.map(|(_, value)| query_string::decode_lossy(value));
    let named = named.filter(|instance| !instance.trim().is_empty());
    let instance = named.unwrap_or_else(|| globalconf.instance().to_owned());
    let shared = globalconf.shared_params(&instance);
    let shared = shared.ok_or(ListClientsError::UnknownInstance(instance))?;
    Ok(shared.members.iter().flat_map(|member| {
        let name = member.name.as_str();
        let subsystems = member.subsystems.iter().map(move |subsystem| ListedClient {
            id: &subsystem.id,
            name,
            subsystem_name: subsystem.name.as_deref(),
        });
        std::iter::once(ListedClient {
            id: &member.id,
            name,
            subsystem_name: None,
        })
        .chain(subsystems)
    }))
}
