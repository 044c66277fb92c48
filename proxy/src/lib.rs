//! Client proxy and server proxy.

pub mod http;
pub mod net;
pub mod worker;
