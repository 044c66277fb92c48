//! The proof that a record is durable.

use super::RecordId;

/// Proof that a record is durable: the WAL was synced after the record was written into it.
///
/// Only the writer thread makes one, in one place. A function that lets a message leave the server takes it as an
/// argument, so nothing leaves without a record.
#[derive(Debug)]
#[must_use = "the exchange may go on only with its receipt"]
pub struct LogReceipt {
    id: RecordId,
}

impl LogReceipt {
    /// To be called after the sync, by the writer alone.
    pub(super) const fn after_sync(id: RecordId) -> Self {
        Self { id }
    }

    /// The id of the record.
    #[must_use]
    pub const fn id(&self) -> RecordId {
        self.id
    }
}
