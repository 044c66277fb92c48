//! Everything that can end an exchange, each cause kept; [`crate::fault`] gives it its name on the wire.

use protocol_message::fault::Fault;
use protocol_message::rest::RestError;
use protocol_message::soap::SoapError;
use protocol_message::transport::TransportError;
use protocol_signature::verify::VerifyError;
use signer_client::SignerError;
use storage::message_log::LogError;

use super::log::LogFailure;
use super::sign::SignError;
use crate::client_proxy::authenticate::AuthenticateError;
use crate::client_proxy::list_clients::ListClientsError;
use crate::client_proxy::route::RouteError;
use crate::http::{BodyError, HttpError};
use crate::peers::PeerError;
use crate::server_proxy::authorize::AuthorizeError;
use crate::server_proxy::call::CallError;
use crate::server_proxy::metadata::MetadataError;
use crate::server_proxy::peer::PeerRejected;
use crate::snapshot::Outdated;
use crate::spool::SpoolError;

/// Why an exchange ended without the other side's answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The global configuration can't be used.
    #[error(transparent)]
    Outdated(#[from] Outdated),
    /// This server has no authentication certificate that is registered, valid and good by OCSP.
    #[error("Security server has no valid authentication certificate")]
    NoAuthenticationKey,
    /// The worker has as many exchanges under way as it takes on.
    #[error("Security server is overloaded: too many exchanges are under way")]
    Overloaded,
    /// Another HTTP method than POST.
    #[error("Must use POST request method instead of {0}")]
    Method(String),
    /// The information system does not say what it posts.
    #[error("Could not get content type from request")]
    MissingContentType,
    /// No `x-hash-algorithm`, or an unknown one.
    #[error("Could not get hash algorithm identifier from message")]
    HashAlgorithm,
    /// The peer is older than this version, the oldest that the operator accepts.
    #[error("The minimum supported version for client security server is: {0} ")]
    ClientProxyVersion(String),
    /// The peer's version is none, and the operator accepts not all.
    #[error("Version [{0}] is not valid semver.")]
    NoVersion(String),
    /// Not a REST message.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// Not a SOAP message.
    #[error(transparent)]
    Soap(#[from] SoapError),
    /// Not a transport message.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The service client may not use this server.
    #[error(transparent)]
    Authenticate(#[from] AuthenticateError),
    /// Nobody provides the service.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The provider's server can't be reached or trusted.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The service client's server is not who it should be.
    #[error(transparent)]
    PeerRejected(#[from] PeerRejected),
    /// The peer answered with an HTTP status that no security server answers with.
    #[error("Server responded with error {status}: {reason}")]
    PeerStatus {
        /// HTTP status.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
    /// The peer answered with a SOAP message that is no fault.
    #[error("Expected fault message, but got regular SOAP message")]
    NotAFault,
    /// The peer answered with a message before the request was sent to its end, and so before it was logged.
    #[error("Server proxy answered before it had the whole request")]
    AnsweredTooEarly,
    /// The information system went away while the peer worked.
    #[error("Information system closed the connection before it was answered")]
    HungUp,
    /// There is no SOAP message.
    #[error("{0} does not have SOAP message")]
    MissingSoap(&'static str),
    /// There is no REST message.
    #[error("{0} does not have REST message")]
    MissingRest(&'static str),
    /// There is no signature.
    #[error("{0} does not have signature")]
    MissingSignature(&'static str),
    /// The service answered with nothing.
    #[error("No response message received from service")]
    NoResponse,
    /// The signature does not hold.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The response answers another request.
    #[error("Response from server proxy is not consistent with request")]
    InconsistentResponse(#[source] SoapError),
    /// The caller may not call the service.
    #[error(transparent)]
    Authorize(#[from] AuthorizeError),
    /// The service can't be called.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There are no metadata to give.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// There are no clients to list.
    #[error(transparent)]
    ListClients(#[from] ListClientsError),
    /// No signature can be made.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The message can't be logged.
    #[error(transparent)]
    Log(#[from] LogFailure),
    /// What waits for a verdict can't be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// A connection failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The system has no randomness.
    #[error("no random bytes can be had")]
    Randomness,
    /// The information system sent a SOAP fault as its request, or a fault came from the other side.
    #[error("{0}")]
    Received(Fault),
    /// The information system's own message is at fault: `client`.
    #[error("{0}")]
    ByClient(#[source] Box<Self>),
    /// Decoding what the other side sent, or calling the service: `service_failed`.
    #[error("{0}")]
    InService(#[source] Box<Self>),
    /// Sending a REST request: the reference calls everything that happens there `io_error` (wire.md 1.5).
    #[error("{0}")]
    WhileSending(#[source] Box<Self>),
}

impl From<BodyError> for ExchangeError {
    fn from(error: BodyError) -> Self {
        Self::Http(error.into())
    }
}

impl ExchangeError {
    /// Marks the information system's message as at fault.
    #[must_use]
    pub fn by_client(self) -> Self {
        Self::ByClient(Box::new(self))
    }

    /// Marks what was decoded or called as at fault.
    #[must_use]
    pub fn in_service(self) -> Self {
        Self::InService(Box::new(self))
    }

    /// Marks a failure of sending a REST request.
    #[must_use]
    pub fn while_sending(self) -> Self {
        Self::WhileSending(Box::new(self))
    }
}

impl ExchangeError {
    /// Whether a bound was reached that the same request may find free in a moment.
    #[must_use]
    pub fn is_overload(&self) -> bool {
        match self {
            Self::Overloaded
            | Self::Sign(SignError::Signer(SignerError::Busy))
            | Self::Log(LogFailure::Log(LogError::Overloaded { .. })) => true,
            Self::ByClient(inner) | Self::InService(inner) | Self::WhileSending(inner) => inner.is_overload(),
            _ => false,
        }
    }
}

/// The error and what lies beneath it, for the log.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
