//! Signatures for Secure Boot (UEFI 2.10, 32.2): on the boot loader and on the unified kernel image.

use std::path::Path;

use crate::failure::Failure;
use crate::tool::OSSLSIGNCODE;

/// Seconds since 1970 that signatures say, so that the same image has the same signature: 2026-01-01.
const SIGNING_TIME: &str = "1767225600";

/// Signs `unsigned` and writes `signed`, with `db.key` and `db.pem` of the folder.
///
/// # Errors
/// When the program that does it is missing or refuses.
pub fn sign(keys: &Path, unsigned: &Path, signed: &Path) -> Result<(), Failure> {
    let (certificate, key) = (keys.join("db.pem"), keys.join("db.key"));
    let arguments = [
        "sign".as_ref(),
        "-h".as_ref(),
        "sha256".as_ref(),
        "-time".as_ref(),
        SIGNING_TIME.as_ref(),
        "-certs".as_ref(),
        certificate.as_os_str(),
        "-key".as_ref(),
        key.as_os_str(),
        "-in".as_ref(),
        unsigned.as_os_str(),
        "-out".as_ref(),
        signed.as_os_str(),
    ];
    if signed.exists() {
        std::fs::remove_file(signed).map_err(|source| Failure::Io {
            path: signed.to_owned(),
            source,
        })?;
    }
    OSSLSIGNCODE.run(arguments).map(drop)
}
