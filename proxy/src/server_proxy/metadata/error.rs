//! Why a metadata service has no answer.

use protocol_message::identifier::ServiceId;
use protocol_message::metadata::openapi::DescriptionError;
use protocol_message::soap::SoapError;
use storage::server_configuration::DescriptionType;

use super::fetch::FetchError;

/// Why there is none. The texts are the reference's where tools read them (ecosystem.md 2.1).
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The request does not say of which service.
    #[error("Missing serviceCode in message body")]
    MissingServiceCode,
    /// There is no such SOAP service.
    #[error("Could not find wsdl URL for service {0}")]
    NoWsdl(ServiceId),
    /// A REST service was asked for its WSDL.
    #[error("Service is a REST service and does not have a WSDL")]
    IsRest,
    /// There is no such REST service.
    #[error("Service not found: {0}")]
    NoService(ServiceId),
    /// The service has no OpenAPI description.
    #[error("Invalid service type: {}", type_name(*.0))]
    NotOpenApi(DescriptionType),
    /// The information system gives no WSDL.
    #[error("Received HTTP error: {status} - {reason}")]
    WsdlStatus {
        /// HTTP status.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
    /// The information system gives no OpenAPI description.
    #[error("Failed reading service description from {url}. Status: {status} Reason: {reason}")]
    OpenApiStatus {
        /// Where it was asked for.
        url: String,
        /// HTTP status.
        status: u16,
        /// Reason phrase.
        reason: String,
    },
    /// What the information system gives is no WSDL.
    #[error("WSDL: {0}")]
    Wsdl(#[source] SoapError),
    /// What the information system gives is no OpenAPI description.
    #[error("Failed overwriting origin URL for the openapi servers for {url}")]
    OpenApi {
        /// Where it came from.
        url: String,
        /// Why not.
        source: DescriptionError,
    },
    /// The description is of another OpenAPI version, or names a server that is no URL.
    #[error(transparent)]
    Description(DescriptionError),
    /// The answer cannot be written.
    #[error("list of services: {0}")]
    Write(#[from] serde_json::Error),
    /// The description cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl MetadataError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::MissingServiceCode => "invalid_request",
            Self::NoWsdl(_) => "unknown_service",
            Self::IsRest => "service_type",
            Self::Wsdl(_) => "invalid_xml",
            Self::Fetch(error) => error.fault_code(),
            Self::NoService(_)
            | Self::NotOpenApi(_)
            | Self::WsdlStatus { .. }
            | Self::OpenApiStatus { .. }
            | Self::OpenApi { .. }
            | Self::Description(_)
            | Self::Write(_) => "internal_error",
        }
    }

    /// Why a description that was fetched from `url` is not given out.
    pub(super) fn of_description(error: DescriptionError, url: &str) -> Self {
        match error {
            DescriptionError::Malformed(_) => Self::OpenApi {
                url: url.to_owned(),
                source: error,
            },
            DescriptionError::Version(_) | DescriptionError::Url(_) => Self::Description(error),
        }
    }
}

const fn type_name(kind: DescriptionType) -> &'static str {
    match kind {
        DescriptionType::Wsdl => "WSDL",
        DescriptionType::Rest => "REST",
        DescriptionType::OpenApi3 => "OPENAPI3",
    }
}
