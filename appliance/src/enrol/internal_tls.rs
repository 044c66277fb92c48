//! The certificate that information systems see: the one that was handed over, or one that the internal key signs itself.

use protocol_pki::certificate::{Certificate, KeyUsage};
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::{Extension, Purpose as Use, Template};
use protocol_pki::public_key::PublicKey;
use signer_client::{DigestAlgorithm as SignerDigest, RemoteKey};
use time::OffsetDateTime;
use time::macros::datetime;

use super::keys::{Key, Purpose};
use super::{EnrolError, Enrolment};
use crate::disk;
use crate::paths;

/// Information systems compare the certificate and nothing else, so it need not end soon. It does not begin at the time of
/// day, because nobody vouches for that when an appliance starts for the first time.
const VALID: [OffsetDateTime; 2] = [
    datetime!(2025-01-01 00:00:00 UTC),
    datetime!(2049-12-31 23:59:59 UTC),
];
const MAX_BYTES: usize = 64 * 1024;
/// Bytes of the serial number.
const SERIAL_BYTES: usize = 16;

impl Enrolment<'_> {
    /// Puts the internal certificate where the proxy looks for it.
    pub(super) fn show(&self, keys: &[Key], handed_over: Option<Certificate>) -> Result<(), EnrolError> {
        let Some(key) = keys.iter().find(|key| key.purpose == Purpose::Internal) else {
            return Ok(());
        };
        let certificate = match (handed_over, self.shown(key)?) {
            (Some(handed_over), _) => handed_over,
            (None, Some(shown)) => shown,
            (None, None) => self.self_signed(key)?,
        };
        let path = self.root.path(paths::INTERNAL_TLS);
        self.write(path, certificate.to_pem().as_bytes())
    }

    /// The certificate that is there, if it is of this key and says what it should.
    fn shown(&self, key: &Key) -> Result<Option<Certificate>, EnrolError> {
        let path = self.root.path(paths::INTERNAL_TLS);
        let bytes = disk::read(&path, MAX_BYTES).map_err(|source| EnrolError::Io { path, source })?;
        let certificate = bytes.and_then(|bytes| Certificate::from_der_or_pem(&bytes).ok());
        let subject = self.subject(Purpose::Internal).name();
        Ok(certificate.filter(|certificate| {
            *key.info.public_key == *certificate.spki_der() && subject.as_der() == certificate.subject_der()
        }))
    }

    fn self_signed(&self, key: &Key) -> Result<Certificate, EnrolError> {
        let signer = RemoteKey::new(self.signer.clone(), &key.info, SignerDigest::Sha256);
        let subject = self.subject(Purpose::Internal).name();
        let digest = DigestAlgorithm::Sha256.digest(&key.info.public_key);
        let mut serial: Vec<u8> = digest.as_bytes().iter().take(SERIAL_BYTES).copied().collect();
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x7f | 0x40;
        }
        let bits = PublicKey::from_spki(&key.info.public_key);
        let bits = bits.as_ref().map(PublicKey::bits).unwrap_or_default();
        let template = Template {
            serial: &serial,
            issuer: subject,
            subject,
            not_before: VALID[0],
            not_after: VALID[1],
            spki: &key.info.public_key,
            extensions: vec![
                Extension::end_entity(),
                Extension::key_usage(KeyUsage::DIGITAL_SIGNATURE.and(KeyUsage::KEY_ENCIPHERMENT)),
                Extension::extended_key_usage(&[Use::ServerAuth, Use::ClientAuth], false),
                Extension::subject_key_identifier(bits),
            ],
        };
        let certificate = template.sign(&signer)?;
        tracing::info!(subject = %certificate.subject(), "an internal certificate was made");
        Ok(certificate)
    }
}
