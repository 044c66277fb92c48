//! `devices.toml`: the hardware tokens' libraries, with the names and meanings of the reference's `devices.ini`
//! (features.md K11).
//!
//! A section for each device, its name the *module type* of token ids:
//!
//! ```toml
//! [softhsm]
//! library = "/usr/lib/softhsm/libsofthsm2.so"
//! ```

mod section;
mod settings;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use section::read_section;
pub use settings::{DeviceSettings, PrivateKeyAttributes, PublicKeyAttributes};

/// Most bytes of the file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The section that stands for the software token, as in the reference.
const SOFTWARE: &str = "softToken";
/// Why the devices cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DeviceFileError {
    /// The file system failed.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML, or not a table of tables.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A device is not described as it must be.
    #[error("{path}: device [{device}]: {reason}")]
    Device {
        /// The file.
        path: PathBuf,
        /// Its section.
        device: String,
        /// What is wrong.
        reason: String,
    },
}

/// What the file says.
#[derive(Clone, Debug)]
pub struct DeviceFile {
    /// Whether there is a software token (`[softToken] enabled`).
    pub software_token: bool,
    /// The devices that are enabled.
    pub devices: Vec<DeviceSettings>,
}

impl DeviceFile {
    /// The software token and nothing else.
    #[must_use]
    pub const fn without_devices() -> Self {
        Self {
            software_token: true,
            devices: Vec::new(),
        }
    }

    /// Reads the file; if it does not exist, there are no devices.
    ///
    /// # Errors
    /// See [`DeviceFileError`].
    pub fn read(path: &Path) -> Result<Self, DeviceFileError> {
        let text = crate::atomic_file::read(path, MAX_FILE_BYTES).map_err(|source| DeviceFileError::Io {
            path: path.to_owned(),
            source,
        })?;
        let Some(text) = text else {
            return Ok(Self::without_devices());
        };
        let malformed = |reason: String| DeviceFileError::Malformed {
            path: path.to_owned(),
            reason,
        };
        let text = std::str::from_utf8(&text).map_err(|error| malformed(error.to_string()))?;
        let sections: BTreeMap<String, toml::Table> =
            toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let file = Self::of(sections).map_err(|(device, reason)| DeviceFileError::Device {
            path: path.to_owned(),
            device,
            reason,
        })?;
        Ok(file)
    }

    fn of(sections: BTreeMap<String, toml::Table>) -> Result<Self, (String, String)> {
        let mut file = Self::without_devices();
        for (name, table) in sections {
            let section = read_section(table).map_err(|reason| (name.clone(), reason))?;
            let enabled = section.enabled.unwrap_or(true);
            if name.eq_ignore_ascii_case(SOFTWARE) {
                file.software_token = enabled;
            } else if enabled {
                let device = section.device(&name).map_err(|reason| (name.clone(), reason))?;
                if let Some(other) = file.devices.iter().find(|other| other.library == device.library) {
                    let reason = format!(
                        "has the library of [{}]: one device with both slot_ids serves both",
                        other.name
                    );
                    return Err((name, reason));
                }
                file.devices.push(device);
            }
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests;
