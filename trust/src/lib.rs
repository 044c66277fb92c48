//! Trust services for sandboxes and tests: a certification authority, its OCSP responder and a time-stamping authority.
//!
//! **Not for production.** Whoever reaches the services gets any certificate, and can make them lie on purpose, which is
//! what tests need. The keys lie in plain files.
//!
//! [`authority`] is the whole of it as functions, for use within other tests; [`directory`] keeps it on disk, [`ledger`]
//! remembers what was issued and revoked, [`service`] answers over HTTP.

pub mod authority;
pub mod directory;
pub mod ledger;
pub mod service;
