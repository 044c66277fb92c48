//! Metadata of a configuration file: the JSON beside it on disk (features.md 2.7).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::version::{UnknownVersion, Version};

/// One `<file>.metadata`. Members that are absent are left out of the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// What the file is, for example `SHARED-PARAMETERS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_identifier: Option<String>,
    /// Instance that it describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_identifier: Option<String>,
    /// Until when it may be used.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub expiration_date: Option<OffsetDateTime>,
    /// Name that the signed directory suggested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_file_name: Option<String>,
    /// Where it was downloaded from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_location: Option<String>,
    /// Schema version, as text; absent means 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_version: Option<String>,
}

impl Metadata {
    /// Reads the JSON.
    ///
    /// # Errors
    /// When it is not such JSON.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// Writes the JSON, on one line.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Schema version of the file.
    ///
    /// # Errors
    /// When no reader knows the version.
    pub fn version(&self) -> Result<Version, UnknownVersion> {
        self.configuration_version
            .as_deref()
            .map_or(Ok(Version::V2), str::parse)
    }
}
