//! PINs from a file, entered when the signer starts (features.md 1.2, K10).
//!
//! Each line is `token id:PIN`, or a PIN alone for the software token. Empty lines and lines that begin with `#` say
//! nothing. A PIN that itself begins like a token id and a colon (`0:`, or eight and more hexadecimal digits and a
//! colon) needs the token id before it. A hardware token may come later, and its line is read when it does. Only the owner may have access to the
//! file, and the owner must be the signer's user or root.

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
    check(path, &file)?;
    // Allocated whole, so that no copy of a PIN is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(
        usize::try_from(MAX_PIN_FILE_BYTES).unwrap_or_default(),
    ));
    file.take(MAX_PIN_FILE_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(parse(&text, tokens))
}

fn check(path: &Path, file: &File) -> Result<(), PinFileError> {
    let metadata = file.metadata().map_err(|source| PinFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    if metadata.mode() & 0o077 != 0 {
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
}
