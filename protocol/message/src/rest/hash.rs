//! The request hash that a response carries (wire.md 1.4).

use aws_lc_rs::digest::{Context, SHA512};

/// Length of a SHA-512 digest in bytes.
const LENGTH: usize = 64;

/// `SHA-512(part)` without a body, else `SHA-512(SHA-512(part) || body_digest)`, where `body_digest` is the SHA-512 of
/// the body. An empty body that exists is a body.
#[must_use]
pub fn request_hash(part: &[u8], body_digest: Option<&[u8]>) -> [u8; LENGTH] {
    let part_digest = sha512(&[part]);
    match body_digest {
        None => part_digest,
        Some(body) => sha512(&[&part_digest, body]),
    }
}

/// SHA-512 over all pieces in order.
pub(crate) fn sha512(pieces: &[&[u8]]) -> [u8; LENGTH] {
    let mut context = Context::new(&SHA512);
    for piece in pieces {
        context.update(piece);
    }
    let mut out = [0; LENGTH];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_the_part_and_then_the_body() {
        let part = b"GET\r\n/r1/EE/GOV/1/s/c\r\n";
        let plain = sha512(&[part]);
        assert_eq!(request_hash(part, None), plain);
        let body = sha512(&[b"body"]);
        let both: Vec<u8> = plain.iter().chain(&body).copied().collect();
        assert_eq!(request_hash(part, Some(&body)), sha512(&[&both]));
        assert_ne!(
            request_hash(part, Some(&sha512(&[]))),
            plain,
            "an empty body is a body"
        );
    }
}
