//! The list of a provider's REST services: `listMethods` and `allowedMethods` (features.md 5).

use serde::Serialize;

use crate::identifier::ServiceId;

/// `Content-Type` of [`to_json`].
pub const CONTENT_TYPE: &str = "application/json";

/// A service and the endpoints that are told of it.
#[derive(Debug, Clone)]
pub struct RestService<'a> {
    /// Which.
    pub id: &'a ServiceId,
    /// Whether it has an OpenAPI description.
    pub has_description: bool,
    /// Its endpoints, without the base endpoint.
    pub endpoints: Vec<Endpoint<'a>>,
}

/// A part of a service.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Endpoint<'a> {
    /// HTTP method, or `*`.
    pub method: &'a str,
    /// Path with wildcards.
    pub path: &'a str,
}

/// In the order of the published examples.
#[derive(Serialize)]
struct Details<'a> {
    member_class: &'a str,
    member_code: &'a str,
    object_type: &'static str,
    service_code: &'a str,
    service_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subsystem_code: Option<&'a str>,
    xroad_instance: &'a str,
    endpoint_list: &'a [Endpoint<'a>],
}

#[derive(Serialize)]
struct List<'a> {
    service: Vec<Details<'a>>,
}

/// The list as clients get it.
///
/// # Errors
/// Never: nothing in it can fail to be written.
pub fn to_json(services: &[RestService<'_>]) -> Result<String, serde_json::Error> {
    let service = services.iter().map(|service| {
        let provider = &service.id.provider;
        Details {
            member_class: provider.member_class(),
            member_code: provider.member_code(),
            object_type: "SERVICE",
            service_code: &service.id.service_code,
            service_type: if service.has_description {
                "OPENAPI"
            } else {
                "REST"
            },
            subsystem_code: provider.subsystem_code(),
            xroad_instance: provider.instance(),
            endpoint_list: &service.endpoints,
        }
    });
    serde_json::to_string(&List {
        service: service.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifier::ClientId;

    #[test]
    fn json_is_that_of_the_reference() {
        let service = |code: &str| ServiceId {
            provider: ClientId::subsystem("DEV", "GOV", "M1", "S1"),
            service_code: code.into(),
            service_version: None,
        };
        let (pets, plain) = (service("pets"), service("plain"));
        let services = [
            RestService {
                id: &pets,
                has_description: true,
                endpoints: vec![Endpoint {
                    method: "GET",
                    path: "/pets/*",
                }],
            },
            RestService {
                id: &plain,
                has_description: false,
                endpoints: Vec::new(),
            },
        ];
        assert_eq!(
            to_json(&services).unwrap(),
            concat!(
                r#"{"service":[{"member_class":"GOV","member_code":"M1","object_type":"SERVICE","service_code":"pets","#,
                r#""service_type":"OPENAPI","subsystem_code":"S1","xroad_instance":"DEV","#,
                r#""endpoint_list":[{"method":"GET","path":"/pets/*"}]},{"member_class":"GOV","member_code":"M1","#,
                r#""object_type":"SERVICE","service_code":"plain","service_type":"REST","subsystem_code":"S1","#,
                r#""xroad_instance":"DEV","endpoint_list":[]}]}"#
            )
        );
        assert_eq!(to_json(&[]).unwrap(), r#"{"service":[]}"#);
    }
}
