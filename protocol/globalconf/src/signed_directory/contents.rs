//! What a verified directory says.

use protocol_pki::digest::DigestAlgorithm;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;

use super::mime::{self, Entity, Headers, MimeError};
use super::{
    DirectoryError, HASH_ALGORITHM_ID, decode_base64, digest_algorithm, require, require_base64_octets,
};
use crate::layout::{PRIVATE_PARAMETERS, SHARED_PARAMETERS};

/// Header of the first part: until when the configuration may be used.
const EXPIRE_DATE: &str = "expire-date";
/// Header of the first part: schema version.
const VERSION: &str = "version";
/// Header of a file: what it is, and of which instance.
const CONTENT_IDENTIFIER: &str = "content-identifier";
/// Header of a file: where it can be downloaded.
const CONTENT_LOCATION: &str = "content-location";
/// Header of a file: under which name to store it.
const CONTENT_FILE_NAME: &str = "content-file-name";
/// Parameter of the content identifier.
const INSTANCE: &str = "instance";

/// The contents of a directory whose signature was verified; made by [`super::verify`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Directory {
    /// Until when the configuration may be used.
    pub expires_at: OffsetDateTime,
    /// Schema version of the files, as it stands in the header.
    pub version: Option<String>,
    /// The files.
    pub parts: Vec<DirectoryPart>,
}

/// One file of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryPart {
    /// What it is, for example `SHARED-PARAMETERS`; may be empty for parts without a meaning here.
    pub content_identifier: String,
    /// Instance that it describes; only parts without a meaning here may lack it.
    pub instance: Option<String>,
    /// Where to download it, resolved against the URL of the directory.
    pub location: String,
    /// Under which name to store it.
    pub file_name: Option<String>,
    /// How the file is hashed.
    pub hash_algorithm: DigestAlgorithm,
    /// Hash of the file's bytes.
    pub hash: Vec<u8>,
}

impl DirectoryPart {
    /// Whether these are the bytes of the file.
    #[must_use]
    pub fn matches(&self, file: &[u8]) -> bool {
        self.hash_algorithm
            .digest(file)
            .ct_eq(self.hash.as_slice())
            .into()
    }
}

/// Reads the inner parts.
pub(super) fn read(signed: &Entity<'_>) -> Result<Directory, DirectoryError> {
    let mut parts = signed.parts()?.into_iter();
    let first = parts.next().ok_or(DirectoryError::NoExpireDate)?;
    if !first.body.trim_ascii().is_empty() {
        return Err(MimeError::UnexpectedBody.into());
    }
    Ok(Directory {
        expires_at: expire_date(&first.headers)?,
        version: first.headers.get(VERSION).map(str::to_owned),
        parts: parts.map(|part| file(&part)).collect::<Result<_, _>>()?,
    })
}

fn expire_date(headers: &Headers) -> Result<OffsetDateTime, DirectoryError> {
    let value = require(headers, EXPIRE_DATE)?;
    OffsetDateTime::parse(value, &Iso8601::PARSING).map_err(|_unparsable| DirectoryError::WrongHeader {
        header: EXPIRE_DATE,
        value: value.to_owned(),
    })
}

fn file(part: &Entity<'_>) -> Result<DirectoryPart, DirectoryError> {
    let headers = &part.headers;
    require_base64_octets(headers)?;
    let (content_identifier, instance) = identifier(headers)?;
    let hash_algorithm = digest_algorithm(require(headers, HASH_ALGORITHM_ID)?)?;
    Ok(DirectoryPart {
        content_identifier,
        instance,
        location: require(headers, CONTENT_LOCATION)?.to_owned(),
        file_name: headers.get(CONTENT_FILE_NAME).map(str::to_owned),
        hash_algorithm,
        hash: decode_base64(part.body).map_err(|_undecodable| MimeError::BadHash)?,
    })
}

fn identifier(headers: &Headers) -> Result<(String, Option<String>), DirectoryError> {
    let (identifier, parameters) =
        mime::value_and_parameters(headers.get(CONTENT_IDENTIFIER).unwrap_or_default());
    let instance = parameters
        .get(INSTANCE)
        .filter(|instance| !instance.trim().is_empty());
    if instance.is_none() && matches!(identifier, SHARED_PARAMETERS | PRIVATE_PARAMETERS) {
        return Err(DirectoryError::MissingParameter {
            header: CONTENT_IDENTIFIER,
            parameter: INSTANCE,
        });
    }
    Ok((identifier.to_owned(), instance.cloned()))
}
