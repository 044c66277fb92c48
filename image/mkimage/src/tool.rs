//! Programs of others that do part of the work: file systems, hash trees, signatures.

use std::ffi::OsStr;
use std::process::Command;

use crate::failure::Failure;

/// A program and the Debian package that has it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Makes the root's file system.
pub const MKFS_EROFS: Tool = Tool::new("mkfs.erofs", "erofs-utils");
/// Makes the root's hash tree.
pub const VERITYSETUP: Tool = Tool::new("veritysetup", "cryptsetup-bin");
/// Signs what the firmware starts.
pub const OSSLSIGNCODE: Tool = Tool::new("osslsigncode", "osslsigncode");
/// Signs updates and the policy of the TPM.
pub const OPENSSL: Tool = Tool::new("openssl", "openssl");

impl Tool {
    const fn new(program: &'static str, package: &'static str) -> Self {
        Self { program, package }
    }

    /// Runs it and gives what it wrote to standard output.
    ///
    /// # Errors
    /// When it cannot be started, or ends with anything but 0.
    pub fn run<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Result<String, Failure> {
        let output = Command::new(self.program)
            .args(arguments)
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .output();
        let output = output.map_err(|source| Failure::NoTool {
            program: self.program,
            package: self.package,
            source,
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(Failure::Tool {
            program: self.program,
            said: String::from_utf8_lossy(&said).trim().to_owned(),
        })
    }
}
