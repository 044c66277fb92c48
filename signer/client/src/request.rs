//! What the signer can be asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    algorithm::{KeyChoice, SignatureAlgorithm},
    blob::{Blob, Pin},
};

/// SHA-256 of a certificate's DER: how a certificate is named to the signer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CertificateSha256(pub [u8; 32]);

impl fmt::Display for CertificateSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CertificateSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 32]> for CertificateSha256 {
    fn from(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

/// What a key is for. Decides the certificate's key usage and what the key may sign.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyUsage {
    /// Signs messages (and, in a central server, the global configuration).
    Signing,
    /// Authenticates the security server in TLS.
    Authentication,
}

/// Where a certificate is in its registration (features.md 1.2, K5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateStatus {
    /// Imported, not registered at the central server.
    Saved,
    /// A registration request was sent.
    RegistrationInProgress,
    /// Registered: may be used.
    Registered,
    /// A deletion request was sent.
    DeletionInProgress,
    /// The global configuration contradicts the local state.
    GlobalError,
}

/// The encoding of a certificate signing request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum CsrFormat {
    /// Base64 text between `BEGIN CERTIFICATE REQUEST` lines.
    Pem,
    /// ASN.1 DER.
    Der,
}

/// Which key shall sign.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum KeySelector {
    /// The key with this id.
    Key(String),
    /// The key that this certificate belongs to.
    Certificate(CertificateSha256),
}

/// One attribute of a distinguished name; the attributes of a name go from the outermost (`C`) to the innermost.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct NameAttribute {
    /// A short name as in RFC 4514 (`C`, `O`, `OU`, `CN`, `serialNumber`, `businessCategory`, ...) or a dotted OID.
    pub kind: String,
    /// The value, not escaped.
    pub value: String,
}

impl NameAttribute {
    /// An attribute.
    #[must_use]
    pub fn new(kind: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            value: value.into(),
        }
    }
}

/// SHA-512 digests of the parts of one message, one after the other: of `/message.xml`, `/attachment1`, `/attachment2` ...
/// (wire.md 3.4).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartDigests(Blob);

impl PartDigests {
    /// Length of one digest.
    pub const LENGTH: usize = 64;

    /// Parts that nearly every message has at most: the message and one attachment.
    const USUAL_PARTS: usize = 2;

    /// The digests of a message.
    #[must_use]
    pub fn new<'d>(digests: impl IntoIterator<Item = &'d [u8]>) -> Self {
        let mut all = Vec::with_capacity(Self::USUAL_PARTS * Self::LENGTH);
        digests
            .into_iter()
            .for_each(|digest| all.extend_from_slice(digest));
        Self(all.into())
    }

    /// How many parts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len() / Self::LENGTH
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each digest, in order; `None` when there are none, or more than [`crate::MAX_PARTS`], or they are not SHA-512 ones.
    #[must_use]
    pub fn split(&self) -> Option<impl ExactSizeIterator<Item = &[u8; Self::LENGTH]>> {
        let (digests, rest) = self.0.as_chunks();
        let is_good = rest.is_empty() && (1..=crate::MAX_PARTS).contains(&digests.len());
        is_good.then(|| digests.iter())
    }
}

/// Messages of one member to be signed, together and with whatever else waits for the same key (wire.md 3.3).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignMessages {
    /// The signing certificate.
    pub certificate: CertificateSha256,
    /// Intermediate CA certificates (DER) between the signing certificate and its trust anchor.
    pub intermediates: Vec<Blob>,
    /// OCSP responses (DER): the signing certificate's first, then the intermediates'.
    pub ocsp_responses: Vec<Blob>,
    /// The messages; at least one, at most [`crate::MAX_MESSAGES`].
    pub messages: Vec<PartDigests>,
}

/// A certificate to be kept with its key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImportCertificate {
    /// The certificate, DER. Its public key must be that of a key of a token.
    pub certificate: Blob,
    /// Its first status; a certificate that is imported as registered is also made active.
    pub status: CertificateStatus,
    /// The security server client that it speaks for (`EE/GOV/123`), for signing certificates.
    pub client: Option<String>,
}

/// A request to the signer. Every variant says which [`Response`](crate::Response) answers it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Tokens, keys, certificates and counters: answered by `Status`.
    Status,
    /// Gives the token its PIN, once: `Done`.
    InitToken {
        /// The token's id; the software token is `"0"`.
        token: String,
        /// The new PIN.
        pin: Pin,
    },
    /// Opens the token's keys: `Done`, also if it was open and the PIN is right.
    Login {
        /// The token's id.
        token: String,
        /// The PIN.
        pin: Pin,
    },
    /// Forgets the token's open keys: `Done`.
    Logout {
        /// The token's id.
        token: String,
    },
    /// Replaces the PIN and encrypts every key again: `Done`.
    ChangePin {
        /// The token's id.
        token: String,
        /// The PIN until now.
        old: Pin,
        /// The PIN from now on.
        new: Pin,
    },
    /// Makes a key pair: `Key`.
    GenerateKey {
        /// The token's id.
        token: String,
        /// A name for people.
        label: String,
        /// What to make.
        algorithm: KeyChoice,
        /// What for.
        usage: KeyUsage,
    },
    /// Destroys a key with its certificates and signing requests: `Done`.
    DeleteKey {
        /// The key's id.
        key: String,
    },
    /// Makes a certificate signing request: `Csr`.
    GenerateCsr {
        /// The key's id.
        key: String,
        /// The subject's name.
        subject: Vec<NameAttribute>,
        /// DNS names for the subject alternative name extension; usually none.
        dns_names: Vec<String>,
        /// The security server client that the certificate shall speak for.
        client: Option<String>,
        /// The encoding of the answer.
        format: CsrFormat,
    },
    /// Forgets a certificate signing request: `Done`.
    DeleteCsr {
        /// The request's id.
        csr: String,
    },
    /// Keeps a certificate with its key: `Certificate`.
    ImportCertificate(ImportCertificate),
    /// `Done`.
    SetCertificateStatus {
        /// Which certificate.
        certificate: CertificateSha256,
        /// Its new status.
        status: CertificateStatus,
    },
    /// Allows or forbids the use of a certificate: `Done`.
    SetCertificateActive {
        /// Which certificate.
        certificate: CertificateSha256,
        /// Whether it may be used.
        active: bool,
    },
    /// Forgets a certificate: `Done`.
    DeleteCertificate {
        /// Which certificate.
        certificate: CertificateSha256,
    },
    /// Signs messages, batched: `SignedMessages`.
    SignMessages(SignMessages),
    /// Signs bytes (TLS, configuration signing): `Signature`.
    SignData {
        /// With which key.
        key: KeySelector,
        /// How.
        algorithm: SignatureAlgorithm,
        /// The bytes; the signer computes the digest.
        data: Blob,
    },
    /// Signs a digest: `Signature`.
    SignDigest {
        /// With which key.
        key: KeySelector,
        /// How.
        algorithm: SignatureAlgorithm,
        /// The digest, of the algorithm's digest length.
        digest: Blob,
    },
    /// Gives a hardware token its PIN with that of its security officer, and a label if it has none: `Done`. A blank
    /// token's id changes with its label.
    InitHardwareToken {
        /// The token's id.
        token: String,
        /// The new label, up to 32 bytes; not used if the token only lacks a PIN.
        label: String,
        /// The security officer's PIN: set on a blank token, else the one that it has.
        officer_pin: Pin,
        /// The new PIN.
        pin: Pin,
    },
    /// Looks for hardware tokens now, and not only when it is time: `Done`, when it is done.
    RefreshDevices,
    /// Gives a token another name: `Done`.
    NameToken {
        /// The token's id.
        token: String,
        /// Its new name for people; empty: what the token calls itself.
        name: String,
    },
    /// Gives a key another name, its label: `Done`. The token does not learn it.
    NameKey {
        /// The key's id.
        key: String,
        /// Its new name for people.
        name: String,
    },
}

impl Request {
    /// Whether the encoded request must be wiped after use.
    #[must_use]
    pub const fn has_secret(&self) -> bool {
        matches!(
            self,
            Self::InitToken { .. }
                | Self::InitHardwareToken { .. }
                | Self::Login { .. }
                | Self::ChangePin { .. }
        )
    }
}
