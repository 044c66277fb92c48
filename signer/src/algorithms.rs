//! The keys of the protocol as those of the library that makes them.

use protocol_pki::key::KeySpec;
use signer_client::KeyAlgorithm;

pub(crate) const fn key_spec(name: KeyAlgorithm) -> KeySpec {
    match name {
        KeyAlgorithm::Rsa2048 => KeySpec::Rsa2048,
        KeyAlgorithm::Rsa3072 => KeySpec::Rsa3072,
        KeyAlgorithm::Rsa4096 => KeySpec::Rsa4096,
        KeyAlgorithm::EcP256 => KeySpec::P256,
        KeyAlgorithm::EcP384 => KeySpec::P384,
        KeyAlgorithm::EcP521 => KeySpec::P521,
    }
}
