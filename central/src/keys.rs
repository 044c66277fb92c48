//! Configuration signing keys: made in the signer, listed in `signing-keys.toml` with their certificates.
//!
//! Each of the two directories has keys of its own. All its certificates go into anchors and sources, so that clients
//! know a new key before it is used; the active one signs.

use std::path::{Path, PathBuf};

use protocol_pki::certificate::{Certificate, CertificateError};
use protocol_pki::issue::{IssueError, Template};
use protocol_pki::key::Signer as _;
use protocol_pki::name::DistinguishedName;
use serde::{Deserialize, Serialize};
use signer_client::{DigestAlgorithm, KeyAlgorithm, KeyUsage, RemoteKey, SignerError};
use time::{Duration, OffsetDateTime};

/// Name of the list in the state directory.
pub const KEYS_FILE: &str = "signing-keys.toml";
/// Token that new keys are made on: the software token.
pub const DEFAULT_TOKEN: &str = "0";
/// How long a verification certificate is valid; clients do not look at it.
const CERTIFICATE_VALIDITY: Duration = Duration::days(20 * 365);
/// Digest inside of the signatures, as in the reference.
pub(crate) const DIGEST: DigestAlgorithm = DigestAlgorithm::Sha512;

/// One of the two directories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// For members of the instance.
    Internal,
    /// For federated instances.
    External,
}

impl Scope {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Internal, Self::External];

    /// Name of the directory in URLs.
    #[must_use]
    pub fn directory(self) -> &'static str {
        match self {
            Self::Internal => "internalconf",
            Self::External => "externalconf",
        }
    }

    /// Word for file names.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    /// Label of a key, and common name of its certificate, as in the reference.
    fn key_label(self) -> &'static str {
        match self {
            Self::Internal => "internalSigningKey",
            Self::External => "externalSigningKey",
        }
    }
}

/// A signing key in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// Directory that it signs.
    pub scope: Scope,
    /// The signer's id of the key.
    pub key: String,
    /// Whether it is the one that signs.
    pub active: bool,
    /// Certificate that verifies its signatures, PEM.
    pub certificate: String,
}

/// The list of signing keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKeys {
    /// All keys.
    #[serde(default)]
    pub key: Vec<SigningKey>,
}

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The list cannot be read or written.
    #[error("cannot read or write {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The list is not what it should be.
    #[error("malformed list of signing keys {path}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The list cannot be put into text.
    #[error("list of signing keys cannot be written")]
    Unwritable(#[from] toml::ser::Error),
    /// No key is active.
    #[error("no active signing key for {0:?}: run `kiirtee-central init`")]
    NoActiveKey(Scope),
    /// The certificate in the list is malformed.
    #[error("certificate of a signing key is malformed")]
    Certificate(#[from] CertificateError),
    /// The signer has no such key.
    #[error("signer has no key {0}")]
    NoSuchKey(String),
    /// The signer refuses or does not answer.
    #[error("signer")]
    Signer(#[from] SignerError),
    /// The certificate cannot be made.
    #[error("certificate of the new key cannot be made")]
    Issue(#[from] IssueError),
    /// The name in the certificate cannot be made.
    #[error("name of the new key's certificate cannot be made")]
    Name(#[from] protocol_pki::name::UnknownAttribute),
}

impl SigningKeys {
    /// Reads the list; a list that does not exist is empty.
    ///
    /// # Errors
    /// When it cannot be read or is malformed.
    pub fn read(state_directory: &Path) -> Result<Self, KeysError> {
        let path = state_directory.join(KEYS_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|source| KeysError::Malformed {
                path,
                source: Box::new(source),
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(KeysError::File { path, source }),
        }
    }

    /// Writes the list.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, state_directory: &Path) -> Result<(), KeysError> {
        let path = state_directory.join(KEYS_FILE);
        let text = toml::to_string(self)?;
        crate::publish::write_atomically(&path, text.as_bytes())
            .map_err(|source| KeysError::File { path, source })
    }

    /// Makes a key for each directory that has none active. True when it made one.
    ///
    /// # Errors
    /// When the signer refuses or does not answer.
    pub fn complete(
        &mut self,
        signer: &signer_client::Client,
        now: OffsetDateTime,
    ) -> Result<bool, KeysError> {
        let mut made_one = false;
        for scope in Scope::ALL {
            if self.active(scope).is_err() {
                self.key.push(make_key(signer, scope, now)?);
                made_one = true;
            }
        }
        Ok(made_one)
    }

    /// The key that signs a directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn active(&self, scope: Scope) -> Result<&SigningKey, KeysError> {
        let mut keys = self.key.iter();
        keys.find(|key| key.scope == scope && key.active)
            .ok_or(KeysError::NoActiveKey(scope))
    }

    /// The key that signs a directory, in the signer.
    ///
    /// # Errors
    /// When there is none, or the signer does not have it.
    pub fn remote(&self, scope: Scope, signer: &signer_client::Client) -> Result<RemoteKey, KeysError> {
        let id = &self.active(scope)?.key;
        let status = signer.status()?;
        let key = status
            .keys()
            .find(|key| key.id == *id)
            .ok_or_else(|| KeysError::NoSuchKey(id.clone()))?;
        Ok(RemoteKey::new(signer.clone(), key, DIGEST))
    }

    /// DER of all certificates that may verify a directory.
    ///
    /// # Errors
    /// When one in the list is malformed.
    pub fn certificates(&self, scope: Scope) -> Result<Vec<Vec<u8>>, KeysError> {
        let keys = self.key.iter().filter(|key| key.scope == scope);
        keys.map(|key| Ok(key.read_certificate()?.as_der().to_vec()))
            .collect()
    }
}

impl SigningKey {
    /// The certificate.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn read_certificate(&self) -> Result<Certificate, KeysError> {
        Ok(Certificate::from_der_or_pem(self.certificate.as_bytes())?)
    }
}

fn make_key(
    signer: &signer_client::Client,
    scope: Scope,
    now: OffsetDateTime,
) -> Result<SigningKey, KeysError> {
    let label = scope.key_label();
    let key = signer.generate_key(DEFAULT_TOKEN, label, KeyAlgorithm::Rsa2048, KeyUsage::Signing)?;
    let remote = RemoteKey::new(signer.clone(), &key, DIGEST);
    let name = DistinguishedName::build(&[("CN", label)])?;
    let serial = rand::random::<[u8; 8]>();
    // The first byte is from 1 to 127: positive, and in the shortest form.
    let serial: Vec<u8> = std::iter::once(1 | (serial[0] & 0x7f))
        .chain(serial.into_iter().skip(1))
        .collect();
    let certificate = Template {
        serial: &serial,
        issuer: &name,
        subject: &name,
        not_before: now - Duration::minutes(5),
        not_after: now + CERTIFICATE_VALIDITY,
        spki: remote.public_key_spki(),
        extensions: Vec::new(),
    };
    let certificate = certificate.sign(&remote)?.to_pem();
    Ok(SigningKey {
        scope,
        key: key.id,
        active: true,
        certificate,
    })
}
