//! The reference's own verifier of archives, where `KIIRTEE_REFERENCE_ARCHIVE_VERIFIER` is a class path that has it
//! (docs/message-log.md says how to build it).

use std::path::Path;
use std::process::Command;

/// The verifier.
pub(crate) struct Reference {
    class_path: String,
}

impl Reference {
    /// None, said loudly, where it is not.
    pub(crate) fn find() -> Option<Self> {
        let class_path = std::env::var("KIIRTEE_REFERENCE_ARCHIVE_VERIFIER").ok();
        if class_path.is_none() {
            eprintln!(
                "SKIPPED: KIIRTEE_REFERENCE_ARCHIVE_VERIFIER is not set, the reference's verifier is not asked"
            );
        }
        class_path.map(|class_path| Self { class_path })
    }

    /// The last digest of the file, or why it is refused. `previous` is the last digest of the file before, empty for
    /// the first.
    pub(crate) fn verify(&self, file: &Path, previous: &str) -> Result<String, String> {
        let previous = if previous.is_empty() { "--first" } else { previous };
        let output = Command::new("java")
            .args([
                "-cp",
                &self.class_path,
                "org.niis.xroad.cli.ArchiveHashChainVerifier",
            ])
            .arg(file)
            .arg(previous)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }
}
