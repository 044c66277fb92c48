//! Signed directories of the reference implementation, whole and tampered with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use std::fs;
use std::path::Path;

use protocol_globalconf::anchor::Anchor;
use protocol_globalconf::shared_params::Source;
use protocol_globalconf::signed_directory::{self, DirectoryError, FilePart, UnsignedDirectory};
use protocol_globalconf::{SharedParams, Version};
use support::vectors;
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2030-01-01 0:00 UTC);

/// Certificates of the anchor: they verify version 6, whose key the others were not signed with.
fn anchor_certificates(vectors: &Path) -> Vec<Vec<u8>> {
    let anchor = fs::read(vectors.join("configuration_anchor_CS_internal.xml")).unwrap();
    let anchor = Anchor::parse(&anchor).unwrap();
    anchor
        .sources
        .into_iter()
        .flat_map(|source| source.verification_certs)
        .collect()
}

/// Sources in the shared parameters that lie beside the directory.
fn sources(vectors: &Path, version: Version) -> Vec<Source> {
    let mut folders = fs::read_dir(vectors.join(format!("V{version}")))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let folder = folders.find(|path| path.is_dir()).unwrap();
    SharedParams::read(version, &fs::read(folder.join("shared-params.xml")).unwrap())
        .unwrap()
        .sources
}

fn internal_certificates(vectors: &Path, version: Version) -> Vec<Vec<u8>> {
    sources(vectors, version)
        .into_iter()
        .flat_map(|source| source.internal_verification_certs)
        .chain(anchor_certificates(vectors))
        .collect()
}

fn external_certificates(vectors: &Path, version: Version) -> Vec<Vec<u8>> {
    sources(vectors, version)
        .into_iter()
        .flat_map(|source| source.external_verification_certs)
        .collect()
}

#[test]
fn internal_directories_of_all_versions_verify_and_their_files_match() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    for version in [Version::V3, Version::V4, Version::V5, Version::V6] {
        let bytes = fs::read(vectors.join(format!("V{version}/internalconf"))).unwrap();
        let certificates = internal_certificates(&vectors, version);
        let directory = signed_directory::verify(&bytes, &certificates, NOW).unwrap();
        assert_eq!(directory.version.as_deref(), Some(version.to_string().as_str()));
        assert_eq!(directory.parts.len(), 2);
        for part in &directory.parts {
            assert_eq!(
                part.instance.as_deref(),
                Some(if version == Version::V3 { "CS" } else { "DEV" })
            );
            let file = fs::read(vectors.join(part.location.trim_start_matches('/'))).unwrap();
            assert!(part.matches(&file), "V{version} {}", part.location);
            assert!(!part.matches(&file[1..]));
        }
    }
}

#[test]
fn external_directories_verify_with_external_certificates_only() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    for version in [Version::V3, Version::V4, Version::V5, Version::V6] {
        let bytes = fs::read(vectors.join(format!("V{version}/externalconf"))).unwrap();
        let directory =
            signed_directory::verify(&bytes, &external_certificates(&vectors, version), NOW).unwrap();
        let part = &directory.parts[0];
        let file = fs::read(vectors.join(part.location.trim_start_matches('/'))).unwrap();
        // The reference's own test data name a file with another hash in version 6.
        assert_eq!(part.matches(&file), version != Version::V6);

        let internal = internal_certificates(&vectors, version);
        let failed = signed_directory::verify(&bytes, &internal, NOW).unwrap_err();
        assert!(matches!(failed, DirectoryError::NoVerificationCertificate(_)));
        assert_eq!(failed.fault_code(), "global_conf_missing_verification_cert");
    }
}

#[test]
fn expired_directory_is_refused() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    let bytes = fs::read(vectors.join("V6/internalconf")).unwrap();
    let certificates = anchor_certificates(&vectors);
    let expires_at = signed_directory::verify(&bytes, &certificates, NOW)
        .unwrap()
        .expires_at;
    assert!(signed_directory::verify(&bytes, &certificates, expires_at).is_ok());
    let failed =
        signed_directory::verify(&bytes, &certificates, expires_at + time::Duration::SECOND).unwrap_err();
    assert_eq!(failed.fault_code(), "global_conf_outdated");
}

#[test]
fn every_signed_byte_counts() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    let bytes = fs::read(vectors.join("V6/internalconf")).unwrap();
    let certificates = anchor_certificates(&vectors);
    let signed = signed_directory::parse(&bytes).unwrap().signed_bytes().to_vec();
    let start = bytes
        .windows(signed.len())
        .position(|window| window == signed)
        .unwrap();
    assert!(signed.starts_with(b"--CNo5S3hBEIHbDGmANPgi\r\nExpire-date"));
    assert!(signed.ends_with(b"--CNo5S3hBEIHbDGmANPgi--\r\n"));
    for offset in (0..signed.len()).step_by(7) {
        let mut forged = bytes.clone();
        forged[start + offset] ^= 1;
        assert!(
            signed_directory::verify(&forged, &certificates, NOW).is_err(),
            "byte {offset}"
        );
    }
}

#[test]
fn tampering_has_the_fault_code_of_the_reference() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    let original = fs::read_to_string(vectors.join("V6/internalconf")).unwrap();
    let certificates = anchor_certificates(&vectors);
    let code = |from: &str, to: &str| {
        assert!(original.contains(from), "{from}");
        let forged = original.replacen(from, to, 1);
        signed_directory::verify(forged.as_bytes(), &certificates, NOW)
            .unwrap_err()
            .fault_code()
    };
    assert_eq!(
        code("2035-11-11", "2036-11-11"),
        "global_conf_signature_verification_failure"
    );
    assert_eq!(
        code("ZpgGUY2o", "*pgGUY2o"),
        "global_conf_signature_decode_failure"
    );
    assert_eq!(
        code("Signature-Algorithm-Id", "Other"),
        "global_conf_header_field_missing"
    );
    assert_eq!(
        code("Transfer-Encoding: base64", "Transfer-Encoding: 7bit"),
        "global_conf_header_field_wrong_value"
    );
    assert_eq!(
        code("; hash-algorithm-id=", "; other="),
        "global_conf_header_field_missing_parameter"
    );
    assert_eq!(
        code("rsa-sha512", "rsa-sha999"),
        "global_conf_header_field_wrong_value"
    );
    assert_eq!(
        code("boundary=lmy", "boundary=xxx"),
        "global_conf_parsing_downloaded_conf_directory_failure"
    );
    assert_eq!(
        code("pc2fwlS1", "pc2fwlS2"),
        "global_conf_missing_verification_cert"
    );
}

/// The boundary of the inner parts is not covered by the signature; changing it must not change the meaning.
#[test]
fn inner_boundary_cannot_be_exchanged() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    let original = fs::read_to_string(vectors.join("V6/internalconf")).unwrap();
    let certificates = anchor_certificates(&vectors);
    let forged = original.replacen("boundary=CNo5S3hBEIHbDGmANPgi", "boundary=CNo5S3hBEIHbDGmANPg", 1);
    assert!(signed_directory::verify(forged.as_bytes(), &certificates, NOW).is_err());
}

/// Configuration proxies end the first header with LF, quote nothing, and begin every multipart with an empty line.
#[test]
fn form_of_configuration_proxies_is_read() {
    let text = "Content-Type: multipart/related; charset=UTF-8; boundary=O\n\n\r\n--O\r\n\
        Content-Type: multipart/mixed; charset=UTF-8; boundary=I\r\n\r\n\r\n--I\r\nExpire-date: x\r\n\r\n\r\n--I--\r\n\
        \r\n--O\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
        Signature-Algorithm-Id: http://www.w3.org/2001/04/xmldsig-more#rsa-sha512\r\n\
        Verification-certificate-hash: AAAA; hash-algorithm-id=http://www.w3.org/2001/04/xmlenc#sha512\r\n\r\nAAAA\r\n--O--\r\n";
    let directory = signed_directory::parse(text.as_bytes()).unwrap();
    assert_eq!(
        directory.signed_bytes(),
        b"\r\n--I\r\nExpire-date: x\r\n\r\n\r\n--I--\r\n"
    );
}

#[test]
fn writing_gives_the_bytes_of_the_reference() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    let original = fs::read(vectors.join("V6/internalconf")).unwrap();
    let parsed = signed_directory::parse(&original).unwrap();
    let certificates = anchor_certificates(&vectors);
    let directory = parsed.verify(&certificates).unwrap();
    let files: Vec<Vec<u8>> = directory
        .parts
        .iter()
        .map(|part| fs::read(vectors.join(part.location.trim_start_matches('/'))).unwrap())
        .collect();
    let parts: Vec<FilePart<'_>> = directory
        .parts
        .iter()
        .zip(&files)
        .map(|(part, bytes)| FilePart {
            content_identifier: &part.content_identifier,
            location: &part.location,
            bytes,
        })
        .collect();
    let boundary = "CNo5S3hBEIHbDGmANPgi".to_owned();
    let written = UnsignedDirectory::new("DEV", Version::V6, directory.expires_at, &parts, boundary);
    assert_eq!(written.signed_bytes(), parsed.signed_bytes());
    let named = certificates.first().unwrap();
    let bytes = written.finish(
        parsed.algorithm(),
        parsed.signature(),
        named,
        "lmyAPTb9i7P4fQ7MmpnZ",
    );
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        String::from_utf8(original).unwrap()
    );
}

proptest::proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = signed_directory::parse(&bytes);
    }

    #[test]
    fn hostile_lines_never_panic(lines in proptest::collection::vec("(--O|--O--|--I|--I--|Content-Type: multipart/mixed; boundary=[OI\"']?|[a-z-]{0,9}: [ -~]{0,20}|)", 0..30)) {
        let _ = signed_directory::parse(lines.join("\r\n").as_bytes());
        let _ = signed_directory::parse(lines.join("\n").as_bytes());
    }
}

/// The reference's own files, damaged: read or refused, never a panic.
#[test]
fn damaged_vectors_never_panic() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    let original = fs::read(vectors.join("V6/internalconf")).unwrap();
    let anchor = fs::read(vectors.join("configuration_anchor_CS_internal.xml")).unwrap();
    let certificates = anchor_certificates(&vectors);
    for length in 0..original.len() {
        let cut = signed_directory::verify(&original[..length], &certificates, NOW);
        // Only what follows the closing boundary may be missing.
        assert_eq!(cut.is_ok(), length >= original.len() - 2, "{length}");
    }
    for offset in 0..anchor.len() {
        let mut damaged = anchor.clone();
        damaged[offset] = b'<';
        let _ = Anchor::parse(&damaged);
        let _ = Anchor::parse(&anchor[..offset]);
    }
}
