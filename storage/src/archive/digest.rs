//! The digests of the chain.

use std::fmt::Write as _;
use std::io::{self, Write};

use aws_lc_rs::digest::{self, Context, SHA256, SHA384, SHA512};
use serde::Deserialize;

/// Digest algorithm of linking information; the reference's verifier knows these three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum DigestAlgorithm {
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-384.
    #[serde(rename = "SHA-384")]
    Sha384,
    /// SHA-512, the usual one.
    #[default]
    #[serde(rename = "SHA-512")]
    Sha512,
}

impl DigestAlgorithm {
    /// The name in linking information and settings (`hash-algo-id`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// The algorithm of a name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    const fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
            Self::Sha512 => &SHA512,
        }
    }

    /// The next digest of a chain: over the digest before it and the digest of what is added, both as hexadecimal
    /// text (wire.md 4.6).
    #[must_use]
    pub fn chain(self, before: &str, added: &str) -> String {
        let mut context = Context::new(self.algorithm());
        context.update(before.as_bytes());
        context.update(added.as_bytes());
        hex(context.finish().as_ref())
    }

    /// Digests what is written through it.
    pub(super) fn writer<W: Write>(self, inner: W) -> Digesting<W> {
        Digesting {
            inner,
            context: Context::new(self.algorithm()),
            count: 0,
        }
    }
}

/// Digests and counts what passes.
pub(super) struct Digesting<W> {
    inner: W,
    context: Context,
    count: u64,
}

impl<W> Digesting<W> {
    /// What was written to, the digest in hexadecimal and the number of bytes.
    pub(super) fn finish(self) -> (W, String, u64) {
        (self.inner, hex(self.context.finish().as_ref()), self.count)
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(data)?;
        self.context.update(data.get(..written).unwrap_or_default());
        self.count += u64::try_from(written).unwrap_or(u64::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_algorithm_and_others_to_none() {
        for algorithm in [
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha384,
            DigestAlgorithm::Sha512,
        ] {
            assert_eq!(DigestAlgorithm::of_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(DigestAlgorithm::of_name("SHA-1"), None);
    }
}
