//! Hash chains and their results (wire.md 3.4, 3.5).
//!
//! Result and chain stand in one input with a NUL between them, which XML cannot hold. Without a NUL, the input is
//! judged as chain beside the result of a good sample, and as result beside its chain.

use std::sync::OnceLock;

use protocol_pki::digest::DigestAlgorithm;
use protocol_signature::file_name::{MESSAGE, SIG_HASH_CHAIN};
use protocol_signature::hash_chain::{Batch, Chain, PartDigest, Parts, readers_agree, verify};

/// Acceptable is a result and a chain that prove the parts of the sample.
pub fn check(data: &[u8]) -> bool {
    let sample = sample();
    match data
        .iter()
        .position(|byte| *byte == 0)
        .and_then(|at| data.split_at_checked(at))
    {
        Some((result, chain)) => pair(result, chain.get(1..).unwrap_or_default(), &sample.parts),
        None => {
            let as_chain = pair(&sample.result, data, &sample.parts);
            let as_result = pair(data, &sample.chain, &sample.parts);
            as_chain || as_result
        }
    }
}

/// A message with an attachment in a batch of three.
#[derive(Debug)]
pub struct Sample {
    /// Its parts.
    pub parts: Vec<PartDigest>,
    /// The result of the batch.
    pub result: Vec<u8>,
    /// Its chain.
    pub chain: Vec<u8>,
}

/// The sample; always the same.
pub fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let part = |name: &'static str, data: &[u8]| PartDigest::of(name, DigestAlgorithm::Sha512, data);
        let parts = vec![part(MESSAGE, b"message"), part("/attachment1", b"attachment")];
        let others = [b"another", b"a third"].map(|data| vec![part(MESSAGE, data)]);
        let messages = std::iter::once(parts.clone()).chain(others).collect();
        let batch = Batch::build(DigestAlgorithm::Sha512, messages);
        Sample {
            parts,
            result: batch
                .as_ref()
                .map(|batch| batch.result_xml().to_vec())
                .unwrap_or_default(),
            chain: batch
                .ok()
                .and_then(|batch| batch.chain_xml(0))
                .unwrap_or_default(),
        }
    })
}

/// Whether the chain proves the parts. If it does, it proves no others. Both readers of chains read the same.
fn pair(result: &[u8], chain: &[u8], parts: &[PartDigest]) -> bool {
    assert!(
        readers_agree(result) && readers_agree(chain),
        "the reader of the usual shape reads something else than the reader of any XML"
    );
    let chain = Chain {
        name: SIG_HASH_CHAIN,
        xml: chain,
    };
    let contained = verify(result, chain, Parts::Contained(parts));
    let received = verify(result, chain, Parts::Received(parts));
    if let Ok(verified) = &received {
        assert!(verified.absent.is_empty(), "a received message has all its parts");
        for index in 0..parts.len() {
            let mut other = parts.to_vec();
            if let Some(part) = other.get_mut(index) {
                part.digest = part.algorithm.digest(&part.digest);
            }
            assert!(
                verify(result, chain, Parts::Received(&other)).is_err(),
                "another part {index} passes for the one that is proven"
            );
        }
        let mut more = parts.to_vec();
        more.push(PartDigest::of(
            "/attachment2",
            DigestAlgorithm::Sha512,
            b"smuggled",
        ));
        assert!(
            verify(result, chain, Parts::Received(&more)).is_err(),
            "an unproven part passes"
        );
    }
    received.is_ok() || contained.is_ok()
}
