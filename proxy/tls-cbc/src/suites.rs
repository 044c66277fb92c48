//! The two suites, and a provider that has them.

use rustls::crypto::aws_lc_rs::cipher_suite;
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{CipherSuite, SupportedCipherSuite, Tls12CipherSuite};

use crate::prf::TurnedKeyBlock;
use crate::record::Aes256CbcSha384;

/// `TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384` (0xC028): the suite of stock peers with RSA keys.
pub static TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384: SupportedCipherSuite = SupportedCipherSuite::Tls12(&RSA);

/// `TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384` (0xC024): the suite of stock peers with EC keys.
pub static TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&ECDSA);

/// Both suites.
pub static CBC_SUITES: &[SupportedCipherSuite] = &[
    SupportedCipherSuite::Tls12(&ECDSA),
    SupportedCipherSuite::Tls12(&RSA),
];

/// The provider with these suites behind all that it has.
#[must_use]
pub fn with_cbc_suites(mut provider: CryptoProvider) -> CryptoProvider {
    provider.cipher_suites.extend_from_slice(CBC_SUITES);
    provider
}

static RSA: Tls12CipherSuite = suite(
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    &cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
);

static ECDSA: Tls12CipherSuite = suite(
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    &cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
);

/// P_SHA384 (RFC 5289 section 3.1), as in the GCM suites of the same hash.
static PRF: TurnedKeyBlock =
    TurnedKeyBlock(tls12(&cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384).prf_provider);

/// A suite like the GCM suite `base` of the same hash and key exchange, but with CBC records.
///
/// The limit of records is that of GCM: with a random IV for each, 2^24 full records are 2^34 blocks, where chance
/// has made two of them equal with a probability of 2^-61.
const fn suite(id: CipherSuite, base: &'static SupportedCipherSuite) -> Tls12CipherSuite {
    let base = tls12(base);
    Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: id,
            hash_provider: base.common.hash_provider,
            confidentiality_limit: 1 << 24,
        },
        prf_provider: &PRF,
        kx: base.kx,
        sign: base.sign,
        aead_alg: &Aes256CbcSha384,
    }
}

#[expect(clippy::panic, reason = "evaluated by the compiler only")]
const fn tls12(suite: &'static SupportedCipherSuite) -> &'static Tls12CipherSuite {
    match suite {
        SupportedCipherSuite::Tls12(suite) => suite,
        SupportedCipherSuite::Tls13(_) => panic!("a suite of TLS 1.2"),
    }
}
