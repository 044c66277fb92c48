//! Finds the signature document that an earlier record of the same batch has stored already.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::RecordId;
use super::record::SignatureRef;

/// A document is shared only by records whose ids are this close: so the cleaner knows from a document's key alone
/// that no younger record refers to it.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Documents compared with. Batches of both directions and of several keys pass at the same time.
const REMEMBERED: usize = 64;

/// The signature documents stored last, newest first.
///
/// Whole documents are compared, not hashes: two of the same length differ within the first kilobyte (the digest of
/// what is signed), so a comparison costs less than a hash of one of them.
#[derive(Debug, Default)]
pub(super) struct SharedSignatures {
    known: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    id: RecordId,
    signature: Bytes,
    hash_chain_result: Option<Bytes>,
}

impl Known {
    /// These very bytes. The memory is not free for others while it is known.
    fn holds(&self, signature: &Bytes, result: Option<&Bytes>) -> bool {
        is_same(&self.signature, signature)
            && match (&self.hash_chain_result, result) {
                (Some(known), Some(result)) => is_same(known, result) || known == result,
                (known, result) => known.as_ref() == result,
            }
    }

    /// The same content: first the shorter, which has a digest of its own in each batch.
    fn equals(&self, signature: &Bytes, result: Option<&Bytes>) -> bool {
        self.hash_chain_result.as_ref() == result && self.signature == *signature
    }
}

fn is_same(one: &Bytes, other: &Bytes) -> bool {
    std::ptr::eq(one.as_ptr(), other.as_ptr()) && one.len() == other.len()
}

impl SharedSignatures {
    /// Where the same document lies, if it was stored less than [`WINDOW`] before `now`.
    pub(super) fn find(
        &self,
        now: RecordId,
        signature: &Bytes,
        result: Option<&Bytes>,
    ) -> Option<SignatureRef> {
        // The records of a batch have one document in memory, unless they were received.
        let same = |known: &&Known| known.holds(signature, result);
        let equal = |known: &&Known| known.equals(signature, result);
        self.known
            .iter()
            .find(same)
            .or_else(|| self.known.iter().find(equal))
            .filter(|known| now.time() - known.id.time() < WINDOW)
            .map(|known| SignatureRef(known.id))
    }

    /// Remembers that the document was stored under `id`.
    pub(super) fn remember(
        &mut self,
        id: RecordId,
        signature: &Bytes,
        result: Option<&Bytes>,
    ) -> SignatureRef {
        self.known.truncate(REMEMBERED - 1);
        let known = Known {
            id,
            signature: signature.clone(),
            hash_chain_result: result.cloned(),
        };
        self.known.push_front(known);
        SignatureRef(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn finds_equal_documents_within_the_window_only() {
        let noon = datetime!(2026-01-02 12:00 UTC);
        let id = RecordId::first_at(noon);
        let (a, b) = (Bytes::from_static(b"<a/>"), Bytes::from_static(b"<b/>"));
        let mut shared = SharedSignatures::default();
        let stored = shared.remember(id, &a, Some(&b));
        assert_eq!(
            shared.find(id.next(), &Bytes::from(b"<a/>".to_vec()), Some(&b)),
            Some(stored)
        );
        assert_eq!(shared.find(id.next(), &a, None), None);
        assert_eq!(shared.find(id.next(), &b, Some(&b)), None);
        let later = RecordId::first_at(noon + WINDOW);
        assert_eq!(shared.find(later, &a, Some(&b)), None);
        // Stored again, the newer one is found.
        shared.remember(later, &a, Some(&b));
        assert_eq!(shared.find(later.next(), &a, Some(&b)), Some(SignatureRef(later)));
    }

    #[test]
    fn a_document_in_the_same_memory_is_another_with_another_result_or_length() {
        let id = RecordId::first_at(datetime!(2026-01-02 12:00 UTC));
        let (text, one, two) = (
            Bytes::from_static(b"<a/><a/>"),
            Bytes::from_static(b"1"),
            Bytes::from_static(b"2"),
        );
        let mut shared = SharedSignatures::default();
        let stored = shared.remember(id, &text, Some(&one));
        assert_eq!(shared.find(id.next(), &text, Some(&one)), Some(stored));
        assert_eq!(
            shared.find(id.next(), &text, Some(&Bytes::from(b"1".to_vec()))),
            Some(stored)
        );
        assert_eq!(shared.find(id.next(), &text, Some(&two)), None);
        assert_eq!(shared.find(id.next(), &text.slice(..4), Some(&one)), None);
    }

    #[test]
    fn remembers_a_bounded_number() {
        let mut shared = SharedSignatures::default();
        for number in 0..200_u64 {
            shared.remember(RecordId::new(number), &Bytes::from(number.to_string()), None);
        }
        assert_eq!(shared.known.len(), REMEMBERED);
    }
}
