//! Everything that can be wrong with a signature.

use protocol_pki::chain::ChainError;
use protocol_pki::ocsp::OcspError;
use protocol_pki::profile::{MemberName, ProfileError};
use protocol_pki::public_key::SignatureError;
use time::OffsetDateTime;

use crate::document::DocumentError;
use crate::hash_chain::HashChainError;

/// Why a signature does not prove a message.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The signature document cannot be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The hash chain does not prove the message.
    #[error(transparent)]
    HashChain(#[from] HashChainError),
    /// The signature signs a hash chain result and none came, or no chain came with it.
    #[error("the signature refers to a hash chain, but {0} is missing")]
    HashChainMissing(&'static str),
    /// The signing certificate is not for signing.
    #[error("certificate {0} is not a signing certificate")]
    Usage(String),
    /// The profile of the issuing CA cannot make a member name of the certificate.
    #[error("member name in the signing certificate")]
    Profile(#[source] ProfileError),
    /// The signing certificate is of another member.
    #[error("name in certificate ({certificate}) does not match name in message ({message})")]
    Signer {
        /// Member that the certificate names.
        certificate: String,
        /// Member that the message names.
        message: String,
    },
    /// The signature value is not one over `SignedInfo` by the certificate's key.
    #[error("signature is not valid")]
    SignatureValue(#[source] SignatureError),
    /// Something that is signed does not have the digest that was signed.
    #[error("signature is not valid: digest of {0} does not match")]
    Reference(String),
    /// A part of the message is not covered by the signature.
    #[error("the signature does not cover {0}")]
    NotCovered(String),
    /// The signature refers to a part that the message does not have.
    #[error("the signature refers to {0}, which is not there")]
    Unresolved(String),
    /// The signed properties name another signing certificate.
    #[error("the signed properties name another certificate than the signature's")]
    OtherCertificate,
    /// The global configuration knows no CA that issued the signing certificate.
    #[error("certificate is not issued by approved certification service provider: {0}")]
    UnknownIssuer(String),
    /// No chain of certificates leads to a trust anchor.
    #[error("certificate chain")]
    Chain(#[source] ChainError),
    /// No OCSP response for a certificate of the chain.
    #[error("unable to find OCSP response for certificate {0}")]
    OcspMissing(String),
    /// An OCSP response does not say that the certificate is good.
    #[error("OCSP response for certificate {subject}")]
    Ocsp {
        /// Subject of the certificate.
        subject: String,
        /// What is wrong.
        #[source]
        source: OcspError,
    },
    /// A verification that was made earlier does not hold at this moment.
    #[error("the verification of this signature holds until {valid_until} only")]
    Outdated {
        /// Last moment that it holds for.
        valid_until: OffsetDateTime,
    },
}

impl VerifyError {
    pub(super) fn signer(certificate: &MemberName, message: &MemberName) -> Self {
        Self::Signer {
            certificate: display(certificate),
            message: display(message),
        }
    }

    /// The fault code without `signature_verification.` before it (wire.md 1.8, 3.5).
    #[must_use]
    pub fn fault_code(&self) -> String {
        match self {
            Self::Document(error) => error.fault_code().to_owned(),
            Self::HashChain(error) => format!("malformed_signature.{}", error.fault_code()),
            Self::HashChainMissing(_) | Self::NotCovered(_) | Self::OtherCertificate | Self::Usage(_) => {
                "malformed_signature".to_owned()
            }
            Self::Profile(error) => error.fault_code().to_owned(),
            Self::Signer { .. } => "incorrect_certificate".to_owned(),
            Self::SignatureValue(_) | Self::Reference(_) | Self::Unresolved(_) => {
                "invalid_signature_value".to_owned()
            }
            // The reference has no code of its own for it.
            Self::UnknownIssuer(_) => "internal_error".to_owned(),
            Self::Chain(error) => error.fault_code().to_owned(),
            Self::OcspMissing(_) | Self::Outdated { .. } => "cert_validation".to_owned(),
            Self::Ocsp { source, .. } => source.fault_code().to_owned(),
        }
    }
}

fn display(member: &MemberName) -> String {
    format!(
        "{}/{}/{}",
        member.instance, member.member_class, member.member_code
    )
}
