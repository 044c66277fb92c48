//! `kiirtee keys list`: what the signer has, in one table.

use protocol_pki::certificate::Certificate;
use serde::Serialize;
use signer_client::{
    CertificateInfo, CertificateStatus, KeyAlgorithm, KeyInfo, KeyUsage, TokenInfo, TokenStatus,
};

use super::Console;
use super::certificate::state;
use crate::failure::Failure;
use crate::output::Table;

#[derive(Debug, Serialize)]
struct ShownToken<'a> {
    id: &'a str,
    name: &'a str,
    status: TokenStatus,
    keys: Vec<ShownKey<'a>>,
}

#[derive(Debug, Serialize)]
struct ShownKey<'a> {
    id: &'a str,
    label: &'a str,
    usage: KeyUsage,
    available: bool,
    certificates: Vec<ShownCertificate<'a>>,
    signing_requests: Vec<&'a str>,
    algorithm: KeyAlgorithm,
}

#[derive(Debug, Serialize)]
struct ShownCertificate<'a> {
    sha256: String,
    status: CertificateStatus,
    active: bool,
    client: Option<&'a str>,
    expires: Option<String>,
}

pub(super) fn list(console: &Console) -> Result<(), Failure> {
    let status = console.status()?;
    let tokens: Vec<ShownToken<'_>> = status.tokens.iter().map(token).collect();
    console.tell(&tokens, || table(&tokens))
}

fn token(token: &TokenInfo) -> ShownToken<'_> {
    let keys = token.keys.iter().map(key).collect();
    ShownToken {
        id: &token.id,
        name: &token.name,
        status: token.status,
        keys,
    }
}

fn key(key: &KeyInfo) -> ShownKey<'_> {
    ShownKey {
        id: &key.id,
        label: &key.label,
        usage: key.usage,
        available: key.available,
        certificates: key.certificates.iter().map(certificate).collect(),
        signing_requests: key.csrs.iter().map(|csr| csr.subject.as_str()).collect(),
        algorithm: key.algorithm,
    }
}

fn certificate(info: &CertificateInfo) -> ShownCertificate<'_> {
    let parsed = Certificate::from_der(&info.der).ok();
    ShownCertificate {
        sha256: info.sha256.to_string(),
        status: info.status,
        active: info.active,
        client: info.client.as_deref(),
        expires: parsed.map(|certificate| certificate.not_after().date().to_string()),
    }
}

fn table(tokens: &[ShownToken<'_>]) -> String {
    let mut table = Table::new(&[
        "token",
        "key",
        "usage",
        "label",
        "certificate",
        "status",
        "client",
        "expires",
    ]);
    for token in tokens {
        let name = format!("{} ({})", token.id, word(&token.status));
        if token.keys.is_empty() {
            table.row([name.as_str(), "-"]);
        }
        for key in &token.keys {
            let key_cells = [
                name.clone(),
                short(key.id),
                word(&key.usage),
                key.label.to_owned(),
            ];
            if key.certificates.is_empty() {
                let waiting = if key.signing_requests.is_empty() {
                    "-"
                } else {
                    "requested"
                };
                table.row(key_cells.iter().cloned().chain([waiting.to_owned()]));
            }
            for certificate in &key.certificates {
                table.row(key_cells.iter().cloned().chain(certificate_cells(certificate)));
            }
        }
    }
    table.render()
}

fn certificate_cells(certificate: &ShownCertificate<'_>) -> [String; 4] {
    [
        short(&certificate.sha256),
        state(certificate.status, certificate.active),
        certificate.client.unwrap_or("-").to_owned(),
        certificate.expires.clone().unwrap_or_else(|| "?".into()),
    ]
}

/// The word that stands for a value in JSON too.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        _ => "?".into(),
    }
}

/// The beginning of a long hexadecimal name, enough to tell it from others.
pub(super) fn short(name: &str) -> String {
    name.chars().take(12).collect()
}
