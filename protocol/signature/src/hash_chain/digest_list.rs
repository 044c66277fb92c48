//! The DER structure that one step of a hash chain digests.
//!
//! `SEQUENCE OF SEQUENCE { digest OCTET STRING, digestMethod UTF8String, transforms SEQUENCE {} }` (wire.md 3.4).

use protocol_pki::digest::DigestAlgorithm;

const SEQUENCE: u8 = 0x30;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;

/// Encodes the digests of one step, in their order.
pub(super) fn encode<'a>(digests: impl IntoIterator<Item = (DigestAlgorithm, &'a [u8])>) -> Vec<u8> {
    let mut items = Vec::with_capacity(256);
    let mut item = Vec::with_capacity(128);
    for (algorithm, digest) in digests {
        item.clear();
        push(&mut item, OCTET_STRING, digest);
        push(&mut item, UTF8_STRING, algorithm.uri().as_bytes());
        push(&mut item, SEQUENCE, &[]);
        push(&mut items, SEQUENCE, &item);
    }
    let mut list = Vec::with_capacity(items.len() + 6);
    push(&mut list, SEQUENCE, &items);
    list
}

fn push(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    push_length(out, content.len());
    out.extend_from_slice(content);
}

/// Definite length, shortest form (X.690 10.1).
fn push_length(out: &mut Vec<u8>, length: usize) {
    if let Ok(short) = u8::try_from(length)
        && short < 0x80
    {
        out.push(short);
        return;
    }
    let bytes = length.to_be_bytes();
    let significant: Vec<u8> = bytes.into_iter().skip_while(|byte| *byte == 0).collect();
    // A usize has at most 8 bytes.
    out.push(0x80 | u8::try_from(significant.len()).unwrap_or(0x08));
    out.extend_from_slice(&significant);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Digest of a list of four one-byte digests, from the reference's own test (wire.md 3.4).
    #[test]
    fn four_parts_digest_as_the_reference_does() {
        let digests: [&[u8]; 4] = [&[0x0b], &[0x0c], &[0x0d], &[0x0e]];
        let list = encode(digests.map(|digest| (DigestAlgorithm::Sha256, digest)));
        let digest = crate::xml::encode_base64(&DigestAlgorithm::Sha256.digest(&list));
        assert_eq!(digest, "v3CBVgjKmzZT5hnJ6vj6waqBazZe334tdEoNiL2oM5E=");
    }

    #[test]
    fn long_lengths_are_in_long_form() {
        let mut out = Vec::new();
        push_length(&mut out, 127);
        push_length(&mut out, 128);
        push_length(&mut out, 300);
        assert_eq!(out, [127, 0x81, 128, 0x82, 1, 44]);
    }
}
