//! Certificates that were handed over: each is given to the key that it is of.

use std::io;
use std::path::Path;

use protocol_pki::certificate::Certificate;
use signer_client::{CertificateStatus, KeyInfo, Status};
use storage::server_configuration::Document as ServerDocument;

use super::keys::{Key, Purpose};
use super::{EnrolError, Enrolment, refused};
use crate::disk;
use crate::paths;
use crate::provision::inputs;

/// The most bytes of a certificate, and of the server configuration.
const MAX_BYTES: usize = 64 * 1024;
const MAX_SERVER_BYTES: usize = 4 * 1024 * 1024;

impl Enrolment<'_> {
    /// Gives the signing and authentication certificates to the signer, as registered ones; returns that of the internal key.
    pub(super) fn import(&self, keys: &[Key]) -> Result<Option<Certificate>, EnrolError> {
        let status = self.status()?;
        let mut internal = None;
        for certificate in self.handed_over()? {
            let is_of = |info: &KeyInfo| *info.public_key == *certificate.spki_der();
            let ours = keys.iter().find(|key| is_of(&key.info));
            match ours.map(|key| key.purpose) {
                Some(Purpose::Internal) => internal = Some(certificate),
                Some(purpose) => self.import_one(&status, &certificate, purpose)?,
                None => tracing::warn!(
                    subject = %certificate.subject(),
                    "a certificate is of no key of this appliance, and is left out"
                ),
            }
        }
        Ok(internal)
    }

    fn import_one(
        &self,
        status: &Status,
        certificate: &Certificate,
        purpose: Purpose,
    ) -> Result<(), EnrolError> {
        let known = status
            .keys()
            .flat_map(|key| &key.certificates)
            .find(|known| *known.der == *certificate.as_der());
        let doing = || format!("import the certificate of the {} key", purpose.label());
        match known {
            Some(known) if known.status == CertificateStatus::Registered => return Ok(()),
            Some(known) => self
                .signer
                .set_certificate_status(known.sha256, CertificateStatus::Registered)
                .map_err(refused(doing))?,
            None => {
                let client = match purpose {
                    Purpose::Signing => self.member(),
                    Purpose::Authentication | Purpose::Internal => None,
                };
                self.signer
                    .import_certificate(certificate.as_der(), CertificateStatus::Registered, client)
                    .map_err(refused(doing))?;
            }
        }
        tracing::info!(purpose = purpose.label(), subject = %certificate.subject(), "a certificate was imported");
        Ok(())
    }

    fn handed_over(&self) -> Result<Vec<Certificate>, EnrolError> {
        let folder = self.root.path(paths::SETTINGS).join(inputs::CERTIFICATES);
        let failed = |path: &Path| {
            let path = path.to_owned();
            |source| EnrolError::Io { path, source }
        };
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed(&folder))?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed(&folder))?.path();
            let bytes = disk::read(&path, MAX_BYTES).map_err(failed(&path))?;
            // All of them were read when they were handed over.
            found.extend(Certificate::from_der_or_pem(&bytes.unwrap_or_default()).ok());
        }
        Ok(found)
    }

    /// The member that signs: the owner of this server, as the server configuration names it.
    pub(super) fn member(&self) -> Option<String> {
        let path = self.root.path(paths::SETTINGS).join(inputs::SERVER);
        let bytes = disk::read(&path, MAX_SERVER_BYTES).ok().flatten()?;
        let document: ServerDocument = toml::from_str(std::str::from_utf8(&bytes).ok()?).ok()?;
        document.server.map(|server| server.owner().to_string())
    }
}
