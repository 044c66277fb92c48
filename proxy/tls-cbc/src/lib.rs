//! The TLS 1.2 cipher suites that stock X-Road 7 servers insist on, for rustls: ECDHE with AES-256-CBC and HMAC-SHA384.
//!
//! rustls has no CBC suites, on purpose: records that are authenticated first and padded afterwards gave rise to a
//! decade of padding oracles. Stock peers offer nothing else on their port 5500 (wire.md 2.5), so these two suites are
//! offered, after everything better (`docs/adr/0005-cbc-suites-for-stock-peers.md`).
//!
//! Nothing secret is computed here. Record protection is the TLS AEAD of AWS-LC, which checks padding and MAC in constant
//! time; this crate gives it keys (`prf`), cuts records (`record`) and declares the suites (`suites`).
//! The only `unsafe` code of the workspace is in `aead`.
//!
//! | Limit | Value |
//! |---|---|
//! | plaintext of a record | 16384 bytes; what decrypts to more is refused |
//! | record on the wire | 16 bytes IV, 48 MAC, 1 to 16 padding more than its plaintext; peers may pad up to 256 |
//! | records with one key | 2^24, then rustls closes the connection |

mod aead;
mod prf;
mod record;
mod suites;

pub use suites::{
    CBC_SUITES, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    with_cbc_suites,
};
