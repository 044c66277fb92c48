//! Downloading one source: find the newest version, verify the signed directory, fetch the files that changed.

use std::collections::HashSet;

use protocol_globalconf::layout::{self, PRIVATE_PARAMETERS, SHARED_PARAMETERS};
use protocol_globalconf::metadata::Metadata;
use protocol_globalconf::signed_directory::{self, Directory, DirectoryPart, MAX_DIRECTORY_BYTES};
use protocol_globalconf::{Files as _, PrivateParams, SharedParams, Version};
use time::OffsetDateTime;

use crate::error::DownloadError;
use crate::http::{Http, HttpError};
use crate::locations::{self, Location};
use crate::store::Store;

/// Most bytes of the files of one configuration together.
pub const MAX_CONFIGURATION_BYTES: u64 = 256 * 1024 * 1024;

/// Whose configuration is downloaded, which decides what its source may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The own instance's: all files.
    Own,
    /// A federated instance's: shared parameters only.
    Federated,
}

/// A verified configuration, complete, not stored yet.
#[derive(Debug)]
pub struct Configuration {
    /// Instance that it is of.
    pub instance: String,
    /// URL of its directory.
    pub url: String,
    /// Schema version.
    pub version: Version,
    /// Until when it may be used.
    pub expires_at: OffsetDateTime,
    files: Vec<DownloadedFile>,
    /// Shared parameters of other instances that the own source offers too, as configuration proxies do.
    passed_on: Vec<DirectoryPart>,
}

#[derive(Debug)]
struct DownloadedFile {
    name: String,
    /// Nothing when the stored file is this one already.
    bytes: Option<Vec<u8>>,
    metadata: Metadata,
}

/// What downloading needs.
#[derive(Debug, Clone, Copy)]
pub struct Downloader<'a> {
    /// Client for directories and files.
    pub http: &'a Http,
    /// What is stored already.
    pub store: &'a Store,
    /// The current time.
    pub now: OffsetDateTime,
}

impl Downloader<'_> {
    /// Downloads and verifies the configuration of an instance from one location.
    ///
    /// # Errors
    /// When anything about it is not as it must be; nothing is stored then.
    pub fn download(
        &self,
        instance: &str,
        kind: Kind,
        location: &Location,
    ) -> Result<Configuration, DownloadError> {
        let (url, bytes) = self.directory(&location.url)?;
        let directory = signed_directory::verify(&bytes, &location.certificates, self.now)?;
        let version = directory.version.as_deref().map_or(Ok(Version::V2), str::parse)?;
        let (expires_at, mut budget) = (directory.expires_at, MAX_CONFIGURATION_BYTES);
        let (own, passed_on) = select(directory, instance, kind)?;
        let context = PartContext {
            instance,
            version,
            expires_at,
            url: &url,
        };
        let files = own
            .iter()
            .map(|part| self.file(part, &context, &mut budget))
            .collect::<Result<_, _>>()?;
        Ok(Configuration {
            instance: instance.to_owned(),
            version,
            expires_at,
            files,
            passed_on,
            url,
        })
    }

    /// The shared parameters of a federated instance as the own source passes them on.
    ///
    /// # Errors
    /// When the own source has none, or they are not as they must be.
    pub fn passed_on(&self, own: &Configuration, instance: &str) -> Result<Configuration, DownloadError> {
        let part = own
            .passed_on
            .iter()
            .find(|part| part.instance.as_deref() == Some(instance));
        let part = part.ok_or(DownloadError::MissingPart(SHARED_PARAMETERS))?;
        let (version, expires_at) = (own.version, own.expires_at);
        let context = PartContext {
            instance,
            version,
            expires_at,
            url: &own.url,
        };
        Ok(Configuration {
            instance: instance.to_owned(),
            url: own.url.clone(),
            version,
            expires_at,
            files: vec![self.file(part, &context, &mut MAX_CONFIGURATION_BYTES.clone())?],
            passed_on: Vec::new(),
        })
    }

    /// Asks for the newest version first; "not found" means the next older one.
    fn directory(&self, url: &str) -> Result<(String, Vec<u8>), DownloadError> {
        let limit = u64::try_from(MAX_DIRECTORY_BYTES).unwrap_or(u64::MAX);
        for version in Version::NEWEST_FIRST {
            let Some(versioned) = locations::versioned(url, version) else {
                let bytes = self.http.get(url, limit).map_err(DownloadError::Directory)?;
                return Ok((url.to_owned(), bytes));
            };
            match self.http.get(&versioned, limit) {
                Ok(bytes) => return Ok((versioned, bytes)),
                Err(failed) if failed.is_not_found() => {}
                Err(failed) => return Err(DownloadError::Directory(failed)),
            }
        }
        Err(DownloadError::NoVersion)
    }

    fn file(
        &self,
        part: &DirectoryPart,
        context: &PartContext<'_>,
        budget: &mut u64,
    ) -> Result<DownloadedFile, DownloadError> {
        let name = layout::file_name(
            &part.content_identifier,
            part.file_name.as_deref(),
            &part.location,
        );
        let name = name.ok_or_else(|| DownloadError::BadFileName(part.content_identifier.clone()))?;
        let stored = self
            .store
            .read(&layout::path(context.instance, &name))
            .ok()
            .flatten();
        let metadata = context.metadata(part);
        if let Some(stored) = stored.filter(|stored| part.matches(stored)) {
            context.check_content(part, &stored)?;
            return Ok(DownloadedFile {
                name,
                bytes: None,
                metadata,
            });
        }
        let bytes = self.fetch(part, context, *budget)?;
        *budget = budget.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        context.check_content(part, &bytes)?;
        Ok(DownloadedFile {
            name,
            bytes: Some(bytes),
            metadata,
        })
    }

    fn fetch(
        &self,
        part: &DirectoryPart,
        context: &PartContext<'_>,
        limit: u64,
    ) -> Result<Vec<u8>, DownloadError> {
        let location = locations::resolve(context.url, &part.location);
        let location = location.ok_or_else(|| DownloadError::BadLocation(part.location.clone()))?;
        let failed = |source: HttpError| DownloadError::Part {
            location: location.clone(),
            source,
        };
        let bytes = self.http.get(&location, limit).map_err(failed)?;
        match part.matches(&bytes) {
            true => Ok(bytes),
            false => Err(DownloadError::Integrity(location)),
        }
    }
}

/// The parts that are the instance's own and those of other instances, if they mean anything here. A federated
/// source speaks for its own instance only; the own source may pass on shared parameters of others.
fn select(
    directory: Directory,
    instance: &str,
    kind: Kind,
) -> Result<(Vec<DirectoryPart>, Vec<DirectoryPart>), DownloadError> {
    let is_own = |part: &DirectoryPart| part.instance.as_deref().is_none_or(|code| code == instance);
    let (mut own, mut foreign): (Vec<_>, Vec<_>) = directory.parts.into_iter().partition(is_own);
    foreign.retain(|part| kind == Kind::Own && part.content_identifier == SHARED_PARAMETERS);
    own.retain(|part| kind == Kind::Own || part.content_identifier == SHARED_PARAMETERS);
    require(&own, SHARED_PARAMETERS)?;
    if kind == Kind::Own {
        require(&own, PRIVATE_PARAMETERS)?;
    }
    refuse_repetition(&own)?;
    Ok((own, foreign))
}

fn require(parts: &[DirectoryPart], identifier: &'static str) -> Result<(), DownloadError> {
    match parts.iter().any(|part| part.content_identifier == identifier) {
        true => Ok(()),
        false => Err(DownloadError::MissingPart(identifier)),
    }
}

/// Two parts with the same file name would overwrite each other.
fn refuse_repetition(parts: &[DirectoryPart]) -> Result<(), DownloadError> {
    let mut names = HashSet::new();
    for part in parts {
        let name = layout::file_name(
            &part.content_identifier,
            part.file_name.as_deref(),
            &part.location,
        );
        if !names.insert(name.clone()) {
            return Err(DownloadError::RepeatedPart(name.unwrap_or_default()));
        }
    }
    Ok(())
}

/// What the files of one directory have in common.
struct PartContext<'a> {
    instance: &'a str,
    version: Version,
    expires_at: OffsetDateTime,
    url: &'a str,
}

impl PartContext<'_> {
    fn metadata(&self, part: &DirectoryPart) -> Metadata {
        Metadata {
            content_identifier: Some(part.content_identifier.clone()),
            instance_identifier: Some(self.instance.to_owned()),
            expiration_date: Some(self.expires_at),
            content_file_name: part.file_name.clone(),
            content_location: Some(part.location.clone()),
            configuration_version: Some(self.version.to_string()),
        }
    }

    /// A file must be what the directory says that it is, and of the instance that it says.
    fn check_content(&self, part: &DirectoryPart, bytes: &[u8]) -> Result<(), DownloadError> {
        let found = match part.content_identifier.as_str() {
            SHARED_PARAMETERS => {
                SharedParams::read(self.version, bytes)
                    .map_err(DownloadError::SharedParams)?
                    .instance
            }
            PRIVATE_PARAMETERS => {
                PrivateParams::read(self.version, bytes)
                    .map_err(DownloadError::PrivateParams)?
                    .instance
            }
            _ => return Ok(()),
        };
        match found == self.instance {
            true => Ok(()),
            false => Err(DownloadError::WrongInstance {
                file: part.content_identifier.clone(),
                expected: self.instance.to_owned(),
                found,
            }),
        }
    }
}

impl Configuration {
    /// Stores the files that changed, then all metadata, and removes what the configuration no longer has.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn store(&self, store: &Store) -> Result<(), DownloadError> {
        for file in &self.files {
            if let Some(bytes) = &file.bytes {
                store.write(&layout::path(&self.instance, &file.name), bytes)?;
            }
        }
        for file in &self.files {
            store.write(
                &layout::metadata_path(&self.instance, &file.name),
                &file.metadata.write(),
            )?;
        }
        store.keep_files(
            &self.instance,
            &self.files.iter().map(|file| file.name.clone()).collect(),
        );
        Ok(())
    }

    /// How many files were downloaded because they had changed.
    #[must_use]
    pub fn changed_files(&self) -> usize {
        self.files.iter().filter(|file| file.bytes.is_some()).count()
    }
}
