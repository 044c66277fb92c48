//! What may be answered from memory, and beside it what must not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::ocsp::CertificateStatus;
use protocol_signature::document::Signed;
use protocol_signature::file_name::MESSAGE;
use protocol_signature::hash_chain::{Batch, PartDigest};
use time::Duration;

use super::shared::Claim;
use super::*;
use crate::metrics::{Metrics, Side};

#[path = "../../../../protocol/signature/tests/vectors/mod.rs"]
mod vectors;
use vectors::issued::{self, NOW, World};

/// The number of the global configuration that the tests' world is in.
const TRUST: u64 = 1;

/// Workers of one process, with what they count.
struct Workers {
    workers: Vec<Verifier>,
    /// Each worker's task that hands out what it hears.
    deliveries: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>>,
    metrics: Metrics,
}

/// How often documents were `[cached, shared, awaited, made]`.
type Counts = [u64; 4];

impl Workers {
    fn new(count: usize) -> Self {
        let shared = Arc::<SharedVerdicts>::default();
        let worker = || {
            let (finished, delivery) = Inbox::new();
            let delivery: Pin<Box<dyn Future<Output = ()>>> = Box::pin(delivery.run());
            (Verifier::new(true, Arc::clone(&shared), finished), delivery)
        };
        let (workers, deliveries) = std::iter::repeat_with(worker).take(count).unzip();
        Self {
            workers,
            deliveries: RefCell::new(deliveries),
            metrics: Metrics::new(),
        }
    }

    fn metrics(&self) -> &SideMetrics {
        self.metrics.side(Side::ServerProxy)
    }

    fn counts(&self) -> Counts {
        let metrics = self.metrics();
        [
            metrics.verifications_cached.get(),
            metrics.verifications_shared.get(),
            metrics.verifications_awaited.get(),
            metrics.verifications_made.get(),
        ]
    }

    /// Signers' chains and OCSP responses that were `[cached, verified]`.
    fn signers(&self) -> [u64; 2] {
        let metrics = self.metrics();
        [metrics.signers_cached.get(), metrics.signers_verified.get()]
    }

    fn question<'a>(&self, document: &'a [u8], signer: &'a ClientId) -> Question<'a> {
        Question::new(&self.workers[0].shared, document, signer, TRUST, NOW)
    }

    /// What the shared memory tells the first worker.
    fn turn(&self, question: &Question<'_>) -> Turn<'_> {
        let first = &self.workers[0];
        first.shared.turn(question, &first.finished)
    }

    fn ask(&self, worker: usize, question: &Question<'_>) -> Result<VerifiedDocument, String> {
        self.ask_by(worker, question, &issued::p256().trust())
    }

    /// Nobody else is at work, so that there is nothing to wait for.
    fn ask_by(
        &self,
        worker: usize,
        question: &Question<'_>,
        material: &dyn Material,
    ) -> Result<VerifiedDocument, String> {
        let answer = pin!(self.workers[worker].document(question, material, self.metrics()));
        match answer.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer
                .map(|(verified, _)| verified)
                .map_err(|error| error.fault_code()),
            Poll::Pending => panic!("nobody is at it"),
        }
    }
}

fn signer() -> ClientId {
    ClientId::for_member("DEV", "COM", "4321")
}

fn other() -> ClientId {
    ClientId::for_member("DEV", "COM", "1234")
}

fn parts(data: &[u8]) -> Vec<PartDigest> {
    vec![PartDigest::of(MESSAGE, DigestAlgorithm::Sha512, data)]
}

/// A batch of two messages.
fn batch() -> Batch {
    Batch::build(DigestAlgorithm::Sha512, vec![parts(b"one"), parts(b"two")]).unwrap()
}

fn document() -> Vec<u8> {
    issued::p256().document(Signed::HashChainResult(batch().result_xml()))
}

fn message(data: &[u8]) -> Vec<u8> {
    issued::p256().document(Signed::Message(&parts(data)[0]))
}

#[test]
fn a_document_is_verified_once_for_all_workers() {
    let (workers, document, signer) = (Workers::new(3), document(), signer());
    let question = workers.question(&document, &signer);
    workers.ask(0, &question).unwrap();
    assert_eq!(workers.counts(), [0, 0, 0, 1]);
    workers.ask(0, &question).unwrap();
    assert_eq!(workers.counts(), [1, 0, 0, 1]);
    workers.ask(1, &question).unwrap();
    workers.ask(2, &question).unwrap();
    assert_eq!(workers.counts(), [1, 2, 0, 1]);
    workers.ask(1, &question).unwrap();
    assert_eq!(workers.counts(), [2, 2, 0, 1]);
    assert_eq!(workers.signers(), [0, 1]);
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Begins to verify by one worker, lets another ask, ends with `end`, and gives what the other hears.
fn while_another_verifies(
    workers: &Workers,
    question: &Question<'_>,
    end: impl FnOnce(Claim<'_>) + Send,
) -> Result<VerifiedDocument, String> {
    let Turn::Ours(claim) = workers.turn(question) else {
        panic!("nobody else is at it");
    };
    let material = issued::p256().trust();
    let mut answer = pin!(workers.workers[1].document(question, &material, workers.metrics()));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    assert!(answer.as_mut().poll(&mut context).is_pending());
    let delivers = || {
        let mut deliveries = workers.deliveries.borrow_mut();
        assert!(
            deliveries[1]
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    };
    delivers();
    assert!(!woken.0.load(Ordering::SeqCst));
    std::thread::scope(|scope| drop(scope.spawn(|| end(claim))));
    delivers();
    assert!(woken.0.load(Ordering::SeqCst));
    match answer.poll(&mut context) {
        Poll::Ready(answer) => answer
            .map(|(verified, _)| verified)
            .map_err(|error| error.fault_code()),
        Poll::Pending => panic!("the other worker has ended"),
    }
}

#[test]
fn a_document_that_another_worker_is_verifying_is_awaited() {
    let (workers, document, signer) = (Workers::new(2), document(), signer());
    let question = workers.question(&document, &signer);
    let read = SignatureDocument::parse(&document).unwrap();
    let member = member_name(&signer);
    let verified = verify::document(&read, &member, NOW, &issued::p256().trust()).unwrap();
    while_another_verifies(&workers, &question, |claim| drop(claim.settle(verified))).unwrap();
    assert_eq!(workers.counts(), [0, 0, 1, 0]);
    workers.ask(1, &question).unwrap();
    assert_eq!(workers.counts(), [1, 0, 1, 0]);
}

#[test]
fn who_waits_for_a_worker_that_gives_up_judges_for_itself() {
    let (workers, document, signer) = (Workers::new(2), document(), signer());
    let question = workers.question(&document, &signer);
    while_another_verifies(&workers, &question, |claim| drop(claim)).unwrap();
    assert_eq!(workers.counts(), [0, 0, 0, 1]);
    let other = other();
    let question = workers.question(&document, &other);
    let refused = while_another_verifies(&workers, &question, |claim| drop(claim));
    assert_eq!(refused.unwrap_err(), "incorrect_certificate");
}

#[test]
fn what_is_refused_is_refused_each_time_anew() {
    let (workers, other) = (Workers::new(2), other());
    let document = document();
    let question = workers.question(&document, &other);
    for (count, worker) in [(1, 0), (2, 0), (3, 1)] {
        assert_eq!(
            workers.ask(worker, &question).unwrap_err(),
            "incorrect_certificate"
        );
        assert_eq!(workers.counts(), [0, 0, 0, count]);
    }
}

#[test]
fn a_known_document_is_not_known_for_another_signer() {
    let (workers, document, signer, other) = (Workers::new(2), document(), signer(), other());
    let (question, others) = (
        workers.question(&document, &signer),
        workers.question(&document, &other),
    );
    workers.ask(0, &question).unwrap();
    for worker in [0, 1] {
        assert_eq!(workers.ask(worker, &others).unwrap_err(), "incorrect_certificate");
    }
    // Nor does the refusal harm the signer.
    workers.ask(0, &question).unwrap();
    workers.ask(1, &question).unwrap();
    // A subsystem of the member is the same signer.
    let subsystem = signer.with_subsystem("SUB");
    let made = workers.counts()[3];
    workers.ask(1, &workers.question(&document, &subsystem)).unwrap();
    assert_eq!(workers.counts()[3], made);
}

#[test]
fn nothing_is_known_by_another_global_configuration() {
    let (workers, document, signer) = (Workers::new(2), document(), signer());
    let question = workers.question(&document, &signer);
    workers.ask(0, &question).unwrap();
    let newer = Question {
        trust: TRUST + 1,
        ..workers.question(&document, &signer)
    };
    let mut without_the_ca = issued::p256().trust();
    without_the_ca.ca = issued::rsa().ca.certificate.clone();
    for worker in [0, 1] {
        assert!(workers.ask_by(worker, &newer, &without_the_ca).is_err());
    }
    assert_eq!(workers.counts(), [0, 0, 0, 3]);
    workers.ask(0, &newer).unwrap();
    assert_eq!(workers.counts(), [0, 0, 0, 4]);
    assert_eq!(workers.signers()[0], 0);
}

#[test]
fn nothing_is_known_before_it_was_verified_and_after_it_ran_out() {
    let (workers, document, signer) = (Workers::new(2), document(), signer());
    let at = |moment| Question {
        at: moment,
        ..workers.question(&document, &signer)
    };
    // The OCSP response is of now and good for an hour.
    workers.ask(0, &at(NOW)).unwrap();
    workers.ask(0, &at(NOW + Duration::minutes(59))).unwrap();
    workers.ask(1, &at(NOW + Duration::minutes(59))).unwrap();
    assert_eq!(workers.counts(), [1, 1, 0, 1]);
    let later = at(NOW + Duration::minutes(61));
    for worker in [0, 1] {
        assert_eq!(
            workers.ask(worker, &later).unwrap_err(),
            "incorrect_validation_info"
        );
    }
    let earlier = at(NOW - Duration::seconds(1));
    let made = workers.counts()[3];
    let _ = workers.ask(0, &earlier);
    assert_eq!(workers.counts()[3], made + 1);
}

#[test]
fn a_changed_byte_of_a_known_document_is_seen() {
    let (workers, document, signer) = (Workers::new(2), document(), signer());
    workers.ask(0, &workers.question(&document, &signer)).unwrap();
    let text = String::from_utf8(document).unwrap();
    let value = text.find("</ds:SignatureValue>").unwrap() - 8;
    let digest = text.find("<ds:DigestValue>").unwrap() + 20;
    for at in [value, digest] {
        let mut changed = text.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        for worker in [0, 1] {
            let question = workers.question(&changed, &signer);
            assert_eq!(
                workers.ask(worker, &question).unwrap_err(),
                "invalid_signature_value"
            );
        }
    }
    // White space that nobody signs changes no verdict, but it is another document.
    let made = workers.counts()[3];
    let longer = format!("{text}\n").into_bytes();
    workers.ask(0, &workers.question(&longer, &signer)).unwrap();
    assert_eq!(workers.counts()[3], made + 1);
}

#[test]
fn each_message_of_a_known_document_is_checked() {
    let (workers, document, signer) = (Workers::new(1), document(), signer());
    let (batch, question) = (batch(), workers.question(&document, &signer));
    let chains = [batch.chain_xml(0).unwrap(), batch.chain_xml(1).unwrap()];
    let check = |parts: &[PartDigest], chain: &[u8], result: &[u8]| {
        let evidence = Evidence {
            hash_chain_result: Some(result),
            hash_chain: Some(chain),
            message: None,
            parts: Parts::Received(parts),
        };
        let known = workers.ask(0, &question).unwrap();
        known
            .cover(known.signer(), NOW, &evidence)
            .map(|_| ())
            .map_err(|error| error.fault_code())
    };
    let refused = |code: &str| Err(code.to_owned());
    let result = batch.result_xml();
    for _ in 0..2 {
        assert_eq!(check(&parts(b"one"), &chains[0], result), Ok(()));
        assert_eq!(check(&parts(b"two"), &chains[1], result), Ok(()));
        let wrong = refused("malformed_signature.invalid_hash_chain");
        assert_eq!(check(&parts(b"two"), &chains[0], result), wrong);
        assert_eq!(check(&parts(b"three"), &chains[0], result), wrong);
        // The result says the same, but it is not what was signed.
        let longer = [result, b"\n"].concat();
        let reference = refused("invalid_signature_value");
        assert_eq!(check(&parts(b"one"), &chains[0], &longer), reference);
        let of_others = Batch::build(DigestAlgorithm::Sha512, vec![parts(b"one"), parts(b"x")]).unwrap();
        let chain = of_others.chain_xml(0).unwrap();
        assert_eq!(check(&parts(b"one"), &chain, result), wrong);
        assert_eq!(check(&parts(b"one"), &chain, of_others.result_xml()), reference);
    }
}

#[test]
fn without_the_cache_everything_is_verified_each_time() {
    let mut workers = Workers::new(1);
    workers.workers[0].remembers = false;
    let (document, signer) = (document(), signer());
    for count in 1..=3 {
        workers.ask(0, &workers.question(&document, &signer)).unwrap();
        assert_eq!(workers.counts(), [0, 0, 0, count]);
    }
    assert_eq!(workers.signers(), [0, 0]);
}

#[test]
fn documents_that_are_too_long_are_verified_and_not_remembered() {
    let (workers, signer) = (Workers::new(1), signer());
    let mut document = document();
    document.resize(MAX_REMEMBERED_BYTES, b'\n');
    let made = |document: &[u8]| {
        let before = workers.counts()[3];
        for _ in 0..2 {
            workers.ask(0, &workers.question(document, &signer)).unwrap();
        }
        workers.counts()[3] - before
    };
    assert_eq!(made(&document), 1);
    document.push(b'\n');
    assert_eq!(made(&document), 2);
}

#[test]
fn a_new_document_of_a_known_signer_needs_no_chain_and_no_ocsp_response() {
    let (workers, signer) = (Workers::new(1), signer());
    let world = issued::p256();
    let response = |age| world.ocsp(&world.signer.certificate, CertificateStatus::Good, NOW - age);
    let fresh = response(Duration::minutes(1));
    let with = |data: &[u8], response: &[u8]| with_response(world, data, response);
    for (data, signers) in [(b"one", [0, 1]), (b"two", [1, 1])] {
        let document = with(data, &fresh);
        workers.ask(0, &workers.question(&document, &signer)).unwrap();
        assert_eq!(workers.signers(), signers);
    }
    // Another response is verified, and refused when it is too old.
    let document = with(b"one", &response(Duration::minutes(2)));
    workers.ask(0, &workers.question(&document, &signer)).unwrap();
    assert_eq!(workers.signers(), [1, 2]);
    let document = with(b"one", &response(Duration::hours(2)));
    let refused = workers.ask(0, &workers.question(&document, &signer));
    assert_eq!(refused.unwrap_err(), "incorrect_validation_info");
    // So is what was good, when it has run out.
    let document = with(b"three", &fresh);
    let later = Question {
        at: NOW + Duration::hours(1),
        ..workers.question(&document, &signer)
    };
    assert_eq!(workers.ask(0, &later).unwrap_err(), "incorrect_validation_info");
    workers.ask(0, &workers.question(&document, &signer)).unwrap();
    // And the signature is always verified.
    let mut text = String::from_utf8(with(b"four", &fresh)).unwrap();
    let signature = text.find("</ds:SignatureValue>").unwrap() - 8;
    let forged = if &text[signature..=signature] == "A" {
        "B"
    } else {
        "A"
    };
    text.replace_range(signature..=signature, forged);
    assert_eq!(
        workers
            .ask(0, &workers.question(text.as_bytes(), &signer))
            .unwrap_err(),
        "invalid_signature_value"
    );
}

fn with_response(world: &World, data: &[u8], response: &[u8]) -> Vec<u8> {
    let part = &parts(data)[0];
    let unsigned = world.unsigned_with(Signed::Message(part), &[], &[response.to_vec()]);
    let value = world.sign(unsigned.to_be_signed());
    unsigned.finish(&value).unwrap()
}

#[test]
fn memory_is_bounded_and_what_fell_out_is_verified_anew() {
    let (workers, signer) = (Workers::new(1), signer());
    let first = message(b"first");
    workers.ask(0, &workers.question(&first, &signer)).unwrap();
    // One shared place after the other is taken; the worker's own memory is not asked.
    let shared = &workers.workers[0].shared;
    for number in 0..4096_u32 {
        let bytes = number.to_be_bytes();
        let question = workers.question(&bytes, &signer);
        let Turn::Ours(mut claim) = workers.turn(&question) else {
            panic!("nobody else is at it");
        };
        // As if it were good.
        claim.settled = true;
    }
    assert!(shared.places() <= 1024, "{}", shared.places());
    assert!(matches!(
        workers.turn(&workers.question(&first, &signer)),
        Turn::Ours(_)
    ));
}

#[test]
fn a_lock_that_another_worker_holds_is_not_waited_for() {
    let (workers, document, signer) = (Workers::new(1), document(), signer());
    let question = workers.question(&document, &signer);
    let shared = &workers.workers[0].shared;
    shared.look(question.hash, |_| {
        assert!(matches!(workers.turn(&question), Turn::Alone));
        workers.ask(0, &question).unwrap();
    });
    assert_eq!(workers.counts(), [0, 0, 0, 1]);
}

#[test]
fn workers_that_ask_at_the_same_moment_all_hear_an_answer() {
    let workers = 8;
    let shared = Arc::<SharedVerdicts>::default();
    let metrics = Metrics::new();
    let documents: Vec<Vec<u8>> = (0..20_u8).map(|number| message(&[number])).collect();
    let barrier = std::sync::Barrier::new(workers);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let (finished, delivery) = Inbox::new();
                let mut delivery = pin!(delivery.run());
                let worker = Verifier::new(true, Arc::clone(&shared), finished);
                let (signer, material) = (signer(), issued::p256().trust());
                for document in &documents {
                    barrier.wait();
                    let question = Question::new(&shared, document, &signer, TRUST, NOW);
                    let side = metrics.side(Side::ClientProxy);
                    block_on(worker.document(&question, &material, side), delivery.as_mut()).unwrap();
                }
            });
        }
    });
    let side = metrics.side(Side::ClientProxy);
    let [shared, awaited, made] = [
        &side.verifications_shared,
        &side.verifications_awaited,
        &side.verifications_made,
    ]
    .map(|counter| counter.get());
    assert_eq!(shared + awaited + made, 160);
    assert!(shared + awaited > 0);
}

/// Runs a future on this thread, which sleeps meanwhile, beside the thread's delivery.
fn block_on<T>(future: impl Future<Output = T>, mut delivery: Pin<&mut impl Future<Output = ()>>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        let mut context = Context::from_waker(&waker);
        assert!(delivery.as_mut().poll(&mut context).is_pending());
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}
