//! The certificate that information systems see. Its file may come later than the proxy (enrolment makes it), and another one may
//! take its place.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use protocol_pki::certificate::{Certificate, CertificateError};

/// The most bytes of the file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InternalCertificateError {
    /// It cannot be read.
    #[error("internal TLS certificate {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no certificate.
    #[error("internal TLS certificate {path}: {source}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: CertificateError,
    },
}

/// What a file was when it was read last.
type Stamp = (Option<SystemTime>, u64);

/// The certificate and where it comes from.
#[derive(Debug, Default)]
pub struct InternalCertificate {
    path: Option<PathBuf>,
    seen: Option<Stamp>,
    certificate: Option<Certificate>,
}

impl InternalCertificate {
    /// The one in a file, if there is a file: it need not be there yet.
    ///
    /// # Errors
    /// [`InternalCertificateError`] if there is one that cannot be used.
    pub fn read(path: Option<&Path>) -> Result<Self, InternalCertificateError> {
        let mut read = Self {
            path: path.map(Path::to_owned),
            ..Self::default()
        };
        read.look()?;
        if let (Some(path), None) = (&read.path, &read.seen) {
            tracing::warn!(path = %path.display(), "the internal TLS certificate is not there yet: no HTTPS until it is");
        }
        Ok(read)
    }

    /// The certificate.
    #[must_use]
    pub const fn get(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Reads the file again if it is another one than before; true if it was.
    ///
    /// # Errors
    /// [`InternalCertificateError`], once for each change of the file. The certificate stays what it was.
    pub fn look(&mut self) -> Result<bool, InternalCertificateError> {
        let Some(path) = self.path.clone() else {
            return Ok(false);
        };
        let metadata = match std::fs::metadata(&path) {
            // What is gone leaves the certificate that was there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            metadata => metadata.map_err(|source| InternalCertificateError::Io {
                path: path.clone(),
                source,
            })?,
        };
        let stamp = Some((metadata.modified().ok(), metadata.len()));
        if self.seen == stamp {
            return Ok(false);
        }
        self.seen = stamp;
        self.certificate = Some(certificate(path, metadata.len())?);
        Ok(true)
    }
}

fn certificate(path: PathBuf, length: u64) -> Result<Certificate, InternalCertificateError> {
    let bytes = match length {
        0..=MAX_FILE_BYTES => std::fs::read(&path),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    };
    match bytes {
        Ok(bytes) => Certificate::from_der_or_pem(&bytes)
            .map_err(|source| InternalCertificateError::Malformed { path, source }),
        Err(source) => Err(InternalCertificateError::Io { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_pki::key::KeySpec;
    use time::OffsetDateTime;
    use trust::authority::Authority;

    #[test]
    fn the_file_may_come_later_and_be_replaced_and_what_is_no_certificate_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("internal-tls.pem");
        let mut internal = InternalCertificate::read(Some(&path)).unwrap();
        assert!(internal.get().is_none() && !internal.look().unwrap());
        let authority = Authority::create("I", KeySpec::P256, OffsetDateTime::now_utc()).unwrap();
        let (one, other) = (
            &authority.root().certificate,
            &authority.ocsp_responder().certificate,
        );
        std::fs::write(&path, one.to_pem()).unwrap();
        assert!(internal.look().unwrap() && internal.get() == Some(one));
        assert!(!internal.look().unwrap());
        std::fs::write(&path, "no certificate").unwrap();
        assert!(internal.look().is_err(), "told once");
        assert!(!internal.look().unwrap() && internal.get() == Some(one));
        assert!(InternalCertificate::read(Some(&path)).is_err());
        std::fs::write(&path, other.as_der()).unwrap();
        assert!(internal.look().unwrap() && internal.get() == Some(other));
        std::fs::remove_file(&path).unwrap();
        assert!(!internal.look().unwrap() && internal.get() == Some(other));
    }
}
