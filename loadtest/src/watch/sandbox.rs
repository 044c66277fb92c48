//! What a sandbox consists of, out of its `sandbox.json`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::counters::{Server, Signer};

/// The part of `sandbox.json` that is needed.
#[derive(Debug, Deserialize)]
struct Description {
    consumer: SecurityServer,
    provider: SecurityServer,
    #[serde(default)]
    more_providers: Vec<SecurityServer>,
    processes: BTreeMap<String, u32>,
}

#[derive(Debug, Deserialize)]
struct SecurityServer {
    metrics: String,
    signer_socket: PathBuf,
}

/// What was found.
pub(super) struct Found {
    /// Name, id, and whether it is part of a security server.
    pub(super) processes: Vec<(String, u32, bool)>,
    /// The security servers.
    pub(super) servers: Vec<Server>,
}

/// Reads a sandbox's description.
///
/// # Errors
/// When there is none that can be read.
pub(super) fn read(folder: &Path, kiirtee: &Path) -> Result<Found, String> {
    let path = folder.join("sandbox.json");
    let unusable = |error: String| {
        format!(
            "{}: {error}; expected a folder in which `kiirtee sandbox up` was run",
            path.display()
        )
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unusable(error.to_string()))?;
    let found: Description = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let more = found.more_providers.into_iter().zip(2..);
    let servers = [
        ("consumer".to_owned(), found.consumer),
        ("provider".to_owned(), found.provider),
    ]
    .into_iter()
    .chain(more.map(|(server, number)| (format!("provider {number}"), server)));
    Ok(Found {
        processes: found
            .processes
            .into_iter()
            .map(|(name, pid)| {
                let of_server = name.starts_with("consumer") || name.starts_with("provider");
                (name, pid, of_server)
            })
            .collect(),
        servers: servers
            .map(|(name, server)| Server {
                name,
                metrics: server.metrics,
                signer: Some(Signer {
                    command: kiirtee.to_path_buf(),
                    socket: server.signer_socket,
                }),
            })
            .collect(),
    })
}
