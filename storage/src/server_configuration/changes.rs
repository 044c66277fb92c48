//! What an application of a document changed, for the operator to read.

use std::collections::BTreeMap;
use std::fmt;

use protocol_message::identifier::ClientId;

use super::document::{Client, Document};

/// What changed. Displays as one line a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Clients that were not there before.
    pub added: Vec<ClientId>,
    /// Clients that are no longer there.
    pub removed: Vec<ClientId>,
    /// Clients of which something changed.
    pub changed: Vec<ClientId>,
    /// Whether server id, internal TLS, settings or time-stamping services changed.
    pub general: bool,
}

impl Changes {
    /// Whether the two documents, both in normal form, say the same.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// From one document to another, both in normal form.
    pub(super) fn between(before: &Document, after: &Document) -> Self {
        let old: BTreeMap<&ClientId, &Client> =
            before.clients.iter().map(|client| (&client.id, client)).collect();
        let mut gone = old.clone();
        let mut changes = Self {
            general: general_differs(before, after),
            ..Self::default()
        };
        for client in &after.clients {
            gone.remove(&client.id);
            match old.get(&client.id) {
                None => changes.added.push(client.id.clone()),
                Some(known) if *known != client => changes.changed.push(client.id.clone()),
                Some(_) => {}
            }
        }
        changes.removed = gone.into_keys().cloned().collect();
        changes
    }
}

fn general_differs(before: &Document, after: &Document) -> bool {
    before.server != after.server
        || before.internal_tls != after.internal_tls
        || before.settings != after.settings
        || before.time_stamping_services != after.time_stamping_services
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changed");
        }
        if self.general {
            writeln!(f, "server settings changed")?;
        }
        for (clients, what) in [
            (&self.added, "added"),
            (&self.changed, "changed"),
            (&self.removed, "removed"),
        ] {
            for client in clients {
                writeln!(f, "client {client} {what}")?;
            }
        }
        Ok(())
    }
}
