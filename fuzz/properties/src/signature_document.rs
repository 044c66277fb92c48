//! Signature documents (wire.md 3.1), and what they are taken to prove.

use protocol_pki::digest::DigestAlgorithm;
use protocol_signature::document::{self, SignatureDocument};
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::{PartDigest, Parts};
use protocol_signature::time_stamp;
use protocol_signature::verify::{VerifyRequest, verify};

use crate::hash_chain;
use crate::world::{NOW, member, world};

/// The message that the seeds sign directly.
pub const SIGNED_MESSAGE: &[u8] = b"message";

/// Acceptable is what can be read.
pub fn check(data: &[u8]) -> bool {
    assert!(
        document::readers_agree(data),
        "a canonical form made from text is not the library's"
    );
    let Ok(document) = SignatureDocument::parse(data) else {
        return false;
    };
    let _ = time_stamp::single_imprint(&document);
    let token = b"any token";
    if let Ok(stamped) = time_stamp::embed(data, token) {
        let again = SignatureDocument::parse(&stamped);
        assert_eq!(
            again.ok().as_ref().and_then(SignatureDocument::time_stamp),
            Some(&token[..])
        );
    }
    proves_only_what_was_signed(data);
    true
}

/// The document verifies for the message or for the batch of the sample, if for any, and then for nothing else.
fn proves_only_what_was_signed(document: &[u8]) {
    let message = [PartDigest::of(MESSAGE, DigestAlgorithm::Sha512, SIGNED_MESSAGE)];
    let other = [PartDigest::of(
        MESSAGE,
        DigestAlgorithm::Sha512,
        b"another message",
    )];
    let batch = hash_chain::sample();
    let chain = Some((batch.result.as_slice(), batch.chain.as_slice()));
    let direct = verifies(document, None, &message);
    let _ = verifies(document, chain, &batch.parts);
    assert!(
        !(direct && verifies(document, None, &other)),
        "another message passes"
    );
    assert!(
        !verifies(document, chain, &other),
        "another message passes with a hash chain"
    );
}

fn verifies(document: &[u8], chain: Option<(&[u8], &[u8])>, parts: &[PartDigest]) -> bool {
    let request = VerifyRequest {
        document,
        hash_chain_result: chain.map(|(result, _)| result),
        hash_chain: chain.map(|(_, chain)| chain),
        message: None,
        parts: Parts::Received(parts),
        signer: &member(),
        at: NOW,
    };
    verify(&request, world()).is_ok()
}
