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

impl SharedSignatures {
    /// Where the same document lies, if it was stored less than [`WINDOW`] before `now`.
    pub(super) fn find(
        &self,
        now: RecordId,
        signature: &Bytes,
        result: Option<&Bytes>,
    ) -> Option<SignatureRef> {
        self.known
            .iter()
            .find(|known| known.signature == *signature && known.hash_chain_result.as_ref() == result)
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
    fn remembers_a_bounded_number() {
        let mut shared = SharedSignatures::default();
        for number in 0..200_u64 {
            shared.remember(RecordId::new(number), &Bytes::from(number.to_string()), None);
        }
        assert_eq!(shared.known.len(), REMEMBERED);
    }
}
