//! Whether the caller may call the service (wire.md 6.2, "Access").

use protocol_message::identifier::{ClientId, ServiceId};
use protocol_message::rest::EndpointPath;
use storage::server_configuration::{DescriptionType, Service, Target};

use crate::snapshot::{LoadedGlobalConf, Snapshot};

/// Why the caller may not.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// There is no such service.
    #[error("Unknown service: {0}")]
    UnknownService(ServiceId),
    /// A SOAP service called by REST.
    #[error("Service is a SOAP service and cannot be called using REST interface")]
    IsSoap,
    /// A REST service called by SOAP.
    #[error("Service is a REST service and cannot be called using SOAP interface")]
    IsRest,
    /// No access right.
    #[error("Request is not allowed: {0}")]
    Denied(ServiceId),
    /// The service is switched off.
    #[error("Service {service} is disabled: {notice}")]
    Disabled {
        /// Which service.
        service: ServiceId,
        /// What its provider says about it.
        notice: String,
    },
}

impl AuthorizeError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::UnknownService(_) => "unknown_service",
            Self::IsSoap | Self::IsRest => "service_type",
            Self::Denied(_) => "access_denied",
            Self::Disabled { .. } => "service_disabled",
        }
    }
}

/// Proof that a caller may call a service; only [`rest`] and [`soap`] make one.
#[derive(Debug)]
pub struct Authorized<'a> {
    service: &'a Service,
    id: &'a ServiceId,
}

impl<'a> Authorized<'a> {
    /// The service that may be called.
    #[must_use]
    pub const fn service(&self) -> &'a Service {
        self.service
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &'a ServiceId {
        self.id
    }
}

/// Checks a REST request by method and raw service path.
///
/// # Errors
/// [`AuthorizeError`] names the service.
pub fn rest<'a>(
    snapshot: &'a Snapshot,
    globalconf: &LoadedGlobalConf,
    client: &ClientId,
    id: &'a ServiceId,
    (method, path): (&str, &str),
) -> Result<Authorized<'a>, AuthorizeError> {
    let service = known(snapshot, id)?;
    if service.kind == DescriptionType::Wsdl {
        return Err(AuthorizeError::IsSoap);
    }
    // A path that providers may read otherwise than we do matches nothing.
    let path = EndpointPath::from_raw(path).map_err(|_ambiguous| AuthorizeError::Denied(id.clone()))?;
    let target = Target {
        method: Some(method),
        path: Some(&path),
    };
    decide(snapshot, globalconf, client, (id, service), target)
}

/// Checks a SOAP request.
///
/// # Errors
/// [`AuthorizeError`] names the service.
pub fn soap<'a>(
    snapshot: &'a Snapshot,
    globalconf: &LoadedGlobalConf,
    client: &ClientId,
    id: &'a ServiceId,
) -> Result<Authorized<'a>, AuthorizeError> {
    let service = known(snapshot, id)?;
    if service.kind != DescriptionType::Wsdl {
        return Err(AuthorizeError::IsRest);
    }
    decide(snapshot, globalconf, client, (id, service), Target::default())
}

fn known<'a>(snapshot: &'a Snapshot, id: &ServiceId) -> Result<&'a Service, AuthorizeError> {
    snapshot
        .server
        .service(id)
        .ok_or_else(|| AuthorizeError::UnknownService(id.clone()))
}

/// Access first, then whether the service is switched on.
fn decide<'a>(
    snapshot: &Snapshot,
    globalconf: &LoadedGlobalConf,
    client: &ClientId,
    (id, service): (&'a ServiceId, &'a Service),
    target: Target<'_>,
) -> Result<Authorized<'a>, AuthorizeError> {
    let in_group = |group: &_, client: &_| globalconf.global_group_contains(group, client);
    if !snapshot.server.is_allowed(client, id, target, &in_group) {
        return Err(AuthorizeError::Denied(id.clone()));
    }
    match &service.disabled_notice {
        Some(notice) => Err(AuthorizeError::Disabled {
            service: id.clone(),
            notice: notice.clone(),
        }),
        None => Ok(Authorized { service, id }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::message_log::time_stamping::tests::support::{globalconf_with, server_configuration};

    const SERVICES: &str = "
[[client]]
id = 'TEST/GOV/123/sub'
authentication = 'NOSSL'
[[client.service_description]]
type = 'REST'
url = 'http://rest.test'
service = [{ code = 'rest', url = 'http://rest.test' }]
[[client.service_description]]
type = 'WSDL'
url = 'http://soap.test/?wsdl'
service = [{ code = 'soap', version = 'v1', url = 'http://soap.test' }]
[[client.service_description]]
type = 'REST'
url = 'http://off.test'
disabled = true
disabled_notice = 'until spring'
service = [{ code = 'off', url = 'http://off.test' }]
[[client.endpoint]]
service = 'rest'
method = 'GET'
path = '/pets/*'
subjects = ['client:TEST/GOV/1/a']
[[client.endpoint]]
service = 'soap'
subjects = ['client:TEST/GOV/1/a']
[[client.endpoint]]
service = 'off'
subjects = ['client:TEST/GOV/1/a']
";

    /// The fault code that a client gets, empty if it may call.
    fn ask(client: &str, service: &str, target: Option<(&str, &str)>) -> String {
        let snapshot = Snapshot {
            server: Arc::new(server_configuration(SERVICES)),
            ..Snapshot::default()
        };
        let globalconf = globalconf_with(|_| {});
        let client = ClientId::parse_encoded(client).unwrap();
        let id: ServiceId = format!("TEST/GOV/123/sub/{service}").parse().unwrap();
        let decided = match target {
            Some(target) => rest(&snapshot, &globalconf, &client, &id, target),
            None => soap(&snapshot, &globalconf, &client, &id),
        };
        decided.map_or_else(|error| error.fault_code().into(), |_| String::new())
    }

    #[test]
    fn a_rest_request_needs_a_right_to_its_method_and_path() {
        let (friend, pets) = ("TEST/GOV/1/a", Some(("GET", "/pets/1")));
        for (client, service, target, code) in [
            (friend, "rest", pets, ""),
            (friend, "rest", Some(("POST", "/pets/1")), "access_denied"),
            (friend, "rest", Some(("GET", "/pets/1/x")), "access_denied"),
            (friend, "rest", Some(("GET", "/pets/%2e%2e")), "access_denied"),
            ("TEST/GOV/1/b", "rest", pets, "access_denied"),
            ("TEST/GOV/1", "rest", pets, "access_denied"),
            (friend, "none", pets, "unknown_service"),
        ] {
            assert_eq!(
                ask(client, service, target),
                code,
                "{client} {service} {target:?}"
            );
        }
    }

    #[test]
    fn a_service_is_called_by_its_own_interface_in_its_own_version() {
        assert_eq!(ask("TEST/GOV/1/a", "soap/v1", None), "");
        assert_eq!(ask("TEST/GOV/1/a", "soap/v2", None), "unknown_service");
        assert_eq!(ask("TEST/GOV/1/a", "rest", None), "service_type");
        assert_eq!(ask("TEST/GOV/1/a", "soap/v1", Some(("GET", "/"))), "service_type");
    }

    #[test]
    fn a_disabled_service_says_so_to_those_who_may_call_it() {
        let target = Some(("GET", "/"));
        assert_eq!(ask("TEST/GOV/1/a", "off", target), "service_disabled");
        assert_eq!(ask("TEST/GOV/1/b", "off", target), "access_denied");
    }
}
