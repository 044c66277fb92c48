//! A further security server joins a sandbox, one that need not be Kiirtee.

mod identity;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use protocol_globalconf::GlobalConf;
use protocol_message::identifier::{ClientId, SecurityServerId};
use serde::Serialize;
use storage::server_configuration::{ServerConfiguration, Subject};
use time::OffsetDateTime;

use super::central::{self, Newcomer};
use super::description::{Description, Service};
use super::layout::{CONSUMER, Folders, INSTANCE, MEMBER_CLASS, Net};
use super::{files, trust, wait};
use crate::failure::{Failure, OrUnusable};
use crate::output;
use crate::verify::TrustFiles;
use identity::{KeyFiles, Keys};

/// How long the servers of the sandbox may take to hear of the newcomer.
const PATIENCE: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
Examples:
  kiirtee sandbox join --dir /tmp/instance --server-id SANDBOX/ORG/3003/other --address 127.0.42.40 --out /tmp/other
  kiirtee sandbox join --dir /tmp/lab --server-id SANDBOX/ORG/3003/other --address 10.77.0.40 --out /tmp/other --sign-request sign.csr --auth-request auth.csr

With signing requests the newcomer's keys stay where they are. Writes into --out:
  sign.p12, auth.p12   keys and certificates (password: sandbox; aliases: sign, auth),
  sign.pem, auth.pem   or the certificates alone, when the newcomer made its keys and sent signing requests
  anchor.xml           the configuration anchor
  ca.pem, ocsp.pem, tsa.pem
  join.json            identifiers, addresses, services: everything that the newcomer's configuration needs";

/// Arguments of `kiirtee sandbox join`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder of the sandbox
    #[arg(long)]
    dir: PathBuf,
    /// The newcomer, SANDBOX/ORG/MEMBER/SERVER
    #[arg(long)]
    server_id: SecurityServerId,
    /// The newcomer's IP address, where it listens at the usual ports
    #[arg(long)]
    address: IpAddr,
    /// The subsystem that uses services, and may use the same as the sandbox's consumer
    #[arg(long, default_value = "client")]
    subsystem: String,
    /// The signing request (PKCS #10, DER or PEM) for the newcomer's signing key, which it made itself
    #[arg(long, requires = "auth_request")]
    sign_request: Option<PathBuf>,
    /// The signing request for the newcomer's authentication key
    #[arg(long, requires = "sign_request")]
    auth_request: Option<PathBuf>,
    /// The folder to write to
    #[arg(long)]
    out: PathBuf,
}

/// What `join.json` says.
#[derive(Debug, Serialize)]
struct Joined {
    server_id: String,
    member: String,
    subsystem: String,
    address: IpAddr,
    #[serde(flatten)]
    keys: KeyFiles,
    anchor: PathBuf,
    global_configuration: String,
    ocsp_responder: String,
    time_stamping_service: String,
    time_stamping_service_name: &'static str,
    services: Vec<Service>,
}

/// Carries out `kiirtee sandbox join`.
///
/// # Errors
/// When the sandbox does not run, or knows the server already.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folders = Folders::new(&super::absolute(&arguments.dir)?);
    let description = Description::read(&folders)?;
    let id = &arguments.server_id;
    if id.instance != INSTANCE || id.member_class != MEMBER_CLASS {
        let expected = format!("expected {INSTANCE}/{MEMBER_CLASS}/MEMBER/SERVER");
        return Err(Failure::unusable(format!("--server-id {id}: {expected}")));
    }
    let member = id.owner().to_string();
    // Before anything is written: keys of an earlier registration stay as they are.
    central::refuse_if_registered(&folders, &member, &id.server_code)?;
    let keys = Keys::of(
        arguments.sign_request.as_deref(),
        arguments.auth_request.as_deref(),
    )?;
    let organisation = format!("Member {}", id.member_code);
    files::folder(&arguments.out)?;
    let auth = identity::certify(&keys, description.net, &arguments.out, id, &organisation)?;
    let address = arguments.address.to_string();
    central::register(
        &folders,
        &Newcomer {
            member: &member,
            name: &organisation,
            subsystem: &arguments.subsystem,
            server_code: &id.server_code,
            address: &address,
            auth: &auth,
        },
    )?;
    let client = id.owner().with_subsystem(&arguments.subsystem);
    grant(&folders, &client)?;
    write_trust(&folders, description.net, &arguments.out)?;
    wait::until(PATIENCE, || is_known(&folders, id))?;
    let joined = joined(arguments, &description, &keys, &client)?;
    let text = serde_json::to_string_pretty(&joined).or_unusable(|| "describe the newcomer".into())?;
    files::write(&arguments.out.join("join.json"), text + "\n")?;
    output::line(&format!(
        "{id} is registered; see {}",
        arguments.out.join("join.json").display()
    ))
}

/// Gives the newcomer every access right that the sandbox's consumer has.
fn grant(folders: &Folders, newcomer: &ClientId) -> Result<(), Failure> {
    let doing = || format!("give access rights to {newcomer}");
    let consumer: Subject = format!("client:{}", CONSUMER.subsystem_id())
        .parse()
        .or_unusable(doing)?;
    let change = |document: &mut storage::server_configuration::Document| {
        let endpoints = document
            .clients
            .iter_mut()
            .flat_map(|client| &mut client.endpoints);
        for endpoint in endpoints.filter(|endpoint| endpoint.subjects.contains(&consumer)) {
            endpoint.subjects.push(Subject::Client(newcomer.clone()));
        }
    };
    for server in folders.providers() {
        let mut configuration =
            ServerConfiguration::open(&folders.server_configuration(server.name)).or_unusable(doing)?;
        configuration.edit(change).or_unusable(doing)?;
    }
    Ok(())
}

fn write_trust(folders: &Folders, net: Net, out: &Path) -> Result<(), Failure> {
    for name in ["ca.pem", "ocsp.pem", "tsa.pem"] {
        files::write(&out.join(name), trust::certificate(net, name)?.to_pem())?;
    }
    let anchor = std::fs::read(folders.anchor()).or_unusable(|| "read the configuration anchor".into())?;
    files::write(&out.join("anchor.xml"), anchor)
}

/// Whether the security servers of the sandbox have heard of the newcomer.
fn is_known(folders: &Folders, id: &SecurityServerId) -> Result<(), Failure> {
    for server in std::iter::once(&CONSUMER).chain(folders.providers()) {
        let folder = folders.global_configuration(server.name);
        let doing = || format!("read the global configuration of {}", server.name);
        let conf =
            GlobalConf::load(&TrustFiles::new(&folder), OffsetDateTime::now_utc()).or_unusable(doing)?;
        if conf.server(id).is_none() {
            return Err(Failure::unusable(format!(
                "{} has not heard of {id} yet; does the sandbox run?",
                server.name
            )));
        }
    }
    Ok(())
}

fn joined(
    arguments: &Arguments,
    description: &Description,
    keys: &Keys,
    client: &ClientId,
) -> Result<Joined, Failure> {
    let out = super::absolute(&arguments.out)?;
    Ok(Joined {
        server_id: arguments.server_id.to_string(),
        member: arguments.server_id.owner().to_string(),
        subsystem: client.to_string(),
        address: arguments.address,
        keys: keys.files(&out),
        anchor: out.join("anchor.xml"),
        global_configuration: description.global_configuration.internal.clone(),
        ocsp_responder: description.trust.ocsp.clone(),
        time_stamping_service: description.trust.tsa.clone(),
        time_stamping_service_name: trust::TSA_NAME,
        services: description.services.clone(),
    })
}
