//! One verdict on a signature document, made or under way.

use std::convert::Infallible;
use std::sync::OnceLock;

use bytes::Bytes;
use protocol_message::identifier::ClientId;
use protocol_pki::profile::MemberName;
use protocol_signature::verify::VerifiedDocument;
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
    /// Closed when the worker has finished, whatever came of it.
    under_way: flume::Receiver<Infallible>,
}

/// The duty to finish a [`Place`]: dropping it does.
#[derive(Debug)]
pub(super) struct Finish {
    _closes: flume::Sender<Infallible>,
}

impl Place {
    pub(super) fn new(question: &Question<'_>) -> (Self, Finish) {
        let (closes, under_way) = flume::bounded(0);
        let place = Self {
            // A copy, so that no buffer of a connection is kept because of it.
            bytes: Bytes::copy_from_slice(question.bytes),
            signer: member_name(question.signer),
            trust: question.trust,
            verdict: OnceLock::new(),
            under_way,
        };
        (place, Finish { _closes: closes })
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

    /// The document, if it was found good and is at this moment.
    pub(super) fn verdict(&self, at: OffsetDateTime) -> Option<VerifiedDocument> {
        self.verdict.get().filter(|known| known.is_valid_at(at)).cloned()
    }

    pub(super) fn settle(&self, verified: VerifiedDocument) {
        // Only the one who has to finish it settles it, once.
        let _ = self.verdict.set(verified);
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.under_way.is_disconnected()
    }

    /// Waits until the worker that verifies has finished.
    pub(super) async fn finished(&self) {
        // Nothing is ever sent: it ends when the sender is gone.
        let _ = self.under_way.recv_async().await;
    }
}

pub(super) fn member_name(client: &ClientId) -> MemberName {
    MemberName {
        instance: client.instance().to_owned(),
        member_class: client.member_class().to_owned(),
        member_code: client.member_code().to_owned(),
    }
}
