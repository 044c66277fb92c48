//! `kiirtee keys`: tokens, keys, signing requests and certificates, through the signer's socket.

mod show;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use protocol_pki::certificate::Certificate;
use signer_client::{
    CertificateSha256, CertificateStatus, Client, CsrFormat, KeyAlgorithm, KeyChoice, KeyUsage,
    NameAttribute, Pin,
};

use crate::failure::{Failure, OrUnusable};
use crate::output;

/// How long the signer's socket is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

const EXAMPLES: &str = "\
Examples:
  kiirtee keys list
  kiirtee keys login                               (asks for the PIN on standard input)
  kiirtee keys generate signing --label 'Signing 2027'
  kiirtee keys csr 6f1c… --subject C=EE --subject O=GOV --subject CN=70000001 --out sign.csr
  kiirtee keys import sign.pem --client EE/GOV/70000001
  kiirtee keys activate 0d3e…

The PIN is read from standard input, or from the variable KIIRTEE_TOKEN_PIN.";

/// Arguments of `kiirtee keys`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The signer's Unix socket
    #[arg(
        long,
        global = true,
        env = "KIIRTEE_SIGNER_SOCKET",
        default_value = "/run/kiirtee/signer.sock"
    )]
    socket: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tokens, keys, signing requests and certificates
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What the signer has done since it started: batches, messages, signatures
    Figures {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a token its PIN, once
    Init(TokenArgument),
    /// Open a token: its keys can sign from now on
    Login(TokenArgument),
    /// Close a token
    Logout(TokenArgument),
    /// Make a key
    Generate(Generate),
    /// Destroy a key with its certificates and signing requests
    Delete {
        /// The key's id
        key: String,
    },
    /// Make a certificate signing request
    Csr(Csr),
    /// Keep a certificate with its key
    Import(Import),
    /// Allow the use of a certificate
    Activate(CertificateArgument),
    /// Forbid the use of a certificate
    Deactivate(CertificateArgument),
    /// Say that a certificate is registered at the central server
    Register(CertificateArgument),
    /// Forget a certificate
    Forget(CertificateArgument),
}

#[derive(Debug, Args)]
struct TokenArgument {
    /// The token's id
    #[arg(default_value = "0")]
    token: String,
}

#[derive(Debug, Args)]
struct Generate {
    /// What the key is for
    usage: Usage,
    /// A name for people
    #[arg(long)]
    label: String,
    /// What to make; rsa and ec: as long, or on the curve, that the signer's settings say
    #[arg(long, default_value = "rsa")]
    algorithm: Algorithm,
    /// The token's id
    #[arg(long, default_value = "0")]
    token: String,
}

#[derive(Debug, Args)]
struct Csr {
    /// The key's id
    key: String,
    /// An attribute of the subject's name, from the outermost: C=EE, O=…, CN=…
    #[arg(long = "subject", value_name = "NAME=VALUE", required = true, value_parser = name_attribute)]
    subject: Vec<NameAttribute>,
    /// The client that the certificate shall speak for, INSTANCE/CLASS/MEMBER
    #[arg(long)]
    client: Option<String>,
    /// The file to write (PEM)
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct Import {
    /// The certificate, PEM or DER
    file: PathBuf,
    /// The client that it speaks for, INSTANCE/CLASS/MEMBER; for signing certificates
    #[arg(long)]
    client: Option<String>,
    /// It is registered at the central server, or need not be
    #[arg(long)]
    registered: bool,
}

#[derive(Debug, Args)]
struct CertificateArgument {
    /// SHA-256 of the certificate, or the beginning of it
    certificate: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Usage {
    Signing,
    Authentication,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Algorithm {
    Rsa,
    Ec,
    #[value(name = "rsa-2048")]
    Rsa2048,
    #[value(name = "rsa-3072")]
    Rsa3072,
    #[value(name = "rsa-4096")]
    Rsa4096,
    #[value(name = "p-256")]
    P256,
    #[value(name = "p-384")]
    P384,
    #[value(name = "p-521")]
    P521,
}

/// Carries out `kiirtee keys`.
///
/// # Errors
/// When the signer does not answer or refuses.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let signer = connect(&arguments.socket)?;
    match arguments.command {
        Command::List { json } => show::list(&signer, json),
        Command::Figures { json } => show::figures(&signer, json),
        Command::Init(TokenArgument { token }) => signer
            .init_token(&token, pin()?)
            .or_unusable(|| format!("initialise token {token}")),
        Command::Login(TokenArgument { token }) => signer
            .login(&token, pin()?)
            .or_unusable(|| format!("log in to token {token}")),
        Command::Logout(TokenArgument { token }) => signer
            .logout(&token)
            .or_unusable(|| format!("log out of token {token}")),
        Command::Generate(wanted) => generate(&signer, &wanted),
        Command::Delete { key } => signer
            .delete_key(&key)
            .or_unusable(|| format!("destroy key {key}")),
        Command::Csr(wanted) => csr(&signer, wanted),
        Command::Import(import) => import_certificate(&signer, import),
        Command::Activate(which) => set_active(&signer, &which.certificate, true),
        Command::Deactivate(which) => set_active(&signer, &which.certificate, false),
        Command::Register(which) => register(&signer, &which.certificate),
        Command::Forget(which) => forget(&signer, &which.certificate),
    }
}

/// A connection to the signer at `socket`.
///
/// # Errors
/// When it does not answer within a few seconds.
pub fn connect(socket: &Path) -> Result<Client, Failure> {
    let signer = Client::connect(socket);
    if signer.wait_until_connected(PATIENCE) {
        return Ok(signer);
    }
    let expected = "expected a running kiirtee-signer that lets this user connect";
    Err(Failure::unusable(format!(
        "the signer at {} does not answer; {expected}",
        socket.display()
    )))
}

fn pin() -> Result<Pin, Failure> {
    if let Ok(pin) = std::env::var("KIIRTEE_TOKEN_PIN") {
        return Ok(Pin::new(pin));
    }
    let mut pin = String::new();
    std::io::stdin()
        .read_to_string(&mut pin)
        .or_unusable(|| "read the PIN from standard input".into())?;
    let end = pin.trim_end_matches(['\r', '\n']).len();
    pin.truncate(end);
    Ok(Pin::new(pin))
}

fn generate(signer: &Client, wanted: &Generate) -> Result<(), Failure> {
    let usage = match wanted.usage {
        Usage::Signing => KeyUsage::Signing,
        Usage::Authentication => KeyUsage::Authentication,
    };
    let algorithm: KeyChoice = match wanted.algorithm {
        Algorithm::Rsa => KeyChoice::Rsa,
        Algorithm::Ec => KeyChoice::Ec,
        Algorithm::Rsa2048 => KeyAlgorithm::Rsa2048.into(),
        Algorithm::Rsa3072 => KeyAlgorithm::Rsa3072.into(),
        Algorithm::Rsa4096 => KeyAlgorithm::Rsa4096.into(),
        Algorithm::P256 => KeyAlgorithm::EcP256.into(),
        Algorithm::P384 => KeyAlgorithm::EcP384.into(),
        Algorithm::P521 => KeyAlgorithm::EcP521.into(),
    };
    let key = signer
        .generate_key(&wanted.token, &wanted.label, algorithm, usage)
        .or_unusable(|| format!("make a key in token {}", wanted.token))?;
    output::line(&key.id)
}

fn csr(signer: &Client, wanted: Csr) -> Result<(), Failure> {
    let made = signer
        .generate_csr(&wanted.key, wanted.subject, wanted.client, CsrFormat::Pem)
        .or_unusable(|| format!("make a signing request for key {}", wanted.key))?;
    std::fs::write(&wanted.out, &*made.csr).or_unusable(|| format!("write {}", wanted.out.display()))
}

fn import_certificate(signer: &Client, import: Import) -> Result<(), Failure> {
    let file = import.file.display();
    let bytes = std::fs::read(&import.file).or_unusable(|| format!("read {file}"))?;
    let certificate = Certificate::from_der_or_pem(&bytes)
        .or_unusable(|| format!("{file}: expected a certificate in PEM or DER"))?;
    let status = if import.registered {
        CertificateStatus::Registered
    } else {
        CertificateStatus::Saved
    };
    let kept = signer
        .import_certificate(certificate.as_der(), status, import.client)
        .or_unusable(|| format!("import {file}"))?;
    output::line(&kept.sha256.to_string())
}

fn set_active(signer: &Client, which: &str, active: bool) -> Result<(), Failure> {
    let certificate = find(signer, which)?;
    signer
        .set_certificate_active(certificate, active)
        .or_unusable(|| format!("change certificate {certificate}"))
}

fn register(signer: &Client, which: &str) -> Result<(), Failure> {
    let certificate = find(signer, which)?;
    signer
        .set_certificate_status(certificate, CertificateStatus::Registered)
        .or_unusable(|| format!("change certificate {certificate}"))
}

fn forget(signer: &Client, which: &str) -> Result<(), Failure> {
    let certificate = find(signer, which)?;
    signer
        .delete_certificate(certificate)
        .or_unusable(|| format!("forget certificate {certificate}"))
}

/// The one certificate whose SHA-256 begins with `which`.
fn find(signer: &Client, which: &str) -> Result<CertificateSha256, Failure> {
    let status = signer
        .status()
        .or_unusable(|| "ask the signer for its certificates".into())?;
    let known = status
        .keys()
        .flat_map(|key| &key.certificates)
        .map(|certificate| certificate.sha256);
    let wanted = which.to_ascii_lowercase();
    let mut matching = known.filter(|hash| hash.to_string().starts_with(&wanted));
    match (matching.next(), matching.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Failure::unusable(format!(
            "several certificates begin with {which}"
        ))),
        (None, _) => Err(Failure::unusable(format!(
            "the signer has no certificate {which}; see `kiirtee keys list`"
        ))),
    }
}

fn name_attribute(text: &str) -> Result<NameAttribute, String> {
    let (kind, value) = text
        .split_once('=')
        .ok_or_else(|| "expected NAME=VALUE, such as CN=70000001".to_owned())?;
    Ok(NameAttribute::new(kind.trim(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_attribute_is_split_at_the_first_equals_sign() {
        assert_eq!(name_attribute("O=a=b").unwrap(), NameAttribute::new("O", "a=b"));
        assert!(name_attribute("CN").is_err());
    }
}
