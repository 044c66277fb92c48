//! One thread per key. A batch is whatever waits when the key becomes free: one hash tree, one signature, a hash
//! chain for each message (wire.md 3.3). No timer: a lone message is signed at once.

mod batch;
mod job;
mod message;
mod worker;

pub use job::{Job, MessagesJob, RawJob, check_messages};
pub use worker::{Limits, Worker};
