//! The appliance as others see it: what it is told on the configuration medium, and what it answers.

use std::path::Path;

use protocol_pki::csr::CertificateRequest;
use serde_json::{Value, json};

use crate::failure::{Failure, OrUnusable};
use crate::http;
use crate::room::{APPLIANCE, TIME_SERVER};
use crate::sandbox::Sandbox;

/// Port for information systems.
pub const CLIENT: u16 = 8080;
/// Port of the diagnostics.
pub const DIAGNOSTICS: u16 = 5567;
/// Port of the proxy's metrics and health.
const METRICS: u16 = 5566;
/// Every TCP port at which a provisioned appliance answers: information systems (HTTP, HTTPS), other security servers,
/// OCSP responses, metrics and health, diagnostics.
pub const PORTS: [u16; 6] = [CLIENT, 8443, 5500, 5577, METRICS, DIAGNOSTICS];
/// The PIN of its token: what is tried here has no secrets.
const PIN: &str = "Appliance-PIN-1234";

/// Who an appliance is in the instance.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Code of the member that owns it.
    pub member: String,
}

/// The signing requests of an appliance, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests {
    /// For the signing key.
    pub sign: String,
    /// For the authentication key.
    pub auth: String,
}

impl Identity {
    const SERVER: &'static str = "appliance";

    /// The security server: `SANDBOX/ORG/3003/appliance`.
    pub fn server_id(&self) -> String {
        format!("SANDBOX/ORG/{}/{}", self.member, Self::SERVER)
    }

    /// Its subsystem: `SANDBOX/ORG/3003/client`.
    pub fn subsystem(&self) -> String {
        format!("SANDBOX/ORG/{}/client", self.member)
    }

    /// Writes what a configuration medium has for this appliance into a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_configuration(&self, folder: &Path, sandbox: &Sandbox) -> Result<(), Failure> {
        let write = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, content))
                .or_unusable(|| format!("write {}", path.display()))
        };
        let toml = |value: &Value| toml::to_string_pretty(value).or_unusable(|| "write TOML".into());
        let anchor = sandbox.anchor()?;
        let anchor = std::fs::read(anchor).or_unusable(|| format!("read {}", anchor.display()))?;
        write("appliance.toml", toml(&self.settings())?.as_bytes())?;
        write(
            "server.toml",
            toml(&self.server_configuration(sandbox)?)?.as_bytes(),
        )?;
        write("anchor.xml", &anchor)?;
        write("pin", PIN.as_bytes())
    }

    fn settings(&self) -> Value {
        json!({
            "network": {"interface": "e*", "addresses": [format!("{APPLIANCE}/24")]},
            "time": {"servers": [TIME_SERVER.to_string()]},
            "server": {
                "signing-subject": ["C=SANDBOX", "O=ORG", format!("CN={}", self.member)],
                "authentication-subject": [
                    "C=SANDBOX", format!("O=Member {}", self.member), format!("CN={}", Self::SERVER),
                ],
            },
            "admin": {"listen": APPLIANCE.to_string()},
            "health": {"client": self.subsystem(), "interval": 10},
            // What the sandbox's own servers have: changes are seen soon, evidence is complete soon. Archives come each minute.
            "settings": {
                "proxy": {
                    "kiirtee": {"timestamp-interval-override": 2},
                    "message-log": {"archive-interval": "30 * * * * ?"},
                },
                "confclient": {
                    "kiirtee": {"retry-delay": 1, "ocsp-poll-interval": 1},
                    "configuration-client": {"update-interval": 2},
                    "signer": {"ocsp-retry-delay": 1},
                },
            },
        })
    }

    fn server_configuration(&self, sandbox: &Sandbox) -> Result<Value, Failure> {
        let clients = [sandbox.get("/consumer/subsystem")?.to_owned(), self.subsystem()];
        let subjects: Vec<String> = clients.iter().map(|client| format!("client:{client}")).collect();
        let url = format!("{}/rest", sandbox.get("/information_system")?);
        let service = json!({"code": "echo", "url": url, "timeout": 60, "ssl_authentication": false});
        Ok(json!({
            "server": self.server_id(),
            "time_stamping_service": [{"name": "Sandbox TSA", "url": sandbox.get("/trust/tsa")?}],
            "client": [
                {"id": format!("SANDBOX/ORG/{}", self.member), "authentication": "NOSSL"},
                {
                    "id": self.subsystem(), "authentication": "NOSSL",
                    "service_description": [{"type": "REST", "url": url, "service": [service]}],
                    "endpoint": [{"service": "echo", "subjects": subjects}],
                },
            ],
        }))
    }

    /// A request through the appliance to a service of the sandbox's provider.
    ///
    /// # Errors
    /// What is answered instead.
    pub fn call(&self, sandbox: &Sandbox, id: &str) -> Result<Vec<u8>, String> {
        let provider = sandbox
            .get("/provider/subsystem")
            .map_err(|why| why.to_string())?;
        let url = format!("http://{APPLIANCE}:{CLIENT}/r1/{provider}/echo/from-the-appliance");
        http::get(&url, &[("X-Road-Client", &self.subsystem()), ("X-Road-Id", id)])?.good()
    }

    /// The evidence of a request that the appliance sent or got: an ASiC container.
    ///
    /// # Errors
    /// What is answered instead.
    pub fn evidence(&self, id: &str) -> Result<Vec<u8>, String> {
        let member = &self.member;
        let client =
            format!("xRoadInstance=SANDBOX&memberClass=ORG&memberCode={member}&subsystemCode=client");
        let which = format!("queryId={id}&requestOnly&unique&force");
        http::get(&format!("http://{APPLIANCE}:{CLIENT}/asic?{client}&{which}"), &[])?.good()
    }
}

/// What the appliance says of itself.
///
/// # Errors
/// When it does not answer with JSON.
pub fn status() -> Result<Value, String> {
    let body = http::get(&diagnostics("status"), &[])?.good()?;
    serde_json::from_slice(&body).map_err(|why| format!("/status: {why}"))
}

/// What the appliance says of itself at a place of its answer, such as `/memory/total`.
///
/// # Errors
/// When it does not answer, or has nothing there.
pub fn status_at(place: &str) -> Result<Value, String> {
    let status = status()?;
    let value = status.pointer(place).filter(|value| !value.is_null());
    value
        .cloned()
        .ok_or_else(|| format!("/status has no {place}: {status}"))
}

/// How many records of the message log were archived since the start. Where archives cannot be sealed with fs-verity there are none,
/// since on the appliance they have to be (systemd/appliance/defaults/proxy.toml).
///
/// # Errors
/// When there are none yet.
pub fn sealed_records() -> Result<u64, String> {
    const SERIES: &str = "xroad_records_archived_total ";
    let body = http::get(&format!("http://{APPLIANCE}:{METRICS}/metrics"), &[])?.good()?;
    let text = String::from_utf8_lossy(&body);
    let count = text.lines().find_map(|line| line.strip_prefix(SERIES));
    match count.and_then(|count| count.trim().parse().ok()) {
        Some(0) => Err("no record is archived".into()),
        Some(count) => Ok(count),
        None => Err(format!("the metrics have no {SERIES}")),
    }
}

/// The signing requests of the appliance.
///
/// # Errors
/// When it does not have both yet.
pub fn requests() -> Result<Requests, String> {
    Ok(Requests {
        sign: request("signing")?,
        auth: request("authentication")?,
    })
}

fn request(purpose: &str) -> Result<String, String> {
    let body = http::get(&diagnostics(&format!("requests/{purpose}.pem")), &[])?.good()?;
    CertificateRequest::from_der_or_pem(&body).map_err(|why| format!("{purpose}.pem: {why}"))?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The last lines of its log, as far as it gives them.
pub fn last_errors() -> String {
    let log = http::get(&diagnostics("log?lines=30"), &[]).and_then(http::Answer::good);
    log.map_or_else(
        |why| format!("no log: {why}"),
        |log| String::from_utf8_lossy(&log).into_owned(),
    )
}

fn diagnostics(what: &str) -> String {
    format!("http://{APPLIANCE}:{DIAGNOSTICS}/{what}")
}
