//! PINs from a file, entered when the signer starts (features.md 1.2, K10).
//!
//! Each line is `token id:PIN`, or a PIN alone for the software token. Empty lines and lines that begin with `#` say
//! nothing. A PIN that itself begins like a token id and a colon (`0:`, or eight and more hexadecimal digits and a
//! colon) needs the token id before it. A hardware token may come later, and its line is read when it does. Only the owner may have access to the
//! file, and the owner must be the signer's user or root. A credential of systemd is the exception: it belongs to root and
//! shows the signer's user in its access control list, whose mask stands where the mode of the group would.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use signer_client::Pin;
use zeroize::Zeroizing;

use crate::token::software::SOFTWARE_TOKEN_ID;

const MAX_PIN_FILE_BYTES: u64 = 64 * 1024;
/// Where the service manager says that credentials are.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Owner and the mask of the access control list: read.
const CREDENTIAL_MODE: u32 = 0o440;

/// Why the PINs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PinFileError {
    /// The file system failed, or the file is not UTF-8.
    #[error("{path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others than the owner may read or write the file.
    #[error("{0} is open to others than its owner; its mode must be 0600 or less")]
    Mode(PathBuf),
    /// The file belongs to somebody else.
    #[error("{0} must belong to the signer's user or to root")]
    Owner(PathBuf),
}

/// Reads the file: token ids and PINs.
///
/// # Errors
/// See [`PinFileError`].
pub fn read(path: &Path, tokens: &[&str]) -> Result<Vec<(String, Pin)>, PinFileError> {
    let failed = |source| PinFileError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    check(path, &file, is_credential(path))?;
    // Allocated whole, so that no copy of a PIN is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(
        usize::try_from(MAX_PIN_FILE_BYTES).unwrap_or_default(),
    ));
    file.take(MAX_PIN_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(parse(&text, tokens))
}

/// Whether the service manager put the file into the signer's own folder of credentials (systemd.exec(5), "Credentials"),
/// which nobody else can look into or write.
fn is_credential(path: &Path) -> bool {
    let folder = std::env::var_os(CREDENTIALS).map(PathBuf::from);
    folder.is_some_and(|folder| folder.is_absolute() && path.parent() == Some(&folder))
}

fn check(path: &Path, file: &File, is_credential: bool) -> Result<(), PinFileError> {
    let metadata = file.metadata().map_err(|source| PinFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    // Of root, not to be written, and for no group but through the list: 0440 as the mode has it.
    let may_be_listed = is_credential && metadata.uid() == 0 && metadata.gid() == 0;
    let is_listed = may_be_listed && metadata.mode() & 0o777 == CREDENTIAL_MODE;
    if metadata.mode() & 0o077 != 0 && !is_listed {
        return Err(PinFileError::Mode(path.to_owned()));
    }
    if metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(PinFileError::Owner(path.to_owned()));
    }
    Ok(())
}

fn parse(text: &str, tokens: &[&str]) -> Vec<(String, Pin)> {
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    let lines = lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once(':') {
            Some((token, pin)) if tokens.contains(&token) || is_hardware(token) => {
                (token.to_owned(), Pin::new(pin))
            }
            _ => (SOFTWARE_TOKEN_ID.to_owned(), Pin::new(line)),
        })
        .collect()
}

/// Ids of hardware tokens are hexadecimal digits.
fn is_hardware(id: &str) -> bool {
    id.len() >= 8 && id.len().is_multiple_of(2) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text, &["0", "hsm"])
            .into_iter()
            .map(|(token, pin)| (token, pin.reveal().to_owned()))
            .collect()
    }

    #[test]
    fn lines_name_a_token_or_mean_the_software_token() {
        let pin = |token: &str, pin: &str| (token.to_owned(), pin.to_owned());
        assert_eq!(parsed("1234\n"), [pin("0", "1234")]);
        assert_eq!(
            parsed("# PINs\n\nhsm:se:cret\r\n0:x y \n"),
            [pin("hsm", "se:cret"), pin("0", "x y ")]
        );
        assert_eq!(parsed("with:colon"), [pin("0", "with:colon")]);
        assert_eq!(parsed("736f6674:1234"), [pin("736f6674", "1234")]);
        assert_eq!(parsed("abc:1234"), [pin("0", "abc:1234")]);
    }

    #[test]
    fn only_the_owner_may_have_access() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "1234").unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(file.path(), &["0"]), Err(PinFileError::Mode(_))));
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(file.path(), &["0"]).unwrap().len(), 1);
    }

    #[test]
    fn a_credential_of_the_service_manager_may_show_the_mask_of_its_list() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let allowed = |mode, is_credential| {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            check(file.path(), file.as_file(), is_credential).is_ok()
        };
        let is_root = rustix::process::geteuid().is_root();
        assert_eq!(allowed(0o440, true), is_root, "only if it belongs to root");
        assert!(!allowed(0o440, false) && allowed(0o400, false) && allowed(0o400, true));
        for other in [0o640, 0o444, 0o441, 0o460] {
            assert!(!allowed(other, true), "{other:o}");
        }
    }
}
