//! `kiirtee-appliance enrol`: keys, signing requests and certificates, through the signer's socket.
//!
//! - [`keys`]: the three keys, each made once
//! - [`requests`]: a signing request for each, made once, for everybody to read
//! - [`certificates`]: what the certification authority gave, to its keys
//! - [`internal_tls`]: the certificate that information systems see
//!
//! The PIN is not seen here: the signer reads it itself. What is done already is not done again.

pub mod certificates;
pub mod internal_tls;
pub mod keys;
pub mod requests;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use signer_client::{Client, SignerError, Status, TokenStatus};

use crate::disk::{self, Disk};
use crate::document::{self, Document, DocumentError};
use crate::paths::{self, Root};
use crate::provision::inputs;

/// Arguments of `kiirtee-appliance enrol`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    root: Root,
    /// The signer's Unix socket; by default /run/kiirtee/signer.sock
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// Seconds to wait for the signer
    #[arg(long, default_value_t = 30)]
    patience: u64,
}

/// The software token.
const SOFTWARE: &str = "0";

/// Why enrolment failed. What was done before stays done; the next run goes on.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// Nothing was handed over yet.
    #[error("this appliance is not provisioned: expected {}", .0.display())]
    NotProvisioned(PathBuf),
    /// The document is not one.
    #[error("{}", path.display())]
    Document {
        /// The file.
        path: PathBuf,
        /// Why.
        source: DocumentError,
    },
    /// A file system failed.
    #[error("{}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nobody answers.
    #[error("the signer does not answer on {}", .0.display())]
    NoSigner(PathBuf),
    /// A token whose keys cannot be used.
    #[error("token {token} {problem}")]
    Token {
        /// Which.
        token: String,
        /// What is wrong, and what was expected.
        problem: &'static str,
    },
    /// The signer refuses.
    #[error("the signer refuses to {what}")]
    Refused {
        /// What it was asked.
        what: String,
        /// Why.
        source: SignerError,
    },
    /// The internal certificate cannot be made.
    #[error("the internal certificate cannot be made")]
    Internal(#[from] protocol_pki::issue::IssueError),
}

/// Carries out `kiirtee-appliance enrol`.
///
/// # Errors
/// See [`EnrolError`].
pub fn run(arguments: &Arguments) -> Result<(), EnrolError> {
    let root = &arguments.root;
    let document = document(root)?;
    let socket = arguments
        .socket
        .clone()
        .unwrap_or_else(|| root.path(paths::SIGNER_SOCKET));
    let signer = Client::connect(&socket);
    if !signer.wait_until_connected(Duration::from_secs(arguments.patience)) {
        return Err(EnrolError::NoSigner(socket));
    }
    let work = Enrolment {
        root,
        disk: Disk::default(),
        signer,
        document,
    };
    work.check_tokens()?;
    let keys = work.keys()?;
    let requests = work.requests(&keys)?;
    let found = work.import(&keys);
    work.publish(&requests, matches!(found, Ok(Some(_))))?;
    work.show(&keys, found?)
}

fn document(root: &Root) -> Result<Document, EnrolError> {
    let path = root.path(paths::SETTINGS).join(inputs::DOCUMENT);
    match disk::read(&path, document::MAX_BYTES) {
        Ok(Some(bytes)) => Document::read(&bytes).map_err(|source| EnrolError::Document { path, source }),
        Ok(None) => Err(EnrolError::NotProvisioned(path)),
        Err(source) => Err(EnrolError::Io { path, source }),
    }
}

/// What every step needs.
struct Enrolment<'a> {
    root: &'a Root,
    disk: Disk,
    signer: Client,
    document: Document,
}

impl Enrolment<'_> {
    fn status(&self) -> Result<Status, EnrolError> {
        self.signer
            .status()
            .map_err(refused(|| "tell what it has".to_owned()))
    }

    /// All tokens that are needed can be used: the software token, and that of the signing key.
    fn check_tokens(&self) -> Result<(), EnrolError> {
        let status = self.status()?;
        for token in [SOFTWARE, &self.document.server.token] {
            let found = status.tokens.iter().find(|found| found.id == token);
            let problem = match found.map(|found| found.status) {
                Some(TokenStatus::LoggedIn) => continue,
                Some(TokenStatus::LoggedOut) => {
                    "is not logged in to: expected its PIN in `pin` on the configuration medium"
                }
                Some(TokenStatus::NotInitialized) => {
                    "has no PIN yet: expected one in `pin` on the configuration medium"
                }
                Some(TokenStatus::NotAvailable) => "does not answer: expected a device that works",
                None => "is not there: expected one of the devices in `devices.toml`",
            };
            let token = token.to_owned();
            return Err(EnrolError::Token { token, problem });
        }
        Ok(())
    }

    /// Writes a file for everybody to read.
    fn write(&self, path: PathBuf, bytes: &[u8]) -> Result<(), EnrolError> {
        let folder = path.parent().unwrap_or(&path);
        let written = self
            .disk
            .folder(folder, 0o755)
            .and_then(|()| self.disk.write_if_changed(&path, bytes, 0o644));
        written
            .map(drop)
            .map_err(|source| EnrolError::Io { path, source })
    }
}

fn refused(what: impl FnOnce() -> String) -> impl FnOnce(SignerError) -> EnrolError {
    |source| EnrolError::Refused { what: what(), source }
}
