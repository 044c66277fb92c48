//! A further security server joins a sandbox, one that need not be Kiirtee.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
use protocol_globalconf::GlobalConf;
use protocol_message::identifier::{ClientId, SecurityServerId};
use protocol_pki::certificate::Certificate;
use protocol_pki::csr;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use serde::Serialize;
use signer_client::NameAttribute;
use storage::server_configuration::{ServerConfiguration, Subject};
use time::OffsetDateTime;

use super::central::{self, Newcomer};
use super::description::{Description, Service};
use super::layout::{CONSUMER, Folders, INSTANCE, MEMBER_CLASS};
use super::trust::{self, Usage};
use super::{files, signer, wait};
use crate::failure::{Failure, OrUnusable};
use crate::output;
use crate::verify::TrustFiles;

/// Password of the PKCS#12 files: a sandbox has no secrets.
const PASSWORD: &str = "sandbox";
/// How long the servers of the sandbox may take to hear of the newcomer.
const PATIENCE: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
Example:
  kiirtee sandbox join --dir /tmp/instance --server-id SANDBOX/ORG/3003/other --address 127.0.42.40 --out /tmp/other

Writes into --out:
  sign.p12, auth.p12   keys and certificates (password: sandbox; aliases: sign, auth)
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
    sign_p12: PathBuf,
    auth_p12: PathBuf,
    password: &'static str,
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
    files::folder(&arguments.out)?;
    let order = Order {
        net: description.net,
        out: &arguments.out,
    };
    order.key("sign", Usage::Sign, &signer::signing_subject(&id.member_code))?;
    let organisation = format!("Member {}", id.member_code);
    let auth = order.key(
        "auth",
        Usage::Auth,
        &signer::authentication_subject(&organisation, &id.server_code),
    )?;
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
    write_trust(&folders, &order)?;
    wait::until(PATIENCE, || is_known(&folders, id))?;
    let joined = joined(arguments, &description, &member, &client)?;
    let text = serde_json::to_string_pretty(&joined).or_unusable(|| "describe the newcomer".into())?;
    files::write(&arguments.out.join("join.json"), text + "\n")?;
    output::line(&format!(
        "{id} is registered; see {}",
        arguments.out.join("join.json").display()
    ))
}

struct Order<'a> {
    net: super::layout::Net,
    out: &'a Path,
}

impl Order<'_> {
    /// Makes a key, has it certified, and writes both into a PKCS#12 file.
    fn key(&self, name: &str, usage: Usage, subject: &[NameAttribute]) -> Result<Certificate, Failure> {
        let doing = || format!("make the key {name}");
        let attributes: Vec<(&str, &str)> = subject
            .iter()
            .map(|attribute| (attribute.kind.as_str(), attribute.value.as_str()))
            .collect();
        let subject = DistinguishedName::build(&attributes).or_unusable(doing)?;
        let key = SoftwareKey::generate(KeySpec::Rsa2048).or_unusable(doing)?;
        let request = csr::build(&subject, &[], &key.signer(DigestAlgorithm::Sha256)).or_unusable(doing)?;
        let certificate = trust::certify(self.net, &request, usage)?;
        let authority = trust::certificate(self.net, "ca.pem")?;
        let p12 = pkcs12(name, &key, &[&certificate, &authority]).or_unusable(doing)?;
        files::write_secret(&self.out.join(format!("{name}.p12")), &p12)?;
        Ok(certificate)
    }
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

fn pkcs12(alias: &str, key: &SoftwareKey, certificates: &[&Certificate]) -> Result<Vec<u8>, Boxed> {
    let chain: Result<Vec<p12_keystore::Certificate>, _> = certificates
        .iter()
        .map(|certificate| p12_keystore::Certificate::from_der(certificate.as_der()))
        .collect();
    let key = PrivateKey::from_der(&key.to_pkcs8()?)?;
    let chain = PrivateKeyChain::new(alias.as_bytes(), key, chain?);
    let mut store = KeyStore::new();
    store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(chain));
    Ok(store.writer(PASSWORD).write()?)
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

fn write_trust(folders: &Folders, order: &Order<'_>) -> Result<(), Failure> {
    for name in ["ca.pem", "ocsp.pem", "tsa.pem"] {
        files::write(
            &order.out.join(name),
            trust::certificate(order.net, name)?.to_pem(),
        )?;
    }
    let anchor = std::fs::read(folders.anchor()).or_unusable(|| "read the configuration anchor".into())?;
    files::write(&order.out.join("anchor.xml"), anchor)
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
    member: &str,
    client: &ClientId,
) -> Result<Joined, Failure> {
    let out = super::absolute(&arguments.out)?;
    Ok(Joined {
        server_id: arguments.server_id.to_string(),
        member: member.to_owned(),
        subsystem: client.to_string(),
        address: arguments.address,
        sign_p12: out.join("sign.p12"),
        auth_p12: out.join("auth.p12"),
        password: PASSWORD,
        anchor: out.join("anchor.xml"),
        global_configuration: description.global_configuration.internal.clone(),
        ocsp_responder: description.trust.ocsp.clone(),
        time_stamping_service: description.trust.tsa.clone(),
        time_stamping_service_name: trust::TSA_NAME,
        services: description.services.clone(),
    })
}
