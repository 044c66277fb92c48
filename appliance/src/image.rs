//! What runs: `IMAGE_ID` and `IMAGE_VERSION` of `os-release` (os-release(5)), which the image's build wrote.

use semver::Version;

use crate::disk;
use crate::paths::Root;

const OS_RELEASE: &str = "usr/lib/os-release";
const MAX_BYTES: usize = 4096;

/// Why the running version is not known.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read.
    #[error("/{OS_RELEASE}: {0}")]
    Io(#[from] std::io::Error),
    /// It does not say.
    #[error("/{OS_RELEASE} has no {0}=")]
    Missing(&'static str),
    /// The version is none.
    #[error("/{OS_RELEASE}: IMAGE_VERSION={0}: expected a version such as 1.2.3")]
    Version(String),
}

/// The running image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Which product.
    pub id: String,
    /// Which version.
    pub version: Version,
}

impl Image {
    /// Reads what the root says of itself.
    ///
    /// # Errors
    /// See [`ImageError`].
    pub fn read(root: &Root) -> Result<Self, ImageError> {
        let bytes = disk::read(&root.path(OS_RELEASE), MAX_BYTES)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let field = |name: &'static str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.map(|value| value.trim_matches('"').to_owned())
                .ok_or(ImageError::Missing(name))
        };
        let version = field("IMAGE_VERSION")?;
        Ok(Self {
            id: field("IMAGE_ID")?,
            version: version.parse().map_err(|_| ImageError::Version(version))?,
        })
    }
}
