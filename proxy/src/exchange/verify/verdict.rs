//! One verdict on a signature document, made or under way.

use std::convert::Infallible;
use std::sync::OnceLock;
use std::sync::mpsc;

use bytes::Bytes;
use protocol_message::identifier::ClientId;
use protocol_pki::profile::MemberName;
use protocol_signature::verify::VerifiedDocument;
use reply::{Answer, Inbox, Reply};
use time::OffsetDateTime;

use super::SharedVerdicts;

/// Is this document good, by this signer, by this global configuration, at this moment?
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) bytes: &'a [u8],
    /// Of the bytes; the same for all workers. Finds verdicts, proves nothing.
    pub(super) hash: u64,
    pub(super) signer: &'a ClientId,
    /// The number of the global configuration.
    pub(super) trust: u64,
    pub(super) at: OffsetDateTime,
}

impl<'a> Question<'a> {
    pub(super) fn new(
        shared: &SharedVerdicts,
        bytes: &'a [u8],
        signer: &'a ClientId,
        trust: u64,
        at: OffsetDateTime,
    ) -> Self {
        Self {
            bytes,
            hash: shared.document_key(bytes),
            signer,
            trust,
            at,
        }
    }
}

/// A document that is good, or that a worker is verifying, or that it could not find good.
#[derive(Debug)]
pub(super) struct Place {
    bytes: Bytes,
    signer: MemberName,
    trust: u64,
    verdict: OnceLock<VerifiedDocument>,
    /// Takes who waits, until the worker has finished.
    waiting: mpsc::Sender<Reply<Infallible>>,
}

/// The duty to finish a [`Place`]: dropping it does, whatever came of it, and with it the replies of who waits. A channel of the
/// standard library, because nothing stays in it and nothing goes into it from then on.
#[derive(Debug)]
pub(super) struct Finish {
    _waiting: mpsc::Receiver<Reply<Infallible>>,
}

impl Place {
    pub(super) fn new(question: &Question<'_>) -> (Self, Finish) {
        // Bounded by the exchanges that are under way.
        let (waiting, finish) = mpsc::channel();
        let place = Self {
            // A copy, so that no buffer of a connection is kept because of it.
            bytes: Bytes::copy_from_slice(question.bytes),
            signer: member_name(question.signer),
            trust: question.trust,
            verdict: OnceLock::new(),
            waiting,
        };
        (place, Finish { _waiting: finish })
    }

    /// Whether this is about the same document, signer and global configuration.
    pub(super) fn answers(&self, question: &Question<'_>) -> bool {
        let (ours, theirs) = (&self.signer, question.signer);
        self.trust == question.trust
            && ours.member_code == theirs.member_code()
            && ours.member_class == theirs.member_class()
            && ours.instance == theirs.instance()
            && *self.bytes == *question.bytes
    }

    /// The document's bytes, which belong to no connection.
    pub(super) const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The document, if it was found good and is at this moment.
    pub(super) fn verdict(&self, at: OffsetDateTime) -> Option<VerifiedDocument> {
        self.verdict.get().filter(|known| known.is_valid_at(at)).cloned()
    }

    pub(super) fn settle(&self, verified: VerifiedDocument) {
        // Only the one who has to finish it settles it, once.
        let _ = self.verdict.set(verified);
    }

    /// What ends, without an answer, when the worker that verifies has finished; `None` if it has already.
    pub(super) fn finished(&self, inbox: &Inbox<Infallible>) -> Option<Answer<Infallible>> {
        let (reply, finished) = inbox.expect();
        self.waiting.send(reply).is_ok().then_some(finished)
    }
}

pub(super) fn member_name(client: &ClientId) -> MemberName {
    MemberName {
        instance: client.instance().to_owned(),
        member_class: client.member_class().to_owned(),
        member_code: client.member_code().to_owned(),
    }
}
