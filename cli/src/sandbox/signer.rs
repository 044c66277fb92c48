//! The signers of a sandbox: `kiirtee-signer`, one for each server, and the keys in them.

use protocol_pki::certificate::Certificate;
use serde_json::json;
use settings::Preset;
use signer_client::{
    CertificateStatus, Client, CsrFormat, KeyChoice, KeyUsage, NameAttribute, Pin, TokenStatus,
};

use super::layout::{Folders, INSTANCE, MEMBER_CLASS, Net, PIN, Server};
use super::trust::{self, Usage};
use super::{files, process, softhsm};
use crate::failure::{Failure, OrUnusable};
use crate::keys;

/// The software token.
const TOKEN: &str = "0";

/// The certificates of a security server. Their keys are in its signer.
#[derive(Debug)]
pub struct Certificates {
    /// Signs messages of the member.
    pub sign: Certificate,
    /// Authenticates the server to other servers.
    pub auth: Certificate,
    /// Authenticates the server to information systems.
    pub internal: Certificate,
}

/// The name of the process that is the signer of `server`.
pub fn process_name(server: &str) -> String {
    format!("{server}-signer")
}

/// Starts the signer of a server; its token is opened with the PIN file if it has been initialised. Settings that are
/// there already stay as they are; preset and hardware token are for new ones.
///
/// # Errors
/// When it cannot be started.
pub fn start(
    folders: &Folders,
    server: &str,
    preset: Option<Preset>,
    softhsm: Option<softhsm::Manner>,
) -> Result<(), Failure> {
    let folder = folders.server(server).join("signer");
    let (settings, pin) = (folder.join("signer.toml"), folder.join("pin"));
    if let (Some(manner), false) = (softhsm, settings.exists()) {
        softhsm::prepare(&folder, manner)?;
    }
    let (conf, devices) = (softhsm::conf(&folder), softhsm::devices(&folder));
    let has_hardware = conf.exists();
    let hardware_pin = if has_hardware {
        softhsm::pin_line()
    } else {
        String::new()
    };
    files::write_secret(&pin, format!("{PIN}\n{hardware_pin}").as_bytes())?;
    let mut content = json!({
        "kiirtee": {
            "signer-socket": folders.signer_socket(server),
            "state-directory": folder.join("state"),
            "pin-file": pin,
            // The least that is allowed: a sandbox has no secrets and shall start fast.
            "kdf-memory": 19_456,
            "kdf-passes": 2,
        },
        "signer": {"device-configuration-file": devices},
    });
    let own = content
        .get_mut("kiirtee")
        .and_then(serde_json::Value::as_object_mut);
    if let (Some(preset), Some(own)) = (preset, own) {
        own.insert("preset".into(), preset.code().into());
    }
    if !settings.exists() {
        files::write_toml(&settings, &content)?;
    }
    let program = process::program("kiirtee-signer")?;
    let settings = settings.display().to_string();
    let environment = [("SOFTHSM2_CONF", conf)];
    process::start_with(
        folders,
        &process_name(server),
        &program,
        &["run", "--config", &settings],
        if has_hardware { &environment } else { &[] },
    )
    .map(drop)
}

/// A connection to the signer of a server, whose token is open.
///
/// # Errors
/// When the signer does not answer.
pub fn open(folders: &Folders, server: &str) -> Result<Client, Failure> {
    let signer = keys::connect(&folders.signer_socket(server))?;
    let status = signer
        .status()
        .or_unusable(|| format!("ask the signer of {server}"))?;
    let token = status.tokens.iter().find(|token| token.id == TOKEN);
    if token.is_some_and(|token| token.status == TokenStatus::NotInitialized) {
        signer
            .init_token(TOKEN, Pin::new(PIN))
            .or_unusable(|| format!("set the PIN of {server}"))?;
    }
    Ok(signer)
}

/// Makes the keys of a security server and has them certified, as an operator would.
///
/// # Errors
/// What the signer or the certification authority says.
pub fn provision(
    folders: &Folders,
    (net, signing_keys): (Net, KeyChoice),
    server: &Server,
) -> Result<Certificates, Failure> {
    let signer = open(folders, server.name)?;
    let has_hardware = softhsm::conf(&folders.server(server.name).join("signer")).exists();
    let token = if has_hardware {
        softhsm::open(&signer)?
    } else {
        TOKEN.to_owned()
    };
    let order = |token| Order {
        signer: &signer,
        net,
        signing_keys,
        token,
    };
    let (order, software) = (order(token.as_str()), order(TOKEN));
    let member = server.member_id();
    Ok(Certificates {
        sign: order.certificate(
            KeyUsage::Signing,
            "signing",
            server,
            CertificateStatus::Registered,
            Some(member),
        )?,
        // In software even beside a hardware token, where the reference looks for it (features.md, signer, 10): a slow
        // token must delay signatures, not handshakes.
        auth: software.certificate(
            KeyUsage::Authentication,
            "authentication",
            server,
            CertificateStatus::Registered,
            None,
        )?,
        // Known to information systems only: it is never registered.
        internal: software.certificate(
            KeyUsage::Authentication,
            "internal",
            server,
            CertificateStatus::Saved,
            None,
        )?,
    })
}

struct Order<'a> {
    signer: &'a Client,
    net: Net,
    signing_keys: KeyChoice,
    /// Where its keys are made.
    token: &'a str,
}

impl Order<'_> {
    fn certificate(
        &self,
        usage: KeyUsage,
        label: &str,
        server: &Server,
        status: CertificateStatus,
        client: Option<String>,
    ) -> Result<Certificate, Failure> {
        let doing = || format!("make the {label} key of {}", server.name);
        let subject = match usage {
            KeyUsage::Signing => signing_subject(server.member),
            KeyUsage::Authentication => authentication_subject(server.member_name, server.code),
        };
        let kind = match usage {
            KeyUsage::Signing => self.signing_keys,
            KeyUsage::Authentication => KeyChoice::Rsa,
        };
        let key = self
            .signer
            .generate_key(self.token, label, kind, usage)
            .or_unusable(doing)?;
        let request = self
            .signer
            .generate_csr(&key.id, subject, client.clone(), CsrFormat::Der)
            .or_unusable(doing)?;
        let usage = if usage == KeyUsage::Signing {
            Usage::Sign
        } else {
            Usage::Auth
        };
        let certificate = trust::certify(self.net, &request.csr, usage)?;
        self.signer
            .import_certificate(certificate.as_der(), status, client)
            .or_unusable(doing)?;
        Ok(certificate)
    }
}

/// The subject of a signing certificate, from which verifiers read the member (profile EJBCA, wire.md 3.6).
pub fn signing_subject(member: &str) -> Vec<NameAttribute> {
    vec![
        NameAttribute::new("C", INSTANCE),
        NameAttribute::new("O", MEMBER_CLASS),
        NameAttribute::new("CN", member),
    ]
}

/// The subject of an authentication certificate, which nobody reads on the message path.
pub fn authentication_subject(organisation: &str, server_code: &str) -> Vec<NameAttribute> {
    vec![
        NameAttribute::new("C", INSTANCE),
        NameAttribute::new("O", organisation),
        NameAttribute::new("CN", server_code),
    ]
}
