//! `listMethods`, `allowedMethods` and `getWsdl` of the SOAP interface.

use bytes::Bytes;
use protocol_message::identifier::ServiceId;
use protocol_message::metadata::{ALLOWED_METHODS, GET_WSDL, HIDDEN_ENDPOINT, LIST_METHODS};
use protocol_message::soap::{self, SoapMessage};
use protocol_message::transport::{
    ContentType, PartHeaders, RANDOM_LENGTH, SmallPart, boundary_letters, mime,
};
use storage::server_configuration::DescriptionType;

use super::MetadataError;
use super::fetch::{self, Fetched};
use crate::exchange::ExchangeError;
use crate::exchange::soap_source::{SoapPart, SoapSource};
use crate::server_proxy::Exchange;

/// Content type of an answer without attachment.
const TEXT_XML_UTF8: &str = "text/xml; charset=UTF-8";

/// A metadata service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoapService {
    /// All SOAP services of the provider.
    ListMethods,
    /// Those that the client may call.
    AllowedMethods,
    /// The description of one.
    GetWsdl,
}

impl SoapService {
    /// The metadata service that is called, in whatever version, if it is one.
    #[must_use]
    pub fn of(service: &ServiceId) -> Option<Self> {
        match &*service.service_code {
            LIST_METHODS => Some(Self::ListMethods),
            ALLOWED_METHODS => Some(Self::AllowedMethods),
            GET_WSDL => Some(Self::GetWsdl),
            _ => None,
        }
    }
}

/// An answer as an information system would have sent it.
#[derive(Debug)]
pub struct Answer {
    /// Content type of the whole.
    pub content_type: String,
    /// The SOAP part.
    pub part: SoapPart,
    /// The attachment, if there is one.
    pub source: SoapSource<'static>,
}

/// Makes the answer to a request.
pub(in crate::server_proxy) async fn answer(
    exchange: &Exchange<'_>,
    service: SoapService,
    (request, part): (&SoapMessage, &SmallPart),
) -> Result<Answer, ExchangeError> {
    let client = match service {
        SoapService::ListMethods => None,
        SoapService::AllowedMethods => Some(&request.header.client),
        SoapService::GetWsdl => return get_wsdl(exchange, request, part).await,
    };
    let asked = &request.header.service;
    let services = exchange.services_of(&asked.provider, &[DescriptionType::Wsdl], client);
    let ids = services.map(|(id, _)| id);
    let xml = soap::methods_response(&part.bytes, &asked.service_code, ids)?;
    Ok(Answer {
        content_type: TEXT_XML_UTF8.to_owned(),
        part: soap_part(TEXT_XML_UTF8, xml)?,
        source: SoapSource::own(None),
    })
}

async fn get_wsdl(
    exchange: &Exchange<'_>,
    request: &SoapMessage,
    part: &SmallPart,
) -> Result<Answer, ExchangeError> {
    let wsdl = wsdl(exchange, request, &part.bytes).await?;
    let xml = soap::wsdl_response(&part.bytes, &request.header.service.service_code)?;
    let attachment = PartHeaders {
        content_type: Some(mime::TEXT_XML.into()),
        others: vec![
            (
                "Content-ID".to_owned(),
                format!("<wsdl={}@x-road.eu>", uuid::Uuid::new_v4()),
            ),
            ("Content-Transfer-Encoding".to_owned(), "binary".to_owned()),
        ],
    };
    let original = part.headers.content_type.as_deref().unwrap_or(TEXT_XML_UTF8);
    Ok(Answer {
        content_type: multipart_related()?,
        part: soap_part(&ContentType::parse(original)?.with_utf8_charset(), xml)?,
        source: SoapSource::own(Some((attachment, wsdl))),
    })
}

/// The description of the service that the request names, without the addresses in it.
async fn wsdl(exchange: &Exchange<'_>, request: &SoapMessage, xml: &[u8]) -> Result<Bytes, ExchangeError> {
    let query = soap::wsdl_query(xml)?;
    let code = query.service_code.filter(|code| !code.trim().is_empty());
    let id = ServiceId {
        provider: request.header.service.provider.clone(),
        service_code: code.ok_or(MetadataError::MissingServiceCode)?.into(),
        service_version: query.service_version.map(Into::into),
    };
    let Some(service) = exchange.snapshot.server.service(&id) else {
        return Err(MetadataError::NoWsdl(id).into());
    };
    if service.kind != DescriptionType::Wsdl {
        return Err(MetadataError::IsRest.into());
    }
    let fetched = fetch::fetch(exchange, &id.provider, service).await;
    let description = match fetched.map_err(MetadataError::from)? {
        Fetched::Description(description) => description,
        Fetched::Status { status, reason } => {
            return Err(MetadataError::WsdlStatus { status, reason }.into());
        }
    };
    let rewritten = description.rewrite(|bytes| soap::hide_endpoints(bytes, HIDDEN_ENDPOINT));
    let hidden = rewritten.await.map_err(MetadataError::from)?;
    Ok(hidden.map_err(MetadataError::Wsdl)?.into())
}

fn soap_part(content_type: &str, bytes: Vec<u8>) -> Result<SoapPart, ExchangeError> {
    Ok(SoapPart {
        headers: PartHeaders::with_content_type(content_type.to_owned()),
        content_type: ContentType::parse(content_type)?,
        bytes: bytes.into(),
    })
}

/// The content type of an answer with an attachment. Tools know the boundary by its first letters (ecosystem.md 2.1).
fn multipart_related() -> Result<String, ExchangeError> {
    let mut random = [0; RANDOM_LENGTH];
    aws_lc_rs::rand::fill(&mut random).map_err(|_unspecified| ExchangeError::Randomness)?;
    Ok(format!(
        "{}; type=\"{}\"; charset=UTF-8; boundary=xroad{}",
        mime::MULTIPART_RELATED,
        mime::TEXT_XML,
        boundary_letters(&random)
    ))
}
