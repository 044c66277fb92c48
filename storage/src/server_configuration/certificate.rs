//! A certificate of an information system, as text in the configuration. Only compared, never parsed, here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Largest certificate taken, in bytes of DER.
const MAX_DER: usize = 64 << 10;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// A certificate: read as PEM or as base64 of the DER, written as PEM.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Certificate(Vec<u8>);

/// A text that is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one certificate, as PEM or as base64 of its DER encoding, of at most {MAX_DER} bytes")]
pub struct CertificateError;

impl Certificate {
    /// A certificate from its DER bytes.
    ///
    /// # Errors
    /// [`CertificateError`] if the bytes are not one DER sequence.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        if der.len() <= MAX_DER && is_one_sequence(&der) {
            Ok(Self(der))
        } else {
            Err(CertificateError)
        }
    }

    /// The DER bytes.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }
}

/// Whether the bytes are one DER sequence with nothing behind it: enough to tell a certificate from a file name or a
/// cut-off paste. Whether it is a good one, the TLS handshake decides.
fn is_one_sequence(der: &[u8]) -> bool {
    const SEQUENCE: u8 = 0x30;
    let Some((&[SEQUENCE, first], rest)) = der.split_first_chunk() else {
        return false;
    };
    if first < 0x80 {
        return rest.len() == usize::from(first);
    }
    let Some((length, content)) = rest.split_at_checked(usize::from(first & 0x7f)) else {
        return false;
    };
    let length = length.iter().try_fold(0_usize, |sum, byte| {
        sum.checked_mul(256)?.checked_add(usize::from(*byte))
    });
    length == Some(content.len())
}

impl TryFrom<String> for Certificate {
    type Error = CertificateError;

    fn try_from(text: String) -> Result<Self, CertificateError> {
        let text = text.trim();
        let base64 = match text.strip_prefix(BEGIN) {
            Some(rest) => rest.strip_suffix(END).ok_or(CertificateError)?,
            None => text,
        };
        let base64: String = base64.split_ascii_whitespace().collect();
        let der = STANDARD.decode(base64).map_err(|_| CertificateError)?;
        Self::from_der(der)
    }
}

impl From<Certificate> for String {
    fn from(Certificate(der): Certificate) -> Self {
        let base64 = STANDARD.encode(der);
        let mut pem = format!("{BEGIN}\n");
        let mut rest = base64.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str(END);
        pem.push('\n');
        pem
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(content: usize) -> Vec<u8> {
        let mut der = vec![0x30, 0x82];
        der.extend_from_slice(&u16::try_from(content).unwrap().to_be_bytes());
        der.extend(std::iter::repeat_n(7, content));
        der
    }

    #[test]
    fn reads_what_it_writes_and_plain_base64() {
        let certificate = Certificate::from_der(der(300)).unwrap();
        let pem = String::from(certificate.clone());
        assert!(pem.lines().all(|line| line.len() <= 64));
        assert_eq!(Certificate::try_from(pem).unwrap(), certificate);
        assert_eq!(
            Certificate::try_from(STANDARD.encode(der(300))).unwrap(),
            certificate
        );
    }

    #[test]
    fn refuses_what_is_cut_off_two_of_them_and_file_names() {
        let whole = der(300);
        assert!(Certificate::from_der(whole[..200].to_vec()).is_err());
        assert!(Certificate::from_der([whole.clone(), whole].concat()).is_err());
        for text in [
            "",
            "/etc/is.pem",
            BEGIN,
            "MAA",
            "-----BEGIN CERTIFICATE-----\nMAA=",
        ] {
            assert!(Certificate::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
