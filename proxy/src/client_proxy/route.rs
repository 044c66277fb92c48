//! Which security servers can serve a request (wire.md 2.6, steps 1 and 2).
//!
//! What is chosen are addresses, not servers: a server is named to say at which address it must be, and an address is
//! in maintenance mode when a server at it is.

use protocol_globalconf::directory::Server;
use protocol_globalconf::shared_params::MaintenanceMode;
use protocol_message::identifier::{SecurityServerId, ServiceId};

use crate::host_name;
use crate::snapshot::LoadedGlobalConf;

/// Why no server can.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The provider is registered on no server.
    #[error("Could not find addresses for service provider \"{}\"", .0.to_typed())]
    NoAddress(ServiceId),
    /// None of the addresses can be a host.
    #[error("Could not find suitable address for service provider \"{}\"", .0.to_typed())]
    NoSuitableAddress(ServiceId),
    /// The server asked for does not exist or has no address.
    #[error("Could not find security server \"{}\"", .0.to_typed())]
    UnknownSecurityServer(SecurityServerId),
    /// The server asked for does not serve the provider.
    #[error("Invalid security server \"{}\"", .0.to_typed())]
    InvalidSecurityServer(SecurityServerId),
    /// Every server that could is in maintenance mode: the first of them, or the one asked for.
    #[error("{0}")]
    Maintenance(String),
}

impl RouteError {
    /// The fault code behind the side's prefix.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::NoAddress(_) | Self::NoSuitableAddress(_) => "unknown_member",
            Self::UnknownSecurityServer(_) | Self::InvalidSecurityServer(_) => "invalid_security_server",
            Self::Maintenance(_) => "maintenance_mode",
        }
    }
}

/// Host names or addresses of the servers that may be called, as the global configuration has them, each once.
///
/// # Errors
/// [`RouteError`] when there is none.
pub fn route<'g>(
    globalconf: &'g LoadedGlobalConf,
    service: &ServiceId,
    only: Option<&SecurityServerId>,
) -> Result<Vec<&'g str>, RouteError> {
    let servers: Vec<&Server> = globalconf.servers_of(&service.provider).collect();
    let mut hosts = hosts(&servers);
    if hosts.is_empty() {
        return Err(RouteError::NoAddress(service.clone()));
    }
    if let Some(id) = only {
        hosts = vec![named(globalconf, &hosts, id)?];
    }
    let mut in_maintenance = None;
    let mut chosen = Vec::new();
    for host in hosts {
        if let Some(mode) = maintenance(&servers, host) {
            in_maintenance.get_or_insert_with(|| maintenance_text(None, host, mode));
        } else if host_name::is_host(host) {
            chosen.push(host);
        } else {
            tracing::warn!(host, "Invalid service provider hostname");
        }
    }
    match (chosen.is_empty(), in_maintenance) {
        (false, _) => Ok(chosen),
        (true, Some(text)) => Err(RouteError::Maintenance(text)),
        (true, None) => Err(RouteError::NoSuitableAddress(service.clone())),
    }
}

/// The addresses of servers, each once.
fn hosts<'a>(servers: &[&'a Server]) -> Vec<&'a str> {
    let mut hosts = Vec::new();
    for host in servers.iter().filter_map(|server| server.address.as_deref()) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// The address of the server asked for, which must be one of the provider's.
fn named<'a>(
    globalconf: &'a LoadedGlobalConf,
    hosts: &[&str],
    id: &SecurityServerId,
) -> Result<&'a str, RouteError> {
    let server = globalconf.server(id);
    let Some((server, host)) = server.and_then(|server| Some((server, server.address.as_deref()?))) else {
        return Err(RouteError::UnknownSecurityServer(id.clone()));
    };
    if !hosts.contains(&host) {
        return Err(RouteError::InvalidSecurityServer(id.clone()));
    }
    match &server.maintenance_mode {
        Some(mode) => Err(RouteError::Maintenance(maintenance_text(Some(id), host, mode))),
        None => Ok(host),
    }
}

/// The maintenance mode of a server at this address.
fn maintenance<'a>(servers: &[&'a Server], host: &str) -> Option<&'a MaintenanceMode> {
    let mut there = servers
        .iter()
        .filter(|server| server.address.as_deref() == Some(host));
    there.find_map(|server| server.maintenance_mode.as_ref())
}

/// The text of wire.md 2.6 step 2: a server that was asked for is named, any other is known by its address.
fn maintenance_text(named: Option<&SecurityServerId>, host: &str, mode: &MaintenanceMode) -> String {
    let id = named.map(SecurityServerId::to_typed);
    let quoted = id.as_ref().map(|id| format!(" \"{id}\"")).unwrap_or_default();
    let text = format!("Security server{quoted} with address \"{host}\" is in maintenance mode");
    match mode.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => {
            let who = id.as_deref().unwrap_or(host);
            format!("{text}. Message from \"{who}\" administrator: {message}")
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use protocol_globalconf::shared_params::{SecurityServer, Subsystem};
    use protocol_message::identifier::ClientId;

    use super::*;
    use crate::message_log::time_stamping::tests::support::{client, globalconf_with};

    /// The client's servers: code and address.
    const SERVERS: [(&str, Option<&str>); 4] = [
        ("a", Some("a.test")),
        ("b", Some("b.test")),
        ("c", None),
        ("d", Some("not a host")),
    ];

    /// All servers of the client, and one of somebody else's; those of `maintained` are in maintenance mode.
    fn globalconf(maintained: &[(&str, Option<&str>)]) -> LoadedGlobalConf {
        globalconf_with(|shared| {
            let owner = client().member();
            let subsystem = Subsystem {
                id: client(),
                name: None,
            };
            shared.members[0].subsystems.push(subsystem);
            for (code, address) in SERVERS {
                let mode = maintained.iter().find(|(of, _)| *of == code);
                shared.security_servers.push(SecurityServer {
                    owner: owner.clone(),
                    server_code: code.into(),
                    address: address.map(Into::into),
                    auth_cert_hashes: Vec::new(),
                    clients: vec![client()],
                    maintenance_mode: mode.map(|(_, message)| MaintenanceMode {
                        message: message.map(Into::into),
                    }),
                });
            }
        })
    }

    fn service() -> ServiceId {
        ServiceId::new(client(), "code", None).unwrap()
    }

    fn server(code: &str) -> SecurityServerId {
        format!("TEST/GOV/123/{code}").parse().unwrap()
    }

    fn refused(conf: &LoadedGlobalConf, service: &ServiceId, only: Option<&str>) -> (String, &'static str) {
        let error = route(conf, service, only.map(server).as_ref()).unwrap_err();
        (error.to_string(), error.fault_code())
    }

    #[test]
    fn all_addresses_of_the_provider_or_the_one_of_the_server_asked_for() {
        let conf = globalconf(&[]);
        let mut all = route(&conf, &service(), None).unwrap();
        all.sort();
        assert_eq!(all, ["a.test", "b.test"], "what is no host is left out");
        let one = route(&conf, &service(), Some(&server("b"))).unwrap();
        assert_eq!(one, ["b.test"]);
    }

    #[test]
    fn says_why_there_is_no_server() {
        let conf = globalconf(&[]);
        let nobody = ServiceId {
            provider: ClientId::parse_encoded("TEST/GOV/9/sub").unwrap(),
            ..service()
        };
        let unknown = (
            "Could not find addresses for service provider \"SERVICE:TEST/GOV/9/sub/code\"".to_owned(),
            "unknown_member",
        );
        assert_eq!(refused(&conf, &nobody, None), unknown);
        assert_eq!(refused(&conf, &nobody, Some("a")), unknown);
        for nowhere in ["x", "c"] {
            let text = format!("Could not find security server \"SERVER:TEST/GOV/123/{nowhere}\"");
            let got = refused(&conf, &service(), Some(nowhere));
            assert_eq!(got, (text, "invalid_security_server"));
        }
        let got = refused(&conf, &service(), Some("d"));
        let text = "Could not find suitable address for service provider \"SERVICE:TEST/GOV/123/sub/code\"";
        assert_eq!(got, (text.to_owned(), "unknown_member"));
    }

    #[test]
    fn leaves_out_servers_in_maintenance_mode_until_none_is_left() {
        let one = globalconf(&[("a", Some("back soon"))]);
        assert_eq!(route(&one, &service(), None).unwrap(), ["b.test"]);
        let got = refused(&one, &service(), Some("a"));
        let text = "Security server \"SERVER:TEST/GOV/123/a\" with address \"a.test\" is in maintenance mode. \
                    Message from \"SERVER:TEST/GOV/123/a\" administrator: back soon";
        assert_eq!(got, (text.to_owned(), "maintenance_mode"));

        let all = globalconf(&[("a", Some("back soon")), ("b", None)]);
        let (text, code) = refused(&all, &service(), None);
        assert_eq!(code, "maintenance_mode");
        let texts = [
            "Security server with address \"a.test\" is in maintenance mode. Message from \"a.test\" administrator: \
             back soon",
            "Security server with address \"b.test\" is in maintenance mode",
        ];
        assert!(texts.contains(&text.as_str()), "one of them is told: {text}");
        for silent in [None, Some("")] {
            let (text, _) = refused(&globalconf(&[("b", silent)]), &service(), Some("b"));
            let expected =
                "Security server \"SERVER:TEST/GOV/123/b\" with address \"b.test\" is in maintenance mode";
            assert_eq!(text, expected, "{silent:?}");
        }
    }
}
