//! Messages are signed, together when they wait together.

use std::{collections::HashSet, ops::Range, time::Duration};

use protocol_pki::digest::DigestAlgorithm as PkiDigest;
use protocol_signature::{
    document::{SignatureDocument, Target},
    file_name,
    hash_chain::{self, Chain, PartDigest, Parts},
};
use signer_client::{
    Blob, CertificateSha256, Client, KeyAlgorithm, KeyUsage, PartDigests, Request, Response, SignMessages,
    SignedMessage, SignedMessages, SignerError,
};

use crate::harness::{Signer, certified_key};

/// A request for messages of so many parts each, unlike any other of the test.
pub(crate) fn request(certificate: CertificateSha256, numbers: Range<usize>, parts: usize) -> SignMessages {
    let digests = |number: usize| -> PartDigests {
        let digest = |part: usize| PkiDigest::Sha512.digest(format!("{number}/{part}").as_bytes());
        let digests: Vec<_> = (0..parts).map(digest).collect();
        PartDigests::new(digests.iter().map(|digest| &**digest))
    };
    SignMessages {
        certificate,
        intermediates: Vec::new(),
        ocsp_responses: vec![Blob::from(&b"an OCSP response"[..])],
        messages: numbers.map(digests).collect(),
    }
}

/// A request for one message.
pub(crate) fn message(certificate: CertificateSha256, number: usize, parts: usize) -> SignMessages {
    request(certificate, number..number + 1, parts)
}

pub(crate) fn sign(client: &Client, message: &SignMessages) -> Result<SignedMessage, SignerError> {
    let signed = client.sign_messages(message.clone())?;
    Ok(signed.into_messages().next().unwrap())
}

fn received(message: &PartDigests) -> Vec<PartDigest> {
    let digests = message.split().unwrap();
    let part = |(number, digest): (usize, &[u8; 64])| {
        PartDigest::new(file_name::part(number), PkiDigest::Sha512, digest.into())
    };
    digests.enumerate().map(part).collect()
}

/// Verifies every message of an answer.
pub(crate) fn verify_all(request: &SignMessages, signed: SignedMessages) -> Vec<SignedMessage> {
    let signed: Vec<_> = signed.into_messages().collect();
    assert_eq!(signed.len(), request.messages.len());
    for (number, signed) in signed.iter().enumerate() {
        let mut alone = request.clone();
        alone.messages = vec![request.messages[number].clone()];
        verify(&alone, signed);
    }
    signed
}

/// Verifies the signature value, every reference, and the way from the message to the signature.
pub(crate) fn verify(message: &SignMessages, signed: &SignedMessage) {
    let document = SignatureDocument::parse(&signed.signature_xml).unwrap();
    let certificate = document.certificate();
    certificate
        .verify_xml(
            document.algorithm(),
            document.signed_info(),
            document.signature_value(),
        )
        .unwrap();
    assert_eq!(*certificate.sha256(), message.certificate.0);
    assert_eq!(document.ocsp_responses(), [b"an OCSP response"]);
    let parts = received(&message.messages[0]);
    let file = |reference: &protocol_signature::document::Reference| match &reference.target {
        Target::File(name) => Some((name.clone(), reference.digest.clone())),
        Target::SignedProperties(bytes) | Target::Element(bytes) => {
            assert_eq!(*reference.algorithm.digest(bytes), *reference.digest);
            None
        }
    };
    let files: Vec<_> = document.references().iter().filter_map(file).collect();
    match (&signed.hash_chain_result, &signed.hash_chain) {
        (None, None) => assert_eq!(files, [(file_name::MESSAGE.to_owned(), parts[0].digest.to_vec())]),
        (Some(result), Some(chain)) => {
            let digest = PkiDigest::Sha512.digest(result).to_vec();
            assert_eq!(files, [(file_name::SIG_HASH_CHAIN_RESULT.to_owned(), digest)]);
            let chain = Chain {
                name: file_name::SIG_HASH_CHAIN,
                xml: chain,
            };
            hash_chain::verify(result, chain, Parts::Received(&parts)).unwrap();
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lone_message_is_signed_plainly_and_with_attachments_by_a_chain() {
    let (_signer, client) = Signer::ready();
    for algorithm in [KeyAlgorithm::Rsa2048, KeyAlgorithm::EcP256, KeyAlgorithm::EcP384] {
        let (_, certificate) = certified_key(&client, algorithm, KeyUsage::Signing);
        let plain = message(certificate.sha256, 1, 1);
        let signed = sign(&client, &plain).unwrap();
        assert!(signed.hash_chain.is_none());
        verify(&plain, &signed);
        let attached = message(certificate.sha256, 2, 3);
        let signed = sign(&client, &attached).unwrap();
        assert!(signed.hash_chain.is_some());
        verify(&attached, &signed);
    }
}

#[test]
fn sixty_four_waiting_messages_share_few_signatures() {
    let (_signer, client) = Signer::ready();
    let (_, certificate) = certified_key(&client, KeyAlgorithm::Rsa3072, KeyUsage::Signing);
    let requests: Vec<_> = (0..32)
        .map(|number| request(certificate.sha256, 2 * number..2 * number + 2, 1 + number % 3))
        .collect();
    let waiting: Vec<_> = requests
        .iter()
        .map(|request| client.submit(Request::SignMessages(request.clone())))
        .collect();
    let mut signed = Vec::new();
    for (request, waiting) in requests.iter().zip(&waiting) {
        let answer: SignedMessages = waiting.recv().unwrap().unwrap().try_into().unwrap();
        let messages = verify_all(request, answer);
        assert!(messages[0].signature_xml.same(&messages[1].signature_xml));
        signed.extend(messages);
    }
    let distinct: HashSet<&[u8]> = signed.iter().map(|signed| &*signed.signature_xml).collect();
    let counters = client.status().unwrap().counters;
    assert_eq!(counters.messages, 64);
    assert_eq!(counters.batches, u64::try_from(distinct.len()).unwrap());
    assert!(
        distinct.len() <= 16,
        "{} signatures for 64 messages",
        distinct.len()
    );
    assert!(
        counters.largest_batch >= 4 && counters.mean_batch() >= 4.0,
        "{counters:?}"
    );
    // All of it was done with one key.
    let figures = &client.status().unwrap().figures[0];
    assert_eq!(
        (figures.messages, figures.batches, figures.largest_batch),
        (counters.messages, counters.batches, counters.largest_batch)
    );
    assert_eq!((figures.begun, figures.waiting), (32, 0));
    assert!(
        figures.longest_wait > 0 && figures.waited >= figures.longest_wait,
        "{figures:?}"
    );
}

#[test]
fn many_clients_at_once() {
    let (signer, client) = Signer::ready();
    let (_, certificate) = certified_key(&client, KeyAlgorithm::EcP256, KeyUsage::Signing);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let clients = [signer.client(), client.clone()];
            scope.spawn(move || {
                for round in 0..25 {
                    let message = message(certificate.sha256, number * 1000 + round, 1 + round % 2);
                    verify(&message, &sign(&clients[round % 2], &message).unwrap());
                }
            });
        }
    });
    assert_eq!(client.status().unwrap().counters.messages, 100);
}

#[test]
fn a_bad_request_spoils_nobody_elses() {
    let (_signer, client) = Signer::ready();
    let (_, certificate) = certified_key(&client, KeyAlgorithm::Rsa2048, KeyUsage::Signing);
    let submit = |message: &SignMessages| client.submit(Request::SignMessages(message.clone()));
    let good = message(certificate.sha256, 1, 1);
    let mut wrong_intermediate = good.clone();
    wrong_intermediate.intermediates = vec![Blob::from(&b"garbage"[..])];
    let mut no_parts = good.clone();
    no_parts.messages = vec![PartDigests::new([])];
    let unknown = message(CertificateSha256([9; 32]), 1, 1);
    let waiting: Vec<_> = [&good, &wrong_intermediate, &good, &no_parts, &unknown, &good]
        .map(submit)
        .into();
    let outcomes: Vec<_> = waiting.iter().map(|waiting| waiting.recv().unwrap()).collect();
    for index in [0, 2, 5] {
        let Ok(Response::SignedMessages(signed)) = &outcomes[index] else {
            panic!("{:?}", outcomes[index])
        };
        verify_all(&good, signed.clone());
    }
    assert_eq!(outcomes[3].as_ref().unwrap_err().fault_code(), "invalid_request");
    assert_eq!(outcomes[4].as_ref().unwrap_err().fault_code(), "cert_not_found");
    assert!(client.status().unwrap().figures[0].messages >= 3);
}

#[test]
fn only_usable_certificates_of_signing_keys_sign_messages() {
    let (_signer, client) = Signer::ready();
    let (_, certificate) = certified_key(&client, KeyAlgorithm::EcP256, KeyUsage::Signing);
    let sign = |client: &Client, name| sign(client, &message(name, 1, 1));
    client.set_certificate_active(certificate.sha256, false).unwrap();
    assert_eq!(
        sign(&client, certificate.sha256).unwrap_err().fault_code(),
        "cannot_sign"
    );
    client.set_certificate_active(certificate.sha256, true).unwrap();
    sign(&client, certificate.sha256).unwrap();
    let (_, other) = certified_key(&client, KeyAlgorithm::EcP256, KeyUsage::Authentication);
    assert_eq!(
        sign(&client, other.sha256).unwrap_err().fault_code(),
        "wrong_cert_usage"
    );
    client.logout("0").unwrap();
    assert_eq!(
        sign(&client, certificate.sha256).unwrap_err().fault_code(),
        "token_not_active"
    );
}

#[test]
fn without_batches_every_message_has_its_own_signature() {
    let signer = Signer::start("batch-signing = false");
    let client = signer.client();
    client.init_token("0", signer_client::Pin::new("1")).unwrap();
    let (_, certificate) = certified_key(&client, KeyAlgorithm::EcP256, KeyUsage::Signing);
    let messages: Vec<_> = (0..20)
        .map(|number| message(certificate.sha256, number, 1))
        .collect();
    let waiting: Vec<_> = messages
        .iter()
        .map(|message| client.submit(Request::SignMessages(message.clone())))
        .collect();
    for (message, waiting) in messages.iter().zip(waiting) {
        let outcome = waiting.recv_timeout(Duration::from_secs(20)).unwrap();
        let signed: SignedMessages = outcome.unwrap().try_into().unwrap();
        let signed = verify_all(message, signed);
        assert!(signed[0].hash_chain.is_none());
    }
    // Also those that come together.
    let together = request(certificate.sha256, 20..30, 1);
    let signed = verify_all(&together, client.sign_messages(together.clone()).unwrap());
    assert!(signed.iter().all(|signed| signed.hash_chain.is_none()));
    assert_eq!(client.status().unwrap().counters.batches, 30);
}

#[test]
#[ignore = "a measurement: cargo test -p signer --test process -- --ignored --nocapture throughput"]
fn throughput() {
    let (_signer, client) = Signer::ready();
    for (algorithm, in_flight) in [
        (KeyAlgorithm::Rsa2048, 1),
        (KeyAlgorithm::Rsa2048, 64),
        (KeyAlgorithm::Rsa2048, 512),
        (KeyAlgorithm::EcP256, 64),
    ] {
        let (_, certificate) = certified_key(&client, algorithm, KeyUsage::Signing);
        let mut template = message(certificate.sha256, 1, 1);
        template.ocsp_responses = vec![Blob::from(vec![7; 2_000])];
        let before = client.status().unwrap().counters;
        let start = std::time::Instant::now();
        let mut waiting = std::collections::VecDeque::new();
        while start.elapsed() < Duration::from_secs(3) {
            waiting.push_back(client.submit(Request::SignMessages(template.clone())));
            if waiting.len() >= in_flight {
                waiting.pop_front().unwrap().recv().unwrap().unwrap();
            }
        }
        waiting
            .iter()
            .for_each(|waiting| drop(waiting.recv().unwrap().unwrap()));
        let after = client.status().unwrap().counters;
        let messages = after.messages - before.messages;
        let batches = after.batches - before.batches;
        let rate = messages as f64 / start.elapsed().as_secs_f64();
        println!(
            "{algorithm:?}, {in_flight} in flight: {rate:.0} messages/s, {:.1} a batch",
            messages as f64 / batches as f64
        );
    }
}

#[test]
fn a_request_for_more_messages_than_a_batch_gets_several_signatures() {
    let signer = Signer::start("max-batch = 4");
    let client = signer.client();
    client.init_token("0", signer_client::Pin::new("1")).unwrap();
    let (_, certificate) = certified_key(&client, KeyAlgorithm::EcP256, KeyUsage::Signing);
    let ten = request(certificate.sha256, 0..10, 2);
    let signed = verify_all(&ten, client.sign_messages(ten.clone()).unwrap());
    let distinct: HashSet<&[u8]> = signed.iter().map(|signed| &*signed.signature_xml).collect();
    assert_eq!(distinct.len(), 3);
    let counters = client.status().unwrap().counters;
    assert_eq!(
        (counters.messages, counters.batches, counters.largest_batch),
        (10, 3, 4)
    );
}
