//! PINs from the medium: sealed by `systemd-creds`, so that only this machine's service manager hands them to the signer,
//! and gone from the medium after that.
//!
//! The key that seals is on the configuration volume, which the TPM opens (docs/adr/0015).

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::disk::{self, Disk};
use crate::paths::Root;

/// The file with PINs on the medium: a line for each token, `token id:PIN`, or a PIN alone for the software token.
pub const ON_MEDIUM: &str = "pin";
/// The name that is sealed together with the PINs; the unit of the signer asks for it.
pub const CREDENTIAL: &str = "kiirtee-signer.pin";
/// Where sealed PINs are.
const FOLDER: &str = "var/lib/kiirtee/credentials";
/// The most bytes of PINs, as in the signer.
const MAX_BYTES: usize = 64 * 1024;
/// The most bytes of sealed PINs.
const MAX_SEALED_BYTES: usize = 1024 * 1024;

/// Why PINs were not taken over. They are still on the medium.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// A file system failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing in the file.
    #[error("{ON_MEDIUM} is empty: expected a line with the PIN of the software token, or `token id:PIN`")]
    Empty,
    /// The program did not start.
    #[error("{} does not start: {source}", program.display())]
    Start {
        /// `systemd-creds`.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program failed.
    #[error("the PINs cannot be sealed: {0}")]
    Sealing(String),
}

/// Takes PINs from the medium over, if there are some. True if there were.
///
/// # Errors
/// [`PinError`]; the PINs are still on the medium then.
pub fn take_over(root: &Root, disk: &Disk, medium: &Path, systemd_creds: &Path) -> Result<bool, PinError> {
    let on_medium = medium.join(ON_MEDIUM);
    let failed = |path: &Path| {
        let path = path.to_owned();
        |source| PinError::Io { path, source }
    };
    let Some(pins) = disk::read(&on_medium, MAX_BYTES).map_err(failed(&on_medium))? else {
        return Ok(false);
    };
    let pins = Zeroizing::new(pins);
    if pins.iter().all(u8::is_ascii_whitespace) {
        return Err(PinError::Empty);
    }
    let sealed = seal(systemd_creds, &pins)?;
    let folder = root.path(FOLDER);
    disk.folder(&folder, 0o700).map_err(failed(&folder))?;
    let kept = folder.join(CREDENTIAL);
    disk.write(&kept, &sealed, 0o600).map_err(failed(&kept))?;
    disk.destroy(&on_medium).map_err(failed(&on_medium))?;
    Ok(true)
}

/// Whether there are sealed PINs.
#[must_use]
pub fn are_sealed(root: &Root) -> bool {
    root.path(FOLDER).join(CREDENTIAL).is_file()
}

fn seal(systemd_creds: &Path, pins: &[u8]) -> Result<Vec<u8>, PinError> {
    let start = |source| PinError::Start {
        program: systemd_creds.to_owned(),
        source,
    };
    let mut child = Command::new(systemd_creds)
        .args(["encrypt", "--with-key=host"])
        .arg(format!("--name={CREDENTIAL}"))
        .args(["-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(start)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read says why in what it answers.
        let _ = stdin.write_all(pins);
    }
    let answer = child.wait_with_output().map_err(start)?;
    if answer.status.success() && (1..=MAX_SEALED_BYTES).contains(&answer.stdout.len()) {
        return Ok(answer.stdout);
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    let last = said.lines().last().unwrap_or_default().trim();
    Err(PinError::Sealing(format!("{} ({last})", answer.status)))
}
