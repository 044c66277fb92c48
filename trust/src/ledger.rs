//! What the authority issued and revoked, kept in one JSON file that is replaced as a whole.

use protocol_pki::certificate::Certificate;
use protocol_pki::digest::hex;
use protocol_pki::ocsp::{CertificateId, CertificateStatus};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

use crate::authority::Authority;
use crate::directory::{DirectoryError, read_json, replace, to_json};

const FILE: &str = "ledger.json";

/// One issued certificate.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Entry {
    /// Serial number, hexadecimal contents octets.
    serial: String,
    /// SHA-1 of the certificate, hexadecimal.
    sha1: String,
    /// Subject, for people.
    subject: String,
    /// Seconds since 1970 of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
struct Contents {
    issued: Vec<Entry>,
}

/// The certificates of the authority, on disk.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    contents: Contents,
}

impl Ledger {
    /// Reads the ledger of a directory; a new one holds the authority's own certificates.
    ///
    /// # Errors
    /// [`DirectoryError`]
    pub fn open(directory: &Path, authority: &Authority) -> Result<Self, DirectoryError> {
        let path = directory.join(FILE);
        if path.exists() {
            let contents = read_json(&path)?;
            return Ok(Self { path, contents });
        }
        let mut ledger = Self {
            path,
            contents: Contents::default(),
        };
        for identity in [
            authority.root(),
            authority.ocsp_responder(),
            authority.time_stamping(),
        ] {
            ledger.contents.issued.push(Entry::of(&identity.certificate));
        }
        ledger.save()?;
        Ok(ledger)
    }

    /// Notes a certificate, on disk when this returns.
    ///
    /// # Errors
    /// [`DirectoryError`]
    pub fn issued(&mut self, certificate: &Certificate) -> Result<(), DirectoryError> {
        self.contents.issued.push(Entry::of(certificate));
        self.save()
    }

    /// Revokes the certificate with this serial number or SHA-1 (hexadecimal, letter case and colons aside). False when there is
    /// none. A certificate that is revoked already stays so since then.
    ///
    /// # Errors
    /// [`DirectoryError`]
    pub fn revoke(&mut self, serial_or_sha1: &str, at: OffsetDateTime) -> Result<bool, DirectoryError> {
        let wanted = serial_or_sha1.replace(':', "").to_ascii_lowercase();
        let Some(entry) = self.contents.issued.iter_mut().find(|entry| entry.is(&wanted)) else {
            return Ok(false);
        };
        entry.revoked_at = entry.revoked_at.or_else(|| Some(at.unix_timestamp()));
        self.save()?;
        Ok(true)
    }

    /// The status of a certificate of this issuer; unknown when it was not issued here.
    pub fn status(&self, certificate: &CertificateId, issuer: &Certificate) -> CertificateStatus {
        let serial = hex(certificate.serial_bytes());
        let found = self.contents.issued.iter().find(|entry| entry.serial == serial);
        match found.filter(|_| certificate.has_issuer(issuer)) {
            None => CertificateStatus::Unknown,
            Some(Entry { revoked_at: None, .. }) => CertificateStatus::Good,
            Some(Entry {
                revoked_at: Some(seconds),
                ..
            }) => CertificateStatus::Revoked {
                at: OffsetDateTime::from_unix_timestamp(*seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH),
            },
        }
    }

    fn save(&self) -> Result<(), DirectoryError> {
        replace(&self.path, to_json(&self.contents, &self.path)?.as_bytes())
    }
}

impl Entry {
    fn of(certificate: &Certificate) -> Self {
        Self {
            serial: hex(certificate.serial_bytes()),
            sha1: certificate.sha1().to_hex(),
            subject: certificate.subject().readable(),
            revoked_at: None,
        }
    }

    fn is(&self, wanted: &str) -> bool {
        self.sha1 == wanted || self.serial.trim_start_matches('0') == wanted.trim_start_matches('0')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol_pki::key::KeySpec;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-01 00:00:00 UTC);

    #[test]
    fn what_is_issued_and_revoked_is_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create("TEST", KeySpec::P256, NOW).unwrap();
        let root = &authority.root().certificate;
        let member = authority
            .member("GOV", "1", KeySpec::P256, NOW)
            .unwrap()
            .certificate;
        let id = CertificateId::new(&member, root);
        let mut ledger = Ledger::open(folder.path(), &authority).unwrap();
        assert_eq!(ledger.status(&id, root), CertificateStatus::Unknown);
        ledger.issued(&member).unwrap();
        assert_eq!(ledger.status(&id, root), CertificateStatus::Good);
        assert!(!ledger.revoke("00ff", NOW).unwrap());
        let mut ledger = Ledger::open(folder.path(), &authority).unwrap();
        assert!(
            ledger
                .revoke(&member.sha1().to_hex().to_uppercase(), NOW)
                .unwrap()
        );
        assert!(
            ledger
                .revoke(&hex(member.serial_bytes()), NOW + time::Duration::days(1))
                .unwrap()
        );
        let ledger = Ledger::open(folder.path(), &authority).unwrap();
        assert_eq!(ledger.status(&id, root), CertificateStatus::Revoked { at: NOW });
        let own = CertificateId::new(&authority.ocsp_responder().certificate, root);
        assert_eq!(ledger.status(&own, root), CertificateStatus::Good);
        let other = Authority::create("OTHER", KeySpec::P256, NOW).unwrap();
        assert_eq!(
            ledger.status(&id, &other.root().certificate),
            CertificateStatus::Unknown
        );
    }
}
