//! Keys and certificates on a token.

use cryptoki::{
    object::{Attribute, AttributeType, CertificateType, KeyType, ObjectClass, ObjectHandle},
    session::Session,
};
use protocol_pki::{
    certificate::Certificate,
    digest::hex,
    public_key::{self, KeyKind, PublicKey},
};
use signer_client::{KeyAlgorithm, KeyUsage};

use super::failure::Failure;
use crate::token::{TokenCertificate, TokenKey};

/// Most keys and most certificates of a token that are looked at.
const MAX_OBJECTS: usize = 4_096;
/// Longest key id; ours have 20 bytes.
const MAX_ID_BYTES: usize = 64;

/// The key id of `CKA_ID`, as the reference writes it; `None` for ids that no key of ours can have.
fn key_id(bytes: &[u8]) -> Option<String> {
    let fits = !bytes.is_empty() && bytes.len() <= MAX_ID_BYTES;
    fits.then(|| hex(bytes).to_ascii_uppercase())
}

/// `CKA_ID` of a key id.
pub(super) fn id_bytes(id: &str) -> Result<Vec<u8>, Failure> {
    let nonsense = Failure::Nonsense("the key id has other than hexadecimal digits");
    if !id.is_ascii() || !id.len().is_multiple_of(2) {
        return Err(nonsense);
    }
    let pairs = (0..id.len()).step_by(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|at| u8::from_str_radix(id.get(at..at + 2)?, 16).ok())
        .collect();
    bytes.ok_or(nonsense)
}

/// The handle of a private key.
pub(super) fn private_key(session: &Session, id: &str) -> Result<ObjectHandle, Failure> {
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::Id(id_bytes(id)?),
    ];
    let mut found = session.iter_objects(&template)?;
    found.next().ok_or(Failure::NoKey)?.map_err(Failure::from)
}

/// What somebody who is logged in sees on a token.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) keys: Vec<TokenKey>,
    pub(super) certificates: Vec<TokenCertificate>,
}

/// Looks at every private key that signs, with its public half, and at the certificates of these keys.
pub(super) fn read(session: &Session) -> Result<Contents, Failure> {
    let certificates = read_certificates(session)?;
    let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Sign(true)];
    let mut keys = Vec::new();
    for handle in find(session, &template)? {
        let private = Told::by(session, handle)?;
        let Some(id) = private.id.as_deref().and_then(key_id) else {
            tracing::debug!("a private key without id is not used");
            continue;
        };
        if keys.iter().any(|key: &TokenKey| key.id == id) {
            continue;
        }
        let certificate = certificates.iter().find(|certificate| certificate.key == id);
        let certificate = certificate.and_then(|found| Certificate::from_der(&found.der).ok());
        match read_key(session, &id, private, certificate.as_ref())? {
            Some(key) => keys.push(key),
            None => tracing::debug!(key = id, "a key on the token has no public half that can be used"),
        }
    }
    let held = |certificate: &TokenCertificate| keys.iter().any(|key| key.id == certificate.key);
    let certificates = certificates.into_iter().filter(held).collect();
    Ok(Contents { keys, certificates })
}

fn find(session: &Session, template: &[Attribute]) -> Result<Vec<ObjectHandle>, Failure> {
    let found: Result<Vec<_>, _> = session.iter_objects(template)?.take(MAX_OBJECTS).collect();
    Ok(found?)
}

fn read_key(
    session: &Session,
    id: &str,
    private: Told,
    certificate: Option<&Certificate>,
) -> Result<Option<TokenKey>, Failure> {
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Id(id_bytes(id)?),
    ];
    let public = match find(session, &template)?.first() {
        Some(handle) => Told::by(session, *handle)?,
        None => Told::default(),
    };
    // Private RSA keys tell their public half too.
    let spki = public
        .spki()
        .or_else(|| certificate.map(|certificate| certificate.spki_der().to_vec()))
        .or_else(|| private.spki());
    let Some((public_key, algorithm)) = spki
        .and_then(|spki| Some((algorithm_of(&spki)?, spki)))
        .map(|(a, s)| (s, a))
    else {
        return Ok(None);
    };
    let label = public.label.or(private.label).unwrap_or_default();
    let authenticates = certificate.is_some_and(|certificate| !certificate.may_sign_messages());
    Ok(Some(TokenKey {
        id: id.to_owned(),
        label,
        algorithm,
        usage: if authenticates {
            KeyUsage::Authentication
        } else {
            KeyUsage::Signing
        },
        public_key,
    }))
}

fn algorithm_of(spki: &[u8]) -> Option<KeyAlgorithm> {
    match PublicKey::from_spki(spki).ok()?.kind() {
        KeyKind::Rsa(2048) => Some(KeyAlgorithm::Rsa2048),
        KeyKind::Rsa(3072) => Some(KeyAlgorithm::Rsa3072),
        KeyKind::Rsa(4096) => Some(KeyAlgorithm::Rsa4096),
        KeyKind::P256 => Some(KeyAlgorithm::EcP256),
        KeyKind::P384 => Some(KeyAlgorithm::EcP384),
        KeyKind::P521 => Some(KeyAlgorithm::EcP521),
        KeyKind::Rsa(_) | KeyKind::Unsupported => None,
    }
}

/// What a key tells of itself.
#[derive(Debug, Default)]
struct Told {
    id: Option<Vec<u8>>,
    label: Option<String>,
    kind: Option<KeyType>,
    modulus: Option<Vec<u8>>,
    exponent: Option<Vec<u8>>,
    curve: Option<Vec<u8>>,
    point: Option<Vec<u8>>,
}

impl Told {
    fn by(session: &Session, handle: ObjectHandle) -> Result<Self, Failure> {
        let wanted = [
            AttributeType::Id,
            AttributeType::Label,
            AttributeType::KeyType,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
            AttributeType::EcParams,
            AttributeType::EcPoint,
        ];
        let mut told = Self::default();
        for attribute in session.get_attributes(handle, &wanted)? {
            match attribute {
                Attribute::Id(id) => told.id = Some(id),
                Attribute::Label(label) => {
                    told.label = Some(String::from_utf8_lossy(&label).trim_end_matches('\0').to_owned());
                }
                Attribute::KeyType(kind) => told.kind = Some(kind),
                Attribute::Modulus(number) => told.modulus = Some(number),
                Attribute::PublicExponent(number) => told.exponent = Some(number),
                Attribute::EcParams(name) => told.curve = Some(name),
                Attribute::EcPoint(point) => told.point = Some(point),
                _ => {}
            }
        }
        Ok(told)
    }

    fn spki(&self) -> Option<Vec<u8>> {
        let some = |bytes: &Option<Vec<u8>>| bytes.clone().filter(|bytes| !bytes.is_empty());
        if self.kind == Some(KeyType::RSA) {
            Some(public_key::rsa_spki(
                &some(&self.modulus)?,
                &some(&self.exponent)?,
            ))
        } else {
            Some(public_key::ec_spki(&some(&self.curve)?, &some(&self.point)?))
        }
    }
}

fn certificate_template() -> [Attribute; 2] {
    [
        Attribute::Class(ObjectClass::CERTIFICATE),
        Attribute::CertificateType(CertificateType::X_509),
    ]
}

fn read_certificates(session: &Session) -> Result<Vec<TokenCertificate>, Failure> {
    let mut certificates = Vec::new();
    for handle in find(session, &certificate_template())? {
        let (mut key, mut der) = (None, None);
        for attribute in session.get_attributes(handle, &[AttributeType::Id, AttributeType::Value])? {
            match attribute {
                Attribute::Id(id) => key = key_id(&id),
                Attribute::Value(value) => der = Some(value),
                _ => {}
            }
        }
        if let (Some(key), Some(der)) = (key, der) {
            certificates.push(TokenCertificate { key, der });
        }
    }
    Ok(certificates)
}

/// Destroys a key's halves and its certificates. Whether there was a private one.
pub(super) fn delete_key(session: &Session, id: &str) -> Result<bool, Failure> {
    let bytes = id_bytes(id)?;
    let mut found = false;
    for class in [
        ObjectClass::PRIVATE_KEY,
        ObjectClass::PUBLIC_KEY,
        ObjectClass::CERTIFICATE,
    ] {
        for handle in find(session, &[Attribute::Class(class), Attribute::Id(bytes.clone())])? {
            session.destroy_object(handle)?;
            found |= class == ObjectClass::PRIVATE_KEY;
        }
    }
    Ok(found)
}

/// Destroys a certificate; it need not be there.
pub(super) fn delete_certificate(session: &Session, der: &[u8]) -> Result<(), Failure> {
    let [class, kind] = certificate_template();
    for handle in find(session, &[class, kind, Attribute::Value(der.to_vec())])? {
        session.destroy_object(handle)?;
    }
    Ok(())
}
