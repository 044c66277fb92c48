//! Hash trees and chains against the reference's values, vectors and mutations (wire.md 3.4, 3.5).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use protocol_pki::digest::{Digest, DigestAlgorithm};
use protocol_signature::file_name::{self, MESSAGE, SIG_HASH_CHAIN};
use protocol_signature::hash_chain::{
    Batch, BuildError, Chain, HashChainError, MAX_STEPS, PartDigest, Parts, is_plain, readers_agree, verify,
};

mod vectors;

const WORDS: [&str; 7] = ["one", "two", "three", "four", "five", "six", "seven"];

fn words(count: usize) -> Vec<Vec<PartDigest>> {
    WORDS[..count]
        .iter()
        .map(|word| vec![PartDigest::of(MESSAGE, DigestAlgorithm::Sha256, word.as_bytes())])
        .collect()
}

fn chain(xml: &[u8]) -> Chain<'_> {
    Chain {
        name: SIG_HASH_CHAIN,
        xml,
    }
}

#[test]
fn roots_are_those_of_the_reference() {
    let roots = [
        (2, "MARSPzN9ZeFA+a9/yBxPkyIv/z36AP8GqQzEbFW/l84="),
        (3, "4qWUaAd7VQz9oNEJ6XP93YjtFPLBy1CDQQX3cNd3OsQ="),
        (4, "D7oIIfhfp4ToT729xyx991PvstI5XvpW+d7oeWvXw8E="),
        (5, "OrQBBfRcnqwD8O9zFLs1Gbt+qGHU1a/nGIhRB2PNaHY="),
        (6, "ff2fs1aWtAVFq6J2YO9Kuvree+H3JWa9qKBHkJDrN4A="),
        (7, "BOmLZByRqdi2TW3X4RuTckj63dJXWykjYu4CALTlN3Y="),
    ];
    for (count, root) in roots {
        let batch = Batch::build(DigestAlgorithm::Sha256, words(count)).unwrap();
        assert_eq!(STANDARD.encode(batch.root()), root, "{count} leaves");
    }
}

#[test]
fn a_chain_reads_as_the_reference_writes_it() {
    let parts = |parts: &[(&'static str, &str)]| -> Vec<PartDigest> {
        parts
            .iter()
            .map(|(name, digest)| {
                PartDigest::new(
                    *name,
                    DigestAlgorithm::Sha512,
                    Digest::from_slice(&STANDARD.decode(digest).unwrap()).unwrap(),
                )
            })
            .collect()
    };
    let Some(directory) = vectors::asic("valid-signed-hashchain.asice") else {
        return;
    };
    let digests = parts(&[
        (
            "/message.xml",
            "mET+G37YrRAMl92j7gxR95W/rAcOBRlWTrbeJMt7L7lMr+1EALnsNRpq4fH6sUMJNWSA1B2kpDL0NDVCjIQnnw==",
        ),
        (
            "/attachment1",
            "YoZ26aBCLuGV0W9J7CH6YtOXhkEsleUwu1GwIrQ+ZJw7GBAnTwRZF2s2n/z8h1iOkzLiFmO8p4f2VVz+F1DqYg==",
        ),
    ]);
    let batch = Batch::build(DigestAlgorithm::Sha512, vec![digests]).unwrap();
    // The reference declares the namespaces before or after the URI, as its serialiser happens to.
    let result = String::from_utf8(directory.hash_chain().unwrap().0.to_vec()).unwrap();
    assert_eq!(String::from_utf8_lossy(batch.result_xml()), result);
    let chain = String::from_utf8(directory.hash_chain().unwrap().1.to_vec()).unwrap();
    assert_eq!(String::from_utf8(batch.chain_xml(0).unwrap()).unwrap(), chain);
}

#[test]
fn both_chains_of_a_real_batch_lead_to_its_result() {
    let Some(result) = vectors::signature("hash-chain-result.xml") else {
        return;
    };
    let message = vectors::signature("message-1.xml").unwrap();
    let parts = [
        PartDigest::of(MESSAGE, DigestAlgorithm::Sha512, &message),
        PartDigest::of("/attachment1", DigestAlgorithm::Sha512, b"blaah"),
    ];
    let chain_1 = vectors::signature("hash-chain-1.xml").unwrap();
    verify(&result, chain(&chain_1), Parts::Received(&parts)).unwrap();
    let contained = verify(&result, chain(&chain_1), Parts::Contained(&parts[..1])).unwrap();
    assert_eq!(contained.absent, parts[1..]);
    let wrong = [
        parts[0].clone(),
        PartDigest::of("/attachment1", DigestAlgorithm::Sha512, b"blaai"),
    ];
    let fault = verify(&result, chain(&chain_1), Parts::Received(&wrong)).unwrap_err();
    assert_eq!(fault.fault_code(), "invalid_hash_chain");
    let fault = verify(&result, chain(&chain_1), Parts::Contained(&wrong)).unwrap_err();
    assert_eq!(fault.fault_code(), "invalid_hash_chain_ref");
}

#[test]
fn every_chain_of_every_small_batch_is_verified() {
    for count in 1..=40 {
        for parts in 1..=3 {
            let Ok(batch) = Batch::build(DigestAlgorithm::Sha512, messages(count, parts)) else {
                assert_eq!((count, parts), (1, 1));
                continue;
            };
            for (index, message) in messages(count, parts).iter().enumerate() {
                let xml = batch.chain_xml(index).unwrap();
                let verified = verify(batch.result_xml(), chain(&xml), Parts::Received(message)).unwrap();
                assert!(verified.absent.is_empty());
            }
        }
    }
}

/// Chains of the usual shape are read without a document tree; that must not be seen.
#[test]
fn every_chain_and_result_that_we_write_is_read_the_short_way_and_reads_the_same_the_long_way() {
    for algorithm in [
        DigestAlgorithm::Sha256,
        DigestAlgorithm::Sha384,
        DigestAlgorithm::Sha512,
    ] {
        for (count, parts) in [(1, 2), (2, 1), (3, 3), (12, 1), (40, 2)] {
            let mut messages = messages(count, parts);
            for part in messages.iter_mut().flatten() {
                *part = PartDigest::of(part.name.clone(), algorithm, part.name.as_bytes());
            }
            let batch = Batch::build(algorithm, messages).unwrap();
            let chains = (0..count).map(|index| batch.chain_xml(index).unwrap());
            for xml in chains.chain([batch.result_xml().to_vec()]) {
                assert!(is_plain(&xml), "{}", String::from_utf8_lossy(&xml));
                assert!(readers_agree(&xml), "{}", String::from_utf8_lossy(&xml));
            }
        }
    }
}

#[test]
fn chains_and_results_of_the_reference_are_read_the_short_way_and_read_the_same_the_long_way() {
    for name in ["hash-chain-result.xml", "hash-chain-1.xml", "hash-chain-2.xml"] {
        let Some(xml) = vectors::signature(name) else {
            return;
        };
        assert!(is_plain(&xml) && readers_agree(&xml), "{name}");
    }
}

/// What any XML may have and security servers do not write is read all the same, the long way.
#[test]
fn a_chain_in_another_shape_is_read_the_long_way() {
    let (result, xml, parts) = sample();
    let others: [fn(&str) -> String; 8] = [
        |xml| xml.replace("ns2", "hc"),
        |xml| xml.replace("    <ns2:HashStep", "<!-- a step --><ns2:HashStep"),
        |xml| xml.replace("/message.xml", "&#x2F;message.xml"),
        |xml| xml.replace("</DigestValue>", "\n</DigestValue>"),
        |xml| xml.replace("standalone=\"yes\"", ""),
        |xml| xml.replace("\"/>", "\" />"),
        |xml| format!("\u{feff}{xml}"),
        |xml| xml.replace("<ns2:HashValue>", "<ns2:HashValue xml:lang=\"et\">"),
    ];
    for (index, other) in others.iter().enumerate() {
        let other = other(&xml);
        assert!(!is_plain(other.as_bytes()), "shape {index}");
        verify(&result, chain(other.as_bytes()), Parts::Received(&parts)).unwrap();
    }
    let spread = xml.replace('\n', "\r\n\t ").replace("><", "> <");
    assert!(is_plain(spread.as_bytes()) && readers_agree(spread.as_bytes()));
    verify(&result, chain(spread.as_bytes()), Parts::Received(&parts)).unwrap();
}

/// Of many parts each is found, and of two with one name the last, as with few.
#[test]
fn a_message_of_many_parts_is_verified() {
    for count in [3, 9, 40] {
        let message = messages(1, count).remove(0);
        let batch = Batch::build(DigestAlgorithm::Sha512, vec![message.clone()]).unwrap();
        let xml = batch.chain_xml(0).unwrap();
        verify(batch.result_xml(), chain(&xml), Parts::Received(&message)).unwrap();
        let mut wrong = message.clone();
        flip(&mut wrong[count - 1], 0);
        let xml = String::from_utf8(xml).unwrap();
        assert_eq!(
            fault(batch.result_xml(), &xml, Parts::Received(&wrong)),
            "invalid_hash_chain"
        );
        let twice = [message.as_slice(), &message[..1]].concat();
        assert_eq!(
            fault(batch.result_xml(), &xml, Parts::Received(&twice)),
            "hashchain_unused_inputs"
        );
    }
}

fn messages(count: usize, parts: usize) -> Vec<Vec<PartDigest>> {
    (0..count)
        .map(|message| {
            (0..parts)
                .map(|part| {
                    let name = if part == 0 {
                        MESSAGE.into()
                    } else {
                        file_name::attachment(part)
                    };
                    PartDigest::of(
                        name,
                        DigestAlgorithm::Sha512,
                        format!("{message}/{part}").as_bytes(),
                    )
                })
                .collect()
        })
        .collect()
}

#[test]
fn what_cannot_be_chained_is_refused() {
    let build = |messages| Batch::build(DigestAlgorithm::Sha512, messages).unwrap_err();
    assert_eq!(build(vec![]), BuildError::Empty);
    assert_eq!(build(vec![vec![]]), BuildError::Empty);
    assert_eq!(build(messages(1, 1)), BuildError::Single);
    assert_eq!(build(words(2)), BuildError::MixedAlgorithms);
    assert!(
        Batch::build(DigestAlgorithm::Sha512, messages(2, 1))
            .unwrap()
            .chain_xml(2)
            .is_none()
    );
}

/// A batch of three messages of two parts, the second message's parts and chain.
fn sample() -> (Vec<u8>, String, Vec<PartDigest>) {
    let all = messages(3, 2);
    let batch = Batch::build(DigestAlgorithm::Sha512, all.clone()).unwrap();
    (
        batch.result_xml().to_vec(),
        String::from_utf8(batch.chain_xml(1).unwrap()).unwrap(),
        all[1].clone(),
    )
}

fn fault(result: &[u8], xml: &str, parts: Parts<'_>) -> &'static str {
    verify(result, chain(xml.as_bytes()), parts)
        .unwrap_err()
        .fault_code()
}

#[test]
fn a_chain_tells_the_digest_of_a_missing_attachment_unless_it_is_longer_than_any() {
    let (result, xml, parts) = sample();
    let contained = Parts::Contained(&parts[..1]);
    let verified = verify(&result, chain(xml.as_bytes()), contained).unwrap();
    assert_eq!(verified.absent, parts[1..]);
    let claimed = STANDARD.encode(&*parts[1].digest);
    let too_long = xml.replace(&claimed, &STANDARD.encode([7; 65]));
    assert_ne!(too_long, xml);
    assert_eq!(fault(&result, &too_long, contained), "invalid_hash_chain_ref");
}

#[test]
fn each_failure_has_its_fault_code() {
    let (result, xml, parts) = sample();
    let good = Parts::Received(&parts);
    verify(&result, chain(xml.as_bytes()), good).unwrap();

    let more = [
        parts.as_slice(),
        &[PartDigest::of("/attachment2", DigestAlgorithm::Sha512, b"x")],
    ]
    .concat();
    assert_eq!(
        fault(&result, &xml, Parts::Received(&more)),
        "hashchain_unused_inputs"
    );
    assert_eq!(
        fault(&result, &xml, Parts::Received(&parts[..1])),
        "invalid_reference"
    );
    assert_eq!(fault(&result, "no xml", good), "malformed_hash_chain");
    assert_eq!(fault(b"<a/>", &xml, good), "malformed_hash_chain");
    assert_eq!(
        fault(&result, &xml.replace("#STEP1", "#STEP9"), good),
        "malformed_hash_chain"
    );
    assert_eq!(
        fault(&result, &xml.replace("#STEP1", "/other.xml#STEP1"), good),
        "invalid_reference"
    );
    assert_eq!(
        fault(&result, &xml.replace("#STEP1", "STEP1"), good),
        "malformed_hash_chain"
    );
    let weak = xml.replace(
        "http://www.w3.org/2001/04/xmlenc#sha512",
        "http://www.w3.org/2000/09/xmldsig#sha1",
    );
    assert_eq!(fault(&result, &weak, good), "unsupported_algorithm");
    let twice = xml.replace("</ns2:HashChain>", "<ns2:HashStep id=\"STEP0\"/></ns2:HashChain>");
    assert_eq!(fault(&result, &twice, good), "malformed_hash_chain");
    let transformed = xml.replace("<DigestValue>", "<Transforms/><DigestValue>");
    assert_eq!(fault(&result, &transformed, good), "malformed_hash_chain");
}

#[test]
fn steps_in_a_circle_end() {
    let (result, xml, parts) = sample();
    let circle = xml.replace("#STEP2", "#STEP0");
    assert!(matches!(
        verify(&result, chain(circle.as_bytes()), Parts::Received(&parts)),
        Err(HashChainError::Malformed("step referenced twice"))
    ));
}

#[test]
fn the_number_of_steps_is_bounded() {
    let (result, xml, parts) = sample();
    let step = "<ns2:HashStep/>".repeat(MAX_STEPS);
    let many = xml.replace("</ns2:HashChain>", &format!("{step}</ns2:HashChain>"));
    assert_eq!(
        fault(&result, &many, Parts::Received(&parts)),
        "malformed_hash_chain"
    );
    let few = xml.replace("</ns2:HashChain>", "<ns2:HashStep/></ns2:HashChain>");
    verify(&result, chain(few.as_bytes()), Parts::Received(&parts)).unwrap();
}

/// Changes one bit of a part's digest.
fn flip(part: &mut PartDigest, bit: usize) {
    let mut bytes = part.digest.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    part.digest = Digest::from_slice(&bytes).unwrap();
}

proptest! {
    #[test]
    fn a_flipped_bit_in_a_part_fails(part in 0_usize..2, bit in 0_usize..512) {
        let (result, xml, mut parts) = sample();
        flip(&mut parts[part], bit);
        prop_assert_eq!(fault(&result, &xml, Parts::Received(&parts)), "invalid_hash_chain");
        prop_assert_eq!(fault(&result, &xml, Parts::Contained(&parts)), "invalid_hash_chain_ref");
    }

    /// Digests that the chain only repeats are not looked at for a received message; everything else counts.
    #[test]
    fn a_flipped_bit_in_a_chain_never_proves_other_parts(position in 0_usize..2000, bit in 0_u8..8) {
        let (result, xml, parts) = sample();
        let mut bytes = xml.into_bytes();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        let other = [PartDigest::of(MESSAGE, DigestAlgorithm::Sha512, b"other"), parts[1].clone()];
        prop_assert!(verify(&result, chain(&bytes), Parts::Received(&other)).is_err());
        prop_assert!(verify(&result, chain(&bytes), Parts::Contained(&other)).is_err());
        // An input may go missing from a chain, but is never silently dropped.
        if let Ok(verified) = verify(&result, chain(&bytes), Parts::Contained(&parts)) {
            prop_assert!(verified.absent.is_empty());
        }
    }

    /// Whatever is done to a chain or a result: what is read the short way reads the same the long way.
    #[test]
    fn both_readers_agree_about_changed_bytes(
        of_result in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, any::<u8>(), "[ -~]{0,4}"), 1..4),
    ) {
        let (result, xml, _) = sample();
        let mut bytes = if of_result { result } else { xml.into_bytes() };
        for (at, kind, byte, text) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => drop(bytes.splice(at..at, text.bytes())),
                _ => drop(bytes.drain(at..(at + usize::from(byte % 16)).min(bytes.len()))),
            }
            prop_assert!(readers_agree(&bytes), "{}", String::from_utf8_lossy(&bytes));
            if bytes.is_empty() {
                break;
            }
        }
    }

    /// Whole pieces of a chain that are moved, repeated or left out.
    #[test]
    fn both_readers_agree_about_rearranged_lines(order in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let (_, xml, _) = sample();
        let lines: Vec<&str> = xml.lines().collect();
        let mut rearranged = lines.clone();
        for pair in order.chunks(2) {
            let [from, to] = pair else { continue };
            let line = lines[from.index(lines.len())];
            let to = to.index(rearranged.len());
            if to % 2 == 0 { rearranged.insert(to, line) } else { rearranged[to] = line }
            let text = rearranged.join("\n");
            prop_assert!(readers_agree(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..900) {
        let (result, xml, parts) = sample();
        let mut spliced = xml.clone().into_bytes();
        let at = at % spliced.len();
        spliced.splice(at..at, bytes.iter().copied());
        let _ = verify(&result, chain(&spliced), Parts::Received(&parts));
        let _ = verify(&bytes, chain(xml.as_bytes()), Parts::Received(&parts));
    }
}
