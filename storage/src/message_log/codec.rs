//! Keys and values as bytes. The layout is on the crate's page; this file is its only writer and reader.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use protocol_message::identifier::{ClientId, ServiceId};

use super::encryption::Seal;
use super::id::{SEQUENCE_BITS, from_micros, micros};
use super::record::{Direction, LoggedBody, LoggedRecord, MessageKind, Record};
use super::{ArchiveLink, LogError, PreparedArchive, RecordId, SignatureRef};

/// First byte of every value but sealed records.
const VALUE_VERSION: u8 = 1;
/// First byte of a record of which the message or body is encrypted.
const SEALED_RECORD: u8 = 2;

/// Longest query id and longest part of an identifier, in bytes.
pub const MAX_KEY_FIELD: usize = 65_535;

const FLAG_RESPONSE: u8 = 1;
const FLAG_CLIENT_SIDE: u8 = 2;
const FLAG_REST: u8 = 4;
const FLAG_TRUNCATED: u8 = 8;
const KNOWN_FLAGS: u8 = FLAG_RESPONSE | FLAG_CLIENT_SIDE | FLAG_REST | FLAG_TRUNCATED;

/// What is wrong with stored bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A field reaches beyond the end.
    #[error("it ends early")]
    Short,
    /// Bytes follow the last field.
    #[error("bytes follow its end")]
    Long,
    /// The value has a version or kind that this version of the program does not know.
    #[error("its version or kind {0} is unknown")]
    Unknown(u8),
    /// A text is not UTF-8.
    #[error("a text in it is not UTF-8")]
    Text,
}

type Decoded<T> = Result<T, CodecError>;

/// Appends fields to a value.
#[derive(Debug)]
struct Encoder(Vec<u8>);

impl Encoder {
    fn value(capacity: usize) -> Self {
        Self::in_buffer(VALUE_VERSION, Vec::with_capacity(capacity))
    }

    fn in_buffer(version: u8, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.push(version);
        Self(buffer)
    }

    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Fields are at most 4 GiB: a longer one is cut off by no caller, since bodies are not encoded here and
    /// `check_lengths` refuses the rest.
    fn bytes(mut self, value: &[u8]) -> Self {
        self = self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(value);
        self
    }

    fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    fn option<T>(self, value: Option<T>, write: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            None => self.u8(0),
            Some(value) => write(self.u8(1), value),
        }
    }

    fn seal(mut self, seal: &Seal) -> Self {
        self = self.text(&seal.key);
        self.0.extend_from_slice(&seal.salt);
        self
    }

    fn client(self, client: &ClientId) -> Self {
        self.text(client.instance())
            .text(client.member_class())
            .text(client.member_code())
            .option(client.subsystem_code(), Self::text)
    }
}

/// Takes fields from a value.
#[derive(Debug)]
struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    fn value(bytes: &'a [u8]) -> Decoded<Self> {
        let mut decoder = Self(bytes);
        match decoder.u8()? {
            VALUE_VERSION => Ok(decoder),
            other => Err(CodecError::Unknown(other)),
        }
    }

    fn take(&mut self, length: usize) -> Decoded<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CodecError::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| CodecError::Short)
    }

    fn u8(&mut self) -> Decoded<u8> {
        self.array().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Decoded<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Decoded<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Decoded<Vec<u8>> {
        let length = self.u32()?;
        let length = usize::try_from(length).map_err(|_| CodecError::Short)?;
        self.take(length).map(<[u8]>::to_vec)
    }

    fn text(&mut self) -> Decoded<String> {
        String::from_utf8(self.bytes()?).map_err(|_| CodecError::Text)
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Decoded<T>) -> Decoded<Option<T>> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(CodecError::Unknown(other)),
        }
    }

    fn seal(&mut self) -> Decoded<Seal> {
        Ok(Seal {
            key: self.text()?,
            salt: self.array()?,
        })
    }

    fn client(&mut self) -> Decoded<ClientId> {
        let member = [self.text()?, self.text()?, self.text()?];
        let subsystem = self.option(Self::text)?;
        let member = member.each_ref().map(String::as_str);
        Ok(ClientId::from_parts(member, subsystem.as_deref()))
    }

    fn service(&mut self) -> Decoded<ServiceId> {
        Ok(ServiceId {
            provider: self.client()?,
            service_code: self.text()?.into(),
            service_version: self.option(Self::text)?.map(Into::into),
        })
    }

    fn end<T>(&self, value: T) -> Decoded<T> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(CodecError::Long)
        }
    }
}

/// Refuses what the format cannot hold, before anything is written.
pub(super) fn check_lengths(record: &Record) -> Result<(), LogError> {
    let client = &record.client;
    let keys = [
        record.query_id.as_str(),
        client.instance(),
        client.member_class(),
        client.member_code(),
    ];
    for field in keys.into_iter().chain(client.subsystem_code()) {
        check("identifier", field.len(), MAX_KEY_FIELD)?;
    }
    // Half of a u32 and of what RocksDB takes as a value, so that the other fields fit beside it.
    const MAX_VALUE_FIELD: usize = 0x7000_0000;
    check("message", record.message.len(), MAX_VALUE_FIELD)?;
    check("signature document", record.signature.len(), MAX_VALUE_FIELD)
}

fn check(field: &'static str, length: usize, limit: usize) -> Result<(), LogError> {
    if length > limit {
        Err(LogError::TooLong { field, length, limit })
    } else {
        Ok(())
    }
}

/// Where a record refers to: set by the writer when it gives the record its id.
#[derive(Clone, Copy, Debug)]
pub(super) struct References<'a> {
    pub(super) signature: SignatureRef,
    pub(super) body: Option<LoggedBody>,
    /// How the message in the record is encrypted.
    pub(super) message_seal: Option<&'a Seal>,
}

/// The value in `record`, in a buffer that is used again.
pub(super) fn encode_record(record: &Record, references: References<'_>, buffer: Vec<u8>) -> Vec<u8> {
    let body_seal = record.body.as_ref().and_then(|body| body.seal.as_ref());
    let sealed = references.message_seal.is_some() || body_seal.is_some();
    let version = if sealed { SEALED_RECORD } else { VALUE_VERSION };
    let encoder = Encoder::in_buffer(version, buffer)
        .u8(flags(record))
        .u64(micros(record.time).cast_unsigned())
        .text(&record.query_id)
        .option(record.request_id.as_deref(), Encoder::text)
        .client(&record.client)
        .option(record.service.as_ref(), |encoder, service| {
            encoder
                .client(&service.provider)
                .text(&service.service_code)
                .option(service.service_version.as_deref(), Encoder::text)
        })
        .u64(references.signature.0.get())
        .option(references.body, |encoder, body| {
            encoder.u64(body.id).u32(body.chunks).u64(body.length)
        })
        .option(record.hash_chain.as_deref(), Encoder::bytes);
    let encoder = if sealed {
        encoder
            .option(references.message_seal, Encoder::seal)
            .option(body_seal, Encoder::seal)
    } else {
        encoder
    };
    encoder.bytes(&record.message).0
}

fn flags(record: &Record) -> u8 {
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    flag(record.direction == Direction::Response, FLAG_RESPONSE)
        | flag(record.client_side, FLAG_CLIENT_SIDE)
        | flag(record.kind == MessageKind::Rest, FLAG_REST)
        | flag(record.truncated, FLAG_TRUNCATED)
}

/// The record of a value in `record`.
pub(super) fn decode_record(id: RecordId, value: &[u8]) -> Decoded<LoggedRecord> {
    let mut decoder = Decoder(value);
    let sealed = match decoder.u8()? {
        VALUE_VERSION => false,
        SEALED_RECORD => true,
        other => return Err(CodecError::Unknown(other)),
    };
    let flags = decoder.u8()?;
    if flags & !KNOWN_FLAGS != 0 {
        return Err(CodecError::Unknown(flags));
    }
    let record = LoggedRecord {
        id,
        direction: if flags & FLAG_RESPONSE == 0 {
            Direction::Request
        } else {
            Direction::Response
        },
        client_side: flags & FLAG_CLIENT_SIDE != 0,
        kind: if flags & FLAG_REST == 0 {
            MessageKind::Soap
        } else {
            MessageKind::Rest
        },
        truncated: flags & FLAG_TRUNCATED != 0,
        time: from_micros(decoder.u64()?.cast_signed()),
        query_id: decoder.text()?,
        request_id: decoder.option(Decoder::text)?,
        client: decoder.client()?,
        service: decoder.option(Decoder::service)?,
        signature: SignatureRef(RecordId::new(decoder.u64()?)),
        body: decoder.option(|decoder| {
            Ok(LoggedBody {
                id: decoder.u64()?,
                chunks: decoder.u32()?,
                length: decoder.u64()?,
            })
        })?,
        hash_chain: decoder.option(Decoder::bytes)?,
        message_seal: read_seal(&mut decoder, sealed)?,
        body_seal: read_seal(&mut decoder, sealed)?,
        message: decoder.bytes()?,
    };
    decoder.end(record)
}

fn read_seal(decoder: &mut Decoder<'_>, sealed: bool) -> Decoded<Option<Seal>> {
    if sealed {
        decoder.option(Decoder::seal)
    } else {
        Ok(None)
    }
}

/// The value in `signature`.
pub(super) fn encode_signature(signature: &[u8], hash_chain_result: Option<&[u8]>) -> Vec<u8> {
    Encoder::value(signature.len() + hash_chain_result.map_or(0, <[u8]>::len) + 16)
        .bytes(signature)
        .option(hash_chain_result, Encoder::bytes)
        .0
}

pub(super) fn decode_signature(value: &[u8]) -> Decoded<super::SignatureEvidence> {
    let mut decoder = Decoder::value(value)?;
    let evidence = super::SignatureEvidence {
        signature: decoder.bytes()?,
        hash_chain_result: decoder.option(Decoder::bytes)?,
    };
    decoder.end(evidence)
}

/// The value in `stamp`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// The signature document with the embedded token.
    Single(Vec<u8>),
    /// The key in `time_stamp`, and the hash chain: as formats 1 and 2 stored it, for each record by itself.
    Batch(RecordId, Vec<u8>),
    /// The key in `time_stamp`, and the number of the hash chain under it, see [`chain_key`].
    Shared(RecordId, u32),
}

const STAMP_SINGLE: u8 = 1;
const STAMP_BATCH: u8 = 2;
const STAMP_SHARED: u8 = 3;

impl Stamp {
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Single(signature) => {
                Encoder::value(signature.len() + 8)
                    .u8(STAMP_SINGLE)
                    .bytes(signature)
                    .0
            }
            Self::Batch(shared, chain) => {
                Encoder::value(chain.len() + 16)
                    .u8(STAMP_BATCH)
                    .u64(shared.get())
                    .bytes(chain)
                    .0
            }
            Self::Shared(shared, chain) => {
                Encoder::value(14)
                    .u8(STAMP_SHARED)
                    .u64(shared.get())
                    .u32(*chain)
                    .0
            }
        }
    }

    pub(super) fn decode(value: &[u8]) -> Decoded<Self> {
        let mut decoder = Decoder::value(value)?;
        let stamp = match decoder.u8()? {
            STAMP_SINGLE => Self::Single(decoder.bytes()?),
            STAMP_BATCH => Self::Batch(RecordId::new(decoder.u64()?), decoder.bytes()?),
            STAMP_SHARED => Self::Shared(RecordId::new(decoder.u64()?), decoder.u32()?),
            other => return Err(CodecError::Unknown(other)),
        };
        decoder.end(stamp)
    }
}

/// The value in `to_archive`: what of the record's shared parts must not be cleaned away before it is archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ToArchive {
    /// Key in `signature`.
    pub(super) signature: SignatureRef,
    /// Key in `time_stamp`, if the record was stamped with others.
    pub(super) time_stamp: Option<RecordId>,
}

impl ToArchive {
    pub(super) const fn new(signature: SignatureRef, stamp: &Stamp) -> Self {
        let time_stamp = match stamp {
            Stamp::Single(_) => None,
            Stamp::Batch(shared, _) | Stamp::Shared(shared, _) => Some(*shared),
        };
        Self {
            signature,
            time_stamp,
        }
    }

    pub(super) fn encode(self) -> Vec<u8> {
        Encoder::value(20)
            .u64(self.signature.0.get())
            .option(self.time_stamp.map(RecordId::get), Encoder::u64)
            .0
    }

    pub(super) fn decode(value: &[u8]) -> Decoded<Self> {
        let mut decoder = Decoder::value(value)?;
        let waits = Self {
            signature: SignatureRef(RecordId::new(decoder.u64()?)),
            time_stamp: decoder.option(Decoder::u64)?.map(RecordId::new),
        };
        decoder.end(waits)
    }
}

/// The value under an archive's key in `default`.
pub(super) fn encode_link(link: &ArchiveLink) -> Vec<u8> {
    Encoder::value(link.digest.len() + link.file.len() + 16)
        .text(&link.digest)
        .text(&link.file)
        .0
}

pub(super) fn decode_link(value: &[u8]) -> Decoded<ArchiveLink> {
    let mut decoder = Decoder::value(value)?;
    let link = ArchiveLink {
        digest: decoder.text()?,
        file: decoder.text()?,
    };
    decoder.end(link)
}

/// The value of an archive that is complete but may not have its name yet; its group is in the key.
pub(super) fn encode_prepared(archive: &PreparedArchive) -> Vec<u8> {
    let encoder = Encoder::value(archive.records.len() * 8 + 512)
        .text(&archive.temporary)
        .text(&archive.link.digest)
        .text(&archive.link.file)
        .u32(u32::try_from(archive.records.len()).unwrap_or(u32::MAX));
    let append = |encoder: Encoder, id: &RecordId| encoder.u64(id.get());
    archive.records.iter().fold(encoder, append).0
}

pub(super) fn decode_prepared(group: &str, value: &[u8]) -> Decoded<PreparedArchive> {
    let mut decoder = Decoder::value(value)?;
    let temporary = decoder.text()?;
    let link = ArchiveLink {
        digest: decoder.text()?,
        file: decoder.text()?,
    };
    let mut records = Vec::new();
    for _ in 0..decoder.u32()? {
        records.push(RecordId::new(decoder.u64()?));
    }
    decoder.end(PreparedArchive {
        group: group.to_owned(),
        temporary,
        link,
        records,
    })
}

/// The value in `time_stamp`.
pub(super) fn encode_time_stamp(token: &[u8], hash_chain_result: &[u8]) -> Vec<u8> {
    Encoder::value(token.len() + hash_chain_result.len() + 16)
        .bytes(token)
        .bytes(hash_chain_result)
        .0
}

/// Token and hash chain result.
pub(super) fn decode_time_stamp(value: &[u8]) -> Decoded<(Vec<u8>, Vec<u8>)> {
    let mut decoder = Decoder::value(value)?;
    let pair = (decoder.bytes()?, decoder.bytes()?);
    decoder.end(pair)
}

/// The value in `time_stamp` under a [`chain_key`].
pub(super) fn encode_chain(chain: &Bytes) -> Vec<u8> {
    Encoder::value(chain.len() + 8).bytes(chain).0
}

pub(super) fn decode_chain(value: &[u8]) -> Decoded<Vec<u8>> {
    let mut decoder = Decoder::value(value)?;
    let chain = decoder.bytes()?;
    decoder.end(chain)
}

/// The key in `time_stamp` of a hash chain: that of the time-stamp, and a number.
pub(super) fn chain_key(shared: RecordId, number: u32) -> [u8; 12] {
    chunk_key(shared.get(), number)
}

/// A bucket of the index holds the records of 2³⁴ microseconds, 4 hours and 46 minutes.
const BUCKET_MICROS_BITS: u32 = 34;

/// The bucket of a record's index entry.
pub(super) fn bucket(id: RecordId) -> u32 {
    // An id has 54 bits of microseconds, so a bucket has 20.
    u32::try_from(id.get() >> (SEQUENCE_BITS + BUCKET_MICROS_BITS)).unwrap_or(u32::MAX)
}

/// The first key of a bucket, or of part of it: bucket, digest.
pub(super) fn index_start(bucket: u32, digest: [u8; 8]) -> [u8; 12] {
    let mut key = [0; 12];
    let (first, second) = key.split_at_mut(4);
    first.copy_from_slice(&bucket.to_be_bytes());
    second.copy_from_slice(&digest);
    key
}

/// The key in `index`: bucket, digest of client and query id, record id. Old buckets are never written again, so they are
/// never compacted again and go as a whole; the digest keeps the entries small, whoever reads them compares the records.
pub(super) fn index_key(digest: [u8; 8], id: RecordId) -> [u8; 20] {
    let mut key = [0; 20];
    let (first, second) = key.split_at_mut(12);
    first.copy_from_slice(&index_start(bucket(id), digest));
    second.copy_from_slice(&id.to_key());
    key
}

/// Bucket and record id of a key in `index`.
pub(super) fn index_entry(key: &[u8]) -> Option<(u32, RecordId)> {
    let (bucket, rest) = key.split_first_chunk()?;
    let id = rest.get(8..).and_then(RecordId::from_key)?;
    Some((u32::from_be_bytes(*bucket), id))
}

/// What the index knows of client and query id: the first bytes of the SHA-256 of them. `buffer` is used again.
pub(super) fn index_digest(client: &ClientId, query_id: &str, buffer: &mut Vec<u8>) -> [u8; 8] {
    buffer.clear();
    index_fields(buffer, client, query_id);
    let digest = digest(&SHA256, buffer);
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// What is digested for the index: each part of the client's identifier and the query id, each behind its
/// length (u16); a client without subsystem has the byte 0 in place of its subsystem code, any other the byte 1
/// before it. So no identifier can pose as the beginning of another, whatever characters it has.
fn index_fields(key: &mut Vec<u8>, client: &ClientId, query_id: &str) {
    key_field(key, client.instance());
    key_field(key, client.member_class());
    key_field(key, client.member_code());
    match client.subsystem_code() {
        None => key.push(0),
        Some(code) => {
            key.push(1);
            key_field(key, code);
        }
    }
    key_field(key, query_id);
}

fn key_field(key: &mut Vec<u8>, field: &str) {
    let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
    key.extend_from_slice(&length.to_be_bytes());
    key.extend_from_slice(field.as_bytes());
}

/// The key in `body`.
pub(super) fn chunk_key(body: u64, chunk: u32) -> [u8; 12] {
    let mut key = [0; 12];
    let (id, number) = key.split_at_mut(8);
    id.copy_from_slice(&body.to_be_bytes());
    number.copy_from_slice(&chunk.to_be_bytes());
    key
}

const OPEN_BODY: &[u8] = b"body";

/// The key in `default` of a body whose record is not written yet.
pub(super) fn open_body_key(body: u64) -> [u8; 12] {
    let mut key = [0; 12];
    let (name, id) = key.split_at_mut(4);
    name.copy_from_slice(OPEN_BODY);
    id.copy_from_slice(&body.to_be_bytes());
    key
}

/// The body of such a key; `None`: another key.
pub(super) fn open_body(key: &[u8]) -> Option<u64> {
    key.strip_prefix(OPEN_BODY)?
        .try_into()
        .ok()
        .map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn client(text: &str, subsystem: Option<&str>) -> ClientId {
        ClientId::from_parts([text, "GOV", "1"], subsystem)
    }

    fn record(query_id: &str, message: &[u8], with_options: bool) -> Record {
        Record {
            time: from_micros(1_700_000_000_000_001),
            query_id: query_id.into(),
            request_id: with_options.then(|| "r".into()),
            direction: Direction::Response,
            client_side: with_options,
            client: client(query_id, with_options.then_some("sub")),
            service: with_options.then(|| ServiceId {
                provider: client("EE", None),
                service_code: "svc".into(),
                service_version: Some("v1".into()),
            }),
            kind: MessageKind::Rest,
            message: Bytes::copy_from_slice(message),
            signature: Bytes::new(),
            hash_chain_result: None,
            hash_chain: with_options.then(|| Bytes::from_static(b"<chain/>")),
            body: None,
            truncated: !with_options,
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_wrote(query_id in ".{0,40}", message: Vec<u8>, with_options: bool) {
            let record = record(&query_id, &message, with_options);
            let body = with_options.then_some(LoggedBody { length: 9, id: 7, chunks: 2 });
            let seal = Seal { key: "k1".into(), salt: [7; 32] };
            let message_seal = with_options.then_some(&seal);
            let references = References { signature: SignatureRef(RecordId::new(5)), body, message_seal };
            let id = RecordId::new(6);
            let read = decode_record(id, &encode_record(&record, references, Vec::new())).unwrap();
            prop_assert_eq!(read.message_seal.as_ref(), message_seal);
            prop_assert_eq!(read.query_id, record.query_id);
            prop_assert_eq!(read.client, record.client);
            prop_assert_eq!(read.service, record.service);
            prop_assert_eq!(read.time, record.time);
            prop_assert_eq!(&read.message[..], &record.message[..]);
            prop_assert_eq!(read.hash_chain.as_deref(), record.hash_chain.as_deref());
            prop_assert_eq!(read.body, body);
            prop_assert_eq!((read.truncated, read.client_side), (record.truncated, record.client_side));
        }

        #[test]
        fn never_panics_on_damaged_values(mut value: Vec<u8>) {
            if let Some(first) = value.first_mut() {
                *first = VALUE_VERSION;
            }
            let _ = decode_record(RecordId::MIN, &value);
            let _ = decode_prepared("", &value);
            let _ = decode_link(&value);
            let _ = ToArchive::decode(&value);
            let _ = decode_signature(&value);
            let _ = decode_time_stamp(&value);
            let _ = Stamp::decode(&value);
            let _ = decode_chain(&value);
        }

        #[test]
        fn refuses_a_value_cut_short_or_made_longer(cut in 0_usize..100) {
            let references = References { signature: SignatureRef(RecordId::MIN), body: None, message_seal: None };
            let mut value = encode_record(&record("q", b"message", true), references, Vec::new());
            let whole = value.len();
            prop_assert!(decode_record(RecordId::MIN, &value[..cut.min(whole - 1)]).is_err());
            value.push(0);
            prop_assert_eq!(decode_record(RecordId::MIN, &value), Err(CodecError::Long));
        }
    }

    #[test]
    fn golden_bytes_of_an_index_key() {
        let mut fields = Vec::new();
        let digest = index_digest(&client("EE", Some("s")), "q1", &mut fields);
        assert_eq!(fields, b"\0\x02EE\0\x03GOV\0\x011\x01\0\x01s\0\x02q1");
        // printf '\0\2EE\0\3GOV\0\0011\1\0\1s\0\2q1' | sha256sum
        assert_eq!(digest, [166, 112, 161, 51, 152, 130, 217, 4]);
        let id = RecordId::new((5 << 44) + 258);
        let key = index_key(digest, id);
        assert_eq!(key, *[&[0, 0, 0, 5], &digest[..], &id.to_key()[..]].concat());
        assert_eq!(index_entry(&key), Some((5, id)));
        assert_eq!(index_entry(&key[1..]), None);
    }

    #[test]
    fn a_member_and_its_subsystem_are_digested_differently() {
        let fields = |subsystem| {
            let mut fields = Vec::new();
            index_fields(&mut fields, &client("EE", subsystem), "q");
            fields
        };
        let (member, subsystem) = (fields(None), fields(Some("")));
        assert!(!subsystem.starts_with(&member) && !member.starts_with(&subsystem));
    }

    #[test]
    fn refuses_a_query_id_that_the_index_cannot_hold() {
        assert!(check_lengths(&record(&"q".repeat(MAX_KEY_FIELD), b"", false)).is_ok());
        let error = check_lengths(&record(&"q".repeat(MAX_KEY_FIELD + 1), b"", false)).unwrap_err();
        assert_eq!(error.fault_code(), "logging_failed");
    }
}
