//! What is in a server's message log, by message.

use std::collections::HashMap;
use std::path::Path;

use storage::message_log::{Direction, MessageLogReader, RecordId};

use crate::instance::Instance;

/// How many requests and responses a log has of each message id.
pub(crate) struct Logged(HashMap<String, (u32, u32)>);

impl Logged {
    /// Reads all of a server's log.
    pub(crate) fn read(instance: &Instance, server: &str) -> Self {
        let directory = instance.get(&format!("{server}/message_log"));
        let log = MessageLogReader::open_read_only(Path::new(&directory)).unwrap();
        let mut messages: HashMap<String, (u32, u32)> = HashMap::new();
        for record in log.records().range(RecordId::MIN, RecordId::MAX).unwrap() {
            let record = record.unwrap();
            let counts = messages.entry(record.query_id).or_default();
            match record.direction {
                Direction::Request => counts.0 += 1,
                Direction::Response => counts.1 += 1,
            }
        }
        Self(messages)
    }

    /// Whether the log has one request and one response with this id.
    pub(crate) fn has_both(&self, id: &str) -> bool {
        self.0.get(id) == Some(&(1, 1))
    }
}
