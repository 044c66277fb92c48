//! Signing requests: kept, so that the certification authority sees one request for a key, not one for each start.

use protocol_pki::csr::{CertificateRequest, MAX_REQUEST_BYTES};
use signer_client::CsrFormat;

use super::keys::{Key, Purpose};
use super::{EnrolError, Enrolment, refused};
use crate::disk;
use crate::paths;

impl Enrolment<'_> {
    /// The request of each key; those that are missing are made.
    pub(super) fn requests<'k>(&self, keys: &'k [Key]) -> Result<Vec<(&'k Key, Vec<u8>)>, EnrolError> {
        keys.iter()
            .map(|key| {
                let request = match self.kept_request(key)? {
                    Some(kept) => kept,
                    None => self.new_request(key)?,
                };
                self.write(self.root.path(paths::ENROLMENT).join(file(key)), &request)?;
                Ok((key, request))
            })
            .collect()
    }

    /// Puts the requests of keys that have no certificate yet where everybody may read them, and takes the others away.
    pub(super) fn publish(&self, requests: &[(&Key, Vec<u8>)], has_internal: bool) -> Result<(), EnrolError> {
        let status = self.status()?;
        for (key, request) in requests {
            let path = self.root.path(paths::REQUESTS).join(file(key));
            let has_certificate = match key.purpose {
                Purpose::Internal => has_internal,
                Purpose::Signing | Purpose::Authentication => status
                    .keys()
                    .any(|info| info.id == key.info.id && !info.certificates.is_empty()),
            };
            if has_certificate {
                let removed = self.disk.remove(&path);
                removed.map_err(|source| EnrolError::Io { path, source })?;
            } else {
                self.write(path, request)?;
            }
        }
        Ok(())
    }

    /// The request that was made before, if it is of this key and says what it should.
    fn kept_request(&self, key: &Key) -> Result<Option<Vec<u8>>, EnrolError> {
        let path = self.root.path(paths::ENROLMENT).join(file(key));
        let kept = disk::read(&path, MAX_REQUEST_BYTES);
        let kept = kept.map_err(|source| EnrolError::Io { path, source })?;
        Ok(kept.filter(|bytes| {
            let Ok(request) = CertificateRequest::from_der_or_pem(bytes) else {
                return false;
            };
            let wanted = self.subject(key.purpose).name();
            let is_of_key = request.public_key().spki_der() == &*key.info.public_key;
            is_of_key && wanted.as_der() == request.subject().as_der()
        }))
    }

    fn new_request(&self, key: &Key) -> Result<Vec<u8>, EnrolError> {
        let purpose = key.purpose;
        let doing = || format!("make the request of the {} key", purpose.label());
        // Requests that were made before say something else, or were lost when the power was.
        for old in &key.info.csrs {
            self.signer.delete_csr(&old.id).map_err(refused(doing))?;
        }
        let subject = self.subject(purpose).attributes().to_vec();
        let client = match purpose {
            Purpose::Signing => self.member(),
            Purpose::Authentication | Purpose::Internal => None,
        };
        let made = self
            .signer
            .generate_csr(&key.info.id, subject, client, CsrFormat::Pem);
        let made = made.map_err(refused(doing))?;
        tracing::info!(
            purpose = purpose.label(),
            id = made.id,
            "a signing request was made"
        );
        Ok(made.csr.to_vec())
    }
}

/// The name of a key's request.
fn file(key: &Key) -> String {
    format!("{}.pem", key.purpose.label())
}
