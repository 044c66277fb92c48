//! The configuration anchor: the one file that an operator trusts by hand (features.md 2.1).

use protocol_pki::digest::DigestAlgorithm;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::xml::{Element, Writer, XmlError};

/// Root element of an anchor file.
const ROOT: &str = "configurationAnchor";

/// Where to download the configuration of an instance from, and what verifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// When it was made.
    pub generated_at: Option<OffsetDateTime>,
    /// Instance that it describes.
    pub instance: String,
    /// Download locations, at least one.
    pub sources: Vec<AnchorSource>,
}

/// One download location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorSource {
    /// `http` or `https` URL of the signed directory.
    pub download_url: String,
    /// DER certificates, any of which may verify the directory; several while a key is being rotated.
    pub verification_certs: Vec<Vec<u8>>,
}

/// Why an anchor cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// It is not an anchor.
    #[error("malformed configuration anchor")]
    Malformed(#[from] XmlError),
    /// A source has no certificate, or there is no source.
    #[error("configuration anchor has no {0}")]
    Incomplete(&'static str),
    /// The date is not a date.
    #[error("configuration anchor has a malformed date")]
    BadDate(#[from] time::error::Parse),
}

impl AnchorError {
    /// Fault code (wire.md 1.8).
    #[must_use]
    pub fn fault_code(&self) -> &'static str {
        "malformed_anchor"
    }
}

impl Anchor {
    /// Reads an anchor file.
    ///
    /// # Errors
    /// When the file is not an anchor, or has no source or a source without certificates.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnchorError> {
        Self::read(&Element::parse_document(bytes, ROOT)?)
    }

    /// Reads the element, which also stands in private parameters.
    pub(crate) fn read(element: &Element) -> Result<Self, AnchorError> {
        let generated_at = element.optional_trimmed("generatedAt")?;
        let sources = element
            .all("source")
            .map(AnchorSource::read)
            .collect::<Result<Vec<_>, _>>()?;
        if sources.is_empty() {
            return Err(AnchorError::Incomplete("source"));
        }
        Ok(Self {
            generated_at: generated_at.map(|text| parse_date_time(&text)).transpose()?,
            instance: element.required_text("instanceIdentifier")?,
            sources,
        })
    }

    /// Writes an anchor file.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::document(ROOT);
        self.write_content(&mut out);
        out.finish(ROOT)
    }

    /// Writes what stands inside of the element.
    pub(crate) fn write_content(&self, out: &mut Writer) {
        let generated_at = self.generated_at.and_then(|at| at.format(&Rfc3339).ok());
        out.optional_text("generatedAt", generated_at.as_deref());
        out.text("instanceIdentifier", &self.instance);
        for source in &self.sources {
            out.nested("source", "", |out| {
                out.text("downloadURL", &source.download_url);
                source
                    .verification_certs
                    .iter()
                    .for_each(|cert| out.base64("verificationCert", cert));
            });
        }
    }

    /// Fingerprint of an anchor file as operators compare it: SHA-224 in hexadecimal, with colons.
    #[must_use]
    pub fn fingerprint(file: &[u8]) -> String {
        let digest = DigestAlgorithm::Sha224.digest(file);
        digest
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<Vec<_>>()
            .join(":")
    }
}

impl AnchorSource {
    fn read(element: &Element) -> Result<Self, AnchorError> {
        let verification_certs = element.all_base64("verificationCert")?;
        if verification_certs.is_empty() {
            return Err(AnchorError::Incomplete("verificationCert"));
        }
        Ok(Self {
            download_url: element.required_text("downloadURL")?.trim().to_owned(),
            verification_certs,
        })
    }
}

/// Reads an `xs:dateTime`, which may lack an offset (then it is UTC).
fn parse_date_time(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|failed| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339).map_err(|_also_failed| failed))
}
