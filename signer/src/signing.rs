//! One thread per key. A batch is whatever waits when the key becomes free: one hash tree, one signature, a hash
//! chain for each message (wire.md 3.3). No timer: a lone message is signed at once.

mod job;
mod message;
mod worker;

pub use job::{Job, MessageJob, RawJob, check_message};
pub use worker::{Limits, Worker};
