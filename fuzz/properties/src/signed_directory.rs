//! Signed directories (features.md 2.3).
//!
//! An input is read as a directory, which no seed's certificate signed, and as the part that a signature covers, which
//! is signed here: what only a holder of the key could send must not break the reader either, because a signature says
//! nothing about which boundary separates the parts.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use protocol_globalconf::signed_directory::{self, Directory};
use protocol_globalconf::{anchor::Anchor, layout};
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::Template;
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::name::DistinguishedName;
use time::Duration;

use crate::world::{NOW, world};

/// Acceptable is what can be taken apart, or what is read when it is signed.
pub fn check(data: &[u8]) -> bool {
    let parsed = signed_directory::parse(data);
    if let Ok(parsed) = &parsed {
        assert!(parsed.signed_bytes().len() < data.len());
        let others = [world().ca.as_der().to_vec()];
        assert!(
            parsed.verify(&others).is_err(),
            "a directory that nobody signed is believed"
        );
    }
    let signed = signed(data).and_then(|(bytes, certificate)| {
        let directory = signed_directory::verify(&bytes, &[certificate], NOW).ok()?;
        check_directory(&directory);
        Some(directory)
    });
    let _ = Anchor::parse(data);
    parsed.is_ok() || signed.is_some()
}

fn check_directory(directory: &Directory) {
    assert!(directory.expires_at >= NOW, "an expired directory is believed");
    for part in &directory.parts {
        assert!(!part.location.is_empty());
        let name = layout::file_name(
            &part.content_identifier,
            part.file_name.as_deref(),
            &part.location,
        );
        if let Some(name) = name {
            assert!(
                !name.is_empty() && !name.contains(['/', '\0']) && name != "." && name != "..",
                "{name:?} leads out of the directory"
            );
        }
        if let Some(instance) = &part.instance {
            let folder = layout::directory_name(instance);
            assert!(
                !folder.contains(['/', '\0']) && folder != "." && folder != "..",
                "{folder:?}"
            );
        }
    }
}

/// The data as signed part, its boundary being `inner`, with a signature of a key of our own.
fn signed(data: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (key, certificate) = signer()?;
    let algorithm = key.algorithm_with(DigestAlgorithm::Sha512);
    let signature = key.sign(algorithm, data).ok()?;
    let hash = DigestAlgorithm::Sha512.digest(certificate.as_der());
    let tail = format!(
        "\r\n--outer\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
         Signature-Algorithm-Id: {}\r\nVerification-certificate-hash: {}; hash-algorithm-id=\"{}\"\r\n\r\n\
         {}\r\n--outer--\r\n",
        algorithm.uri(),
        BASE64_STANDARD.encode(hash),
        DigestAlgorithm::Sha512.uri(),
        BASE64_STANDARD.encode(&signature),
    );
    let head = "Content-Type: multipart/related; boundary=outer\r\n\r\n\
         --outer\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n";
    Some((
        [head.as_bytes(), data, tail.as_bytes()].concat(),
        certificate.as_der().to_vec(),
    ))
}

/// Made once in a process.
fn signer() -> Option<&'static (SoftwareKey, Certificate)> {
    static SIGNER: OnceLock<Option<(SoftwareKey, Certificate)>> = OnceLock::new();
    let made = SIGNER.get_or_init(|| {
        let key = SoftwareKey::generate(KeySpec::P256).ok()?;
        let name = DistinguishedName::build(&[("CN", "Configuration")]).ok()?;
        let template = Template {
            serial: &[1],
            issuer: &name,
            subject: &name,
            not_before: NOW - Duration::days(1),
            not_after: NOW + Duration::days(1),
            spki: key.spki_der(),
            extensions: Vec::new(),
        };
        let certificate = template.sign(&key.signer(DigestAlgorithm::Sha256)).ok()?;
        Some((key, certificate))
    });
    made.as_ref()
}
