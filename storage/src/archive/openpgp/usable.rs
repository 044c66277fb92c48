//! Which part of an OpenPGP certificate may be encrypted for: bound by valid signatures, meant for encryption, neither
//! expired nor revoked.

use std::io::Read;

use pgp::composed::{EncryptionSeipdV1, MessageBuilder, SignedPublicKey, SignedPublicSubKey};
use pgp::packet::{PublicKey, PublicSubkey, Signature, SignatureType};
use pgp::types::{KeyDetails, Tag, Timestamp};
use rand_core_0_6::OsRng;

use super::OpenPgpError;

type Message<'a, R> = MessageBuilder<'a, R, EncryptionSeipdV1>;

/// A key that a message can be encrypted for.
#[derive(Debug, Clone)]
pub(super) enum EncryptionKey {
    Primary(PublicKey),
    Subkey(PublicSubkey),
}

impl EncryptionKey {
    pub(super) fn add_to<R: Read>(&self, message: &mut Message<'_, R>) -> Result<(), OpenPgpError> {
        match self {
            Self::Primary(key) => message.encrypt_to_key(OsRng, key)?,
            Self::Subkey(key) => message.encrypt_to_key(OsRng, key)?,
        };
        Ok(())
    }

    /// The one to use of a certificate: the newest subkey for encryption, else the primary key. `now` in seconds since 1970.
    pub(super) fn of(certificate: &SignedPublicKey, now: u64) -> Result<Self, OpenPgpError> {
        let unusable = || OpenPgpError::Unusable {
            fingerprint: certificate.fingerprint().to_string(),
        };
        let primary = Primary::of(certificate).ok_or_else(unusable)?;
        if primary.revoked || has_expired(&certificate.primary_key, primary.latest, now) {
            return Err(unusable());
        }
        let subkeys = certificate.public_subkeys.iter();
        let usable = subkeys.filter(|subkey| is_usable(subkey, &certificate.primary_key, now));
        if let Some(newest) = usable.max_by_key(|subkey| subkey.key.created_at().as_secs()) {
            return Ok(Self::Subkey(newest.key.clone()));
        }
        if is_for_encryption(&certificate.primary_key, primary.latest) {
            return Ok(Self::Primary(certificate.primary_key.clone()));
        }
        Err(unusable())
    }
}

/// What the signatures of a certificate say of its primary key.
struct Primary<'a> {
    /// The youngest valid signature of the key over one of its user ids, or over itself.
    latest: &'a Signature,
    revoked: bool,
}

impl<'a> Primary<'a> {
    fn of(certificate: &'a SignedPublicKey) -> Option<Self> {
        let (key, details) = (&certificate.primary_key, &certificate.details);
        let users = details.users.iter().flat_map(|user| {
            let own = |signature: &&Signature| {
                signature.is_certification()
                    && signature.verify_certification(key, Tag::UserId, &user.id).is_ok()
            };
            user.signatures.iter().filter(own)
        });
        let direct = details.direct_signatures.iter();
        let direct = direct.filter(|signature| signature.verify_key(key).is_ok());
        let mut revocations = details.revocation_signatures.iter();
        Some(Self {
            latest: users.chain(direct).max_by_key(|signature| created(signature))?,
            revoked: revocations.any(|signature| signature.verify_key(key).is_ok()),
        })
    }
}

fn is_usable(subkey: &SignedPublicSubKey, primary: &PublicKey, now: u64) -> bool {
    let valid = |signature: &&Signature| signature.verify_subkey_binding(primary, &subkey.key).is_ok();
    let of_kind = |kind| {
        let signatures = subkey.signatures.iter();
        signatures
            .filter(move |signature| signature.typ() == Some(kind))
            .filter(valid)
    };
    let Some(binding) = of_kind(SignatureType::SubkeyBinding).max_by_key(|signature| created(signature))
    else {
        return false;
    };
    of_kind(SignatureType::SubkeyRevocation).next().is_none()
        && is_for_encryption(&subkey.key, binding)
        && !has_expired(&subkey.key, binding, now)
}

fn is_for_encryption(key: &impl KeyDetails, signature: &Signature) -> bool {
    let flags = signature.key_flags();
    key.algorithm().can_encrypt() && (flags.encrypt_comms() || flags.encrypt_storage())
}

/// Expiry is told as seconds after the creation of the key; none or 0: never.
fn has_expired(key: &impl KeyDetails, signature: &Signature, now: u64) -> bool {
    let created = u64::from(key.created_at().as_secs());
    let lives = signature
        .key_expiration_time()
        .map_or(0, |time| u64::from(time.as_secs()));
    lives > 0 && now >= created + lives
}

fn created(signature: &Signature) -> u32 {
    signature.created().map_or(0, Timestamp::as_secs)
}
