//! The configuration client: downloads the global configuration, verifies it and stores it where the other
//! processes read it; keeps fresh OCSP responses for the server's own certificates beside it.
//!
//! | Module | Subject |
//! |---|---|
//! | [`settings`] | the settings file, one constant for each default |
//! | [`locations`] | which URLs to try, in which order |
//! | [`http`] | bounded requests with time limits |
//! | [`download`] | one source: signed directory, then its files |
//! | [`store`] | the configuration directory on disk |
//! | [`client`] | a whole round: own instance, then the federated ones |
//! | [`ocsp`] | which certificates need a response, and fetching it |
//! | [`status`] | the file in which operators and the proxy see how it goes |
//! | [`schedule`] | the two threads, their intervals, and stopping |

pub mod client;
pub mod download;
pub mod error;
pub mod http;
pub mod locations;
pub mod ocsp;
pub mod schedule;
pub mod settings;
pub mod status;
pub mod store;
