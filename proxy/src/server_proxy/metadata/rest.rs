//! `listMethods`, `allowedMethods` and `getOpenAPI` of the REST interface.

use bytes::Bytes;
use protocol_message::identifier::{ClientId, ServiceId};
use protocol_message::metadata::openapi::{self, DEFAULT_CONTENT_TYPE, Notation};
use protocol_message::metadata::rest_services::{self, Endpoint, RestService as Listed};
use protocol_message::metadata::{ALLOWED_METHODS, GET_OPENAPI, LIST_METHODS};
use protocol_message::rest::{Method, RequestPart};
use storage::server_configuration::{DescriptionType, Service};

use super::MetadataError;
use super::fetch::{self, Fetched};
use crate::query_string;
use crate::server_proxy::Exchange;
use crate::service_url::ServiceUrl;

/// Types of descriptions of REST services.
const REST: &[DescriptionType] = &[DescriptionType::Rest, DescriptionType::OpenApi3];

/// The parameter of `getOpenAPI`.
const SERVICE_CODE: &str = "serviceCode";

/// A metadata service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestService {
    /// All REST services of the provider.
    ListMethods,
    /// Those that the client may call some part of.
    AllowedMethods,
    /// The description of one.
    GetOpenApi,
}

impl RestService {
    /// The metadata service that is called, if it is one: they are only got.
    #[must_use]
    pub fn of(request: &RequestPart) -> Option<Self> {
        if request.method() != Method::Get {
            return None;
        }
        match &*request.service().service_code {
            LIST_METHODS => Some(Self::ListMethods),
            ALLOWED_METHODS => Some(Self::AllowedMethods),
            GET_OPENAPI => Some(Self::GetOpenApi),
            _ => None,
        }
    }
}

/// An answer as an information system would have sent it with status 200.
#[derive(Debug)]
pub struct Answer {
    /// Its content type.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
}

/// Makes the answer to a request.
pub(in crate::server_proxy) async fn answer(
    exchange: &Exchange<'_>,
    service: RestService,
    request: &RequestPart,
) -> Result<Answer, MetadataError> {
    let provider = &request.service().provider;
    match service {
        RestService::ListMethods => list(exchange, provider, None),
        RestService::AllowedMethods => list(exchange, provider, Some(request.client())),
        RestService::GetOpenApi => get_openapi(exchange, provider, request.query().unwrap_or_default()).await,
    }
}

fn list(
    exchange: &Exchange<'_>,
    provider: &ClientId,
    client: Option<&ClientId>,
) -> Result<Answer, MetadataError> {
    let services = exchange.services_of(provider, REST, client);
    let services: Vec<Listed<'_>> = services
        .map(|(id, service)| listed(exchange, id, service, client))
        .collect();
    Ok(Answer {
        content_type: rest_services::CONTENT_TYPE.to_owned(),
        body: rest_services::to_json(&services)?.into(),
    })
}

/// A service with its endpoints; with a client: with those that rights of the client cover.
fn listed<'e>(
    exchange: &'e Exchange<'_>,
    id: &'e ServiceId,
    service: &Service,
    client: Option<&'e ClientId>,
) -> Listed<'e> {
    let rights = client.map(|client| exchange.rights(client, id));
    let told = |endpoint: &&_| {
        let covered = rights
            .as_ref()
            .map(|rights| rights.iter().any(|right| right.covers(endpoint)));
        covered.unwrap_or(true)
    };
    let provider = exchange.snapshot.server.client(&id.provider);
    let endpoints = provider.map_or(&[][..], |client| client.endpoints(&id.service_code));
    let parts = endpoints.iter().filter(|endpoint| !endpoint.is_base());
    Listed {
        id,
        has_description: service.kind == DescriptionType::OpenApi3,
        endpoints: parts
            .filter(told)
            .map(|endpoint| Endpoint {
                method: &endpoint.method,
                path: &endpoint.path,
            })
            .collect(),
    }
}

async fn get_openapi(
    exchange: &Exchange<'_>,
    provider: &ClientId,
    query: &str,
) -> Result<Answer, MetadataError> {
    let id = ServiceId {
        provider: provider.clone(),
        service_code: service_code(query)
            .ok_or(MetadataError::MissingServiceCode)?
            .into(),
        service_version: None,
    };
    let Some(service) = exchange.snapshot.server.service(&id) else {
        return Err(MetadataError::NoService(id));
    };
    if service.kind != DescriptionType::OpenApi3 {
        return Err(MetadataError::NotOpenApi(service.kind));
    }
    let url = service.description_url.clone();
    let description = match fetch::fetch(exchange, provider, service).await? {
        Fetched::Description(description) => description,
        Fetched::Status { status, reason } => {
            return Err(MetadataError::OpenApiStatus { url, status, reason });
        }
    };
    let content_type = description.content_types.first().cloned();
    let content_types = description.content_types.iter().map(String::as_str);
    let notation = Notation::of(content_types, path(&url));
    let rewritten = description.rewrite(move |bytes| openapi::hide_servers(bytes, notation));
    let hidden = rewritten.await?;
    Ok(Answer {
        content_type: content_type.unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned()),
        body: hidden
            .map_err(|error| MetadataError::of_description(error, &url))?
            .into(),
    })
}

/// The last `serviceCode` of the query, its name in any case.
fn service_code(query: &str) -> Option<String> {
    let pairs = query.split(';').flat_map(query_string::pairs);
    let named = pairs.filter(|(name, _)| query_string::decode_lossy(name).eq_ignore_ascii_case(SERVICE_CODE));
    let value = named.last().map(|(_, value)| query_string::decode_lossy(value));
    value.filter(|code| !code.is_empty())
}

/// The path of a URL, without query and fragment.
fn path(url: &str) -> &str {
    let path = ServiceUrl::parse(url).map_or("", |url| url.path);
    path.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_service_code_counts() {
        assert_eq!(service_code("serviceCode=a+b%2Fc").as_deref(), Some("a b/c"));
        assert_eq!(
            service_code("x=1&SERVICECODE=a;servicecode=b").as_deref(),
            Some("b")
        );
        assert_eq!(service_code("serviceCode=").as_deref(), None);
        assert_eq!(service_code("serviceCodes=a"), None);
        assert_eq!(service_code(""), None);
    }

    #[test]
    fn the_name_of_a_description_is_in_its_path() {
        assert_eq!(path("http://h:1/a.json?b.yaml#c"), "/a.json");
        assert_eq!(path("http://h"), "");
    }
}
