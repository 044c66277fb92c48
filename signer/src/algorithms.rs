//! The algorithm names of the protocol as those of the documents.

use protocol_pki::{algorithm::SignatureAlgorithm, digest::DigestAlgorithm, key::KeySpec};
use signer_client::KeyAlgorithm;

pub(crate) const fn digest(name: signer_client::DigestAlgorithm) -> DigestAlgorithm {
    match name {
        signer_client::DigestAlgorithm::Sha1 => DigestAlgorithm::Sha1,
        signer_client::DigestAlgorithm::Sha224 => DigestAlgorithm::Sha224,
        signer_client::DigestAlgorithm::Sha256 => DigestAlgorithm::Sha256,
        signer_client::DigestAlgorithm::Sha384 => DigestAlgorithm::Sha384,
        signer_client::DigestAlgorithm::Sha512 => DigestAlgorithm::Sha512,
    }
}

pub(crate) const fn signature(name: signer_client::SignatureAlgorithm) -> SignatureAlgorithm {
    match name {
        signer_client::SignatureAlgorithm::RsaPkcs1(name) => SignatureAlgorithm::RsaPkcs1(digest(name)),
        signer_client::SignatureAlgorithm::RsaPss(name) => SignatureAlgorithm::RsaPss(digest(name)),
        signer_client::SignatureAlgorithm::Ecdsa(name) => SignatureAlgorithm::Ecdsa(digest(name)),
    }
}

pub(crate) const fn key_spec(name: KeyAlgorithm) -> KeySpec {
    match name {
        KeyAlgorithm::Rsa2048 => KeySpec::Rsa2048,
        KeyAlgorithm::Rsa3072 => KeySpec::Rsa3072,
        KeyAlgorithm::Rsa4096 => KeySpec::Rsa4096,
        KeyAlgorithm::EcP256 => KeySpec::P256,
        KeyAlgorithm::EcP384 => KeySpec::P384,
    }
}
