//! What the metadata services tell, between bytes and types (features.md 5): lists of clients, lists of REST services,
//! OpenAPI descriptions. Their SOAP side is in [`crate::soap`].

pub mod clients;
pub mod openapi;
pub mod rest_services;
mod url;

/// SOAP and REST: all services of a provider.
pub const LIST_METHODS: &str = "listMethods";
/// SOAP and REST: the services of a provider that the client may call.
pub const ALLOWED_METHODS: &str = "allowedMethods";
/// SOAP: the description of a service.
pub const GET_WSDL: &str = "getWsdl";
/// REST: the description of a service.
pub const GET_OPENAPI: &str = "getOpenAPI";
/// Path of the list of clients, which the client's own server answers.
pub const LIST_CLIENTS: &str = "/listClients";
/// What stands in a WSDL in place of every address of a service.
pub const HIDDEN_ENDPOINT: &str = "http://example.org/xroad-endpoint";
