//! The proxy of Kiirtee: client proxy and server proxy on worker threads, one message log.
//!
//! | Room | Subject |
//! |---|---|
//! | [`client_proxy`] | requests of our information systems, from accepting to answering (wire.md 6.1) |
//! | [`server_proxy`] | requests of other security servers, from accepting to answering (wire.md 6.2) |
//! | [`exchange`] | the two movements that both are made of: outgoing and incoming |
//! | [`fault`] | the one place where a failure becomes a fault code |
//! | [`peers`], [`peer_certificate`] | reaching other security servers, and judging who they are |
//! | [`snapshot`] | what requests are decided by, and the thread that keeps it current |
//! | [`message_log`] | time-stamping and cleaning beside the request path |
//! | [`asic_download`] | evidence for those who ask (wire.md 4.4) |
//! | [`ocsp_responder`] | OCSP responses for peers (wire.md 2.8) |
//! | [`admission`] | how much a worker takes on |
//! | [`admin`], [`metrics`] | health and figures |
//! | [`http`], [`net`], [`worker`] | the network under it |
//! | [`start`] | putting it all together, and stopping in order |
//!
//! A request path takes no lock that another core holds, makes no blocking system call and looks up no name.

pub mod admin;
pub mod admission;
pub mod asic_download;
pub mod client_proxy;
pub mod exchange;
pub mod fault;
mod host_name;
pub mod http;
pub mod message_log;
pub mod metrics;
pub mod net;
pub mod ocsp_responder;
pub mod peer_certificate;
pub mod peers;
pub mod process;
pub mod query_string;
pub mod sealing;
pub mod server_proxy;
pub mod service_url;
pub mod settings;
pub mod slots;
pub mod snapshot;
pub mod spool;
pub mod start;
pub mod worker;
pub mod worker_state;
