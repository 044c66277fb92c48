//! A global configuration on disk, whole or as a security server gives it away for verification.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use protocol_globalconf::directory::Files;
use protocol_globalconf::layout::{METADATA_SUFFIX, PRIVATE_PARAMS_FILE, SHARED_PARAMS_FILE};
use protocol_globalconf::private_params::ManagementService;
use protocol_globalconf::{PrivateParams, Version};
use protocol_message::identifier::ClientId;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// The files of a folder. Where private parameters are missing, as in `verificationconf.zip` (wire.md 4.4), empty
/// ones stand in: nothing that they say is needed to verify.
#[derive(Debug)]
pub struct TrustFiles {
    folder: PathBuf,
}

impl TrustFiles {
    /// The files below `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_path_buf(),
        }
    }

    fn on_disk(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.folder.join(path);
        match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(file) if file.len() > MAX_FILE => Err(ErrorKind::FileTooLarge.into()),
            Ok(_) => std::fs::read(path).map(Some),
        }
    }
}

impl Files for TrustFiles {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        if let Some(found) = self.on_disk(path)? {
            return Ok(Some(found));
        }
        if let Some(folder) = path.strip_suffix(PRIVATE_PARAMS_FILE) {
            return Ok(self
                .on_disk(&format!("{folder}{SHARED_PARAMS_FILE}"))?
                .map(|_| no_private_params(folder)));
        }
        let metadata = format!("{PRIVATE_PARAMS_FILE}{METADATA_SUFFIX}");
        match path.strip_suffix(&metadata) {
            Some(folder) => self.on_disk(&format!("{folder}{SHARED_PARAMS_FILE}{METADATA_SUFFIX}")),
            None => Ok(None),
        }
    }

    fn directories(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.folder)?;
        let folders = entries.flatten().filter(|entry| entry.path().is_dir());
        Ok(folders
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect())
    }
}

fn no_private_params(folder: &str) -> Vec<u8> {
    let instance = protocol_globalconf::layout::instance_of_directory(folder.trim_end_matches('/'));
    let instance = instance.unwrap_or_default();
    let provider = ClientId::for_member(&instance, "-", "-");
    let management_service = ManagementService {
        auth_cert_reg_address: String::new(),
        auth_cert_reg_cert: None,
        provider,
    };
    let empty = PrivateParams {
        instance,
        anchors: Vec::new(),
        management_service,
        time_stamping_interval_seconds: 0,
    };
    empty.write(Version::V2)
}
