use std::time::Duration;

use reply::Receiver;
use signer_client::{
    Blob, CertificateSha256, Outcome as Answer, Request, Response, SignMessages, SignedBatch, SignedMessages,
    fake,
};
use storage::message_log::{MessageLog, Settings};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::*;
use crate::metrics::Metrics;

const LONG: Duration = Duration::from_secs(30);

/// A sealing whose requests to the signer arrive here and wait for an answer.
struct Bench {
    /// Goes first, so that what nobody answered is given up and does not hold up the end.
    requests: flume::Receiver<(SignMessages, Reply<Answer>)>,
    sealing: Sealing,
    log: MessageLog,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = MessageLog::open(folder.path(), Settings::default()).unwrap();
        log.set_time_stamping_provider_configured(true);
        let (asked, requests) = flume::unbounded();
        let signer = fake::deferring(move |request, reply| match request {
            Request::SignMessages(messages) => drop(asked.send((messages, reply))),
            other => panic!("{other:?}"),
        });
        let sealing = Sealing::start(signer, log.clone(), Metrics::new().sealing, 0).unwrap();
        Self {
            sealing,
            log,
            requests,
            _folder: folder,
        }
    }

    fn seal(
        &self,
        certificate: u8,
        messages: impl IntoIterator<Item = &'static str>,
    ) -> Vec<Receiver<Outcome>> {
        let context = Arc::new(SigningContext {
            certificate: CertificateSha256([certificate; 32]),
            intermediates: Vec::new(),
            ocsp_responses: Vec::new(),
            good_until: OffsetDateTime::now_utc() + LONG,
        });
        let unsealed = messages.into_iter().map(|message| {
            let (reply, receiver) = reply::channel();
            let unsealed = Unsealed {
                context: Arc::clone(&context),
                digests: PartDigests::new([&[7; 64][..]]),
                draft: Draft::saying(message),
                reply,
            };
            (unsealed, receiver)
        });
        let (unsealed, receivers) = unsealed.unzip();
        self.sealing.seal(unsealed);
        receivers
    }

    /// The next request to the signer.
    fn asked(&self) -> (SignMessages, Reply<Answer>) {
        self.requests.recv_timeout(LONG).unwrap()
    }
}

/// The signature of all messages of a request.
fn signed(request: &SignMessages) -> Answer {
    Ok(Response::SignedMessages(SignedMessages(vec![
        SignedBatch::Chained {
            signature_xml: Blob::from(&b"<document/>"[..]),
            hash_chain_result: Blob::from(&b"<result/>"[..]),
            hash_chains: request
                .messages
                .iter()
                .map(|_| Blob::from(&b"<chain/>"[..]))
                .collect(),
        },
    ])))
}

fn outcome(receiver: &Receiver<Outcome>) -> Outcome {
    receiver.recv_timeout(LONG).unwrap()
}

#[test]
fn what_gathers_while_a_batch_is_under_way_is_the_next_batch() {
    let bench = Bench::new();
    let first = bench.seal(1, ["a"]);
    let (request, reply) = bench.asked();
    assert_eq!(request.messages.len(), 1, "a lone message waits for nobody");
    let mut later = bench.seal(1, ["b", "c"]);
    later.extend(bench.seal(1, ["d"]));
    reply.send(signed(&request));
    outcome(&first[0]).unwrap();
    let (request, reply) = bench.asked();
    assert_eq!(request.messages.len(), 3);
    reply.send(signed(&request));
    let sealed: Vec<_> = later.iter().map(|receiver| outcome(receiver).unwrap()).collect();
    for (sealed, message) in sealed.iter().zip(["b", "c", "d"]) {
        assert_eq!(&sealed.signature.document[..], b"<document/>");
        let record = bench.log.records().get(sealed.logged.id()).unwrap().unwrap();
        assert_eq!(record.message, message.as_bytes());
    }
}

#[test]
fn a_slow_token_holds_up_its_own_line_only() {
    let bench = Bench::new();
    let slow = bench.seal(1, ["slow"]);
    let (slow_request, slow_reply) = bench.asked();
    for message in ["one", "two"] {
        let quick = bench.seal(2, [message]);
        let (request, reply) = bench.asked();
        assert_eq!(request.certificate, CertificateSha256([2; 32]));
        reply.send(signed(&request));
        outcome(&quick[0]).unwrap();
    }
    assert!(slow[0].is_empty());
    slow_reply.send(signed(&slow_request));
    outcome(&slow[0]).unwrap();
}

#[test]
fn a_token_that_fails_fails_its_batch_and_nothing_else() {
    let bench = Bench::new();
    let failing = bench.seal(1, ["a", "b"]);
    let other = bench.seal(2, ["c"]);
    let ((first, first_reply), (second, second_reply)) = (bench.asked(), bench.asked());
    let ((_, to_fail), (good, to_sign)) = match first.certificate {
        CertificateSha256([1, ..]) => ((first, first_reply), (second, second_reply)),
        _ => ((second, second_reply), (first, first_reply)),
    };
    to_fail.send(Err(SignerError::TimedOut));
    for receiver in &failing {
        let SealError::Signer(error) = outcome(receiver).unwrap_err() else {
            panic!("not the signer's error")
        };
        assert_eq!(error, SignerError::TimedOut);
    }
    to_sign.send(signed(&good));
    outcome(&other[0]).unwrap();
    // The line goes on.
    let next = bench.seal(1, ["d"]);
    let (request, reply) = bench.asked();
    reply.send(signed(&request));
    outcome(&next[0]).unwrap();
    // Of what failed, nothing is in the log.
    let logged = bench.log.records().pending(10).unwrap();
    assert_eq!(logged.len(), 2);
}

#[test]
fn a_signer_that_is_gone_or_answers_too_little_leaves_nobody_waiting() {
    let bench = Bench::new();
    let gone = bench.seal(1, ["a"]);
    drop(bench.asked());
    assert!(matches!(
        outcome(&gone[0]),
        Err(SealError::Signer(SignerError::Disconnected))
    ));
    let short = bench.seal(1, ["b", "c"]);
    let (mut request, reply) = bench.asked();
    request.messages.pop();
    reply.send(signed(&request));
    outcome(&short[0]).unwrap();
    assert!(matches!(
        outcome(&short[1]),
        Err(SealError::Signer(SignerError::Protocol(_)))
    ));
}

#[test]
fn a_batch_keeps_to_the_bounds_of_a_request() {
    let bench = Bench::new();
    let first = bench.seal(1, ["first"]);
    let (request, reply) = bench.asked();
    let many = bench.seal(1, std::iter::repeat_n("many", signer_client::MAX_MESSAGES + 3));
    reply.send(signed(&request));
    outcome(&first[0]).unwrap();
    for expected in [signer_client::MAX_MESSAGES, 3] {
        let (request, reply) = bench.asked();
        assert_eq!(request.messages.len(), expected);
        reply.send(signed(&request));
    }
    many.iter().for_each(|receiver| drop(outcome(receiver).unwrap()));
}

#[test]
fn what_was_handed_over_is_sealed_before_the_end() {
    let bench = Bench::new();
    let waiting = bench.seal(1, ["a"]);
    let Bench {
        sealing, requests, ..
    } = bench;
    let signer = std::thread::spawn(move || {
        let (request, reply) = requests.recv().unwrap();
        reply.send(signed(&request));
    });
    drop(sealing);
    assert!(waiting[0].try_recv().unwrap().is_ok());
    signer.join().unwrap();
}
