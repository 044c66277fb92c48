//! From BER to definite, shortest lengths (X.690 8.1.3, 8.7).
//!
//! Time-stamping authorities send tokens with indefinite lengths and octet strings in pieces. The signature covers the
//! contents and the DER of the signed attributes, neither of which this changes; elements of sets keep their order.

use crate::asn1::{Asn1Error, OCTET_STRING, push_length};

/// Deepest nesting taken.
pub const MAX_DEPTH: usize = 32;

const CONSTRUCTED: u8 = 0x20;
const CONSTRUCTED_OCTET_STRING: u8 = OCTET_STRING | CONSTRUCTED;

/// Turns one BER element into definite lengths and primitive octet strings. DER comes out as it went in.
///
/// # Errors
/// Truncated or malformed elements, bytes after the element, nesting over [`MAX_DEPTH`].
pub fn to_der(ber: &[u8]) -> Result<Vec<u8>, Asn1Error> {
    let mut rest = ber;
    let der = transcode(&mut rest, 0)?;
    if rest.is_empty() {
        Ok(der)
    } else {
        Err(Asn1Error::Trailing(rest.len()))
    }
}

fn transcode(rest: &mut &[u8], depth: usize) -> Result<Vec<u8>, Asn1Error> {
    if depth > MAX_DEPTH {
        return Err(Asn1Error::Limit("nesting"));
    }
    let tag = take_byte(rest)?;
    if tag & 0x1f == 0x1f {
        return Err(Asn1Error::HighTag);
    }
    let length = take_length(rest)?;
    if tag & CONSTRUCTED == 0 {
        let length = length.ok_or(Asn1Error::Length)?;
        return Ok(with_header(tag, take(rest, length)?));
    }
    let children = match length {
        Some(length) => {
            let mut inside = take(rest, length)?;
            transcode_children(&mut inside, depth, |inside| inside.is_empty())?
        }
        None => {
            let children = transcode_children(rest, depth, |rest| rest.starts_with(&[0, 0]))?;
            take(rest, 2)?;
            children
        }
    };
    if tag == CONSTRUCTED_OCTET_STRING {
        return Ok(with_header(OCTET_STRING, &joined_octets(&children)?));
    }
    Ok(with_header(tag, &children.concat()))
}

fn transcode_children(
    rest: &mut &[u8],
    depth: usize,
    at_end: impl Fn(&[u8]) -> bool,
) -> Result<Vec<Vec<u8>>, Asn1Error> {
    let mut children = Vec::new();
    while !at_end(rest) {
        children.push(transcode(rest, depth + 1)?);
    }
    Ok(children)
}

/// Contents of the pieces of an octet string.
fn joined_octets(pieces: &[Vec<u8>]) -> Result<Vec<u8>, Asn1Error> {
    let mut octets = Vec::new();
    for piece in pieces {
        octets.extend_from_slice(crate::asn1::only(piece, OCTET_STRING)?.contents);
    }
    Ok(octets)
}

fn with_header(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut element = Vec::with_capacity(contents.len() + 6);
    element.push(tag);
    push_length(&mut element, contents.len());
    element.extend_from_slice(contents);
    element
}

/// The length that follows, `None` when indefinite.
fn take_length(rest: &mut &[u8]) -> Result<Option<usize>, Asn1Error> {
    let first = take_byte(rest)?;
    if first < 0x80 {
        return Ok(Some(usize::from(first)));
    }
    if first == 0x80 {
        return Ok(None);
    }
    let digits = take(rest, usize::from(first & 0x7f))?;
    let significant = digits.iter().skip_while(|digit| **digit == 0);
    if significant.clone().count() > 4 {
        return Err(Asn1Error::Length);
    }
    Ok(Some(
        significant.fold(0, |value, digit| (value << 8) | usize::from(*digit)),
    ))
}

fn take_byte(rest: &mut &[u8]) -> Result<u8, Asn1Error> {
    let (first, others) = rest.split_first().ok_or(Asn1Error::Truncated)?;
    *rest = others;
    Ok(*first)
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Asn1Error> {
    let (taken, others) = rest.split_at_checked(length).ok_or(Asn1Error::Truncated)?;
    *rest = others;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn indefinite_lengths_and_pieces_become_definite() {
        let ber = [
            0x30, 0x80, 0x24, 0x80, 4, 2, 1, 2, 4, 0x81, 1, 3, 0, 0, 2, 1, 7, 0, 0,
        ];
        assert_eq!(to_der(&ber).unwrap(), [0x30, 8, 4, 3, 1, 2, 3, 2, 1, 7]);
    }

    #[test]
    fn der_passes_unchanged_and_nonsense_fails() {
        let der = [0x30, 5, 4, 3, 1, 2, 3];
        assert_eq!(to_der(&der).unwrap(), der);
        assert_eq!(to_der(&der[..6]), Err(Asn1Error::Truncated));
        assert_eq!(to_der(&[0x30, 0x80, 4, 1, 1]), Err(Asn1Error::Truncated));
        assert_eq!(to_der(&[0x04, 0x80, 0, 0]), Err(Asn1Error::Length));
        assert_eq!(to_der(&[0x05, 0, 0]), Err(Asn1Error::Trailing(1)));
        assert_eq!(to_der(&[0x30; 200].map(|_| 0x30)), Err(Asn1Error::Truncated));
        let deep: Vec<u8> = [0x30, 0x80].repeat(MAX_DEPTH + 2);
        assert_eq!(to_der(&deep), Err(Asn1Error::Limit("nesting")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic_and_twice_is_once(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(der) = to_der(&bytes) {
                prop_assert_eq!(to_der(&der), Ok(der));
            }
        }
    }
}
