//! Signing requests: kept, so that the certification authority sees one request for a key, not one for each start.

use protocol_pki::csr::{CertificateRequest, MAX_REQUEST_BYTES};
use signer_client::CsrFormat;

use super::keys::{Key, Purpose};
use super::{EnrolError, Enrolment, refused};
use crate::disk;
use crate::paths;

impl Enrolment<'_> {
    /// Makes the requests that are missing, and puts all of them where everybody may read them.
    pub(super) fn publish(&self, keys: &[Key]) -> Result<(), EnrolError> {
        for key in keys {
            let request = match self.kept_request(key)? {
                Some(kept) => kept,
                None => self.new_request(key)?,
            };
            let name = format!("{}.pem", key.purpose.label());
            self.write(self.root.path(paths::ENROLMENT).join(&name), &request)?;
            self.write(self.root.path(paths::REQUESTS).join(&name), &request)?;
        }
        Ok(())
    }

    /// The request that was made before, if it is of this key and says what it should.
    fn kept_request(&self, key: &Key) -> Result<Option<Vec<u8>>, EnrolError> {
        let name = format!("{}.pem", key.purpose.label());
        let path = self.root.path(paths::ENROLMENT).join(name);
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
