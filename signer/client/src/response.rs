//! What the signer answers.

use serde::{Deserialize, Serialize};

use crate::{
    algorithm::KeyAlgorithm,
    blob::Blob,
    figures::{Counters, KeyFigures},
    request::{CertificateSha256, CertificateStatus, KeyUsage},
};

/// The answer to a [`Request`](crate::Request) that succeeded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Response {
    /// It is done; there is nothing to tell.
    Done,
    /// Tokens, keys, certificates and counters.
    Status(Status),
    /// The new key.
    Key(KeyInfo),
    /// The certificate signing request.
    Csr(GeneratedCsr),
    /// The imported certificate.
    Certificate(CertificateInfo),
    /// The signed messages.
    SignedMessages(SignedMessages),
    /// A signature value; ECDSA as ASN.1 DER.
    Signature(Blob),
}

/// The state of the signer.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Version of the signer, for people.
    pub version: String,
    /// Every token with its keys and certificates.
    pub tokens: Vec<TokenInfo>,
    /// Every device of `devices.toml`.
    pub devices: Vec<DeviceInfo>,
    /// Since the process started.
    pub counters: Counters,
    /// The same for every key, in the order of their ids.
    pub figures: Vec<KeyFigures>,
}

impl Status {
    /// Whether every device works: its library is loaded and shows a token. True without devices.
    #[must_use]
    pub fn devices_work(&self) -> bool {
        self.devices.iter().all(|device| device.problem.is_none())
    }

    /// Every key of every token.
    pub fn keys(&self) -> impl Iterator<Item = &KeyInfo> {
        self.tokens.iter().flat_map(|token| &token.keys)
    }

    /// Certificates that may be used now: registered and active, for the given usage, with their key.
    pub fn usable(&self, usage: KeyUsage) -> impl Iterator<Item = (&KeyInfo, &CertificateInfo)> {
        self.keys()
            .filter(move |key| key.usage == usage && key.available)
            .flat_map(|key| {
                key.certificates
                    .iter()
                    .filter(|certificate| certificate.is_usable())
                    .map(move |found| (key, found))
            })
    }
}

/// What makes a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// Keys in encrypted files.
    Software,
    /// Keys in a hardware security module.
    Pkcs11,
}

/// The state of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenStatus {
    /// It has no PIN yet.
    NotInitialized,
    /// Initialised, but nobody has logged in since the signer started.
    LoggedOut,
    /// Its keys can sign.
    LoggedIn,
    /// It does not answer (a hardware token that is away, unreadable files).
    NotAvailable,
}

/// A token.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Its id; the software token is `"0"`.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// What makes it.
    pub kind: TokenKind,
    /// Its state.
    pub status: TokenStatus,
    /// Whether waiting messages are signed together.
    pub batch_signing: bool,
    /// Its keys.
    pub keys: Vec<KeyInfo>,
    /// What only hardware tokens have; `None` also while such a token is away since the signer started.
    pub hardware: Option<HardwareInfo>,
}

/// What only hardware tokens have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HardwareInfo {
    /// The device of `devices.toml`.
    pub device: String,
    /// The slot it was last seen in.
    pub slot: u64,
    /// Its label.
    pub label: String,
    /// Its serial number.
    pub serial_number: String,
    /// Who made it, and what.
    pub model: String,
    /// Whether keys can be made and destroyed.
    pub read_only: bool,
    /// What the token says of its PIN.
    pub pin: PinState,
    /// The most signatures at a time.
    pub sessions: usize,
    /// Calls that did not come back in time and still hang.
    pub hanging_calls: usize,
}

/// What a hardware token says of its PIN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinState {
    /// Nothing.
    Good,
    /// Nobody has set one.
    NotSet,
    /// A wrong one was entered since the last right one.
    CountLow,
    /// One more wrong one locks it.
    FinalTry,
    /// It is locked.
    Locked,
}

/// A device of `devices.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// Its name there.
    pub name: String,
    /// Its PKCS #11 library.
    pub library: String,
    /// Why it does not work now.
    pub problem: Option<String>,
    /// Its slots with a token, as far as the settings allow them.
    pub slots: Vec<SlotInfo>,
}

/// A slot with a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SlotInfo {
    /// Its number.
    pub id: u64,
    /// Its token's id.
    pub token: String,
}

/// A key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Its id: 40 hexadecimal digits.
    pub id: String,
    /// The token that holds it.
    pub token: String,
    /// A name for people.
    pub label: String,
    /// What it is.
    pub algorithm: KeyAlgorithm,
    /// What it is for.
    pub usage: KeyUsage,
    /// Whether it can sign now.
    pub available: bool,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Blob,
    /// Its certificates.
    pub certificates: Vec<CertificateInfo>,
    /// Its certificate signing requests that were not answered by a certificate yet.
    pub csrs: Vec<CsrInfo>,
}

/// A certificate of a key.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CertificateInfo {
    /// How it is named in requests.
    pub sha256: CertificateSha256,
    /// The certificate, DER.
    pub der: Blob,
    /// Where it is in its registration.
    pub status: CertificateStatus,
    /// Whether the operator allows its use.
    pub active: bool,
    /// The security server client that it speaks for.
    pub client: Option<String>,
}

impl CertificateInfo {
    /// Registered and active.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.active && self.status == CertificateStatus::Registered
    }
}

/// A certificate signing request that the signer remembers.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CsrInfo {
    /// Its id.
    pub id: String,
    /// Its subject, for people.
    pub subject: String,
    /// The security server client that the certificate shall speak for.
    pub client: Option<String>,
}

/// A certificate signing request that was just made.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GeneratedCsr {
    /// Its id.
    pub id: String,
    /// PEM or DER, as asked.
    pub csr: Blob,
}

/// A signed message: what goes into the signature part of the transport message and into the message log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedMessage {
    /// The signature document, `META-INF/signatures.xml`. Shared by the messages of a batch ([`Blob::same`]).
    pub signature_xml: Blob,
    /// The hash chain result, `META-INF/sig-hashchainresult.xml`; absent if the message was signed plainly.
    pub hash_chain_result: Option<Blob>,
    /// This message's hash chain, `META-INF/sig-hashchain.xml`; present together with the result.
    pub hash_chain: Option<Blob>,
}

/// A signature over one message or over a batch of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum SignedBatch {
    /// Over the parts of the one message.
    Plain {
        /// The signature document.
        signature_xml: Blob,
    },
    /// Over a hash tree of messages.
    Chained {
        /// The signature document of all.
        signature_xml: Blob,
        /// The hash chain result of all.
        hash_chain_result: Blob,
        /// The hash chain of each message.
        hash_chains: Vec<Blob>,
    },
}

/// The signatures of the messages of a request: of the first messages, of the next, and so on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SignedMessages(pub Vec<SignedBatch>);

impl SignedMessages {
    /// The messages in the order of the request.
    pub fn into_messages(self) -> impl Iterator<Item = SignedMessage> {
        self.0.into_iter().flat_map(SignedBatch::into_messages)
    }
}

impl SignedBatch {
    fn into_messages(self) -> impl Iterator<Item = SignedMessage> {
        let (signature_xml, hash_chain_result, hash_chains) = match self {
            Self::Plain { signature_xml } => (signature_xml, None, vec![None]),
            Self::Chained {
                signature_xml,
                hash_chain_result,
                hash_chains,
            } => {
                let hash_chains = hash_chains.into_iter().map(Some).collect();
                (signature_xml, Some(hash_chain_result), hash_chains)
            }
        };
        hash_chains.into_iter().map(move |hash_chain| SignedMessage {
            signature_xml: signature_xml.clone(),
            hash_chain_result: hash_chain_result.clone(),
            hash_chain,
        })
    }
}
