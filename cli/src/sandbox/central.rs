//! The central server of a sandbox: `kiirtee-central` and its registry.

use std::path::PathBuf;

use protocol_pki::certificate::Certificate;
use serde_json::{Value, json};

use super::layout::{Folders, INSTANCE, MANAGEMENT_MEMBER, MEMBER_CLASS, Net, Server, port};
use super::{files, http, process, trust};
use crate::failure::{Failure, OrUnusable};

/// Name of the process.
pub const NAME: &str = "central";
/// Seconds between two generations of the global configuration: short, so that changes are seen soon.
const GENERATION_INTERVAL: u64 = 2;
/// Seconds for which a generation may be used, as in the reference.
const VALIDITY: u64 = 600;

/// Where the global configuration is published.
#[derive(Debug)]
pub struct Urls {
    /// For the instance's own security servers.
    pub internal: String,
    /// For other instances.
    pub external: String,
}

/// Where the global configuration is published.
pub fn urls(net: Net) -> Urls {
    let base = format!("http://{}:{}", net.central(), port::CENTRAL);
    Urls {
        internal: format!("{base}/internalconf"),
        external: format!("{base}/externalconf"),
    }
}

fn registry_file(folders: &Folders) -> PathBuf {
    folders.server(NAME).join("registry.toml")
}

fn settings_file(folders: &Folders) -> PathBuf {
    folders.server(NAME).join("central.toml")
}

fn state(folders: &Folders) -> PathBuf {
    folders.server(NAME).join("state")
}

/// Writes the settings and the registry of the central server, and has it make its signing keys and the anchor.
///
/// # Errors
/// When the trust services do not give their certificates or the folder cannot be written.
pub fn provision(folders: &Folders, net: Net, servers: &[(&Server, &Certificate)]) -> Result<(), Failure> {
    let settings = json!({
        "registry": registry_file(folders),
        "state_directory": state(folders),
        "signer_socket": folders.signer_socket(NAME),
        "listen": format!("{}:{}", net.central(), port::CENTRAL),
        "interval": GENERATION_INTERVAL,
        "validity": VALIDITY,
    });
    files::write_toml(&settings_file(folders), &settings)?;
    files::write_toml(&registry_file(folders), &registry(net, servers)?)?;
    let settings = settings_file(folders).display().to_string();
    process::run("kiirtee-central", &["init", "--config", &settings])?;
    publish_anchor(folders)
}

fn registry(net: Net, servers: &[(&Server, &Certificate)]) -> Result<Value, Failure> {
    let pem = |name| trust::certificate(net, name).map(|certificate| certificate.to_pem());
    let management = format!("{INSTANCE}/{MEMBER_CLASS}/{MANAGEMENT_MEMBER}");
    let operator = json!({
        "id": management, "name": "Instance Operator", "subsystem": [{"code": "management", "name": "Management"}],
    });
    let mut members = vec![operator];
    for member in servers.iter().map(|(server, _)| member(server)) {
        if !members.contains(&member) {
            members.push(member);
        }
    }
    let entries = servers.iter().map(|(server, auth)| {
        entry(
            &server.member_id(),
            server.code,
            &net.host(server.host).to_string(),
            auth,
            &server.subsystem_id(),
        )
    });
    let urls = trust::urls(net);
    Ok(json!({
        "instance": INSTANCE,
        "address": format!("{}:{}", net.central(), port::CENTRAL),
        "management_service": {
            "address": format!("https://{}:4001/managementservice/", net.central()),
            "provider": format!("{management}/management"),
        },
        "member_class": [{"code": MEMBER_CLASS, "description": "Organisations"}],
        "member": members,
        "security_server": entries.collect::<Vec<_>>(),
        "ca": [{
            "name": "Sandbox CA", "profile": "Ejbca", "certificate": pem("ca.pem")?,
            "ocsp": [{"url": urls.ocsp, "certificate": pem("ocsp.pem")?}],
        }],
        "tsa": [{"name": trust::TSA_NAME, "url": urls.tsa, "certificate": pem("tsa.pem")?}],
    }))
}

fn member(server: &Server) -> Value {
    json!({"id": server.member_id(), "name": server.member_name, "subsystem": [{"code": server.subsystem}]})
}

fn entry(owner: &str, code: &str, address: &str, auth: &Certificate, client: &str) -> Value {
    json!({
        "owner": owner, "code": code, "address": address,
        "auth_certificates": [auth.to_pem()], "clients": [client],
    })
}

/// A member with a security server that is to be registered.
#[derive(Debug)]
pub struct Newcomer<'a> {
    /// `INSTANCE/CLASS/CODE`
    pub member: &'a str,
    /// The member's name.
    pub name: &'a str,
    /// The subsystem's code.
    pub subsystem: &'a str,
    /// The server's code.
    pub server_code: &'a str,
    /// Where other servers reach it.
    pub address: &'a str,
    /// Its authentication certificate.
    pub auth: &'a Certificate,
}

/// Registers a further member and its security server; the central server sees the change by itself.
///
/// # Errors
/// When the registry cannot be read or written.
pub fn register(folders: &Folders, newcomer: &Newcomer<'_>) -> Result<(), Failure> {
    let file = registry_file(folders);
    let mut registry = read_registry(folders)?;
    let client = format!("{}/{}", newcomer.member, newcomer.subsystem);
    let entry = entry(
        newcomer.member,
        newcomer.server_code,
        newcomer.address,
        newcomer.auth,
        &client,
    );
    list(&mut registry, "security_server")?.push(entry);
    add_member(list(&mut registry, "member")?, newcomer)?;
    files::write_toml(&file.with_extension("new"), &registry)?;
    std::fs::rename(file.with_extension("new"), &file).or_unusable(|| format!("write {}", file.display()))
}

/// Refuses a server that is registered already.
///
/// # Errors
/// When it is, or the registry cannot be read.
pub fn refuse_if_registered(folders: &Folders, member: &str, server_code: &str) -> Result<(), Failure> {
    let mut registry = read_registry(folders)?;
    let same = |known: &Value| {
        known.get("owner").is_some_and(|owner| owner == member)
            && known.get("code").is_some_and(|code| code == server_code)
    };
    if list(&mut registry, "security_server")?.iter().any(same) {
        return Err(Failure::unusable(format!(
            "security server {member}/{server_code} is registered already"
        )));
    }
    Ok(())
}

fn read_registry(folders: &Folders) -> Result<Value, Failure> {
    let file = registry_file(folders);
    let text = std::fs::read_to_string(&file).or_unusable(|| format!("read {}", file.display()))?;
    toml::from_str(&text).or_unusable(|| format!("understand {}", file.display()))
}

/// The list of this name in the registry, an empty one if there is none.
fn list<'a>(table: &'a mut Value, name: &str) -> Result<&'a mut Vec<Value>, Failure> {
    let list = table
        .as_object_mut()
        .map(|fields| fields.entry(name).or_insert_with(|| json!([])));
    list.and_then(Value::as_array_mut)
        .ok_or_else(|| Failure::unusable(format!("the central server's registry has no list of `{name}`")))
}

fn add_member(members: &mut Vec<Value>, newcomer: &Newcomer<'_>) -> Result<(), Failure> {
    let subsystem = json!({"code": newcomer.subsystem});
    let known = members
        .iter_mut()
        .find(|member| member.get("id").is_some_and(|id| id == newcomer.member));
    let Some(known) = known else {
        members.push(json!({"id": newcomer.member, "name": newcomer.name, "subsystem": [subsystem]}));
        return Ok(());
    };
    let subsystems = list(known, "subsystem")?;
    if !subsystems
        .iter()
        .any(|known| known.get("code") == subsystem.get("code"))
    {
        subsystems.push(subsystem);
    }
    Ok(())
}

/// Starts the central server.
///
/// # Errors
/// When it cannot be started.
pub fn start(folders: &Folders) -> Result<(), Failure> {
    let program = process::program("kiirtee-central")?;
    let settings = settings_file(folders).display().to_string();
    process::start(folders, NAME, &program, &["run", "--config", &settings]).map(drop)
}

/// Whether the central server publishes a global configuration.
///
/// # Errors
/// When it does not.
pub fn ready(net: Net) -> Result<(), Failure> {
    let url = urls(net).internal;
    http::get(&url, &[])?.good(&url).map(drop)
}

/// Puts the configuration anchor where everybody finds it.
fn publish_anchor(folders: &Folders) -> Result<(), Failure> {
    let made = state(folders).join(format!("anchors/configuration_anchor_{INSTANCE}_internal.xml"));
    let anchor = std::fs::read(&made).or_unusable(|| format!("read the anchor {}", made.display()))?;
    files::write(&folders.anchor(), anchor)
}
