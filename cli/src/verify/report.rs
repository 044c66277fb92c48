//! What `kiirtee verify` says, as text and as JSON.

use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use protocol_signature::asic::VerifiedContainer;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What is to be said of one container.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Verdict {
    /// It is valid evidence.
    Valid(Box<Proven>),
    /// It is not.
    Invalid {
        /// The fault code of the reference.
        code: String,
        /// Why, in words, from the outside to the inside.
        reason: String,
    },
}

/// What a valid container proves.
#[derive(Debug, Clone, Serialize)]
pub struct Proven {
    signer: String,
    certificate: String,
    certificate_issuer: String,
    signed_at: Option<String>,
    ocsp_produced_at: String,
    time_stamped_at: String,
    time_stamping_authority: String,
    parts: Vec<String>,
    /// Signed, but not in the container: nobody can tell whether a copy found elsewhere is genuine without its digest.
    unverified_attachments: Vec<String>,
}

impl Verdict {
    pub(super) fn valid(verified: &VerifiedContainer) -> Self {
        let signature = verified.signature();
        let document = signature.document();
        let signer = document.signer();
        Self::Valid(Box::new(Proven {
            signer: format!(
                "{}/{}/{}",
                signer.instance, signer.member_class, signer.member_code
            ),
            certificate: document.signing_certificate().subject().rfc2253(),
            certificate_issuer: document.signing_certificate().issuer_rfc2253(),
            signed_at: document.signing_time().map(moment),
            ocsp_produced_at: moment(document.ocsp().produced_at),
            time_stamped_at: moment(verified.time_stamp_time()),
            time_stamping_authority: verified.tsa_certificate().subject().rfc2253(),
            parts: signature
                .covered()
                .iter()
                .map(|part| part.name.to_string())
                .collect(),
            unverified_attachments: signature
                .absent()
                .iter()
                .map(|part| part.name.to_string())
                .collect(),
        }))
    }

    pub(super) fn invalid(code: &str, error: &(dyn Error + 'static)) -> Self {
        Self::Invalid {
            code: code.to_owned(),
            reason: causes(error),
        }
    }

    /// The fault code, if the container is not valid.
    pub fn fault_code(&self) -> Option<&str> {
        match self {
            Self::Valid(_) => None,
            Self::Invalid { code, .. } => Some(code),
        }
    }
}

fn moment(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_else(|_| time.to_string())
}

/// An error and its causes in one line; causes that repeat what was said are left out.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

/// A file and its verdict.
#[derive(Debug, Clone, Serialize)]
pub struct FileReport {
    file: PathBuf,
    valid: bool,
    #[serde(flatten)]
    verdict: Verdict,
}

impl FileReport {
    pub(super) fn new(file: &Path, verdict: Verdict) -> Self {
        Self {
            file: file.to_path_buf(),
            valid: verdict.fault_code().is_none(),
            verdict,
        }
    }

    /// Whether the container is valid evidence.
    pub const fn is_valid(&self) -> bool {
        self.valid
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match &self.verdict {
            Verdict::Invalid { code, reason } => write!(f, "{file}: NOT VALID, {code}\n  {reason}"),
            Verdict::Valid(proven) => write!(f, "{file}: valid\n{proven}"),
        }
    }
}

impl fmt::Display for Proven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  signed by     {}", self.signer)?;
        writeln!(f, "  certificate   {}", self.certificate)?;
        writeln!(f, "  issued by     {}", self.certificate_issuer)?;
        writeln!(f, "  good at       {} (OCSP)", self.ocsp_produced_at)?;
        writeln!(
            f,
            "  existed at    {}, says {}",
            self.time_stamped_at, self.time_stamping_authority
        )?;
        write!(f, "  covers        {}", self.parts.join(", "))?;
        if self.unverified_attachments.is_empty() {
            return Ok(());
        }
        write!(
            f,
            "\n  not here      {} (signed, content not in the container)",
            self.unverified_attachments.join(", ")
        )
    }
}

/// The answer as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    valid: bool,
    files: &'a [FileReport],
}

impl<'a> Summary<'a> {
    pub(super) fn new(files: &'a [FileReport]) -> Self {
        Self {
            valid: files.iter().all(FileReport::is_valid),
            files,
        }
    }
}
