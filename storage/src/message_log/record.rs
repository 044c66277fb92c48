//! What is logged of a message, as it comes in and as it is read back (wire.md 4.3).

use bytes::Bytes;
use protocol_message::identifier::{ClientId, ServiceId};
use time::OffsetDateTime;

use super::RecordId;
use super::body::Body;
use super::encryption::Seal;

/// Which half of an exchange a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the service client to the service.
    Request,
    /// From the service to its client.
    Response,
}

/// Which protocol the message bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A SOAP envelope.
    Soap,
    /// The request or response part of the REST protocol; the body is kept apart.
    Rest,
}

/// A message to log: everything that proves it, and by what it is found again.
#[derive(Debug)]
pub struct Record {
    /// When the message is logged, by the caller's clock; orders the record ids.
    pub time: OffsetDateTime,
    /// The message id of the exchange (`x-road-id`, SOAP `id`); up to 65,535 bytes.
    pub query_id: String,
    /// The request id (`x-road-request-id`) that ties the parties' records together.
    pub request_id: Option<String>,
    /// Request or response.
    pub direction: Direction,
    /// Whether this server served the exchange as client proxy (`true`) or as server proxy.
    pub client_side: bool,
    /// The member or subsystem that this server serves: the sender on the client side, the provider on the other.
    /// Records are looked up by it.
    pub client: ClientId,
    /// The service called, if the message named one.
    pub service: Option<ServiceId>,
    /// Protocol of `message`.
    pub kind: MessageKind,
    /// `message.xml` of the container: SOAP envelope or REST part, byte for byte as signed.
    pub message: Bytes,
    /// `signatures.xml`, byte for byte as signed or received: batch time-stamps are computed over it (wire.md 4.2).
    pub signature: Bytes,
    /// `sig-hashchainresult.xml` of a batch signature.
    pub hash_chain_result: Option<Bytes>,
    /// `sig-hashchain.xml` of a batch signature.
    pub hash_chain: Option<Bytes>,
    /// `attachment1`: the REST body, if bodies are logged.
    pub body: Option<Body>,
    /// Whether `body` or `message` is less than what was signed (body cut or left out by the operator's rule).
    pub truncated: bool,
}

/// A record as it stands in the log, without body and time-stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRecord {
    /// Its id.
    pub id: RecordId,
    /// As [`Record::time`], in whole microseconds, UTC.
    pub time: OffsetDateTime,
    /// As [`Record::query_id`].
    pub query_id: String,
    /// As [`Record::request_id`].
    pub request_id: Option<String>,
    /// As [`Record::direction`].
    pub direction: Direction,
    /// As [`Record::client_side`].
    pub client_side: bool,
    /// As [`Record::client`].
    pub client: ClientId,
    /// As [`Record::service`].
    pub service: Option<ServiceId>,
    /// As [`Record::kind`].
    pub kind: MessageKind,
    /// As [`Record::message`].
    pub message: Vec<u8>,
    /// As [`Record::hash_chain`].
    pub hash_chain: Option<Vec<u8>>,
    /// As [`Record::truncated`].
    pub truncated: bool,
    /// The body, if one was logged.
    pub body: Option<LoggedBody>,
    /// Where the signature document lies.
    pub signature: SignatureRef,
    /// How `message` is encrypted, until it is opened.
    pub(super) message_seal: Option<Seal>,
    /// How the chunks of the body are encrypted.
    pub(super) body_seal: Option<Seal>,
}

/// Where a signature document lies; records of one batch have the same value and share the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignatureRef(pub(super) RecordId);

/// A record without a time-stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRecord {
    /// The record.
    pub id: RecordId,
    /// What is to be time-stamped.
    pub signature: SignatureRef,
}

/// Where a logged body lies and how large it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedBody {
    /// Bytes.
    pub length: u64,
    pub(super) id: u64,
    pub(super) chunks: u32,
}

/// The shared part of the records of one batch signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureEvidence {
    /// `signatures.xml`, as logged.
    pub signature: Vec<u8>,
    /// `sig-hashchainresult.xml`.
    pub hash_chain_result: Option<Vec<u8>>,
}

/// The time-stamp of a record (wire.md 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeStampEvidence {
    /// The record was stamped alone: the token is embedded in this signature document, which replaces the logged one.
    Single {
        /// `signatures.xml` with the token.
        signature: Vec<u8>,
    },
    /// The record was stamped with others.
    Batch {
        /// `META-INF/timestamp.tst`, DER.
        token: Vec<u8>,
        /// `ts-hashchainresult.xml`.
        hash_chain_result: Vec<u8>,
        /// `ts-hashchain.xml`.
        hash_chain: Vec<u8>,
    },
}

/// All bytes of the container of one record (wire.md 4.1); what `protocol_signature::asic` writes into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerParts {
    /// `message.xml`.
    pub message: Vec<u8>,
    /// `META-INF/signatures.xml`; with the token if the record was stamped alone.
    pub signature: Vec<u8>,
    /// `sig-hashchainresult.xml`.
    pub hash_chain_result: Option<Vec<u8>>,
    /// `sig-hashchain.xml`.
    pub hash_chain: Option<Vec<u8>>,
    /// The batch time-stamp.
    pub time_stamp: Option<BatchTimeStamp>,
    /// `attachment1`.
    pub attachment: Option<Vec<u8>>,
}

/// The entries of a batch time-stamp in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchTimeStamp {
    /// `META-INF/timestamp.tst`, DER.
    pub token: Vec<u8>,
    /// `ts-hashchainresult.xml`.
    pub hash_chain_result: Vec<u8>,
    /// `ts-hashchain.xml`.
    pub hash_chain: Vec<u8>,
}
