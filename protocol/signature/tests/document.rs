//! Signature documents: ours against the reference's bytes, the canonicaliser and xmlsec1; theirs against ours.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::public_key::ecdsa_der_to_xml;
use protocol_signature::document::{BuildError, Builder, SignatureDocument, Signed, Target};
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::{PartDigest, Parts};
use protocol_signature::verify::{VerifyRequest, verify};
use time::macros::datetime;

mod vectors;
use vectors::issued::{self, NOW, World};
use vectors::trust;

fn message() -> PartDigest {
    PartDigest::of(MESSAGE, DigestAlgorithm::Sha512, b"<message/>")
}

/// Builds the document of a vector again, from what the vector says: all bytes must be the same, but for the line
/// breaks in the digest values, which we do not write.
#[test]
fn the_document_is_the_references_byte_for_byte() {
    for name in ["valid-batch-ts", "valid-signed-message", "valid-signed-hashchain"] {
        let Some(container) = vectors::asic(&format!("{name}.asice")) else {
            return;
        };
        let theirs = String::from_utf8(container.signature().to_vec()).unwrap();
        let document = SignatureDocument::parse(theirs.as_bytes()).unwrap();
        let digest = PartDigest::of(MESSAGE, DigestAlgorithm::Sha512, container.message());
        let builder = Builder {
            certificate: document.certificate(),
            intermediates: document.intermediates(),
            ocsp_responses: document.ocsp_responses(),
            signing_time: document.signing_time().unwrap(),
            algorithm: document.algorithm(),
            signed: match container.hash_chain() {
                Some((result, _)) => Signed::HashChainResult(result),
                None => Signed::Message(&digest),
            },
        };
        let ours = builder
            .build()
            .unwrap()
            .finish(document.signature_value())
            .unwrap();
        let ours = match document.time_stamp() {
            Some(token) => protocol_signature::time_stamp::embed(&ours, token).unwrap(),
            None => ours,
        };
        assert_eq!(
            String::from_utf8(ours).unwrap(),
            unbroken(theirs.trim_end()),
            "{name}"
        );
    }
}

/// Joins the lines of digest values.
fn unbroken(xml: &str) -> String {
    let (info, rest) = xml.split_once("</ds:SignedInfo>").unwrap();
    format!("{}</ds:SignedInfo>{rest}", info.replace("&#13;\n", ""))
}

/// The forms that are written directly are those of the canonicaliser.
#[test]
fn canonical_forms_are_those_of_the_canonicaliser() {
    for world in [issued::rsa(), issued::p256(), issued::p384()] {
        for signed in [Signed::Message(&message()), Signed::HashChainResult(b"<result/>")] {
            let unsigned = world.unsigned(signed);
            let xml = unsigned
                .clone()
                .finish(&world.sign(unsigned.to_be_signed()))
                .unwrap();
            let text = std::str::from_utf8(&xml).unwrap();
            let canonical = canonical(text, "SignedInfo");
            assert_eq!(
                String::from_utf8_lossy(unsigned.to_be_signed()),
                String::from_utf8_lossy(&canonical)
            );

            let document = SignatureDocument::parse(&xml).unwrap();
            assert_eq!(document.signed_info(), unsigned.to_be_signed());
            let [_, properties] = document.references() else {
                panic!("two references")
            };
            let canonical = self::canonical(text, "SignedProperties");
            assert_eq!(properties.target, Target::SignedProperties(canonical.clone()));
            assert_eq!(*properties.digest, *DigestAlgorithm::Sha512.digest(&canonical));
        }
    }
}

fn canonical(xml: &str, element: &str) -> Vec<u8> {
    let document = uppsala::parse(xml).unwrap();
    let id = document.get_elements_by_tag_name(element)[0];
    let nodes = NodeSet::tree_without_comments(id, &document);
    canonicalize_doc::<&str>(&document, C14nMode::Inclusive, Some(&nodes), &[]).unwrap()
}

fn request<'a>(world: &World, document: &'a [u8], parts: &'a [PartDigest]) -> VerifyRequest<'a> {
    VerifyRequest {
        document,
        hash_chain_result: None,
        hash_chain: None,
        message: None,
        parts: Parts::Received(parts),
        signer: Box::leak(Box::new(world.member())),
        at: NOW,
    }
}

#[test]
fn what_is_signed_is_verified() {
    for world in [issued::rsa(), issued::p256(), issued::p384()] {
        let parts = [message()];
        let document = world.document(Signed::Message(&parts[0]));
        let verified = verify(&request(world, &document, &parts), &world.trust()).unwrap();
        assert_eq!(verified.covered(), parts);
        assert_eq!(*verified.document().signer(), world.member());
        assert_eq!(verified.document().signing_time().unwrap(), NOW);
        assert_eq!(
            verified.document().valid_until().unix_timestamp(),
            NOW.unix_timestamp() + 3600
        );
    }
}

#[test]
fn intermediates_are_written_and_read() {
    let world = issued::rsa();
    let intermediates = [world.ca.certificate.clone(), world.tsa.certificate.clone()];
    let ocsp = [world.good(), b"second".to_vec()];
    let unsigned = world.unsigned_with(Signed::Message(&message()), &intermediates, &ocsp);
    let document = SignatureDocument::parse(&unsigned.finish(&[1; 256]).unwrap()).unwrap();
    assert_eq!(document.intermediates(), intermediates);
    assert_eq!(document.ocsp_responses(), ocsp);
    assert_eq!(document.signature_value(), [1; 256]);
}

#[test]
fn what_no_verifier_should_accept_is_not_built() {
    let world = issued::p256();
    let build = |algorithm: DigestAlgorithm, part: &PartDigest| {
        let builder = Builder {
            certificate: &world.signer.certificate,
            intermediates: &[],
            ocsp_responses: &[],
            signing_time: NOW,
            algorithm: world.signer.key.algorithm_with(algorithm),
            signed: Signed::Message(part),
        };
        builder.build().unwrap_err()
    };
    assert_eq!(
        build(DigestAlgorithm::Sha1, &message()),
        BuildError::WeakAlgorithm
    );
    assert_eq!(
        build(DigestAlgorithm::Sha256, &message()),
        BuildError::DigestAlgorithm
    );
    let attachment = PartDigest::of("/attachment1", DigestAlgorithm::Sha512, b"");
    assert_eq!(
        build(DigestAlgorithm::Sha512, &attachment),
        BuildError::NotTheMessage
    );
    let unsigned = world.unsigned(Signed::Message(&message()));
    assert_eq!(unsigned.finish(&[1; 63]).unwrap_err(), BuildError::NotRaw);
}

/// wire.md 7.2: what the reference's own tests expect of these documents.
#[test]
fn broken_documents_have_the_codes_of_the_reference() {
    let expected = [
        ("empty.xml", "invalid_xml"),
        ("sign-0-malformed-xml.xml", "invalid_xml"),
        ("sign-0-no-signature.xml", "malformed_signature"),
        ("sign-0-no-objectcontainer.xml", "malformed_signature"),
        ("sign-0-no-signing-cert.xml", "malformed_signature"),
        ("sign-0-schema-fail.xml", "malformed_signature"),
        ("sign-0-ocsp-no-responses.xml", "malformed_signature"),
        ("extra-certs-digest-invalid.xml", "malformed_signature"),
        ("extra-certs-missing-cert.xml", "malformed_signature"),
        ("extra-certs-missing-id.xml", "malformed_signature"),
    ];
    for (name, code) in expected {
        let Some(bytes) = vectors::signature(name) else {
            return;
        };
        let fault = SignatureDocument::parse(&bytes).unwrap_err();
        assert!(
            fault.fault_code() == code || name == "empty.xml",
            "{name}: {fault}"
        );
    }
}

#[test]
fn signature_values_of_old_documents_are_verified() {
    for (name, good) in [
        ("batch-sig.xml", true),
        ("sign-0-invalid-signature-value.xml", false),
    ] {
        let Some(bytes) = vectors::signature(name) else {
            return;
        };
        let document = SignatureDocument::parse(&bytes).unwrap();
        let verified = document.certificate().verify_xml(
            document.algorithm(),
            document.signed_info(),
            document.signature_value(),
        );
        assert_eq!(verified.is_ok(), good, "{name}");
    }
}

/// A document of another implementation: `ds:Signature` is the root, canonicalisation is exclusive, and every part has
/// a reference.
#[test]
fn direct_references_to_attachments_are_verified() {
    let Some(document) = vectors::signature("non-batch-sig/signatures.xml") else {
        return;
    };
    let mut parts = ["message.xml", "attachment1"].map(|name| {
        let data = vectors::signature(&format!("non-batch-sig/{name}")).unwrap();
        PartDigest::of(format!("/{name}"), DigestAlgorithm::Sha512, &data)
    });
    let trust = trust::dev().unwrap();
    let signer = trust::member("4321");
    let check = |parts: &[PartDigest]| {
        let request = VerifyRequest {
            document: &document,
            hash_chain_result: None,
            hash_chain: None,
            message: None,
            parts: Parts::Received(parts),
            signer: &signer,
            at: datetime!(2024-07-09 07:40 UTC),
        };
        verify(&request, &trust)
            .map(|_| ())
            .map_err(|error| error.fault_code())
    };
    assert_eq!(check(&parts), Ok(()));
    assert_eq!(check(&parts[..1]), Err("invalid_signature_value".to_owned()));
    let more = [
        parts.as_slice(),
        &[PartDigest::of("/attachment2", DigestAlgorithm::Sha512, b"")],
    ]
    .concat();
    assert_eq!(check(&more), Err("malformed_signature".to_owned()));
    parts[1] = PartDigest::of(parts[1].name.clone(), DigestAlgorithm::Sha512, b"other");
    assert_eq!(check(&parts), Err("invalid_signature_value".to_owned()));
}

#[test]
fn ecdsa_values_are_of_fixed_width() {
    let der = [0x30, 8, 2, 2, 0x00, 0x81, 2, 2, 0x01, 0x02];
    assert_eq!(ecdsa_der_to_xml(&der, 4).unwrap(), [0, 0, 0, 0x81, 0, 0, 1, 2]);
    let world = issued::p256();
    let document = SignatureDocument::parse(&world.document(Signed::Message(&message()))).unwrap();
    assert_eq!(document.signature_value().len(), 64);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
    #[test]
    fn damaged_documents_never_panic(
        at in 0_usize..8000,
        value in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..8),
        remove in 0_usize..8,
    ) {
        let mut xml = issued::p256().document(Signed::Message(&message()));
        let at = at % xml.len();
        let end = (at + remove).min(xml.len());
        xml.splice(at..end, value);
        let _ = SignatureDocument::parse(&xml);
    }
}

/// xmlsec1 knows nothing of us: it canonicalises and verifies what we sign.
#[test]
fn xmlsec_verifies_what_we_sign() {
    for (name, world) in [
        ("rsa", issued::rsa()),
        ("p256", issued::p256()),
        ("p384", issued::p384()),
    ] {
        let document = world.document(Signed::Message(&message()));
        let Some(good) = xmlsec(&document, b"<message/>") else {
            return;
        };
        assert!(good, "{name}");
        assert!(
            !xmlsec(&document, b"<message />").unwrap(),
            "{name}: other message"
        );
        let text = String::from_utf8(document).unwrap();
        let other = text.replace("2026-03-04T05:06:07.089Z", "2026-03-04T05:06:07.088Z");
        assert!(
            !xmlsec(other.as_bytes(), b"<message/>").unwrap(),
            "{name}: other signing time"
        );
    }
}

/// Whether xmlsec1 accepts a document, or `None` where there is no xmlsec1.
fn xmlsec(document: &[u8], message: &[u8]) -> Option<bool> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, data: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, data).unwrap();
        path
    };
    let message = write("message.xml", message);
    let signatures = write("signatures.xml", document);
    let output = std::process::Command::new("xmlsec1")
        .args(["--verify", "--insecure"])
        .args(["--id-attr:Id", "http://www.w3.org/2000/09/xmldsig#:Signature"])
        .args([
            "--id-attr:Id",
            "http://uri.etsi.org/01903/v1.3.2#:SignedProperties",
        ])
        .arg(format!("--url-map:{MESSAGE}"))
        .args([&message, &signatures])
        .output();
    match output {
        Ok(output) => Some(output.status.success()),
        Err(error) => {
            eprintln!("SKIPPED: xmlsec1: {error}");
            None
        }
    }
}
