//! One generation of the configuration: parameters and signed directories of all versions (features.md 2.6).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use protocol_globalconf::Version;
use protocol_globalconf::anchor::{Anchor, AnchorSource};
use protocol_globalconf::layout;
use protocol_globalconf::shared_params::{Source, WriteError};
use protocol_globalconf::signed_directory::{FilePart, UnsignedDirectory};
use protocol_pki::key::{Signer as _, SignerFailure};
use rand::Rng as _;
use rand::distr::Alphanumeric;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use crate::keys::{KeysError, Scope, SigningKeys};
use crate::publish::write_atomically;
use crate::registry::{Loaded, RegistryError};

/// Length of a boundary, as in the reference.
const BOUNDARY_LENGTH: usize = 20;
/// Folder of a generation's files: time to the nanosecond, as in the reference.
const FOLDER_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day][hour][minute][second][subsecond digits:9]");

/// Files by path and signed directories by version and scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generation {
    /// Signed directories.
    pub directories: BTreeMap<(Version, Scope), Vec<u8>>,
    /// The files that they name, by the path of their URL.
    pub files: BTreeMap<String, Vec<u8>>,
    /// When it was made.
    pub made_at: Option<OffsetDateTime>,
}

/// Why there is no new generation.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The registry cannot be used.
    #[error("registry")]
    Registry(#[from] RegistryError),
    /// There is no signing key.
    #[error("signing keys")]
    Keys(#[from] KeysError),
    /// The registry has a reference to nowhere.
    #[error("shared parameters cannot be written")]
    Write(#[from] WriteError),
    /// The signer refuses or does not answer.
    #[error("configuration cannot be signed")]
    Sign(#[source] SignerFailure),
    /// An anchor cannot be stored.
    #[error("cannot write {path}")]
    Store {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What making a generation needs.
#[derive(Debug)]
pub struct Generator<'a> {
    /// The registry.
    pub registry: &'a Loaded,
    /// The signing keys.
    pub keys: &'a SigningKeys,
    /// Who signs.
    pub signer: &'a signer_client::Client,
    /// How long a generation may be used.
    pub validity: Duration,
}

impl Generator<'_> {
    /// Makes a generation of all given versions.
    ///
    /// # Errors
    /// When anything is missing or the signer does not sign; a generation is complete or not there.
    pub fn generate(&self, versions: &[Version], now: OffsetDateTime) -> Result<Generation, GenerateError> {
        let mut generation = Generation {
            made_at: Some(now),
            ..Generation::default()
        };
        for version in versions {
            self.version(*version, now, &mut generation)?;
        }
        Ok(generation)
    }

    fn version(
        &self,
        version: Version,
        now: OffsetDateTime,
        generation: &mut Generation,
    ) -> Result<(), GenerateError> {
        let folder = format!("/V{version}/{}", now.format(FOLDER_FORMAT).unwrap_or_default());
        let mut shared = self.registry.shared_params(version)?;
        shared.sources = vec![self.source()?];
        let shared = (
            layout::SHARED_PARAMETERS,
            layout::SHARED_PARAMS_FILE,
            shared.write(version)?,
        );
        let private = self.registry.private_params()?.write(version);
        let private = (layout::PRIVATE_PARAMETERS, layout::PRIVATE_PARAMS_FILE, private);
        let optional = self.registry.optional_parts();
        let optional = optional
            .into_iter()
            .map(|part| (part.identifier, part.file_name, part.bytes));
        let files: Vec<File> = [shared, private]
            .into_iter()
            .chain(optional)
            .map(|(identifier, name, bytes)| File {
                identifier,
                location: format!("{folder}/{name}"),
                bytes,
            })
            .collect();
        let external = files.get(..1).unwrap_or_default();
        for (scope, files) in [(Scope::Internal, files.as_slice()), (Scope::External, external)] {
            let directory = self.directory(scope, version, files, now)?;
            generation.directories.insert((version, scope), directory);
        }
        generation
            .files
            .extend(files.into_iter().map(|file| (file.location, file.bytes)));
        Ok(())
    }

    fn directory(
        &self,
        scope: Scope,
        version: Version,
        files: &[File],
        now: OffsetDateTime,
    ) -> Result<Vec<u8>, GenerateError> {
        let parts: Vec<FilePart<'_>> = files.iter().map(File::part).collect();
        let instance = &self.registry.registry().instance;
        let directory = UnsignedDirectory::new(instance, version, now + self.validity, &parts, boundary());
        let certificate = self.keys.active(scope)?.read_certificate()?;
        let remote = self.keys.remote(scope, self.signer)?;
        let signature = remote
            .sign(directory.signed_bytes())
            .map_err(GenerateError::Sign)?;
        Ok(directory.finish(remote.algorithm(), &signature, certificate.as_der(), &boundary()))
    }

    fn source(&self) -> Result<Source, KeysError> {
        Ok(Source {
            address: self.registry.registry().address.clone(),
            internal_verification_certs: self.keys.certificates(Scope::Internal)?,
            external_verification_certs: self.keys.certificates(Scope::External)?,
        })
    }
}

struct File {
    identifier: &'static str,
    location: String,
    bytes: Vec<u8>,
}

impl File {
    fn part(&self) -> FilePart<'_> {
        FilePart {
            content_identifier: self.identifier,
            location: &self.location,
            bytes: &self.bytes,
        }
    }
}

fn boundary() -> String {
    rand::rng()
        .sample_iter(Alphanumeric)
        .take(BOUNDARY_LENGTH)
        .map(char::from)
        .collect()
}

/// The anchor of a directory.
///
/// # Errors
/// When a certificate in the list of keys is malformed.
pub fn anchor(
    registry: &Loaded,
    keys: &SigningKeys,
    scope: Scope,
    now: OffsetDateTime,
) -> Result<Anchor, KeysError> {
    let registry = registry.registry();
    Ok(Anchor {
        generated_at: now.replace_nanosecond(0).ok(),
        instance: registry.instance.clone(),
        sources: vec![AnchorSource {
            download_url: format!("http://{}/{}", registry.address, scope.directory()),
            verification_certs: keys.certificates(scope)?,
        }],
    })
}

/// Path of the anchor of a directory.
#[must_use]
pub fn anchor_path(state_directory: &Path, instance: &str, scope: Scope) -> PathBuf {
    let instance = layout::directory_name(instance);
    state_directory
        .join("anchors")
        .join(format!("configuration_anchor_{instance}_{}.xml", scope.word()))
}

/// Writes both anchors, unless they are there already and only their date would change.
///
/// # Errors
/// When one cannot be made or written.
pub fn write_anchors(
    registry: &Loaded,
    keys: &SigningKeys,
    state_directory: &Path,
    now: OffsetDateTime,
) -> Result<(), GenerateError> {
    for scope in Scope::ALL {
        let anchor = anchor(registry, keys, scope, now)?;
        let path = anchor_path(state_directory, &anchor.instance, scope);
        let stored = std::fs::read(&path)
            .ok()
            .and_then(|bytes| Anchor::parse(&bytes).ok());
        if stored.is_some_and(|stored| stored.instance == anchor.instance && stored.sources == anchor.sources)
        {
            continue;
        }
        write_atomically(&path, &anchor.write()).map_err(|source| GenerateError::Store { path, source })?;
    }
    Ok(())
}
