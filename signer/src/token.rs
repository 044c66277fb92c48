//! What holds private keys.

pub mod absent;
pub mod pkcs11;
pub mod software;

use std::fmt::Debug;

use signer_client::{
    DigestAlgorithm, HardwareInfo, KeyAlgorithm, KeyUsage, Pin, SignatureAlgorithm, SignerError, TokenKind,
    TokenStatus,
};

/// A key as its token knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenKey {
    /// Its id: 40 hexadecimal digits, unique among all tokens.
    pub id: String,
    /// A name for people.
    pub label: String,
    /// What it is.
    pub algorithm: KeyAlgorithm,
    /// What it is for.
    pub usage: KeyUsage,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

/// A certificate that is on a token with its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenCertificate {
    /// The key's id.
    pub key: String,
    /// DER.
    pub der: Vec<u8>,
}

/// Something that holds private keys and signs with them: encrypted files ([`software::SoftwareToken`]), a hardware
/// security module (PKCS#11).
///
/// Changes (`initialize`, `login`, `logout`, `change_pin`, `generate_key`, `delete_key`) come one at a time, from one
/// thread. `sign_digest` comes from [`Token::parallel_signatures`] threads per key, at any time.
pub trait Token: Send + Sync + Debug {
    /// Its id, the same after every restart.
    fn id(&self) -> &str;

    /// A name for people.
    fn name(&self) -> &str;

    /// What makes it.
    fn kind(&self) -> TokenKind;

    /// Whether waiting messages may share a signature.
    fn batch_signing(&self) -> bool;

    /// How many signatures it makes at the same time, at best.
    fn parallel_signatures(&self) -> usize {
        1
    }

    /// How such a key signs messages and certificate signing requests.
    fn message_signature(&self, key: KeyAlgorithm, digest: DigestAlgorithm) -> SignatureAlgorithm {
        key.message_signature(digest)
    }

    /// What only hardware tokens have.
    fn hardware(&self) -> Option<HardwareInfo> {
        None
    }

    /// Its state now.
    fn status(&self) -> TokenStatus;

    /// Sets the first PIN and logs in.
    ///
    /// # Errors
    /// `TokenAlreadyInitialized`, `PinPolicyFailure`, `TokenReadOnly`, `TokenNotAvailable`.
    fn initialize(&self, pin: &Pin) -> Result<(), SignerError>;

    /// Sets the first PIN of a hardware token with that of its security officer, and a label if it has none.
    ///
    /// # Errors
    /// `TokenAlreadyInitialized`, `TokenReadOnly`, `TokenNotAvailable`, `PinIncorrect`, `LoginFailed`; `InvalidRequest`
    /// where there is no security officer.
    fn initialize_hardware(&self, _label: &str, _officer_pin: &Pin, _pin: &Pin) -> Result<(), SignerError> {
        Err(SignerError::InvalidRequest(
            "this is no hardware token".to_owned(),
        ))
    }

    /// Opens the keys.
    ///
    /// # Errors
    /// `PinIncorrect`, `TokenNotInitialized`, `LoginFailed`.
    fn login(&self, pin: &Pin) -> Result<(), SignerError>;

    /// Forgets the open keys.
    ///
    /// # Errors
    /// `LogoutFailed`.
    fn logout(&self) -> Result<(), SignerError>;

    /// Replaces the PIN. Does not change whether the token is logged in.
    ///
    /// # Errors
    /// As `initialize` and `login`.
    fn change_pin(&self, old: &Pin, new: &Pin) -> Result<(), SignerError>;

    /// Every key that it holds, open or not.
    fn keys(&self) -> Vec<TokenKey>;

    /// Certificates that it holds with its keys.
    fn certificates(&self) -> Vec<TokenCertificate> {
        Vec::new()
    }

    /// Destroys a certificate. It need not exist.
    ///
    /// # Errors
    /// `TokenReadOnly`, `TokenNotActive`, `TokenNotAvailable`.
    fn delete_certificate(&self, _der: &[u8]) -> Result<(), SignerError> {
        Ok(())
    }

    /// Makes a key pair. When this returns, the key survives a crash.
    ///
    /// # Errors
    /// `TokenNotActive`, `FailedToGeneratePrivateKey`, `TokenReadOnly`.
    fn generate_key(
        &self,
        label: &str,
        algorithm: KeyAlgorithm,
        usage: KeyUsage,
    ) -> Result<TokenKey, SignerError>;

    /// Destroys a key. It need not exist.
    ///
    /// # Errors
    /// `FailedToDeleteKey`, `TokenReadOnly`.
    fn delete_key(&self, id: &str) -> Result<(), SignerError>;

    /// Signs a digest of the algorithm's digest length. ECDSA signatures are ASN.1 DER.
    ///
    /// # Errors
    /// `TokenNotActive`, `KeyNotAvailable`, `UnsupportedSignAlgorithm`, `CannotSign`.
    fn sign_digest(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, SignerError>;
}

/// A key id: 40 hexadecimal digits, as in the reference.
fn random_id() -> Result<String, aws_lc_rs::error::Unspecified> {
    let mut id = [0_u8; 20];
    aws_lc_rs::rand::fill(&mut id)?;
    Ok(id.iter().map(|byte| format!("{byte:02X}")).collect())
}
