//! What is watched, and where it is told: from what is provisioned.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use protocol_message::identifier::ClientId;

use crate::disk;
use crate::document::{self, Admin, Document, DocumentError};
use crate::paths::{self, Root};
use crate::provision::inputs;

/// Seconds between two looks, where nothing sends a message to itself.
const INTERVAL: Duration = Duration::from_secs(60);

/// What is watched, and where it is told.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whether anything was provisioned.
    pub provisioned: bool,
    /// The own subsystem that sends a message to itself; without, nothing is sent.
    pub client: Option<ClientId>,
    /// Time between two looks.
    pub interval: Duration,
    /// URL of the client proxy.
    pub client_proxy: String,
    /// Where the proxy's health and metrics are.
    pub proxy_admin: SocketAddr,
    /// Where the monitor tells.
    pub listen: SocketAddr,
}

/// Why what is provisioned can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No access.
    #[error("{path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not what provisioning keeps.
    #[error("{path}: {source}")]
    Document {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: DocumentError,
    },
}

impl Plan {
    /// What is provisioned below `root`; nothing is a plan, too. The messages go to the client proxy at `client_proxy`.
    ///
    /// # Errors
    /// [`PlanError`]
    pub fn read(root: &Root, client_proxy: &str) -> Result<Self, PlanError> {
        let path = root.path(paths::SETTINGS).join(inputs::DOCUMENT);
        let kept = disk::read(&path, document::MAX_BYTES);
        let document = match kept {
            Ok(None) => None,
            Ok(Some(bytes)) => match Document::read(&bytes) {
                Ok(document) => Some(document),
                Err(source) => return Err(PlanError::Document { path, source }),
            },
            Err(source) => return Err(PlanError::Read { path, source }),
        };
        Ok(Self::of(document, client_proxy))
    }

    fn of(document: Option<Document>, client_proxy: &str) -> Self {
        let provisioned = document.is_some();
        let (admin, health) = match document {
            Some(document) => (document.admin, document.health),
            None => (Admin::default(), None),
        };
        let interval = health.as_ref().map(|health| Duration::from_secs(health.interval));
        Self {
            provisioned,
            client: health.map(|health| health.client),
            interval: interval.unwrap_or(INTERVAL),
            client_proxy: client_proxy.to_owned(),
            proxy_admin: admin.proxy(),
            listen: admin.diagnostics(),
        }
    }
}
