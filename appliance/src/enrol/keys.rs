//! The keys of the security server: for signing, for authentication, and for the internal certificate.

use signer_client::{KeyChoice, KeyInfo, KeyUsage};

use super::{EnrolError, Enrolment, SOFTWARE, refused};
use crate::document::Subject;

/// What a key of the appliance is for; its label in the signer and the name of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Signs messages of the member.
    Signing,
    /// Authenticates this server to other servers.
    Authentication,
    /// Authenticates this server to information systems.
    Internal,
}

impl Purpose {
    /// All of them, in the order in which they are made.
    pub const ALL: [Self; 3] = [Self::Signing, Self::Authentication, Self::Internal];

    /// The label of the key.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Authentication => "authentication",
            Self::Internal => "internal",
        }
    }

    pub(super) const fn usage(self) -> KeyUsage {
        match self {
            Self::Signing => KeyUsage::Signing,
            Self::Authentication | Self::Internal => KeyUsage::Authentication,
        }
    }
}

/// A key and what it is for.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) purpose: Purpose,
    pub(super) info: KeyInfo,
}

impl Enrolment<'_> {
    /// The three keys; those that are not there are made.
    pub(super) fn keys(&self) -> Result<Vec<Key>, EnrolError> {
        Purpose::ALL
            .into_iter()
            .map(|purpose| self.key(purpose))
            .collect()
    }

    fn key(&self, purpose: Purpose) -> Result<Key, EnrolError> {
        let token = self.token(purpose);
        let is_it = |key: &&KeyInfo| {
            key.token == token && key.label == purpose.label() && key.usage == purpose.usage()
        };
        let status = self.status()?;
        if let Some(found) = status.keys().find(is_it) {
            let info = found.clone();
            return Ok(Key { purpose, info });
        }
        let made = self
            .signer
            .generate_key(token, purpose.label(), self.kind(purpose), purpose.usage());
        let info = made.map_err(refused(|| format!("make the {} key", purpose.label())))?;
        tracing::info!(purpose = purpose.label(), key = info.id, token, "a key was made");
        Ok(Key { purpose, info })
    }

    /// Authentication and internal key are in software even beside a hardware token: a slow token must delay signatures, not
    /// handshakes.
    fn token(&self, purpose: Purpose) -> &str {
        match purpose {
            Purpose::Signing => &self.document.server.token,
            Purpose::Authentication | Purpose::Internal => SOFTWARE,
        }
    }

    fn kind(&self, purpose: Purpose) -> KeyChoice {
        match purpose {
            Purpose::Signing => self.document.server.key_algorithm.into(),
            Purpose::Authentication | Purpose::Internal => KeyChoice::Rsa,
        }
    }

    pub(super) const fn subject(&self, purpose: Purpose) -> &Subject {
        match purpose {
            Purpose::Signing => &self.document.server.signing_subject,
            Purpose::Authentication | Purpose::Internal => &self.document.server.authentication_subject,
        }
    }
}
