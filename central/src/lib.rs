//! The central server: turns a registry into a signed global configuration and serves it.
//!
//! The registry is one declarative file, `registry.toml`, that an operator or another program edits; nothing else
//! holds state but the list of signing keys, whose private halves are in the signer.
//!
//! ```text
//! registry.toml -> registry::Registry -> generate::Generator -(signer)-> publish::Published -> HTTP
//! ```
//!
//! | Module | Subject |
//! |---|---|
//! | [`settings`] | `central.toml`, one constant for each default |
//! | [`registry`] | `registry.toml`: read, checked, turned into parameters |
//! | [`keys`] | configuration signing keys: made in the signer, listed here |
//! | [`generate`] | one generation of the configuration, all versions |
//! | [`publish`] | what is served now, and how |
//! | [`watch`] | when a generation is made |

pub mod generate;
pub mod keys;
pub mod publish;
pub mod registry;
pub mod settings;
pub mod watch;
