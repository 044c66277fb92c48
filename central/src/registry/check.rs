//! What the form of a registry does not show: that everything referred to exists, once, in this instance.

use std::collections::HashSet;

use protocol_message::identifier::ClientId;

use super::{Registry, RegistryError};

impl Registry {
    /// Checks the registry as a whole.
    ///
    /// # Errors
    /// What contradicts what, for the operator.
    pub fn check(&self) -> Result<(), RegistryError> {
        ensure(!self.instance.is_empty(), || "instance is empty".to_owned())?;
        ensure(!self.address.is_empty(), || "address is empty".to_owned())?;
        let clients = self.clients()?;
        self.check_servers(&clients)?;
        self.check_groups()
    }

    fn clients(&self) -> Result<HashSet<ClientId>, RegistryError> {
        let classes: HashSet<&str> = self
            .member_class
            .iter()
            .map(|class| class.code.as_str())
            .collect();
        let mut clients = HashSet::new();
        for member in &self.member {
            let id = &member.id;
            ensure(id.instance() == self.instance, || {
                format!("member {id} is of another instance")
            })?;
            ensure(id.subsystem_code().is_none(), || {
                format!("member {id} is a subsystem")
            })?;
            ensure(classes.contains(id.member_class()), || {
                format!("class of member {id} is not registered")
            })?;
            ensure(clients.insert(id.clone()), || {
                format!("member {id} is registered twice")
            })?;
            for subsystem in &member.subsystem {
                let id = id.with_subsystem(&subsystem.code);
                ensure(clients.insert(id.clone()), || {
                    format!("subsystem {id} is registered twice")
                })?;
            }
        }
        Ok(clients)
    }

    fn check_servers(&self, clients: &HashSet<ClientId>) -> Result<(), RegistryError> {
        let mut servers = HashSet::new();
        for server in &self.security_server {
            let name = || format!("security server {}/{}", server.owner, server.code);
            ensure(servers.insert((&server.owner, &server.code)), || {
                format!("{} is registered twice", name())
            })?;
            ensure(server.owner.subsystem_code().is_none(), || {
                format!("{}: owner is a subsystem", name())
            })?;
            for client in std::iter::once(&server.owner).chain(&server.clients) {
                ensure(clients.contains(client), || {
                    format!("{}: {client} is not registered", name())
                })?;
            }
        }
        Ok(())
    }

    fn check_groups(&self) -> Result<(), RegistryError> {
        let mut codes = HashSet::from([self.owners_group.as_str()]);
        for group in &self.global_group {
            ensure(codes.insert(&group.code), || {
                format!("group {} is registered twice", group.code)
            })?;
        }
        Ok(())
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), RegistryError> {
    if holds {
        Ok(())
    } else {
        Err(RegistryError::Contradiction(otherwise()))
    }
}
