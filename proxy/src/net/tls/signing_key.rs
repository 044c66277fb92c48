//! A TLS key that lives elsewhere: rustls asks, a blocking callback answers.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

/// The kind of a key, which decides the signature schemes it can serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, of any length.
    Rsa,
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
}

impl KeyKind {
    /// The schemes of this key, preferred ones first. PSS is what TLS 1.3 demands; PKCS#1 is for TLS 1.2 peers.
    pub fn schemes(self) -> &'static [SignatureScheme] {
        match self {
            Self::Rsa => &[
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PSS_SHA512,
                SignatureScheme::RSA_PKCS1_SHA256,
                SignatureScheme::RSA_PKCS1_SHA384,
                SignatureScheme::RSA_PKCS1_SHA512,
            ],
            Self::EcdsaP256 => &[SignatureScheme::ECDSA_NISTP256_SHA256],
            Self::EcdsaP384 => &[SignatureScheme::ECDSA_NISTP384_SHA384],
            Self::EcdsaP521 => &[SignatureScheme::ECDSA_NISTP521_SHA512],
        }
    }

    fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Rsa => SignatureAlgorithm::RSA,
            _ => SignatureAlgorithm::ECDSA,
        }
    }
}

/// Why a signature could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signing failed: {0}")]
pub struct SignFailed(pub String);

/// Signs the message (not its digest) by the scheme: RSA signatures as they are, ECDSA ones as DER sequences.
pub type SignCallback = dyn Fn(SignatureScheme, &[u8]) -> Result<Vec<u8>, SignFailed> + Send + Sync;

/// A [`SigningKey`] whose signatures come from a callback that may block. It is called on handshake threads only.
#[derive(Clone)]
pub struct CallbackKey {
    kind: KeyKind,
    sign: Arc<SignCallback>,
    offered: &'static [SignatureScheme],
}

impl CallbackKey {
    /// A key of this kind behind a callback.
    pub fn new(
        kind: KeyKind,
        sign: impl Fn(SignatureScheme, &[u8]) -> Result<Vec<u8>, SignFailed> + Send + Sync + 'static,
    ) -> Self {
        Self {
            kind,
            sign: Arc::new(sign),
            offered: kind.schemes(),
        }
    }

    /// An RSA key without PSS, for tokens that cannot do it. It cannot serve TLS 1.3.
    pub fn without_pss(mut self) -> Self {
        if self.kind == KeyKind::Rsa {
            self.offered = self.kind.schemes().get(3..).unwrap_or_default();
        }
        self
    }
}

impl fmt::Debug for CallbackKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackKey")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl SigningKey for CallbackKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self
            .offered
            .iter()
            .copied()
            .find(|scheme| offered.contains(scheme))?;
        Some(Box::new(CallbackSigner {
            scheme,
            sign: Arc::clone(&self.sign),
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        None
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.kind.algorithm()
    }
}

struct CallbackSigner {
    scheme: SignatureScheme,
    sign: Arc<SignCallback>,
}

impl fmt::Debug for CallbackSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackSigner")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

impl Signer for CallbackSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        (self.sign)(self.scheme, message).map_err(|failed| Error::General(failed.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
