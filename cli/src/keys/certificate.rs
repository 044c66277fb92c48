//! Certificates: kept, found, allowed, forbidden, forgotten.

use std::path::PathBuf;

use clap::Args;
use protocol_pki::certificate::Certificate;
use serde::Serialize;
use signer_client::{CertificateInfo, CertificateStatus, CsrInfo, KeyInfo, KeyUsage};

use super::key::{Gone, Usage};
use super::list::{short, word};
use super::refusal::OrRefused;
use super::{Console, find};
use crate::failure::{Failure, OrUnusable};
use crate::output::Table;

#[derive(Debug, Args)]
pub(super) struct Which {
    /// SHA-256 of the certificate, or the beginning of it
    certificate: String,
}

#[derive(Debug, Args)]
pub(super) struct Certificates {
    /// Only those that speak for this client, INSTANCE/CLASS/MEMBER
    #[arg(long)]
    client: Option<String>,
    /// Only those of keys for this
    #[arg(long)]
    usage: Option<Usage>,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The certificate, PEM or DER
    file: PathBuf,
    /// The client that it speaks for, INSTANCE/CLASS/MEMBER; for signing certificates
    #[arg(long)]
    client: Option<String>,
    /// It is registered at the central server, or need not be
    #[arg(long)]
    registered: bool,
}

/// A certificate and whose it is.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    sha256: String,
    status: CertificateStatus,
    active: bool,
    client: Option<&'a str>,
    key: &'a str,
    token: &'a str,
    usage: KeyUsage,
    subject: Option<String>,
    issuer: Option<String>,
    serial_number: Option<String>,
    valid_from: Option<String>,
    expires: Option<String>,
}

#[derive(Debug, Serialize)]
struct ShownRequest<'a> {
    id: &'a str,
    subject: &'a str,
    client: Option<&'a str>,
    key: &'a str,
    token: &'a str,
    usage: KeyUsage,
}

#[derive(Debug, Serialize)]
struct All<'a> {
    certificates: Vec<Shown<'a>>,
    signing_requests: Vec<ShownRequest<'a>>,
}

/// A certificate with its contents.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    shown: Shown<'a>,
    pem: Option<String>,
}

fn shown<'a>(key: &'a KeyInfo, info: &'a CertificateInfo) -> Shown<'a> {
    let parsed = Certificate::from_der(&info.der).ok();
    let tell = |what: fn(&Certificate) -> String| parsed.as_ref().map(what);
    Shown {
        sha256: info.sha256.to_string(),
        status: info.status,
        active: info.active,
        client: info.client.as_deref(),
        key: &key.id,
        token: &key.token,
        usage: key.usage,
        subject: tell(|parsed| parsed.subject().rfc2253()),
        issuer: tell(Certificate::issuer_rfc2253),
        serial_number: tell(Certificate::serial_decimal),
        valid_from: tell(|parsed| parsed.not_before().date().to_string()),
        expires: tell(|parsed| parsed.not_after().date().to_string()),
    }
}

fn shown_request<'a>(key: &'a KeyInfo, info: &'a CsrInfo) -> ShownRequest<'a> {
    ShownRequest {
        id: &info.id,
        subject: &info.subject,
        client: info.client.as_deref(),
        key: &key.id,
        token: &key.token,
        usage: key.usage,
    }
}

pub(super) fn certificates(console: &Console, which: &Certificates) -> Result<(), Failure> {
    let status = console.status()?;
    let usage = which.usage.map(KeyUsage::from);
    let keys = || {
        status
            .keys()
            .filter(|key| usage.is_none_or(|usage| key.usage == usage))
    };
    let is_wanted = |client: Option<&str>| which.client.is_none() || client == which.client.as_deref();
    let certificates = keys().flat_map(|key| key.certificates.iter().map(|info| shown(key, info)));
    let requests = keys().flat_map(|key| key.csrs.iter().map(|info| shown_request(key, info)));
    let all = All {
        certificates: certificates.filter(|shown| is_wanted(shown.client)).collect(),
        signing_requests: requests.filter(|shown| is_wanted(shown.client)).collect(),
    };
    console.tell(&all, || table(&all))
}

fn table(all: &All<'_>) -> String {
    let mut table = Table::new(&[
        "certificate",
        "status",
        "client",
        "usage",
        "key",
        "subject",
        "expires",
    ]);
    for found in &all.certificates {
        table.row([
            short(&found.sha256),
            state(found.status, found.active),
            found.client.unwrap_or("-").to_owned(),
            word(&found.usage),
            short(found.key),
            found.subject.clone().unwrap_or_else(|| "?".to_owned()),
            found.expires.clone().unwrap_or_else(|| "?".to_owned()),
        ]);
    }
    for found in &all.signing_requests {
        table.row([
            short(found.id),
            "signing request".to_owned(),
            found.client.unwrap_or("-").to_owned(),
            word(&found.usage),
            short(found.key),
            found.subject.to_owned(),
            "-".to_owned(),
        ]);
    }
    table.render()
}

/// Where it is in its registration, and whether it may be used.
pub(super) fn state(status: CertificateStatus, active: bool) -> String {
    let active = if active { "" } else { ", not active" };
    format!("{}{active}", word(&status))
}

pub(super) fn show(console: &Console, which: &Which) -> Result<(), Failure> {
    let status = console.status()?;
    let (key, info) = find::certificate(&status, &which.certificate)?;
    let whole = Whole {
        shown: shown(key, info),
        pem: Certificate::from_der(&info.der)
            .ok()
            .map(|parsed| parsed.to_pem()),
    };
    console.tell(&whole, || {
        let lines = [
            ("certificate", Some(whole.shown.sha256.clone())),
            ("status", Some(state(info.status, info.active))),
            ("client", info.client.clone()),
            ("key", Some(key.id.clone())),
            ("token", Some(key.token.clone())),
            ("usage", Some(word(&key.usage))),
            ("subject", whole.shown.subject.clone()),
            ("issuer", whole.shown.issuer.clone()),
            ("serial", whole.shown.serial_number.clone()),
            ("valid from", whole.shown.valid_from.clone()),
            ("expires", whole.shown.expires.clone()),
        ];
        let mut text: String = lines
            .into_iter()
            .map(|(what, value)| format!("{what:<12} {}\n", value.as_deref().unwrap_or("-")))
            .collect();
        text.push_str(whole.pem.as_deref().unwrap_or_default().trim_end());
        text
    })
}

pub(super) fn import(console: &Console, import: &Import) -> Result<(), Failure> {
    let file = import.file.display();
    let bytes = std::fs::read(&import.file).or_unusable(|| format!("read {file}"))?;
    let certificate = Certificate::from_der_or_pem(&bytes)
        .or_unusable(|| format!("{file}: expected a certificate in PEM or DER"))?;
    let status = if import.registered {
        CertificateStatus::Registered
    } else {
        CertificateStatus::Saved
    };
    let kept = console
        .signer
        .import_certificate(certificate.as_der(), status, import.client.clone())
        .or_refused(|| format!("import {file}"))?;
    let sha256 = kept.sha256.to_string();
    tell(console, &sha256, || sha256.clone())
}

pub(super) fn set_active(console: &Console, which: &Which, active: bool) -> Result<(), Failure> {
    let status = console.status()?;
    let certificate = find::certificate(&status, &which.certificate)?.1.sha256;
    let set = console.signer.set_certificate_active(certificate, active);
    set.or_refused(|| format!("change certificate {certificate}"))?;
    let may = if active { "may be used" } else { "may not be used" };
    let id = certificate.to_string();
    tell(console, &id, || format!("certificate {id} {may}"))
}

pub(super) fn register(console: &Console, which: &Which) -> Result<(), Failure> {
    let status = console.status()?;
    let certificate = find::certificate(&status, &which.certificate)?.1.sha256;
    let set = console
        .signer
        .set_certificate_status(certificate, CertificateStatus::Registered);
    set.or_refused(|| format!("change certificate {certificate}"))?;
    let id = certificate.to_string();
    tell(console, &id, || format!("certificate {id} is registered"))
}

pub(super) fn forget(console: &Console, which: &Which) -> Result<(), Failure> {
    let status = console.status()?;
    let certificate = find::certificate(&status, &which.certificate)?.1.sha256;
    let deleted = console.signer.delete_certificate(certificate);
    deleted.or_refused(|| format!("forget certificate {certificate}"))?;
    let id = certificate.to_string();
    let gone = Gone {
        deleted: "certificate",
        id: &id,
    };
    console.tell(&gone, || format!("certificate {id} is forgotten"))
}

/// A certificate after what was done to it.
fn tell(console: &Console, id: &str, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let status = console.status()?;
    let (key, info) = find::certificate(&status, id)?;
    console.tell(&shown(key, info), text)
}
