//! Index of one instance's members, security servers and groups.

use std::collections::{HashMap, HashSet};

use protocol_message::identifier::{ClientId, SecurityServerId};

use crate::shared_params::{MaintenanceMode, SecurityServer, SharedParams};
use crate::version::Version;

/// A registered security server, as routing and authentication need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Identifier; it starts with the owner's.
    pub id: SecurityServerId,
    /// Member that owns it.
    pub owner: ClientId,
    /// Host name or IP address, if it is reachable.
    pub address: Option<String>,
    /// Present while it is in maintenance mode and takes no requests.
    pub maintenance_mode: Option<MaintenanceMode>,
    /// Members and subsystems registered on it, the owner among them.
    pub clients: HashSet<ClientId>,
    auth_cert_hashes: Vec<Vec<u8>>,
}

impl Server {
    fn new(server: &SecurityServer) -> Self {
        let owner = std::iter::once(&server.owner);
        Self {
            id: server.id(),
            owner: server.owner.clone(),
            address: server.address.clone(),
            maintenance_mode: server.maintenance_mode.clone(),
            clients: owner.chain(&server.clients).cloned().collect(),
            auth_cert_hashes: server.auth_cert_hashes.clone(),
        }
    }

    /// Whether one of its authentication certificates has this hash.
    pub(super) fn has_auth_cert(&self, hash: &[u8]) -> bool {
        self.auth_cert_hashes.iter().any(|known| known == hash)
    }
}

/// Position in [`Clients::servers`].
type ServerIndex = usize;

#[derive(Debug, Clone, Default)]
pub(super) struct Clients {
    pub(super) by_sha1: bool,
    servers: Vec<Server>,
    by_id: HashMap<SecurityServerId, ServerIndex>,
    by_client: HashMap<ClientId, Vec<ServerIndex>>,
    by_auth_cert: HashMap<Vec<u8>, ServerIndex>,
    by_address: HashMap<String, Vec<ServerIndex>>,
    /// Names of members and subsystems.
    names: HashMap<ClientId, Option<String>>,
    groups: HashMap<String, HashSet<ClientId>>,
}

impl Clients {
    pub(super) fn new(version: Version, shared: &SharedParams) -> Self {
        let mut clients = Self {
            by_sha1: version.names_certificates_by_sha1(),
            ..Self::default()
        };
        shared
            .security_servers
            .iter()
            .for_each(|server| clients.add_server(Server::new(server)));
        for member in &shared.members {
            clients.names.insert(member.id.clone(), Some(member.name.clone()));
            let subsystems = member.subsystems.iter();
            clients
                .names
                .extend(subsystems.map(|subsystem| (subsystem.id.clone(), subsystem.name.clone())));
        }
        for group in &shared.global_groups {
            let members = clients.groups.entry(group.id.group_code.clone()).or_default();
            members.extend(group.members.iter().cloned());
        }
        clients
    }

    fn add_server(&mut self, server: Server) {
        let index = self.servers.len();
        self.by_id.entry(server.id.clone()).or_insert(index);
        for client in &server.clients {
            self.by_client.entry(client.clone()).or_default().push(index);
        }
        for hash in &server.auth_cert_hashes {
            self.by_auth_cert.entry(hash.clone()).or_insert(index);
        }
        if let Some(address) = &server.address {
            self.by_address.entry(address.clone()).or_default().push(index);
        }
        self.servers.push(server);
    }

    pub(super) fn servers(&self) -> &[Server] {
        &self.servers
    }

    pub(super) fn server(&self, id: &SecurityServerId) -> Option<&Server> {
        self.servers.get(*self.by_id.get(id)?)
    }

    pub(super) fn servers_of<'a>(&'a self, client: &ClientId) -> impl Iterator<Item = &'a Server> + use<'a> {
        self.at(self.by_client.get(client))
    }

    pub(super) fn servers_at<'a>(&'a self, address: &str) -> impl Iterator<Item = &'a Server> + use<'a> {
        self.at(self.by_address.get(address))
    }

    pub(super) fn server_with_auth_cert(&self, hash: &[u8]) -> Option<&Server> {
        self.servers.get(*self.by_auth_cert.get(hash)?)
    }

    fn at<'a>(&'a self, indexes: Option<&'a Vec<ServerIndex>>) -> impl Iterator<Item = &'a Server> {
        indexes
            .into_iter()
            .flatten()
            .filter_map(|index| self.servers.get(*index))
    }

    /// Name of a member or subsystem; the outer option says whether it is registered.
    pub(super) fn name(&self, client: &ClientId) -> Option<Option<&str>> {
        self.names.get(client).map(Option::as_deref)
    }

    pub(super) fn group(&self, code: &str) -> Option<&HashSet<ClientId>> {
        self.groups.get(code)
    }
}
