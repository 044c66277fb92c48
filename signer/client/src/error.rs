//! Why the signer did not do what it was asked.

use serde::{Deserialize, Serialize};

/// A request that failed. Travels from the signer to its client; the first four arise in the client itself.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
pub enum SignerError {
    /// There is no connection to the signer, or it ended before the answer came.
    #[error("the signer is not reachable")]
    Disconnected,
    /// The answer did not come in time, or the request waited too long in the signer (wire.md 3.3).
    #[error("Signature creation timed out")]
    TimedOut,
    /// Too many requests wait already.
    #[error("too many requests wait for the signer")]
    Busy,
    /// The other side does not keep to the protocol.
    #[error("signer protocol: {0}")]
    Protocol(String),
    /// No key has this id, or no key belongs to the certificate.
    #[error("Key '{0}' not found")]
    KeyNotFound(String),
    /// The key exists, but its token does not offer it now.
    #[error("Key '{0}' not available")]
    KeyNotAvailable(String),
    /// No certificate has this SHA-256.
    #[error("Certificate '{0}' not found")]
    CertificateNotFound(String),
    /// No certificate signing request has this id.
    #[error("Certificate signing request '{0}' not found")]
    CsrNotFound(String),
    /// No token has this id.
    #[error("Token '{0}' not found")]
    TokenNotFound(String),
    /// Nobody has logged in to the token.
    #[error("Token '{0}' not active")]
    TokenNotActive(String),
    /// The token has no PIN yet.
    #[error("Token '{0}' not initialized")]
    TokenNotInitialized(String),
    /// The token has a PIN already.
    #[error("Token '{0}' is already initialized")]
    TokenAlreadyInitialized(String),
    /// The token does not answer.
    #[error("Token '{0}' not available")]
    TokenNotAvailable(String),
    /// The token's keys cannot be changed through the signer.
    #[error("Token '{0}' is read-only")]
    TokenReadOnly(String),
    /// The signature could not be made.
    #[error("Cannot sign: {0}")]
    CannotSign(String),
    /// The key does not sign this way.
    #[error("Unsupported signature algorithm: {0}")]
    UnsupportedSignAlgorithm(String),
    /// The certificate signing request could not be made.
    #[error("Failed to generate certificate request: {0}")]
    FailedToGenerateCertificateRequest(String),
    /// The key pair could not be made.
    #[error("Failed to generate private key: {0}")]
    FailedToGeneratePrivateKey(String),
    /// The key could not be deleted.
    #[error("Failed to delete key: {0}")]
    FailedToDeleteKey(String),
    /// The certificate was imported before.
    #[error("Certificate '{0}' already exists")]
    CertificateExists(String),
    /// The certificate is not for what the key is for.
    #[error("Certificate cannot be used: {0}")]
    WrongCertificateUsage(String),
    /// The certificate could not be imported.
    #[error("Failed to import certificate: {0}")]
    CertificateImportFailed(String),
    /// The wrong PIN.
    #[error("PIN incorrect")]
    PinIncorrect,
    /// The login failed for another reason than the PIN.
    #[error("Login failed: {0}")]
    LoginFailed(String),
    /// The logout failed.
    #[error("Logout failed: {0}")]
    LogoutFailed(String),
    /// The new PIN is too weak.
    #[error("PIN does not meet the policy: {0}")]
    PinPolicyFailure(String),
    /// The request makes no sense; retrying does not help.
    #[error("invalid request: {0}")]
    InvalidRequest(String),
    /// Something in the signer failed.
    #[error("{0}")]
    Internal(String),
    /// The user that asks may only read the status and sign.
    #[error("this user may not change the signer's tokens")]
    NotPermitted,
}

impl SignerError {
    /// The fault code of the reference, without a prefix (wire.md 1.8).
    #[must_use]
    pub const fn fault_code(&self) -> &'static str {
        match self {
            Self::Disconnected => "network_error",
            Self::TimedOut | Self::Busy | Self::Protocol(_) | Self::Internal(_) => "internal_error",
            Self::KeyNotFound(_) => "key_not_found",
            Self::KeyNotAvailable(_) => "key_not_available",
            Self::CertificateNotFound(_) => "cert_not_found",
            Self::CsrNotFound(_) => "csr_not_found",
            Self::TokenNotFound(_) => "token_not_found",
            Self::TokenNotActive(_) => "token_not_active",
            Self::TokenNotInitialized(_) => "token_not_initialized",
            Self::TokenAlreadyInitialized(_) | Self::InvalidRequest(_) => "invalid_request",
            Self::TokenNotAvailable(_) => "token_not_available",
            Self::TokenReadOnly(_) => "token_readonly",
            Self::CannotSign(_) => "cannot_sign",
            Self::UnsupportedSignAlgorithm(_) => "unsupported_sign_algorithm",
            Self::FailedToGenerateCertificateRequest(_) => "failed_to_generate_certificate_request",
            Self::FailedToGeneratePrivateKey(_) => "failed_to_generate_private_key",
            Self::FailedToDeleteKey(_) => "failed_to_delete_key",
            Self::CertificateExists(_) => "cert_exists",
            Self::WrongCertificateUsage(_) => "wrong_cert_usage",
            Self::CertificateImportFailed(_) => "cert_import_failed",
            Self::PinIncorrect => "pin_incorrect",
            Self::LoginFailed(_) => "login_failed",
            Self::LogoutFailed(_) => "logout_failed",
            Self::PinPolicyFailure(_) => "token_pin_policy_failure",
            Self::NotPermitted => "access_denied",
        }
    }

    /// Whether the same request may succeed a moment later: the signer was away or busy.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Disconnected | Self::TimedOut | Self::Busy)
    }
}
