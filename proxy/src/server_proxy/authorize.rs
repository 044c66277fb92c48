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
