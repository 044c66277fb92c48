//! Who must have signed a message: the member that the message itself names (wire.md 4.5).

use protocol_message::identifier::ClientId;
use protocol_message::rest::{RequestPart, ResponsePart, RestError};
use protocol_message::soap::{self, ParsedSoap, SoapError};
use protocol_message::transport::{ContentType, TransportError, mime};
use protocol_pki::profile::MemberName;

/// Why a message does not tell who must have signed it.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignerError {
    /// The SOAP message cannot be read.
    #[error("the container's message is no SOAP message of the protocol")]
    Soap(#[from] SoapError),
    /// Never: the content type is ours.
    #[error("the content type of a SOAP message")]
    ContentType(#[from] TransportError),
    /// The container has a SOAP fault, which is never signed.
    #[error("the container's message is a fault, which nobody signs")]
    Fault,
    /// The REST message cannot be read.
    #[error("the container's message is no REST message of the protocol")]
    Rest(#[from] RestError),
    /// A REST response without the service that it comes from.
    #[error("the container's REST response does not name its service")]
    NoService,
}

impl SignerError {
    /// The fault code (wire.md 1.8).
    pub(super) fn fault_code(&self) -> &'static str {
        match self {
            Self::Soap(error) => error.fault_code(),
            Self::Rest(error) => error.fault_code(),
            Self::ContentType(_) | Self::Fault | Self::NoService => "invalid_message",
        }
    }
}

/// The member that must have signed `message`: of a request the client, of a response the provider.
pub(super) fn of_message(message: &[u8]) -> Result<MemberName, SignerError> {
    let id = match message.first() {
        Some(b'1'..=b'9') => {
            let response = ResponsePart::parse(message)?;
            response.service().ok_or(SignerError::NoService)?.provider.clone()
        }
        Some(b'A'..=b'Z') => RequestPart::parse(message)?.client().clone(),
        _ => of_soap(message)?,
    };
    Ok(MemberName {
        instance: id.instance().to_owned(),
        member_class: id.member_class().to_owned(),
        member_code: id.member_code().to_owned(),
    })
}

fn of_soap(message: &[u8]) -> Result<ClientId, SignerError> {
    match soap::parse(message, &ContentType::parse(mime::TEXT_XML)?)? {
        ParsedSoap::Fault(_) => Err(SignerError::Fault),
        ParsedSoap::Message(message) => Ok(message.signer().clone()),
    }
}
