//! OpenAPI 3 descriptions: taking the addresses of services out of them (features.md 5).
//!
//! The `url` of every entry of the top `servers` is reduced to its path, unless it has variables. Everything else stays byte
//! by byte, comments too, where the reference writes the whole description anew. What cannot be understood with
//! certainty is refused rather than passed on with an address in it.

mod json;
mod yaml;

use super::url;

/// `Content-Type` of a description whose server says none.
pub const DEFAULT_CONTENT_TYPE: &str = "text/plain";

/// In which notation a description is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notation {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Notation {
    /// Decides by the values of `Content-Type` and the path of the description's URL, without its query.
    #[must_use]
    pub fn of<'v>(content_types: impl Iterator<Item = &'v str>, path: &str) -> Self {
        let (mut json, mut yaml) = (false, false);
        for value in content_types {
            if value.contains("application/json") {
                json = true;
            } else if value == "application/x-yaml" {
                yaml = true;
            }
        }
        if json || (!yaml && path.ends_with(".json")) {
            Self::Json
        } else {
            Self::Yaml
        }
    }
}

/// Why a description is not given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// It is of OpenAPI 2 or older. The text is the reference's.
    #[error(
        "Incompatible openapi version. Openapi version 3 or greater expected. Given openapi document is of version {0}"
    )]
    Version(String),
    /// A server has a URL that is none. The text is the reference's.
    #[error("Can't parse url string: {0}")]
    Url(String),
    /// It is neither JSON nor YAML, or says its servers in a way that cannot be followed.
    #[error("malformed OpenAPI description: {0}")]
    Malformed(String),
}

impl DescriptionError {
    /// The fault code of this failure.
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        "internal_error"
    }
}

/// Reduces the URLs of the servers to their paths.
///
/// # Errors
/// When the description is not of OpenAPI 3, or cannot be understood.
pub fn hide_servers(description: &[u8], notation: Notation) -> Result<String, DescriptionError> {
    let text = std::str::from_utf8(description).map_err(malformed)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    match notation {
        Notation::Json => json::hide_servers(text),
        Notation::Yaml => yaml::hide_servers(text),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
fn malformed(error: impl std::fmt::Display) -> DescriptionError {
    DescriptionError::Malformed(error.to_string())
}

/// What stands in place of a server's URL, as JSON, which YAML understands too; `None` if it stays.
fn reduced(url: &str) -> Result<Option<String>, DescriptionError> {
    if url.contains('{') && url.contains('}') {
        return Ok(None);
    }
    let path = url::path(url).map_err(|_malformed| DescriptionError::Url(url.to_owned()))?;
    serde_json::to_string(&path).map(Some).map_err(malformed)
}

/// `version` is what the description says, in quotes if it is a text.
fn check_version(version: &str) -> Result<(), DescriptionError> {
    if version.starts_with("\"3.") {
        Ok(())
    } else {
        Err(DescriptionError::Version(version.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_decides_before_the_name() {
        let of = |types: &[&str], path: &str| Notation::of(types.iter().copied(), path);
        assert_eq!(of(&["application/json;charset=utf-8"], "/x.yaml"), Notation::Json);
        assert_eq!(of(&["application/x-yaml"], "/x.json"), Notation::Yaml);
        assert_eq!(
            of(&["application/x-yaml", "application/json"], "/"),
            Notation::Json
        );
        assert_eq!(of(&["text/plain"], "/x.json"), Notation::Json);
        assert_eq!(of(&[], "/x.JSON"), Notation::Yaml);
        assert_eq!(of(&["application/yaml"], "/"), Notation::Yaml);
    }
}
