//! Certificate signing requests.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use signer_client::{CsrFormat, NameAttribute, Request, Response, SignerError};

use super::key::Gone;
use super::refusal::OrRefused;
use super::{Console, find};
use crate::failure::{Failure, OrUnusable};

#[derive(Debug, Args)]
pub(super) struct Csr {
    /// The key's id, or the beginning of it
    key: String,
    /// An attribute of the subject's name, from the outermost: C=EE, O=…, CN=…
    #[arg(long = "subject", value_name = "NAME=VALUE", required = true, value_parser = name_attribute)]
    subject: Vec<NameAttribute>,
    /// A DNS name for the subject alternative name, as authentication certificates have it
    #[arg(long = "dns-name", value_name = "NAME")]
    dns_names: Vec<String>,
    /// The client that the certificate shall speak for, INSTANCE/CLASS/MEMBER
    #[arg(long)]
    client: Option<String>,
    /// How to write it
    #[arg(long, default_value = "pem")]
    format: Format,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Pem,
    Der,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The signing request's id, or the beginning of it
    request: String,
}

#[derive(Debug, Serialize)]
struct Made<'a> {
    id: &'a str,
    key: &'a str,
    file: String,
}

pub(super) fn csr(console: &Console, wanted: Csr) -> Result<(), Failure> {
    let status = console.status()?;
    let key = find::key(&status, &wanted.key)?.id.as_str();
    let made = console.signer.call(Request::GenerateCsr {
        key: key.to_owned(),
        subject: wanted.subject,
        dns_names: wanted.dns_names,
        client: wanted.client,
        format: match wanted.format {
            Format::Pem => CsrFormat::Pem,
            Format::Der => CsrFormat::Der,
        },
    });
    let made = made.and_then(|response| match response {
        Response::Csr(csr) => Ok(csr),
        _ => Err(SignerError::Protocol("no signing request came".to_owned())),
    });
    let made = made.or_refused(|| format!("make a signing request for key {key}"))?;
    let file = wanted.out.display().to_string();
    std::fs::write(&wanted.out, &*made.csr).or_unusable(|| format!("write {file}"))?;
    let shown = Made {
        id: &made.id,
        key,
        file,
    };
    console.tell(&shown, || format!("{}: {}", made.id, shown.file))
}

pub(super) fn withdraw(console: &Console, which: &Which) -> Result<(), Failure> {
    let status = console.status()?;
    let id = find::request(&status, &which.request)?.1.id.as_str();
    let deleted = console.signer.delete_csr(id);
    deleted.or_refused(|| format!("forget signing request {id}"))?;
    let deleted = "signing_request";
    console.tell(&Gone { deleted, id }, || {
        format!("signing request {id} is forgotten")
    })
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
