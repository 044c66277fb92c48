//! Which security servers can serve a request (wire.md 2.6, steps 1 and 2).

use protocol_globalconf::directory::Server;
use protocol_message::identifier::{ClientId, SecurityServerId};

use crate::snapshot::LoadedGlobalConf;

/// Why no server can.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The provider is registered on no server.
    #[error("Could not find addresses for service provider \"{0}\"")]
    UnknownMember(ClientId),
    /// The server asked for does not serve the provider.
    #[error("Invalid security server identifier \"{0}\"")]
    InvalidSecurityServer(SecurityServerId),
    /// Every server that could is in maintenance mode.
    #[error("{0}")]
    Maintenance(String),
}

impl RouteError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::UnknownMember(_) => "unknown_member",
            Self::InvalidSecurityServer(_) => "invalid_security_server",
            Self::Maintenance(_) => "maintenance_mode",
        }
    }
}

/// Host names or addresses of the servers that may be called, as the global configuration has them.
///
/// # Errors
/// [`RouteError`] when there is none.
pub fn route(
    globalconf: &LoadedGlobalConf,
    provider: &ClientId,
    only: Option<&SecurityServerId>,
) -> Result<Vec<String>, RouteError> {
    let servers: Vec<&Server> = globalconf
        .servers_of(provider)
        .filter(|server| server.address.is_some())
        .collect();
    if servers.is_empty() {
        return Err(RouteError::UnknownMember(provider.clone()));
    }
    let servers = match only {
        Some(id) => servers.into_iter().filter(|server| server.id == *id).collect(),
        None => servers,
    };
    if let (true, Some(id)) = (servers.is_empty(), only) {
        return Err(RouteError::InvalidSecurityServer(id.clone()));
    }
    in_service(&servers)
}

/// Leaves out servers in maintenance mode.
fn in_service(servers: &[&Server]) -> Result<Vec<String>, RouteError> {
    let mut addresses: Vec<String> = Vec::new();
    for server in servers.iter().filter(|server| server.maintenance_mode.is_none()) {
        if let Some(address) = &server.address
            && !addresses.contains(address)
        {
            addresses.push(address.clone());
        }
    }
    match (addresses.is_empty(), servers) {
        (false, _) => Ok(addresses),
        (true, servers) => Err(RouteError::Maintenance(maintenance_text(servers))),
    }
}

/// The text of wire.md 2.6 step 2.
fn maintenance_text(servers: &[&Server]) -> String {
    let texts = servers.iter().map(|server| {
        let address = server.address.as_deref().unwrap_or_default();
        let text = format!(
            "Security server[ \"{}\"] with address \"{address}\" is in maintenance mode",
            server.id
        );
        match server
            .maintenance_mode
            .as_ref()
            .and_then(|mode| mode.message.as_deref())
        {
            Some(message) => format!("{text}. Message from \"{}\" administrator: {message}", server.id),
            None => text,
        }
    });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use protocol_globalconf::shared_params::{MaintenanceMode, SecurityServer, Subsystem};

    use super::*;
    use crate::message_log::time_stamping::tests::support::{client, globalconf_with};

    /// Two servers with the client, one without an address; `maintained` of them in maintenance mode.
    fn globalconf(maintained: &[&str]) -> LoadedGlobalConf {
        globalconf_with(|shared| {
            let owner = client().member();
            let subsystem = Subsystem {
                id: client(),
                name: None,
            };
            shared.members[0].subsystems.push(subsystem);
            for (code, address) in [("a", Some("a.test")), ("b", Some("b.test")), ("c", None)] {
                shared.security_servers.push(SecurityServer {
                    owner: owner.clone(),
                    server_code: code.into(),
                    address: address.map(Into::into),
                    auth_cert_hashes: Vec::new(),
                    clients: vec![client()],
                    maintenance_mode: maintained.contains(&code).then(|| MaintenanceMode {
                        message: (code == "a").then(|| "back soon".into()),
                    }),
                });
            }
        })
    }

    fn server(code: &str) -> SecurityServerId {
        format!("TEST/GOV/123/{code}").parse().unwrap()
    }

    #[test]
    fn all_servers_of_the_provider_or_the_one_asked_for() {
        let conf = globalconf(&[]);
        let mut all = route(&conf, &client(), None).unwrap();
        all.sort();
        assert_eq!(all, ["a.test", "b.test"]);
        assert_eq!(route(&conf, &client(), Some(&server("b"))).unwrap(), ["b.test"]);
    }

    #[test]
    fn says_why_there_is_no_server() {
        let conf = globalconf(&[]);
        let nobody = ClientId::parse_encoded("TEST/GOV/9/sub").unwrap();
        for (provider, only, code) in [
            (&nobody, None, "unknown_member"),
            (&nobody, Some(server("a")), "unknown_member"),
            (&client(), Some(server("x")), "invalid_security_server"),
            (&client(), Some(server("c")), "invalid_security_server"),
        ] {
            let error = route(&conf, provider, only.as_ref()).unwrap_err();
            assert_eq!(error.fault_code(), code, "{provider} {only:?}");
        }
    }

    #[test]
    fn leaves_out_servers_in_maintenance_mode_until_none_is_left() {
        let one = globalconf(&["a"]);
        assert_eq!(route(&one, &client(), None).unwrap(), ["b.test"]);
        let named = route(&one, &client(), Some(&server("a"))).unwrap_err();
        assert_eq!(named.fault_code(), "maintenance_mode");
        assert_eq!(
            named.to_string(),
            "Security server[ \"TEST/GOV/123/a\"] with address \"a.test\" is in maintenance mode. \
             Message from \"TEST/GOV/123/a\" administrator: back soon"
        );
        let none = route(&globalconf(&["a", "b"]), &client(), None).unwrap_err();
        assert_eq!(none.fault_code(), "maintenance_mode");
        assert_eq!(none.to_string().matches("is in maintenance mode").count(), 2);
    }
}
