//! Which cipher suites are offered, by what the parameters list.
//!
//! First TLS 1.3 and TLS 1.2 with ECDHE and AES-GCM or ChaCha20, as rustls has them and whatever is listed; then what
//! is listed and known besides: the CBC suites of `proxy-tls-cbc` (wire.md 2.5). Where the better ones are switched
//! off, exactly what is listed.

use std::sync::Arc;

use rustls::SupportedCipherSuite;
use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// Suites of stock servers' lists that are lacking for good (`docs/adr/0005-cbc-suites-for-stock-peers.md`): nothing
/// to tell the operator, as whoever offers them offers another that is known.
const LACKING: &[&str] = &[
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
];

/// Cryptography by whom we meet, in both roles.
#[derive(Debug, Clone)]
pub struct Providers {
    /// Other security servers.
    pub peers: Arc<CryptoProvider>,
    /// Information systems and services.
    pub information_systems: Arc<CryptoProvider>,
}

/// What is offered to somebody.
#[derive(Debug, Clone, Copy)]
pub struct Offer<'a> {
    /// Whether rustls's suites go before the listed ones.
    pub better: bool,
    /// Names of suites, preferred first: those of IANA, which Java uses too.
    pub suites: &'a [String],
    /// Names of versions (`TLSv1.2`, `TLSv1.3`), for when nothing better goes before; none = both.
    pub versions: Option<&'a [String]>,
}

/// Nothing that is listed is known.
#[derive(Debug, thiserror::Error)]
#[error("no known cipher suite is listed; known are {known}")]
pub struct NoSuite {
    known: String,
}

impl Offer<'_> {
    /// The provider with the suites of this offer.
    ///
    /// # Errors
    /// [`NoSuite`] when there is none.
    pub fn provider(&self) -> Result<CryptoProvider, NoSuite> {
        let mut provider = aws_lc_rs::default_provider();
        let known = proxy_tls_cbc::with_cbc_suites(provider.clone()).cipher_suites;
        if !self.better {
            provider.cipher_suites.clear();
        }
        for listed in self.suites {
            let found = known.iter().find(|suite| name(suite) == *listed);
            match found {
                Some(suite) if !provider.cipher_suites.contains(suite) && self.allows(suite) => {
                    provider.cipher_suites.push(*suite);
                }
                None if !LACKING.contains(&listed.as_str()) => {
                    tracing::warn!(suite = listed, "cipher suite is not known, passed over");
                }
                _ => {}
            }
        }
        if provider.cipher_suites.is_empty() {
            let known: Vec<String> = known.iter().map(name).collect();
            return Err(NoSuite {
                known: known.join(", "),
            });
        }
        Ok(provider)
    }

    fn allows(&self, suite: &SupportedCipherSuite) -> bool {
        let version = if suite.tls13().is_some() {
            "TLSv1.3"
        } else {
            "TLSv1.2"
        };
        self.better
            || self
                .versions
                .is_none_or(|versions| versions.iter().any(|allowed| allowed == version))
    }
}

/// rustls writes `TLS13_` for suites of TLS 1.3, everybody else `TLS_`.
fn name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replace("TLS13_", "TLS_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GCM: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    const CBC: &str = "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384";

    fn offered(better: bool, listed: &[&str], versions: Option<&[&str]>) -> Vec<String> {
        let suites: Vec<String> = listed.iter().map(|&name| name.to_owned()).collect();
        let versions: Option<Vec<String>> =
            versions.map(|versions| versions.iter().map(|&version| version.to_owned()).collect());
        let offer = Offer {
            better,
            suites: &suites,
            versions: versions.as_deref(),
        };
        let provider = offer.provider();
        provider.map_or_else(
            |_| Vec::new(),
            |provider| provider.cipher_suites.iter().map(name).collect(),
        )
    }

    #[test]
    fn the_best_goes_first_and_cbc_last() {
        let stock = [
            CBC,
            "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
        ];
        let names = offered(true, &stock, None);
        assert_eq!(names.first().unwrap(), "TLS_AES_256_GCM_SHA384");
        let better = aws_lc_rs::default_provider().cipher_suites.len();
        assert_eq!(names.get(better..).unwrap(), [stock[0], stock[2]]);
        assert!(!names.get(..better).unwrap().concat().contains("CBC"));
    }

    #[test]
    fn a_list_without_cbc_turns_it_off() {
        for listed in [
            &[][..],
            &[GCM],
            &["TLS_DHE_RSA_WITH_AES_256_CBC_SHA256", "unknown"],
        ] {
            let names = offered(true, listed, None);
            assert_eq!(names.len(), aws_lc_rs::default_provider().cipher_suites.len());
            assert!(!names.concat().contains("CBC"));
        }
    }

    #[test]
    fn without_the_better_ones_there_is_what_is_listed_in_its_order() {
        let listed = [CBC, GCM, "TLS_AES_128_GCM_SHA256"];
        assert_eq!(offered(false, &listed, None), listed);
        assert_eq!(offered(false, &listed, Some(&["TLSv1.2"])), [CBC, GCM]);
        assert_eq!(offered(false, &["unknown"], None), [""; 0]);
        assert_eq!(offered(false, &[GCM], Some(&["TLSv1.3"])), [""; 0]);
    }
}
