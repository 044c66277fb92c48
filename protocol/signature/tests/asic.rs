//! Containers of the reference (wire.md 7.1), our own containers, and what must not pass for one.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::io::{Cursor, Write as _};

use protocol_pki::digest::DigestAlgorithm;
use protocol_signature::asic::{
    self, AsicError, BatchTimeStamp, Contents, Limits, VerifiedContainer, Writer,
};
use time::OffsetDateTime;
use time::macros::datetime;

mod vectors;
use vectors::trust;

const NAMES: [&str; 9] = [
    "valid-signed-message",
    "valid-signed-hashchain",
    "valid-batch-ts",
    "valid-non-batch-rest",
    "invalid-digest",
    "invalid-signed-hashchain",
    "invalid-hashchain-modified-message",
    "invalid-not-signed-hashchain",
    "invalid-ts-hashchainresult",
];

/// The member that the container's message names as its sender.
fn signer(name: &str) -> &'static str {
    if name == "valid-non-batch-rest" {
        "1234"
    } else {
        "4321"
    }
}

fn verify(name: &str) -> Option<Result<VerifiedContainer, String>> {
    let container = vectors::asic(&format!("{name}.asice"))?;
    let trust = trust::dev()?;
    Some(asic::verify(&container, &trust::member(signer(name)), &trust).map_err(|error| error.fault_code()))
}

#[test]
fn valid_containers_of_the_reference_are_valid() {
    let expected = [
        ("valid-signed-message", datetime!(2024-12-05 13:16:35 UTC), false),
        (
            "valid-signed-hashchain",
            datetime!(2024-12-05 12:37:50 UTC),
            false,
        ),
        ("valid-batch-ts", datetime!(2024-12-05 07:34:14 UTC), true),
        ("valid-non-batch-rest", datetime!(2024-07-11 12:51:12 UTC), true),
    ];
    for (name, time, batch) in expected {
        let Some(result) = verify(name) else { return };
        let verified = result.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert_eq!(verified.time_stamp_time(), time, "{name}");
        assert_eq!(verified.is_batch_time_stamp(), batch, "{name}");
        assert!(!verified.signature().has_unsigned_hash_chain(), "{name}");
        let document = verified.signature().document();
        assert!(document.is_valid_at(time));
        assert!(
            document.signing_time().is_some_and(|signed| signed <= time),
            "{name}"
        );
        assert!(
            !document.is_valid_at(time + time::Duration::hours(1)),
            "{name}: OCSP is fresh for an hour"
        );
    }
}

#[test]
fn parts_are_told_apart() {
    let Some(Ok(verified)) = verify("valid-signed-hashchain") else {
        return;
    };
    let names = |parts: &[protocol_signature::hash_chain::PartDigest]| -> Vec<String> {
        parts.iter().map(|part| part.name.to_string()).collect()
    };
    assert_eq!(names(verified.signature().covered()), ["/message.xml"]);
    assert_eq!(names(verified.unverified_attachments()), ["/attachment1"]);
    let rest = verify("valid-non-batch-rest").unwrap().unwrap();
    assert_eq!(
        names(rest.signature().covered()),
        ["/message.xml", "/attachment1"]
    );
    assert!(rest.unverified_attachments().is_empty());
}

#[test]
fn invalid_containers_fail_with_the_codes_of_the_reference() {
    let expected = [
        ("invalid-digest", "invalid_signature_value"),
        (
            "invalid-signed-hashchain",
            "malformed_signature.invalid_hash_chain_ref",
        ),
        (
            "invalid-hashchain-modified-message",
            "malformed_signature.hashchain_unused_inputs",
        ),
        ("invalid-ts-hashchainresult", "malformed_signature"),
    ];
    for (name, code) in expected {
        let Some(result) = verify(name) else { return };
        assert_eq!(result.unwrap_err(), code, "{name}");
    }
}

/// docs/adr/0003-verification-gaps.md: passes as in the reference, but says that the chain proves nothing.
#[test]
fn a_hash_chain_that_is_not_signed_is_reported() {
    let Some(result) = verify("invalid-not-signed-hashchain") else {
        return;
    };
    assert!(result.unwrap().signature().has_unsigned_hash_chain());
}

#[test]
fn another_signer_or_another_time_stamping_authority_is_refused() {
    let Some(container) = vectors::asic("valid-batch-ts.asice") else {
        return;
    };
    let mut trust = trust::dev().unwrap();
    let fault = |trust: &trust::Trust, code: &str| {
        asic::verify(&container, &trust::member(code), trust)
            .unwrap_err()
            .fault_code()
    };
    assert_eq!(fault(&trust, "1234"), "incorrect_certificate");
    trust.tsa = vec![trust.ca.clone()];
    assert_eq!(fault(&trust, "4321"), "mlog.tsp_certificate_not_found");
    trust = trust::dev().unwrap();
    trust.freshness = 60;
    assert_eq!(fault(&trust, "4321"), "incorrect_validation_info");
    trust = trust::dev().unwrap();
    trust.ca = trust.tsa[0].clone();
    assert_eq!(fault(&trust, "4321"), "internal_error");
}

/// Rewrites a container of the vectors with other entries.
fn rewritten(name: &str, change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let bytes = vectors::file(&format!("asic/{name}.asice"))?;
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let name = file.name().unwrap().into_owned();
        let mut data = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut data).unwrap();
        if let Some(data) = change(&name, &data).filter(|_| !name.ends_with('/')) {
            writer
                .start_file(name, zip::write::SimpleFileOptions::default())
                .unwrap();
            writer.write_all(&data).unwrap();
        }
    }
    Some(writer.finish().unwrap().into_inner())
}

fn read(bytes: &[u8]) -> Result<asic::Container, AsicError> {
    asic::read(bytes, &Limits::default())
}

#[test]
fn missing_entries_have_their_codes() {
    let without = |container: &str, entry: &str| {
        let bytes = rewritten(container, |name, data| (name != entry).then(|| data.to_vec()))?;
        Some(read(&bytes).unwrap_err().fault_code())
    };
    let Some(code) = without("valid-batch-ts", "mimetype") else {
        return;
    };
    assert_eq!(code, "asic_mime_type_not_found");
    assert_eq!(
        without("valid-batch-ts", "message.xml").unwrap(),
        "asic_message_not_found"
    );
    assert_eq!(
        without("valid-batch-ts", "META-INF/signatures.xml").unwrap(),
        "asic_signature_not_found"
    );
    assert_eq!(
        without("valid-batch-ts", "ts-hashchain.xml").unwrap(),
        "asic_hash_chain_not_found"
    );
    assert_eq!(
        without("valid-batch-ts", "ts-hashchainresult.xml").unwrap(),
        "asic_hash_chain_result_not_found"
    );
    assert_eq!(
        without("valid-signed-hashchain", "sig-hashchain.xml").unwrap(),
        "asic_hash_chain_not_found"
    );

    let bytes = rewritten("valid-batch-ts", |name, data| {
        (name != "META-INF/timestamp.tst").then(|| data.to_vec())
    })
    .unwrap();
    let container = read(&bytes).unwrap();
    let fault = asic::verify(&container, &trust::member("4321"), &trust::dev().unwrap()).unwrap_err();
    assert_eq!(fault.fault_code(), "asic_timestamp_not_found");

    let bytes = rewritten("valid-batch-ts", |name, data| {
        Some(if name == "mimetype" {
            b"application/zip".to_vec()
        } else {
            data.to_vec()
        })
    });
    assert_eq!(
        read(&bytes.unwrap()).unwrap_err().fault_code(),
        "asic_invalid_mime_type"
    );
    assert_eq!(
        read(b"no zip").unwrap_err().fault_code(),
        "asic_invalid_container"
    );
}

#[test]
fn a_changed_message_or_signature_fails() {
    for (entry, code) in [
        ("message.xml", "invalid_signature_value"),
        ("META-INF/signatures.xml", "malformed_signature"),
        ("ts-hashchainresult.xml", "malformed_signature"),
        ("ts-hashchain.xml", "malformed_signature"),
    ] {
        let changed = rewritten("valid-batch-ts", |name, data| {
            let text = String::from_utf8_lossy(data).into_owned();
            Some(match (name == entry, entry) {
                (false, _) => data.to_vec(),
                (true, "message.xml") => text.replace("TestClient", "TestClienT").into_bytes(),
                (true, "META-INF/signatures.xml") => {
                    text.replace("<ds:KeyInfo>\n", "<ds:KeyInfo>").into_bytes()
                }
                (true, _) => text
                    .replacen("<DigestValue>", "<DigestValue>AAAA", 1)
                    .into_bytes(),
            })
        });
        let Some(changed) = changed else { return };
        let container = read(&changed).unwrap();
        let fault = asic::verify(&container, &trust::member("4321"), &trust::dev().unwrap()).unwrap_err();
        assert_eq!(fault.fault_code(), code, "{entry}");
    }
}

const CREATED: OffsetDateTime = datetime!(2026-01-02 03:04:06 UTC);

fn contents(attachments: usize) -> Contents<'static> {
    Contents {
        message: b"<message/>",
        signature: b"<signature/>",
        hash_chain: Some((b"<result/>", b"<chain/>")),
        time_stamp: Some(BatchTimeStamp {
            result: b"<ts-result/>",
            chain: b"<ts-chain/>",
            token: &[0x30, 0],
        }),
        attachments,
    }
}

fn written(contents: &Contents<'_>, attachments: &[&[u8]]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), contents, CREATED).unwrap();
    for mut attachment in attachments.iter().copied() {
        writer.attachment(&mut attachment).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn what_is_written_is_read() {
    let bytes = written(&contents(2), &[b"first", &[7; 100_000]]);
    let container = read(&bytes).unwrap();
    assert_eq!(container.message(), b"<message/>");
    assert_eq!(container.signature(), b"<signature/>");
    assert_eq!(
        container.hash_chain(),
        Some((b"<result/>".as_slice(), b"<chain/>".as_slice()))
    );
    assert_eq!(container.batch_time_stamp().unwrap(), contents(0).time_stamp);
    let attachments = container.attachments();
    assert_eq!(attachments.len(), 2);
    assert_eq!(attachments[1].digest.name, "/attachment2");
    assert_eq!(
        *attachments[1].digest.digest,
        *DigestAlgorithm::Sha512.digest(&[7; 100_000])
    );
    assert_eq!(attachments[1].size, 100_000);
}

#[test]
fn entries_are_in_the_order_and_form_that_tools_depend_on() {
    let bytes = written(&contents(1), &[b"first"]);
    let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
    assert_eq!(archive.comment(), b"mimetype=application/vnd.etsi.asic-e+zip");
    let names: Vec<String> = (0..archive.len())
        .map(|index| archive.by_index(index).unwrap().name().unwrap().into_owned())
        .collect();
    let expected = [
        "mimetype",
        "message.xml",
        "META-INF/signatures.xml",
        "sig-hashchainresult.xml",
        "sig-hashchain.xml",
        "ts-hashchainresult.xml",
        "ts-hashchain.xml",
        "META-INF/manifest.xml",
        "META-INF/ASiCManifest.xml",
        "META-INF/timestamp.tst",
        "attachment1",
    ];
    assert_eq!(names, expected);
    // Local header: version 2.0, flags 0x0808, deflated, 03:04:06 on 2026-01-02; extra field UT of 5 bytes.
    assert_eq!(
        bytes[..14],
        [b'P', b'K', 3, 4, 20, 0, 0x08, 0x08, 8, 0, 0x83, 0x18, 0x22, 0x5c]
    );
    assert_eq!(bytes[38..43], [b'U', b'T', 5, 0, 1]);
}

#[test]
fn manifests_are_those_of_the_reference() {
    let Some(container) = vectors::asic("valid-batch-ts.asice") else {
        return;
    };
    let stamp = container.batch_time_stamp().unwrap();
    let contents = Contents {
        message: container.message(),
        signature: container.signature(),
        hash_chain: None,
        time_stamp: stamp,
        attachments: 0,
    };
    let ours = written(&contents, &[]);
    assert_eq!(read(&ours).unwrap(), container);
    let theirs = vectors::file("asic/valid-batch-ts.asice").unwrap();
    for name in ["META-INF/manifest.xml", "META-INF/ASiCManifest.xml"] {
        assert_eq!(unpacked(&ours, name), unpacked(&theirs, name), "{name}");
    }
    asic::verify(
        &read(&ours).unwrap(),
        &trust::member("4321"),
        &trust::dev().unwrap(),
    )
    .unwrap();
}

fn unpacked(container: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(container)).unwrap();
    std::io::read_to_string(archive.by_name(name).unwrap()).unwrap()
}

#[test]
fn unzip_finds_no_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("container.asice");
    std::fs::write(&path, written(&contents(1), &[&[1; 300_000]])).unwrap();
    match std::process::Command::new("unzip").arg("-tq").arg(&path).output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        ),
        Err(error) => eprintln!("SKIPPED: unzip: {error}"),
    }
}

#[test]
fn bounds_hold() {
    let bytes = written(&contents(1), &[&[0; 1_000_000]]);
    let tight = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        asic::read(&bytes, &limits).unwrap_err()
    };
    assert!(matches!(
        tight(|limits| limits.entries = 10),
        AsicError::TooLarge(_)
    ));
    assert!(matches!(
        tight(|limits| limits.message_bytes = 9),
        AsicError::TooLarge(_)
    ));
    assert!(matches!(
        tight(|limits| limits.total_bytes = 1_000_000),
        AsicError::TooLarge(_)
    ));
    asic::read(
        &bytes,
        &Limits {
            entries: 11,
            message_bytes: 10,
            total_bytes: 1_002_000,
        },
    )
    .unwrap();
}

/// Readers that go from entry to entry see what lies before the directory; both must be the same.
#[test]
fn entries_that_the_directory_does_not_have_are_refused() {
    let bytes = written(&contents(0), &[]);
    let prefixed = [b"PK\x03\x04".as_slice(), &[0; 26], &bytes].concat();
    assert!(matches!(
        read(&prefixed),
        Err(AsicError::Ambiguous(_) | AsicError::Zip(_))
    ));
    let mut renamed = bytes.clone();
    let position = renamed
        .windows(11)
        .position(|window| window == b"message.xml")
        .unwrap();
    renamed[position] = b'M';
    assert!(matches!(
        read(&renamed),
        Err(AsicError::Ambiguous("an entry has two names"))
    ));
    read(&bytes).unwrap();
}

#[test]
fn two_entries_with_one_name_are_refused() {
    let mut first = written(&contents(1), &[b"first"]);
    let mut position = 0;
    // Both places: local header and directory.
    while let Some(at) = first[position..]
        .windows(11)
        .position(|window| window == b"attachment1")
    {
        position += at;
        first[position..position + 11].copy_from_slice(b"message.xml");
    }
    assert!(read(&first).is_err());
}

#[test]
fn all_vectors_can_be_read() {
    for name in NAMES {
        let Some(bytes) = vectors::file(&format!("asic/{name}.asice")) else {
            return;
        };
        read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

proptest::proptest! {
    #[test]
    fn damaged_containers_never_panic(at in 0_usize..4000, value in proptest::prelude::any::<u8>(), cut in 0_usize..4000) {
        let mut bytes = written(&contents(1), &[b"first"]);
        let length = bytes.len();
        bytes[at % length] = value;
        let _ = read(&bytes);
        bytes.truncate(cut % length);
        proptest::prop_assert!(read(&bytes).is_err());
    }
}
