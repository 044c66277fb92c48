//! `kiirtee-appliance configure`: the server configuration that was handed over becomes that of the proxy, once.
//!
//! It runs as the proxy's user, which owns the database: nobody with more rights opens a file that the proxy can write. A
//! running proxy takes the change over within a second.

use std::io;
use std::path::{Path, PathBuf};

use storage::server_configuration::{ConfigurationError, ServerConfiguration};

use crate::disk::{self, Disk};
use crate::paths::{self, Root};

/// The most bytes of a server configuration.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Arguments of `kiirtee-appliance configure`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// The database of the server configuration; by default /var/lib/kiirtee/server/server.db
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

/// Why the server configuration was not taken over; the former one is in force.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// A file that cannot be read.
    #[error("{}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration or its database.
    #[error("{}", path.display())]
    Configuration {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ConfigurationError,
    },
}

/// Carries out `kiirtee-appliance configure`.
///
/// # Errors
/// See [`ConfigureError`].
pub fn run(arguments: &Arguments) -> Result<(), ConfigureError> {
    let path = arguments.root.path(paths::SERVER_PENDING);
    let unreadable = |source| ConfigureError::Unreadable {
        path: path.clone(),
        source,
    };
    let Some(bytes) = disk::read(&path, MAX_BYTES).map_err(unreadable)? else {
        tracing::info!("the server configuration is applied already");
        return Ok(());
    };
    apply(arguments, &path, bytes.clone())?;
    // What was handed over in the meantime stays for the next run.
    match disk::read(&path, MAX_BYTES).map_err(unreadable)? {
        Some(now) if now != bytes => Ok(()),
        _ => Disk::default().remove(&path).map_err(unreadable),
    }
}

fn apply(arguments: &Arguments, path: &Path, bytes: Vec<u8>) -> Result<(), ConfigureError> {
    let path = path.to_owned();
    let unreadable = |source| ConfigureError::Unreadable {
        path: path.clone(),
        source,
    };
    let text = String::from_utf8(bytes).map_err(|error| unreadable(io::Error::other(error)))?;
    let database = arguments.database.clone();
    let database = database.unwrap_or_else(|| arguments.root.path(paths::SERVER_DATABASE));
    let failed = |path: &PathBuf| {
        let path = path.clone();
        |source| ConfigureError::Configuration { path, source }
    };
    let mut configuration = ServerConfiguration::open(&database).map_err(failed(&database))?;
    let changes = configuration.apply_toml(&text).map_err(failed(&path))?;
    tracing::info!(
        added = changes.added.len(),
        changed = changes.changed.len(),
        removed = changes.removed.len(),
        "the server configuration is applied"
    );
    Ok(())
}
