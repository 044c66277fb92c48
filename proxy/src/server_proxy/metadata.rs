//! What a provider tells of its services: `listMethods`, `allowedMethods`, `getWsdl`, `getOpenAPI` (features.md 5).
//!
//! They are services like others to the rest of the exchange: their requests are verified and logged, their answers
//! signed and logged. Only access rights are not asked for. A service of the provider with one of these names is never
//! called.
//!
//! | Room | Subject |
//! |---|---|
//! | [`soap`] | the services of the SOAP interface |
//! | [`rest`] | the services of the REST interface |
//! | [`fetch`] | fetching a description from the information system |

pub mod error;
pub mod fetch;
pub mod rest;
pub mod soap;

use protocol_message::identifier::{ClientId, ServiceId};
use storage::server_configuration::{DescriptionType, Endpoint, Service};

pub use error::MetadataError;

use super::Exchange;

impl Exchange<'_> {
    /// The provider's services with a description of one of these types, disabled ones too. With a client: those that
    /// it has a right to some part of.
    fn services_of<'e>(
        &'e self,
        provider: &ClientId,
        kinds: &'static [DescriptionType],
        client: Option<&'e ClientId>,
    ) -> impl Iterator<Item = (&'e ServiceId, &'e Service)> {
        let server = &self.snapshot.server;
        let ids = server
            .client(provider)
            .map_or(&[][..], |client| client.services());
        let known = ids.iter().filter_map(|id| Some((id, server.service(id)?)));
        known.filter(move |(id, service)| {
            let open = || client.is_none_or(|client| !self.rights(client, id).is_empty());
            kinds.contains(&service.kind) && open()
        })
    }

    /// The endpoints of a service that access rights of the client name.
    fn rights(&self, client: &ClientId, service: &ServiceId) -> Vec<&Endpoint> {
        let in_group = |group: &_, client: &_| self.globalconf.global_group_contains(group, client);
        let server = &self.snapshot.server;
        server.allowed_endpoints(client, service, &in_group).collect()
    }
}
