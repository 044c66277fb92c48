//! The server configuration: clients, services, access rights (features.md 3.1, 3.2).
//!
//! One SQLite file. The operator speaks TOML: [`ServerConfiguration::apply_toml`] makes the database say what the
//! document says, in one transaction; [`ServerConfiguration::export_toml`] gives it back. The proxy polls
//! [`ServerConfiguration::version`] and turns what changed into an immutable [`Snapshot`].

mod certificate;
mod changes;
pub mod document;
mod endpoint;
mod error;
mod rows;
mod snapshot;
mod subject;
mod validate;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

pub use certificate::{Certificate, CertificateError};
pub use changes::Changes;
pub use document::{Authentication, ClientStatus, DescriptionType, Document};
pub use endpoint::Endpoint;
pub use error::ConfigurationError;
pub use snapshot::{Client, InGlobalGroup, Service, Snapshot, Target};
pub use subject::{Subject, SubjectError};

/// Version of the schema in `schema.sql`.
const SCHEMA_VERSION: i64 = 1;
/// Tells the file from other SQLite files: `Kiir`.
const APPLICATION_ID: i64 = 0x4b69_6972;
/// How long a process waits while another one writes.
const BUSY: Duration = Duration::from_secs(5);

/// An open server configuration. Readers see whole changes only, also from other processes.
#[derive(Debug)]
pub struct ServerConfiguration {
    db: Connection,
}

impl ServerConfiguration {
    /// Opens the configuration in a file, or makes a new, empty one.
    ///
    /// # Errors
    /// [`ConfigurationError::Format`] if the file is something else; [`ConfigurationError::Database`] if it cannot be
    /// read or written.
    pub fn open(path: &Path) -> Result<Self, ConfigurationError> {
        let mut db = Connection::open(path)?;
        prepare(&db)?;
        // Two processes may make the same new file: the second one waits here and then finds the schema.
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if is_empty(&transaction)? {
            create(&transaction)?;
        }
        check_format(&transaction, path)?;
        transaction.commit()?;
        // Changes nothing in a file that was refused above; kept in the file, so a reader need not set it.
        db.pragma_update(None, "journal_mode", "WAL")?;
        Ok(Self { db })
    }

    /// Opens an existing configuration to read it; every change is refused.
    ///
    /// # Errors
    /// As [`ServerConfiguration::open`], and if there is no such file.
    pub fn open_read_only(path: &Path) -> Result<Self, ConfigurationError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        prepare(&db)?;
        check_format(&db, path)?;
        Ok(Self { db })
    }

    /// Makes the configuration say what a TOML document says: what the document leaves out is removed. All of it
    /// happens or nothing. Applying the same document again changes nothing.
    ///
    /// # Errors
    /// [`ConfigurationError::Toml`] or [`ConfigurationError::Invalid`] with place and expectation.
    pub fn apply_toml(&mut self, text: &str) -> Result<Changes, ConfigurationError> {
        let wanted: Document =
            toml::from_str(text).map_err(|error| ConfigurationError::Toml(Box::new(error)))?;
        self.edit(|document| *document = wanted)
    }

    /// Changes the configuration: `change` gets the present document and leaves the one that shall be, both seen by
    /// nobody else meanwhile.
    ///
    /// # Errors
    /// [`ConfigurationError::Invalid`] if the result cannot be.
    pub fn edit(&mut self, change: impl FnOnce(&mut Document)) -> Result<Changes, ConfigurationError> {
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before = rows::load(&transaction)?;
        let mut after = before.clone();
        change(&mut after);
        validate::check(&after)?;
        let after = after.normal();
        let changes = Changes::between(&before, &after);
        if !changes.is_empty() {
            store(&transaction, &after, &changes)?;
            transaction.commit()?;
        }
        Ok(changes)
    }

    /// The whole configuration in normal form.
    ///
    /// # Errors
    /// [`ConfigurationError`] if it cannot be read.
    pub fn document(&self) -> Result<Document, ConfigurationError> {
        Ok(self.read()?.0)
    }

    /// The whole configuration as TOML, in normal form: applying it changes nothing.
    ///
    /// # Errors
    /// [`ConfigurationError`] if it cannot be read.
    pub fn export_toml(&self) -> Result<String, ConfigurationError> {
        Ok(toml::to_string_pretty(&self.document()?)?)
    }

    /// The configuration for the request path.
    ///
    /// # Errors
    /// [`ConfigurationError`] if it cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, ConfigurationError> {
        let (document, version) = self.read()?;
        Ok(Snapshot::new(document, version))
    }

    /// The number of changes made so far, by any process. Costs one indexed read: poll it to see changes.
    ///
    /// # Errors
    /// [`ConfigurationError`] if it cannot be read.
    pub fn version(&self) -> Result<u64, ConfigurationError> {
        rows::version(&self.db)
    }

    /// Document and version of the same moment.
    fn read(&self) -> Result<(Document, u64), ConfigurationError> {
        let transaction = self.db.unchecked_transaction()?;
        Ok((rows::load(&transaction)?, rows::version(&transaction)?))
    }
}

fn prepare(db: &Connection) -> Result<(), ConfigurationError> {
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "foreign_keys", true)?;
    // In WAL mode the default could lose the last change with the power; a configuration changes rarely.
    db.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

fn is_empty(db: &Connection) -> Result<bool, ConfigurationError> {
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(db, "user_version")? == 0)
}

fn create(db: &Transaction<'_>) -> Result<(), ConfigurationError> {
    db.execute_batch(include_str!("server_configuration/schema.sql"))?;
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(())
}

fn check_format(db: &Connection, path: &Path) -> Result<(), ConfigurationError> {
    let (application, version) = (pragma(db, "application_id")?, pragma(db, "user_version")?);
    let refuse = |found| {
        Err(ConfigurationError::Format {
            path: path.into(),
            found,
        })
    };
    match (application, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
        (APPLICATION_ID, other) => refuse(format!(
            "it has version {other}, this program knows {SCHEMA_VERSION}"
        )),
        _ => refuse("it belongs to another program".into()),
    }
}

fn pragma(db: &Connection, name: &str) -> Result<i64, ConfigurationError> {
    Ok(db.pragma_query_value(None, name, |row| row.get(0))?)
}

fn store(db: &Connection, after: &Document, changes: &Changes) -> Result<(), ConfigurationError> {
    if changes.general {
        rows::store_general(db, after)?;
    }
    for client in changes.removed.iter().chain(&changes.changed) {
        rows::remove_client(db, client)?;
    }
    for client in &after.clients {
        if changes.added.contains(&client.id) || changes.changed.contains(&client.id) {
            rows::insert_client(db, client)?;
        }
    }
    rows::count_change(db)
}
