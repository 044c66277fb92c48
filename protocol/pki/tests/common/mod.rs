//! A small public key infrastructure made on the spot, and the vectors of the reference implementation.
#![allow(dead_code, reason = "each test file uses its part")]

use protocol_pki::certificate::{Certificate, KeyUsage};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::{Extension, Purpose, Template};
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use std::path::PathBuf;
use time::OffsetDateTime;
use time::macros::datetime;

pub(crate) const NOW: OffsetDateTime = datetime!(2026-03-01 12:00:00 UTC);
pub(crate) const NOT_BEFORE: OffsetDateTime = datetime!(2025-01-01 00:00:00 UTC);
pub(crate) const NOT_AFTER: OffsetDateTime = datetime!(2035-01-01 00:00:00 UTC);

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) certificate: Certificate,
    pub(crate) key: SoftwareKey,
}

pub(crate) fn name(common_name: &str) -> DistinguishedName {
    DistinguishedName::build(&[("C", "EE"), ("O", "Test"), ("CN", common_name)]).unwrap()
}

pub(crate) fn issue(
    issuer: Option<&Identity>,
    subject: &str,
    serial: u8,
    extensions: Vec<Extension>,
    validity: (OffsetDateTime, OffsetDateTime),
) -> Identity {
    let key = SoftwareKey::generate(KeySpec::P256).unwrap();
    let subject = name(subject);
    let issuer_key = issuer.map_or(&key, |issuer| &issuer.key);
    let template = Template {
        serial: &[serial],
        issuer: issuer.map_or(&subject, |issuer| issuer.certificate.subject()),
        subject: &subject,
        not_before: validity.0,
        not_after: validity.1,
        spki: key.spki_der(),
        extensions,
    };
    let certificate = template
        .sign(&issuer_key.signer(DigestAlgorithm::Sha256))
        .unwrap();
    Identity { certificate, key }
}

pub(crate) fn authority(issuer: Option<&Identity>, subject: &str, path_length: Option<u8>) -> Identity {
    let usage = KeyUsage::KEY_CERT_SIGN.and(KeyUsage::CRL_SIGN);
    let extensions = vec![Extension::authority(path_length), Extension::key_usage(usage)];
    issue(issuer, subject, 1, extensions, (NOT_BEFORE, NOT_AFTER))
}

pub(crate) fn signing(issuer: &Identity, subject: &str, serial: u8) -> Identity {
    let extensions = vec![
        Extension::end_entity(),
        Extension::key_usage(KeyUsage::NON_REPUDIATION),
    ];
    issue(Some(issuer), subject, serial, extensions, (NOT_BEFORE, NOT_AFTER))
}

pub(crate) fn with_purpose(issuer: &Identity, subject: &str, serial: u8, purpose: Purpose) -> Identity {
    let extensions = vec![Extension::extended_key_usage(&[purpose], true)];
    issue(Some(issuer), subject, serial, extensions, (NOT_BEFORE, NOT_AFTER))
}

/// A file or folder of the vectors, `None` (with a note) when they are absent.
pub(crate) fn vector(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors")).join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: no vectors at {}", path.display());
    None
}

/// Whether a program can be run; says so when not.
pub(crate) fn has_program(program: &str) -> bool {
    let found = std::process::Command::new(program)
        .arg("version")
        .output()
        .is_ok();
    if !found {
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}
