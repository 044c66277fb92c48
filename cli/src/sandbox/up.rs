//! Bringing a sandbox up, in the order in which things need each other.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use settings::Preset;
use signer_client::KeyChoice;

use super::description::{Description, GlobalConfiguration};
use super::layout::{CONSUMER, Folders, INSTANCE, Net, PROVIDER, PROVIDERS, Server, port};
use super::{central, files, http, process, security_server, services, signer, softhsm, trust, wait};
use crate::failure::{Failure, OrUnusable};
use crate::progress::Progress;

/// How long a process may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a sandbox is made of.
const PROGRAMS: [&str; 6] = [
    "kiirtee",
    "kiirtee-trust",
    "kiirtee-signer",
    "kiirtee-central",
    "kiirtee-confclient",
    "kiirtee-proxy",
];

/// What a new sandbox is to be like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its network.
    pub net: Net,
    /// National set of values for the security servers' settings.
    pub preset: Option<Preset>,
    /// Where the security servers' keys are, if not in the software token.
    pub softhsm: Option<softhsm::Manner>,
    /// How many security servers the provider has; one that is there already keeps what it has.
    pub provider_servers: usize,
    /// What new signing keys are.
    pub signing_keys: KeyChoice,
}

impl Shape {
    /// Two security servers with the usual settings.
    #[must_use]
    pub const fn plain(net: Net) -> Self {
        Self {
            net,
            preset: None,
            softhsm: None,
            provider_servers: 1,
            signing_keys: KeyChoice::Rsa,
        }
    }

    /// As many of the provider's servers as are wanted, or as there are.
    fn providers(self, folders: &Folders) -> Vec<&'static Server> {
        if folders.provisioned().exists() {
            return folders.providers();
        }
        PROVIDERS.iter().take(self.provider_servers.max(1)).collect()
    }
}

/// Brings a sandbox up: makes what is not there yet, starts every process, waits until all are ready.
///
/// # Errors
/// What did not become ready, and the end of its log. Whatever was started is stopped again.
pub fn up(folders: &Folders, shape: Shape, progress: &Progress) -> Result<Description, Failure> {
    for name in PROGRAMS {
        process::program(name)?;
    }
    let net = shape.net;
    let providers = shape.providers(folders);
    let servers: Vec<&Server> = std::iter::once(&CONSUMER).chain(providers).collect();
    refuse_if_running(folders)?;
    refuse_if_taken(net, &servers)?;
    refuse_if_unfinished(folders, net)?;
    refuse_if_other(folders, shape.preset)?;
    files::folder(folders.root())?;
    match bring_up(folders, shape, &servers, progress) {
        Ok(description) => Ok(description),
        Err(failure) => {
            process::stop(folders, &process::on_file(folders))?;
            Err(failure)
        }
    }
}

fn refuse_if_running(folders: &Folders) -> Result<(), Failure> {
    let running = process::on_file(folders)
        .into_iter()
        .find(|(_, id)| process::is_running(*id));
    match running {
        None => Ok(()),
        Some((name, id)) => {
            let place = folders.root().display();
            Err(Failure::unusable(format!(
                "the sandbox in {place} runs already ({name} is process {id})"
            )))
        }
    }
}

/// A folder is a whole sandbox of the same network, or empty: keys that were half made are not made good.
fn refuse_if_unfinished(folders: &Folders, net: Net) -> Result<(), Failure> {
    let place = folders.root().display();
    if let Ok(made_for) = std::fs::read_to_string(folders.provisioned()) {
        let same = made_for == net.to_string();
        return if same {
            Ok(())
        } else {
            Err(Failure::unusable(format!(
                "{place} was made with --net {made_for}"
            )))
        };
    }
    let is_empty = std::fs::read_dir(folders.root()).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        Ok(())
    } else {
        Err(Failure::unusable(format!(
            "{place} is neither empty nor a whole sandbox"
        )))
    }
}

/// The settings of a sandbox that is there already are the operator's to change.
fn refuse_if_other(folders: &Folders, preset: Option<Preset>) -> Result<(), Failure> {
    if preset.is_none() || !folders.provisioned().exists() {
        return Ok(());
    }
    Err(Failure::unusable(
        "--preset is for a new sandbox; in one that is there, edit `preset` in the settings files".to_owned(),
    ))
}

/// Every address of the sandbox has to be free, or some of its servers would be somebody else's.
fn refuse_if_taken(net: Net, servers: &[&Server]) -> Result<(), Failure> {
    for address in addresses(net, servers) {
        if let Err(why) = TcpListener::bind(address) {
            let expected = expected(why.kind(), net);
            return Err(why).or_unusable(|| format!("listen at {address}; {expected}"));
        }
    }
    Ok(())
}

/// What would have done, where an address could not be listened at.
fn expected(why: ErrorKind, net: Net) -> String {
    if why == ErrorKind::AddrNotAvailable {
        return format!(
            "expected an interface of this machine with the addresses of --net {net}: .1, .2, .10, .20 (.21, .22) and .30"
        );
    }
    "expected a free network, choose another with --net, such as 127.0.N".into()
}

/// Whether every address of the sandbox is free.
pub fn is_free(net: Net) -> bool {
    refuse_if_taken(net, &[&CONSUMER, &PROVIDER]).is_ok()
}

fn addresses(net: Net, servers: &[&Server]) -> Vec<SocketAddr> {
    let servers = servers.iter().flat_map(|server| {
        let ports = [
            port::CLIENT_HTTP,
            port::CLIENT_HTTPS,
            port::PEER,
            port::OCSP_RESPONDER,
            port::ADMIN,
        ];
        ports.map(|port| server.address(net, port))
    });
    let trust = [port::CA, port::OCSP, port::TSA].map(|port| SocketAddr::new(net.trust(), port));
    let others = [
        SocketAddr::new(net.central(), port::CENTRAL),
        SocketAddr::new(net.service(), port::SERVICE),
    ];
    servers.chain(trust).chain(others).collect()
}

fn bring_up(
    folders: &Folders,
    shape: Shape,
    servers: &[&Server],
    progress: &Progress,
) -> Result<Description, Failure> {
    let net = shape.net;
    progress
        .step("starting trust services: certification authority, OCSP responder, time-stamping authority");
    trust::init(folders)?;
    trust::start(folders, net)?;
    ready(folders, trust::NAME, || trust::ready(net))?;

    progress.step("starting the signers, which hold all private keys");
    let with_signer = || std::iter::once(central::NAME).chain(servers.iter().map(|server| server.name));
    for server in with_signer() {
        let softhsm = shape.softhsm.filter(|_| server != central::NAME);
        signer::start(folders, server, shape.preset, softhsm)?;
    }
    for server in with_signer() {
        ready(folders, &signer::process_name(server), || {
            signer::open(folders, server).map(drop)
        })?;
    }
    if !folders.provisioned().exists() {
        provision(folders, shape, servers, progress)?;
        files::write(&folders.provisioned(), net.to_string())?;
    }

    progress.step("starting the central server, which signs and publishes the global configuration");
    central::start(folders)?;
    ready(folders, central::NAME, || central::ready(net))?;

    progress.step("starting configuration clients, and waiting for global configuration and OCSP responses");
    for server in servers {
        security_server::start_confclient(folders, server)?;
    }
    start_service(folders, net)?;
    for server in servers {
        let name = security_server::confclient_name(server);
        ready(folders, &name, || security_server::has_trust(folders, server))?;
    }
    ready(folders, "service", || service_ready(net))?;

    progress.step("starting the proxies");
    for server in servers {
        security_server::start_proxy(folders, server)?;
    }
    for server in servers {
        ready(folders, &security_server::proxy_name(server), || {
            security_server::is_healthy(net, server)
        })?;
    }
    let description = describe(folders, net, servers);
    description.write(folders)?;
    Ok(description)
}

/// Keys and certificates, the registry of the central server, the configuration of the security servers.
fn provision(
    folders: &Folders,
    shape: Shape,
    servers: &[&Server],
    progress: &Progress,
) -> Result<(), Failure> {
    let net = shape.net;
    progress.step("making keys in the signers and having them certified");
    let made: Result<Vec<_>, Failure> = servers
        .iter()
        .map(|server| {
            Ok((
                *server,
                signer::provision(folders, (net, shape.signing_keys), server)?,
            ))
        })
        .collect();
    let made = made?;
    progress.step("registering members, servers and trust services at the central server");
    let entries: Vec<_> = made
        .iter()
        .map(|(server, certificates)| (*server, &certificates.auth))
        .collect();
    central::provision(folders, net, &entries)?;
    for (server, certificates) in &made {
        let configuration = match *server == &CONSUMER {
            true => services::consumer_configuration(net),
            false => services::provider_configuration(net, server),
        };
        security_server::prepare(folders, (net, shape.preset), server, certificates, &configuration)?;
    }
    Ok(())
}

/// Waits until a process is ready, or has ended, or patience has.
fn ready(folders: &Folders, name: &str, look: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
    let outcome = wait::until(PATIENCE, || match look() {
        Ok(()) => Ok(Ok(())),
        Err(why) if has_ended(folders, name) => Ok(Err(why)),
        Err(why) => Err(why),
    });
    let Err(why) = outcome.and_then(|ended| ended) else {
        return Ok(());
    };
    let log = folders.log(name);
    let last = process::last_words(folders, name);
    Err(why).or_unusable(|| {
        format!(
            "{name} does not become ready; the end of {}:\n{last}\n",
            log.display()
        )
    })
}

fn has_ended(folders: &Folders, name: &str) -> bool {
    process::on_file(folders)
        .iter()
        .any(|(found, id)| found == name && !process::is_running(*id))
}

fn start_service(folders: &Folders, net: Net) -> Result<(), Failure> {
    let listen = SocketAddr::new(net.service(), port::SERVICE).to_string();
    let program = process::program("kiirtee")?;
    process::start(
        folders,
        "service",
        &program,
        &["sandbox", "service", "--listen", &listen],
    )
    .map(drop)
}

fn service_ready(net: Net) -> Result<(), Failure> {
    let url = format!("http://{}:{}/health", net.service(), port::SERVICE);
    http::get(&url, &[])?.good(&url).map(drop)
}

fn describe(folders: &Folders, net: Net, servers: &[&Server]) -> Description {
    let processes: BTreeMap<String, u32> = process::on_file(folders).into_iter().collect();
    let central = central::urls(net);
    Description {
        instance: INSTANCE.into(),
        net,
        consumer: security_server::describe(folders, net, &CONSUMER),
        provider: security_server::describe(folders, net, &PROVIDER),
        more_providers: servers
            .iter()
            .skip(2)
            .map(|server| security_server::describe(folders, net, server))
            .collect(),
        trust: trust::urls(net),
        global_configuration: GlobalConfiguration {
            internal: central.internal,
            external: central.external,
            directory: folders.global_configuration(CONSUMER.name),
            anchor: folders.anchor(),
        },
        services: services::list(),
        information_system: format!("http://{}:{}", net.service(), port::SERVICE),
        processes,
    }
}
