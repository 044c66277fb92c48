//! Keeps what systemd's stub put into the initrd beside ours: the signed policy for the TPM (systemd-stub(7)).

use std::fs;
use std::path::Path;

use crate::BootError;

/// What the stub brings, and where systemd looks for it.
const FILES: [&str; 2] = ["tpm2-pcr-signature.json", "tpm2-pcr-public-key.pem"];

/// Copies it to `/run/systemd`, which outlives the initrd. A boot without the stub has none.
///
/// # Errors
/// When it cannot be copied.
pub(crate) fn keep() -> Result<(), BootError> {
    let folder = Path::new("/run/systemd");
    fs::create_dir_all(folder).map_err(BootError::kernel("/run/systemd"))?;
    for name in FILES {
        let source = Path::new("/.extra").join(name);
        if source.exists() {
            fs::copy(&source, folder.join(name)).map_err(BootError::kernel(name))?;
        }
    }
    Ok(())
}
