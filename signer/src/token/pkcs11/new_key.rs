//! What a new key pair on a token shall be.

use cryptoki::{object::Attribute, types::Ulong};
use protocol_pki::public_key::{self, KeyKind};
use signer_client::KeyAlgorithm;

use super::{
    device_file::{PrivateKeyAttributes, PublicKeyAttributes},
    failure::Failure,
};

/// 2^16 + 1.
const PUBLIC_EXPONENT: [u8; 3] = [1, 0, 1];

/// The templates of a new key pair, public and private half.
pub(super) fn templates(
    (id, label, algorithm): (&[u8], &str, KeyAlgorithm),
    public: &PublicKeyAttributes,
    private: &PrivateKeyAttributes,
) -> Result<(Vec<Attribute>, Vec<Attribute>), Failure> {
    let both = [
        Attribute::Token(true),
        Attribute::Id(id.to_vec()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    let mut public_half = both.to_vec();
    public_half.extend(kind_attributes(algorithm)?);
    public_half.extend(
        [
            public.encrypt.map(Attribute::Encrypt),
            public.verify.map(Attribute::Verify),
            public.verify_recover.map(Attribute::VerifyRecover),
            public.wrap.map(Attribute::Wrap),
            public.trusted.map(Attribute::Trusted),
            allowed(&public.allowed_mechanisms),
        ]
        .into_iter()
        .flatten(),
    );
    let mut private_half = both.to_vec();
    private_half.push(Attribute::Private(true));
    private_half.extend(
        [
            private.sensitive.map(Attribute::Sensitive),
            private.decrypt.map(Attribute::Decrypt),
            private.sign.map(Attribute::Sign),
            private.sign_recover.map(Attribute::SignRecover),
            private.unwrap.map(Attribute::Unwrap),
            private.extractable.map(Attribute::Extractable),
            private.always_sensitive.map(Attribute::AlwaysSensitive),
            private.never_extractable.map(Attribute::NeverExtractable),
            private.wrap_with_trusted.map(Attribute::WrapWithTrusted),
            allowed(&private.allowed_mechanisms),
        ]
        .into_iter()
        .flatten(),
    );
    Ok((public_half, private_half))
}

fn allowed(mechanisms: &[cryptoki::mechanism::MechanismType]) -> Option<Attribute> {
    (!mechanisms.is_empty()).then(|| Attribute::AllowedMechanisms(mechanisms.to_vec()))
}

fn kind_attributes(algorithm: KeyAlgorithm) -> Result<Vec<Attribute>, Failure> {
    let rsa = |bits| {
        vec![
            Attribute::ModulusBits(Ulong::new(bits)),
            Attribute::PublicExponent(PUBLIC_EXPONENT.to_vec()),
        ]
    };
    let curve = |kind| {
        let name = public_key::curve_name(kind).ok_or(Failure::Nonsense("a curve without a name"))?;
        Ok(vec![Attribute::EcParams(name)])
    };
    match algorithm {
        KeyAlgorithm::Rsa2048 => Ok(rsa(2048)),
        KeyAlgorithm::Rsa3072 => Ok(rsa(3072)),
        KeyAlgorithm::Rsa4096 => Ok(rsa(4096)),
        KeyAlgorithm::EcP256 => curve(KeyKind::P256),
        KeyAlgorithm::EcP384 => curve(KeyKind::P384),
        KeyAlgorithm::EcP521 => curve(KeyKind::P521),
    }
}
