//! What verification refuses, each refusal beside what it accepts (wire.md 3.5, docs/adr/0003-verification-gaps.md).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bergshamra_c14n::{C14nMode, canonicalize_doc};
use bergshamra_xml::NodeSet;
use proptest::prelude::*;
use protocol_pki::certificate::{Certificate, KeyUsage};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::Extension;
use protocol_pki::key::{KeySpec, SoftwareKey};
use protocol_pki::ocsp::CertificateStatus;
use protocol_signature::asic::{self, BatchTimeStamp, Contents, Limits, Writer};
use protocol_signature::document::{self, SignatureDocument, Signed};
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::{Batch, PartDigest, Parts};
use protocol_signature::time_stamp;
use protocol_signature::verify::{self, Evidence, VerifyRequest};
use time::Duration;

mod vectors;
use vectors::issued::{self, Identity, NOW, World};
use vectors::trust;

const DATA: &[u8] = b"<message/>";

fn part(name: &'static str, data: &[u8]) -> PartDigest {
    PartDigest::of(name, DigestAlgorithm::Sha512, data)
}

fn verify(world: &World, document: &[u8], parts: &[PartDigest]) -> Result<(), String> {
    let request = VerifyRequest {
        document,
        hash_chain_result: None,
        hash_chain: None,
        message: Some(DATA),
        parts: Parts::Received(parts),
        signer: &world.member(),
        at: NOW,
    };
    verify::verify(&request, &world.trust())
        .map(|_| ())
        .map_err(|error| error.fault_code())
}

fn fault(world: &World, document: &[u8]) -> String {
    verify(world, document, &[part(MESSAGE, DATA)]).unwrap_err()
}

fn document(world: &World) -> String {
    String::from_utf8(world.document(Signed::Message(&part(MESSAGE, DATA)))).unwrap()
}

/// Changes a document and signs it again, so that only the change can be what is wrong.
fn changed(world: &World, change: impl Fn(&str) -> String) -> Vec<u8> {
    let xml = change(&document(world));
    let xml = if let Some(properties) = canonical(&xml, "SignedProperties") {
        let digest = STANDARD.encode(DigestAlgorithm::Sha512.digest(&properties));
        replace_text(
            &xml,
            "URI=\"#signed-properties\">",
            "<ds:DigestValue>",
            "</ds:DigestValue>",
            &digest,
        )
    } else {
        xml
    };
    let value = STANDARD.encode(world.sign(&canonical(&xml, "SignedInfo").unwrap()));
    replace_text(&xml, "<ds:SignatureValue", ">", "</ds:SignatureValue>", &value).into_bytes()
}

fn canonical(xml: &str, element: &str) -> Option<Vec<u8>> {
    let document = uppsala::parse(xml).unwrap();
    let id = *document.get_elements_by_tag_name(element).first()?;
    let nodes = NodeSet::tree_without_comments(id, &document);
    Some(canonicalize_doc::<&str>(&document, C14nMode::Inclusive, Some(&nodes), &[]).unwrap())
}

/// Replaces what is between `start` and `end` after `context`, when there is such a context.
fn replace_text(xml: &str, context: &str, start: &str, end: &str, text: &str) -> String {
    let Some(at) = xml.find(context) else {
        return xml.to_owned();
    };
    let from = at + xml[at..].find(start).unwrap() + start.len();
    let to = from + xml[from..].find(end).unwrap();
    format!("{}{text}{}", &xml[..from], &xml[to..])
}

#[test]
fn signing_again_makes_a_good_document() {
    let world = issued::p256();
    let again = changed(world, |xml| xml.replace("SPURI>https", "SPURI>http"));
    assert_eq!(verify(world, &again, &[part(MESSAGE, DATA)]), Ok(()));
}

#[test]
fn signed_properties_must_be_signed() {
    let world = issued::p256();
    let without = changed(world, |xml| {
        let from = xml.find("<ds:Reference Id=\"signature-reference-1\"").unwrap();
        let to = xml.find("</ds:SignedInfo>").unwrap();
        format!("{}{}", &xml[..from], &xml[to..])
    });
    assert_eq!(fault(world, &without), "malformed_signature");
    // Nor does it help to sign another element and to call that the signed properties.
    let elsewhere = changed(world, |xml| {
        let xml = xml.replace("URI=\"#signed-properties\"", "URI=\"#other\"");
        xml.replace(
            "</xades:UnsignedSignatureProperties>",
            "<a Id=\"other\"/></xades:UnsignedSignatureProperties>",
        )
    });
    assert_eq!(fault(world, &elsewhere), "malformed_signature");
}

#[test]
fn every_part_must_be_covered() {
    let world = issued::p256();
    let document = document(world);
    let parts = [part(MESSAGE, DATA), part("/attachment1", b"")];
    assert_eq!(verify(world, document.as_bytes(), &parts[..1]), Ok(()));
    assert_eq!(
        verify(world, document.as_bytes(), &parts),
        Err("malformed_signature".to_owned())
    );
    assert_eq!(
        verify(world, document.as_bytes(), &[]),
        Err("invalid_signature_value".to_owned())
    );
    let twice = [parts[0].clone(), part(MESSAGE, b"other")];
    assert!(verify(world, document.as_bytes(), &twice).is_err());
}

#[test]
fn the_signing_certificate_must_be_the_one_in_the_signed_properties() {
    let world = issued::p256();
    let other_digest = STANDARD.encode(DigestAlgorithm::Sha512.digest(world.tsa.certificate.as_der()));
    let named = changed(world, |xml| {
        replace_text(
            xml,
            "<xades:CertDigest>",
            "<ds:DigestValue>",
            "</ds:DigestValue>",
            &other_digest,
        )
    });
    assert_eq!(fault(world, &named), "malformed_signature");
    let serial = changed(world, |xml| xml.replace("SerialNumber>2<", "SerialNumber>7<"));
    assert_eq!(fault(world, &serial), "malformed_signature");
    // The issuer's name is not compared, and an old document may lack the element.
    let issuer = changed(world, |xml| xml.replace("CN=Test CA", "cn=Test CA"));
    assert_eq!(verify(world, &issuer, &[part(MESSAGE, DATA)]), Ok(()));
    let without = changed(world, |xml| {
        let from = xml.find("<xades:SigningCertificate>").unwrap();
        let to = xml.find("<xades:SignaturePolicyIdentifier>").unwrap();
        format!("{}{}", &xml[..from], &xml[to..])
    });
    assert_eq!(verify(world, &without, &[part(MESSAGE, DATA)]), Ok(()));
}

#[test]
fn weak_algorithms_and_transformed_parts_are_refused() {
    let world = issued::p256();
    let sha1 = changed(world, |xml| {
        let digest = STANDARD.encode(DigestAlgorithm::Sha1.digest(DATA));
        let xml = xml.replacen(
            "http://www.w3.org/2001/04/xmlenc#sha512",
            "http://www.w3.org/2000/09/xmldsig#sha1",
            1,
        );
        replace_text(
            &xml,
            "URI=\"/message.xml\"",
            "<ds:DigestValue>",
            "</ds:DigestValue>",
            &digest,
        )
    });
    assert_eq!(fault(world, &sha1), "malformed_signature");
    let sha256 = changed(world, |xml| {
        let digest = STANDARD.encode(DigestAlgorithm::Sha256.digest(DATA));
        let xml = xml.replacen(
            "http://www.w3.org/2001/04/xmlenc#sha512",
            "http://www.w3.org/2001/04/xmlenc#sha256",
            1,
        );
        replace_text(
            &xml,
            "URI=\"/message.xml\"",
            "<ds:DigestValue>",
            "</ds:DigestValue>",
            &digest,
        )
    });
    assert_eq!(verify(world, &sha256, &[part(MESSAGE, DATA)]), Ok(()));
    let transformed = changed(world, |xml| {
        let transform = "<ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transforms>";
        xml.replacen(
            "URI=\"/message.xml\">",
            &format!("URI=\"/message.xml\">{transform}"),
            1,
        )
    });
    assert_eq!(fault(world, &transformed), "malformed_signature");
}

#[test]
fn ids_and_signatures_are_unique() {
    let world = issued::p256();
    for (from, to) in [
        ("Id=\"signature-value\"", "Id=\"signed-properties\""),
        (
            "</ds:KeyInfo>",
            "</ds:KeyInfo><ds:Object><ds:Signature/></ds:Object>",
        ),
        ("Target=\"#signature\"", "Target=\"#other\""),
    ] {
        let document = changed(world, |xml| xml.replace(from, to));
        assert_eq!(fault(world, &document), "malformed_signature", "{to}");
    }
}

/// Layouts that older releases wrote (wire.md 3.1).
#[test]
fn older_layouts_are_accepted() {
    let world = issued::p256();
    let older: [fn(&str) -> String; 4] = [
        |xml| xml.replace("02918/v1.2.1", "02918/v1.1.1"),
        |xml| {
            xml.replace(" Id=\"signature-reference-0\"", "")
                .replace("#signature-reference-0", "/message.xml")
        },
        |xml| {
            let from = xml.find("<xades:SignaturePolicyIdentifier>").unwrap();
            let end = "</xades:SignaturePolicyIdentifier>";
            let to = xml.find(end).unwrap() + end.len();
            format!("{}{}", &xml[..from], &xml[to..])
        },
        |xml| xml.replace("</ds:DigestValue>", "&#13;\n</ds:DigestValue>"),
    ];
    for (index, change) in older.iter().enumerate() {
        assert_eq!(
            verify(world, &changed(world, change), &[part(MESSAGE, DATA)]),
            Ok(()),
            "layout {index}"
        );
    }
}

fn with_ocsp(world: &World, responses: &[Vec<u8>]) -> Vec<u8> {
    let unsigned = world.unsigned_with(Signed::Message(&part(MESSAGE, DATA)), &[], responses);
    let value = world.sign(unsigned.to_be_signed());
    unsigned.finish(&value).unwrap()
}

#[test]
fn the_certificate_must_be_good_by_a_fresh_response() {
    let world = issued::p256();
    let certificate = &world.signer.certificate;
    let response = |status, age| world.ocsp(certificate, status, NOW - age);
    let good = response(CertificateStatus::Good, Duration::minutes(59));
    assert_eq!(
        verify(world, &with_ocsp(world, &[good]), &[part(MESSAGE, DATA)]),
        Ok(())
    );
    let old = response(CertificateStatus::Good, Duration::minutes(61));
    assert_eq!(
        fault(world, &with_ocsp(world, &[old])),
        "incorrect_validation_info"
    );
    let revoked = response(CertificateStatus::Revoked { at: NOW }, Duration::ZERO);
    assert_eq!(fault(world, &with_ocsp(world, &[revoked])), "cert_validation");
    let of_another = world.ocsp(&world.tsa.certificate, CertificateStatus::Good, NOW);
    assert_eq!(
        fault(world, &with_ocsp(world, std::slice::from_ref(&of_another))),
        "cert_validation"
    );
    assert_eq!(
        fault(world, &with_ocsp(world, &[b"no OCSP response".to_vec()])),
        "malformed_signature"
    );
    // The right one is found among others.
    let both = [of_another, world.good()];
    assert_eq!(
        verify(world, &with_ocsp(world, &both), &[part(MESSAGE, DATA)]),
        Ok(())
    );
}

/// A world whose signer has another certificate for the same key.
fn with_certificate(extensions: Vec<Extension>, subject: &[(&str, &str)], own: bool) -> World {
    let base = issued::p256();
    let copy = |key: &SoftwareKey| SoftwareKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
    let identity = |from: &Identity| Identity {
        key: copy(&from.key),
        certificate: from.certificate.clone(),
    };
    let issuer = if own {
        copy(&base.ca.key)
    } else {
        SoftwareKey::generate(KeySpec::P256).unwrap()
    };
    let ca_name = base.ca.certificate.subject().clone();
    let signer = issued::issue(
        &issuer,
        &ca_name,
        copy(&base.signer.key),
        &issued::name(subject),
        9,
        extensions,
    );
    World {
        ca: identity(&base.ca),
        signer,
        tsa: identity(&base.tsa),
    }
}

#[test]
fn the_certificate_must_be_the_signers_and_for_signing() {
    let subject = [("C", "DEV"), ("O", "COM"), ("CN", "4321")];
    let usage = |usage| vec![Extension::end_entity(), Extension::key_usage(usage)];
    let good = with_certificate(usage(KeyUsage::NON_REPUDIATION), &subject, true);
    assert_eq!(
        verify(&good, document(&good).as_bytes(), &[part(MESSAGE, DATA)]),
        Ok(())
    );
    let authentication = with_certificate(usage(KeyUsage::DIGITAL_SIGNATURE), &subject, true);
    assert_eq!(
        fault(&authentication, document(&authentication).as_bytes()),
        "malformed_signature"
    );
    let other = [("C", "DEV"), ("O", "COM"), ("CN", "1234")];
    let other = with_certificate(usage(KeyUsage::NON_REPUDIATION), &other, true);
    assert_eq!(
        fault(&other, document(&other).as_bytes()),
        "incorrect_certificate"
    );
    let nameless = with_certificate(usage(KeyUsage::NON_REPUDIATION), &[("CN", "4321")], true);
    assert_eq!(
        fault(&nameless, document(&nameless).as_bytes()),
        "incorrect_certificate"
    );
    let forged = with_certificate(usage(KeyUsage::NON_REPUDIATION), &subject, false);
    assert_eq!(
        fault(&forged, document(&forged).as_bytes()),
        "invalid_cert_path.cert_validation"
    );
}

#[test]
fn a_kept_verification_serves_each_message_of_a_batch() {
    let world = issued::p256();
    let messages: Vec<Vec<PartDigest>> = [b"one".as_slice(), b"two"]
        .iter()
        .map(|data| vec![part(MESSAGE, data), part("/attachment1", data)])
        .collect();
    let batch = Batch::build(DigestAlgorithm::Sha512, messages.clone()).unwrap();
    let xml = world.document(Signed::HashChainResult(batch.result_xml()));
    let document = SignatureDocument::parse(&xml).unwrap();
    let kept = verify::document(&document, &world.member(), NOW, &world.trust()).unwrap();
    let chains = [batch.chain_xml(0).unwrap(), batch.chain_xml(1).unwrap()];
    let check = |signer: &_, at, parts: &[PartDigest], chain: Option<&[u8]>, result: &[u8]| {
        let evidence = Evidence {
            hash_chain_result: Some(result),
            hash_chain: chain,
            message: None,
            parts: Parts::Received(parts),
        };
        kept.verify_message(signer, at, &evidence)
            .map(|_| ())
            .map_err(|error| error.fault_code())
    };
    let member = world.member();
    let result = batch.result_xml();
    for (message, chain) in messages.iter().zip(&chains) {
        assert_eq!(check(&member, NOW, message, Some(chain), result), Ok(()));
    }
    let code = |result: Result<(), String>| result.unwrap_err();
    assert_eq!(
        code(check(&member, NOW, &messages[0], Some(&chains[1]), result)),
        "malformed_signature.invalid_hash_chain"
    );
    assert_eq!(
        code(check(&member, NOW, &messages[0][..1], Some(&chains[0]), result)),
        "malformed_signature.invalid_reference"
    );
    assert_eq!(
        code(check(&member, NOW, &messages[0], None, result)),
        "malformed_signature"
    );
    assert_eq!(
        code(check(
            &trust::member("1234"),
            NOW,
            &messages[0],
            Some(&chains[0]),
            result
        )),
        "incorrect_certificate"
    );
    let hours = Duration::hours(1);
    assert_eq!(
        code(check(
            &member,
            NOW + hours,
            &messages[0],
            Some(&chains[0]),
            result
        )),
        "cert_validation"
    );
    assert_eq!(
        code(check(
            &member,
            NOW - hours,
            &messages[0],
            Some(&chains[0]),
            result
        )),
        "cert_validation"
    );
    // Another batch's result and chain agree with each other, but not with the signature.
    let other = Batch::build(DigestAlgorithm::Sha512, vec![messages[0].clone()]).unwrap();
    let other_chain = other.chain_xml(0).unwrap();
    assert_eq!(
        code(check(
            &member,
            NOW,
            &messages[0],
            Some(&other_chain),
            other.result_xml()
        )),
        "invalid_signature_value"
    );
}

fn contained(
    world: &World,
    signature: &[u8],
    time_stamp: Option<BatchTimeStamp<'_>>,
) -> Result<asic::VerifiedContainer, String> {
    let contents = Contents {
        message: DATA,
        signature,
        hash_chain: None,
        time_stamp,
        attachments: 0,
    };
    let bytes = Writer::new(Vec::new(), &contents, NOW).unwrap().finish().unwrap();
    let container = asic::read(&bytes, &Limits::default()).unwrap();
    asic::verify(&container, &world.member(), &world.trust()).map_err(|error| error.fault_code())
}

#[test]
fn a_single_time_stamp_is_embedded_and_verified() {
    let world = issued::p256();
    let xml = document(world).into_bytes();
    assert_eq!(
        contained(world, &xml, None).unwrap_err(),
        "asic_timestamp_not_found"
    );
    let parsed = SignatureDocument::parse(&xml).unwrap();
    let token = world.stamp(parsed.signature_value());
    assert_eq!(
        *time_stamp::single_imprint(&parsed),
        *DigestAlgorithm::Sha512.digest(parsed.signature_value())
    );
    let stamped = time_stamp::embed(&xml, &token).unwrap();
    let verified = contained(world, &stamped, None).unwrap();
    assert_eq!(
        verified.time_stamp_time().unix_timestamp(),
        NOW.unix_timestamp() + 2
    );
    assert_eq!(*verified.tsa_certificate(), world.tsa.certificate);
    // Only the stamp was put in, as first child.
    let text = String::from_utf8(stamped.clone()).unwrap();
    assert!(text.contains("<xades:UnsignedSignatureProperties><xades:SignatureTimeStamp>"));
    let inserted = format!(
        "<xades:SignatureTimeStamp><xades:EncapsulatedTimeStamp>{}\
         </xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>",
        STANDARD.encode(&token)
    );
    assert_eq!(text.replacen(&inserted, "", 1).into_bytes(), xml);
    assert!(time_stamp::embed(&stamped, &token).is_err());
    // A token over something else does not do.
    let other = time_stamp::embed(&xml, &world.stamp(b"something else")).unwrap();
    assert_eq!(contained(world, &other, None).unwrap_err(), "malformed_signature");
}

#[test]
fn a_batch_time_stamp_covers_each_document() {
    let world = issued::p256();
    let documents: Vec<Vec<u8>> = (0..3).map(|_| document(world).into_bytes()).collect();
    let digests: Vec<_> = documents
        .iter()
        .map(|document| time_stamp::ALGORITHM.digest(document))
        .collect();
    let batch = time_stamp::Batch::build(&digests).unwrap();
    assert_eq!(
        *batch.imprint(),
        *time_stamp::ALGORITHM.digest(batch.result_xml())
    );
    let token = world.stamp(batch.result_xml());
    let chains: Vec<_> = (0..3).map(|index| batch.chain_xml(index).unwrap()).collect();
    let stamp = |chain| {
        Some(BatchTimeStamp {
            result: batch.result_xml(),
            chain,
            token: &token,
        })
    };
    for (document, chain) in documents.iter().zip(&chains) {
        assert!(
            contained(world, document, stamp(chain))
                .unwrap()
                .is_batch_time_stamp()
        );
    }
    assert_eq!(
        contained(world, &documents[0], stamp(&chains[1])).unwrap_err(),
        "malformed_signature"
    );
    assert!(time_stamp::Batch::build(&digests[..1]).is_err());
}

/// A document, and the ranges of it that are signed or are the signature.
fn ranges(xml: &str) -> Vec<std::ops::Range<usize>> {
    let range = |start: &str, end: &str| xml.find(start).unwrap()..xml.find(end).unwrap() + end.len();
    let value = xml.find("<ds:SignatureValue Id=\"signature-value\">\n").unwrap() + 41;
    vec![
        range("<ds:SignedInfo>", "</ds:SignedInfo>"),
        range("<xades:SignedProperties ", "</xades:SignedProperties>"),
        value..xml.find("\n</ds:SignatureValue>").unwrap(),
    ]
}

/// Canonical forms of documents in our layout are made from text; that must not be seen.
#[test]
fn our_documents_are_canonicalised_from_their_text_and_others_by_the_library() {
    let world = issued::p256();
    let xml = document(world);
    assert!(document::is_plain(xml.as_bytes()) && document::readers_agree(xml.as_bytes()));
    let others: [fn(&str) -> String; 9] = [
        |xml| xml.replace("<ds:SignedInfo>", "<ds:SignedInfo xmlns:a=\"b\">"),
        |xml| xml.replace("<ds:SignedInfo>", "<ds:SignedInfo><!-- -->"),
        |xml| xml.replace("<ds:SignedInfo>", "<ds:SignedInfo ><![CDATA[ ]]>"),
        |xml| xml.replace("<ds:Signature Id", "<ds:Signature xml:lang=\"et\" Id"),
        |xml| xml.replace("URI=\"/message.xml\"", "URI='/message.xml'"),
        |xml| xml.replace("<xades:SigningTime>", "<xades:SigningTime >"),
        |xml| xml.replace("<xades:SPURI>", "<xades:SPURI>&#32;"),
        |xml| xml.replace("<xades:SPURI>", "<xades:SPURI>\r"),
        |xml| xml.replace(" xmlns:xsi", "  xmlns:xsi"),
    ];
    for (index, other) in others.iter().enumerate() {
        let other = changed(world, other);
        assert!(!document::is_plain(&other), "layout {index}");
        assert!(document::readers_agree(&other), "layout {index}");
        assert_eq!(
            verify(world, &other, &[part(MESSAGE, DATA)]),
            Ok(()),
            "layout {index}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is done to a document: what can be read has the canonical forms that the library makes.
    #[test]
    fn canonical_forms_from_text_are_those_of_the_library(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, any::<u8>(), "[ -~\\n]{0,4}"), 1..3),
        of_range in 0_usize..3,
    ) {
        let xml = fixed_document();
        let range = ranges(xml)[of_range].clone();
        let mut bytes = xml.as_bytes().to_vec();
        for (at, kind, byte, text) in changes {
            let at = range.start + at.index(range.len() - 64);
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => drop(bytes.splice(at..at, text.bytes())),
                _ => drop(bytes.drain(at..at + usize::from(byte % 16))),
            }
            prop_assert!(document::readers_agree(&bytes), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_flipped_bit_in_what_is_signed_fails(range in 0_usize..3, position in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let world = issued::p256();
        let xml = fixed_document();
        let ranges = ranges(xml);
        let at = ranges[range].start + position.index(ranges[range].len());
        let mut bytes = xml.as_bytes().to_vec();
        bytes[at] ^= 1 << bit;
        prop_assert!(verify(world, &bytes, &[part(MESSAGE, DATA)]).is_err(), "byte {at}");
        // Nor does it help that the signer is known.
        let Ok(changed) = SignatureDocument::parse(&bytes) else { return Ok(()) };
        let (member, trust) = (world.member(), world.trust());
        let good = SignatureDocument::parse(xml.as_bytes()).unwrap();
        let good = verify::document(&good, &member, NOW, &trust).unwrap();
        let known = Some(good.verified_signer());
        let verified = verify::document_by(known, &changed, &member, NOW, &trust);
        prop_assert!(verified.is_err(), "byte {at}, signer known");
    }

    #[test]
    fn a_flipped_bit_in_the_message_fails(position in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut data = DATA.to_vec();
        let at = position.index(data.len());
        data[at] ^= 1 << bit;
        let parts = [part(MESSAGE, &data)];
        prop_assert_eq!(verify(issued::p256(), fixed_document().as_bytes(), &parts), Err("invalid_signature_value".to_owned()));
    }

    /// Tokens have parts that nobody signs, such as certificates; a change there may pass, but says nothing else.
    #[test]
    fn a_flipped_bit_in_a_token_never_says_something_else(position in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let world = issued::p256();
        let xml = fixed_document();
        let value = SignatureDocument::parse(xml.as_bytes()).unwrap().signature_value().to_vec();
        let mut token = world.stamp(&value);
        let at = position.index(token.len());
        token[at] ^= 1 << bit;
        let Ok(stamped) = time_stamp::embed(xml.as_bytes(), &token) else { return Ok(()) };
        if let Ok(verified) = contained(world, &stamped, None) {
            prop_assert_eq!(verified.time_stamp_time().unix_timestamp(), NOW.unix_timestamp() + 2);
            prop_assert_eq!(verified.tsa_certificate(), &world.tsa.certificate);
        }
    }
}

fn fixed_document() -> &'static str {
    static DOCUMENT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    DOCUMENT.get_or_init(|| document(issued::p256()))
}

/// What the proxy keeps for a document must be small and shareable.
#[test]
fn kept_verifications_cross_threads() {
    fn shareable<T: Send + Sync + Clone>() {}
    shareable::<verify::VerifiedDocument>();
    shareable::<Certificate>();
}
