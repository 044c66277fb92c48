//! The loaded global configuration: an immutable snapshot of all instances that answers look-ups.
//!
//! The own instance must be whole; a federated instance that cannot be read or has expired is left out, and
//! [`GlobalConf::problems`] says so. Every instance has its own schema version.

mod authorities;
mod clients;
mod load;
mod lookups;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use protocol_pki::certificate::Certificate;
use protocol_pki::ocsp::ConfiguredResponder;
use time::OffsetDateTime;

use crate::optional_parts::OptionalParts;
use crate::private_params::{PrivateParams, PrivateParamsError};
use crate::shared_params::SharedParams;
use crate::version::{UnknownVersion, Version};
use crate::xml::XmlError;

use authorities::Authorities;
pub use authorities::{CaCertificate, OcspResponder, Tsa};
use clients::Clients;
pub use clients::Server;

/// Largest number of instances that are loaded; the rest is left out as a problem.
pub const MAX_INSTANCES: usize = 1000;

/// A configuration directory as bytes. Paths are relative, as in [`crate::layout`].
pub trait Files {
    /// Bytes of a file, nothing if it does not exist.
    ///
    /// # Errors
    /// When it exists but cannot be read.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// Names of the directories in the top directory, in any order.
    ///
    /// # Errors
    /// When the top directory cannot be read.
    fn directories(&self) -> io::Result<Vec<String>>;
}

/// Files in memory, for tests and for programs that make a configuration.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(pub std::collections::BTreeMap<String, Vec<u8>>);

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }

    fn directories(&self) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self
            .0
            .keys()
            .filter_map(|path| path.split_once('/'))
            .map(|(name, _)| name.to_owned())
            .collect();
        names.dedup();
        Ok(names)
    }
}

/// Why a configuration, or one instance of it, cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum GlobalConfError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file or directory.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A file that must exist does not.
    #[error("{0} is missing")]
    Missing(String),
    /// A file is not what it should be.
    #[error("{path} is malformed")]
    Malformed {
        /// Which file.
        path: String,
        /// Why.
        source: XmlError,
    },
    /// The private parameters are not what they should be.
    #[error("{path} is malformed")]
    MalformedPrivateParams {
        /// Which file.
        path: String,
        /// Why.
        source: PrivateParamsError,
    },
    /// An optional part is not what it should be; its default is used.
    #[error("{path} is malformed")]
    MalformedOptionalPart {
        /// Which file.
        path: String,
        /// Why.
        source: XmlError,
    },
    /// The metadata are not what they should be.
    #[error("{path} is malformed")]
    MalformedMetadata {
        /// Which file.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// No reader knows the version.
    #[error("{path}: unknown version")]
    UnknownVersion {
        /// Which metadata file.
        path: String,
        /// Why.
        source: UnknownVersion,
    },
    /// A file describes another instance than the one in whose directory it lies.
    #[error("{path} describes the instance {found:?}")]
    WrongInstance {
        /// Which file.
        path: String,
        /// Which instance it describes.
        found: String,
    },
    /// The code of the own instance is empty or not UTF-8.
    #[error("instance-identifier is not an instance code")]
    BadInstanceIdentifier,
    /// An instance expired.
    #[error("global configuration of instance {instance} expired at {expired_at}")]
    Expired {
        /// Which instance.
        instance: String,
        /// When.
        expired_at: OffsetDateTime,
    },
    /// A certificate of an approved service cannot be read; the service is left out.
    #[error("certificate of {service:?} cannot be read")]
    BadCertificate {
        /// Name of the service.
        service: String,
        /// Why.
        source: protocol_pki::certificate::CertificateError,
    },
    /// There are more instances than [`MAX_INSTANCES`].
    #[error("too many instances")]
    TooManyInstances,
}

impl GlobalConfError {
    /// Fault code (wire.md 1.8).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "global_conf_outdated",
            Self::MalformedOptionalPart { .. } => "malformed_optional_parts_conf",
            _ => "malformed_global_conf",
        }
    }
}

/// Something about the configuration that an operator should know, though it can be used.
#[derive(Debug)]
pub struct Problem {
    /// Instance that it is about: its code or the name of its directory.
    pub instance: String,
    /// What is wrong.
    pub error: GlobalConfError,
}

/// The global configuration at one moment. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct GlobalConf {
    own: Arc<Instance>,
    private: Arc<PrivateParams>,
    private_expires_at: Option<OffsetDateTime>,
    optional: OptionalParts,
    /// All instances by code, the own one among them.
    instances: HashMap<String, Arc<Instance>>,
    /// What verifying OCSP responses needs, of all instances, ready to be borrowed.
    pub(crate) ocsp: Arc<OcspMaterial>,
    problems: Arc<Vec<Problem>>,
}

#[derive(Debug, Default)]
pub(crate) struct OcspMaterial {
    pub(crate) responders: Vec<ConfiguredResponder>,
    pub(crate) authorities: Vec<Certificate>,
}

/// One instance with its indexes.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    /// Of the file that this was read from, so that unchanged files need not be read again.
    fingerprint: load::Fingerprint,
    expires_at: Option<OffsetDateTime>,
    version: Version,
    shared: SharedParams,
    clients: Clients,
    pub(crate) authorities: Authorities,
}
