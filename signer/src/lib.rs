//! The signer: tokens, keys, certificates and batch signing. It has no network, only a Unix socket
//! (protocol: [`signer_client`]).
//!
//! | Module | Subject |
//! |---|---|
//! | [`settings`] | what the operator may set |
//! | [`token`] | what holds private keys: [`token::Token`], the software token |
//! | [`registry`] | keys, certificates, signing requests: the state behind the tokens, on disk |
//! | [`signing`] | one thread per key: whatever waits is signed together (wire.md 3.3) |
//! | [`service`] | a request becomes an answer |
//! | [`server`] | the socket: who may connect, frames, bounds, orderly stop |
//!
//! Threads: one accepts connections; each connection has one that reads and one that writes; one makes every change
//! to tokens and certificates, so changes never overlap; each key that signs has one.
//!
//! Everything on disk is in the state directory, readable by the signer's user alone:
//!
//! ```text
//! lock                     held while a signer runs; a second one refuses to start
//! keys.json                the registry, and keys.json.previous, its state before the last change
//! token-0/token.json       the token key, sealed under the PIN (see token::software::files)
//! token-0/keys/<id>.json   private keys, sealed under the token key
//! ```

mod algorithms;
pub mod atomic_file;
pub mod auto_login;
mod base64_text;
mod certificates;
pub mod counters;
mod csr;
pub mod registry;
pub mod server;
pub mod service;
pub mod settings;
pub mod signing;
pub mod token;
pub mod versioned_file;
