//! A TPM in software: one swtpm process for each time that a machine runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::failure::{Failure, OrUnusable};
use crate::wait::{self, Look};

/// A running TPM, whose state lies in a folder; ends with this value.
#[derive(Debug)]
pub struct Tpm {
    process: Child,
    socket: PathBuf,
}

impl Tpm {
    /// Starts a TPM with the state in `folder`, made new if there is none.
    ///
    /// # Errors
    /// When swtpm cannot be started.
    pub fn start(folder: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder).or_unusable(|| format!("make {}", folder.display()))?;
        let socket = folder.join("socket");
        // Of an earlier run.
        let _ = std::fs::remove_file(&socket);
        let process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--terminate"])
            .arg(format!("--tpmstate=dir={}", folder.display()))
            .arg(format!("--ctrl=type=unixio,path={}", socket.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .or_unusable(|| "start swtpm".into())?;
        let tpm = Self { process, socket };
        wait::until(wait::LIMIT, || match tpm.socket.exists() {
            true => Look::There(()),
            false => Look::NotYet("no socket".into()),
        })
        .or_unusable(|| "wait for swtpm".into())?;
        Ok(tpm)
    }

    /// Its control socket, to which QEMU connects.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        // It ends by itself when QEMU has gone; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
