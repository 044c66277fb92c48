//! Certificates that the signer has, and the one that information systems see.

use std::io::Read;
use std::time::Duration;

use protocol_pki::certificate::Certificate as Parsed;
use protocol_pki::digest::hex;
use signer_client::{CertificateInfo, Client, KeyUsage};
use time::format_description::well_known::Rfc3339;

use crate::monitor::status::{Certificate, harmless};
use crate::paths::{self, Root};

/// How long the signer may take for an answer, in seconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Certificates that are told at most, and characters of a name.
const MAX_CERTIFICATES: usize = 64;
const MAX_NAME: usize = 200;
/// The most bytes of a PEM file.
const MAX_PEM: u64 = 64 * 1024;

/// A connection with the signer, which looks for it again by itself.
#[must_use]
pub fn signer(root: &Root) -> Client {
    let mut settings = signer_client::Settings::new(root.path(paths::SIGNER_SOCKET));
    settings.timeout = PATIENCE;
    Client::with_settings(settings)
}

/// Every certificate there is; those of the signer only while it answers.
#[must_use]
pub fn certificates(root: &Root, signer: &Client) -> Vec<Certificate> {
    let status = signer.status().ok();
    let keys = status.iter().flat_map(signer_client::Status::keys);
    let of_signer = keys.flat_map(|key| {
        let usage = match key.usage {
            KeyUsage::Signing => "signing",
            KeyUsage::Authentication => "authentication",
        };
        key.certificates.iter().filter_map(move |found| of(usage, found))
    });
    let all = of_signer.chain(internal(root));
    all.take(MAX_CERTIFICATES).collect()
}

fn of(usage: &str, info: &CertificateInfo) -> Option<Certificate> {
    let certificate = Parsed::from_der(info.der.as_ref()).ok()?;
    let status = serde_json::to_value(info.status).ok();
    let status = status.and_then(|status| status.as_str().map(str::to_owned));
    Some(Certificate {
        status,
        ..told(usage, &certificate)
    })
}

fn internal(root: &Root) -> Option<Certificate> {
    let mut pem = Vec::new();
    let file = std::fs::File::open(root.path(paths::INTERNAL_TLS)).ok()?;
    file.take(MAX_PEM).read_to_end(&mut pem).ok()?;
    Some(told("internal", &Parsed::from_der_or_pem(&pem).ok()?))
}

fn told(usage: &str, certificate: &Parsed) -> Certificate {
    Certificate {
        usage: usage.to_owned(),
        subject: harmless(&certificate.subject().to_string(), MAX_NAME),
        sha256: hex(certificate.sha256().as_ref()),
        not_after: certificate.not_after().format(&Rfc3339).unwrap_or_default(),
        status: None,
    }
}
