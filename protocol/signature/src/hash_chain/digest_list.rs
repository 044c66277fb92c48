//! The DER structure that one step of a hash chain digests.
//!
//! `SEQUENCE OF SEQUENCE { digest OCTET STRING, digestMethod UTF8String, transforms SEQUENCE {} }` (wire.md 3.4).

use protocol_pki::digest::{Digest, DigestAlgorithm};

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;

/// Bytes of an empty `SEQUENCE`.
const EMPTY: usize = 2;

/// Most bytes of tag and length: lengths of memory have at most eight bytes.
const LONGEST_HEADER: usize = 10;

/// Room for two lists of two SHA-512 digests; more grows.
const USUAL_BYTES: usize = 512;

/// Lists under way, one within the other like the steps of a chain, in one piece of memory.
#[derive(Debug)]
pub(super) struct DigestLists {
    bytes: Vec<u8>,
}

/// Where a list begins.
#[derive(Debug)]
pub(super) struct Begun(usize);

impl DigestLists {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(USUAL_BYTES),
        }
    }

    /// Begins a list; whatever is pushed until it is finished belongs to it, lists that are begun later excepted.
    pub(super) fn begin(&mut self) -> Begun {
        let begun = Begun(self.bytes.len());
        // How long its header is turns out at the end only.
        self.bytes.extend_from_slice(&[0; LONGEST_HEADER]);
        begun
    }

    /// Adds a digest to the list that was begun last.
    pub(super) fn push(&mut self, algorithm: DigestAlgorithm, digest: &[u8]) {
        let uri = algorithm.uri().as_bytes();
        header(
            &mut self.bytes,
            SEQUENCE,
            encoded(digest.len()) + encoded(uri.len()) + EMPTY,
        );
        header(&mut self.bytes, OCTET_STRING, digest.len());
        self.bytes.extend_from_slice(digest);
        header(&mut self.bytes, UTF8_STRING, uri.len());
        self.bytes.extend_from_slice(uri);
        header(&mut self.bytes, SEQUENCE, 0);
    }

    /// Ends the list that was begun last and gives its digest.
    pub(super) fn finish(&mut self, begun: Begun, algorithm: DigestAlgorithm) -> Digest {
        let Begun(start) = begun;
        let items = start + LONGEST_HEADER;
        let length = self.bytes.len().saturating_sub(items);
        let mut front = Header::default();
        front.write(SEQUENCE, length);
        let from = items - front.as_slice().len();
        if let Some(room) = self.bytes.get_mut(from..items) {
            room.copy_from_slice(front.as_slice());
        }
        let digest = algorithm.digest(self.bytes.get(from..).unwrap_or_default());
        self.bytes.truncate(start);
        digest
    }

    /// The digest of the list of these digests.
    pub(super) fn digest<'a>(
        &mut self,
        algorithm: DigestAlgorithm,
        digests: impl IntoIterator<Item = &'a [u8]>,
    ) -> Digest {
        let list = self.begin();
        for digest in digests {
            self.push(algorithm, digest);
        }
        self.finish(list, algorithm)
    }
}

/// Bytes of a value with its header.
fn encoded(length: usize) -> usize {
    let mut front = Header::default();
    front.write(SEQUENCE, length);
    front.as_slice().len() + length
}

fn header(out: &mut Vec<u8>, tag: u8, length: usize) {
    let mut front = Header::default();
    front.write(tag, length);
    out.extend_from_slice(front.as_slice());
}

/// A tag and a definite length in its shortest form (X.690 10.1).
#[derive(Default)]
struct Header {
    bytes: [u8; LONGEST_HEADER],
    used: usize,
}

impl Header {
    fn write(&mut self, tag: u8, length: usize) {
        self.push(tag);
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => self.push(short),
            _ => {
                let bytes = length.to_be_bytes();
                let significant = bytes.iter().skip_while(|byte| **byte == 0);
                // A usize has at most 8 bytes.
                self.push(0x80 | u8::try_from(significant.clone().count()).unwrap_or(0x08));
                significant.for_each(|byte| self.push(*byte));
            }
        }
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.used) {
            *place = byte;
            self.used += 1;
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digest of a list of four one-byte digests, from the reference's own test (wire.md 3.4).
    #[test]
    fn four_parts_digest_as_the_reference_does() {
        let digests: [&[u8]; 4] = [&[0x0b], &[0x0c], &[0x0d], &[0x0e]];
        let digest = DigestLists::new().digest(DigestAlgorithm::Sha256, digests);
        assert_eq!(
            crate::xml::encode_base64(&digest),
            "v3CBVgjKmzZT5hnJ6vj6waqBazZe334tdEoNiL2oM5E="
        );
    }

    #[test]
    fn long_lengths_are_in_long_form() {
        let mut out = Vec::new();
        header(&mut out, SEQUENCE, 127);
        header(&mut out, SEQUENCE, 128);
        header(&mut out, SEQUENCE, 300);
        assert_eq!(out, [SEQUENCE, 127, SEQUENCE, 0x81, 128, SEQUENCE, 0x82, 1, 44]);
        let mut longest = Vec::new();
        header(&mut longest, SEQUENCE, usize::MAX);
        assert_eq!(longest.len(), LONGEST_HEADER);
    }

    #[test]
    fn a_list_within_a_list_leaves_it_as_it_was() {
        let mut lists = DigestLists::new();
        let outer = lists.begin();
        lists.push(DigestAlgorithm::Sha512, &[1; 64]);
        let inner = lists.begin();
        lists.push(DigestAlgorithm::Sha512, &[2; 64]);
        let inner = lists.finish(inner, DigestAlgorithm::Sha512);
        lists.push(DigestAlgorithm::Sha512, &inner);
        let outer = lists.finish(outer, DigestAlgorithm::Sha512);
        let alone = |digests: &[&[u8]]| {
            let digests = digests.iter().copied();
            DigestLists::new().digest(DigestAlgorithm::Sha512, digests)
        };
        assert_eq!(inner, alone(&[&[2; 64]]));
        assert_eq!(outer, alone(&[&[1; 64], &inner]));
    }
}
