//! Receiving a message: small parts are kept, bodies go through the digest into a spool and into the log (wire.md 2.2).

use bytes::Bytes;
use protocol_message::transport::{
    Event, PartHeaders, PartKind, SmallPart, TransportDecoder, TransportError, kept,
};
use protocol_pki::digest::{DigestAlgorithm, Hasher};

use super::log::BodyLog;
use super::{ExchangeError, PartDigests, SignatureParts};
use crate::http::Body;
use crate::spool::{Spool, Spooled, Spools};

/// A body that was received: a REST body or an attachment of a SOAP message.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Its headers.
    pub headers: PartHeaders,
    /// Its length in bytes; the bytes lie in [`Received::content`], one attachment after the other.
    pub length: u64,
}

/// A message that was received and not verified yet.
#[derive(Debug, Default)]
pub struct Received {
    /// OCSP responses of the sender's authentication certificate; only requests have them.
    pub ocsp_responses: Vec<Bytes>,
    /// The SOAP message, or the REST request or response part.
    pub message: Option<SmallPart>,
    /// Bodies in their order.
    pub attachments: Vec<Attachment>,
    /// The bytes of all bodies, if there are bodies.
    pub content: Option<Spooled>,
    /// Digests of all parts that a signature must cover.
    pub digests: PartDigests,
    /// The signature, if one came.
    pub signature: Option<SignatureParts>,
    /// A SOAP fault in place of the signature, if one came.
    pub fault: Option<Bytes>,
}

/// What receiving needs besides the bytes.
#[derive(Debug)]
pub struct Receiving<'a> {
    /// Where bodies wait.
    pub spools: &'a Spools,
    /// Digest of the parts, from `x-hash-algorithm`.
    pub algorithm: DigestAlgorithm,
    /// Where a REST body is logged while it passes.
    pub body_log: &'a mut BodyLog,
}

/// Receives a transport message to its end.
///
/// `check` is called as soon as the SOAP or REST part is there, before any body is taken: the server proxy decides then
/// whether the sender may go on (wire.md 6.2).
///
/// # Errors
/// What `check` says; [`ExchangeError`] when the message is malformed, exceeds a bound, or can't be received or spooled.
pub async fn receive(
    body: &mut Body,
    content_type: &str,
    receiving: Receiving<'_>,
    mut check: impl FnMut(&Received, &mut BodyLog) -> Result<(), ExchangeError>,
) -> Result<Received, ExchangeError> {
    let mut decoder = TransportDecoder::new(content_type)?;
    let mut sink = Sink::new(receiving);
    while let Some(chunk) = body.next_chunk().await {
        let chunk = chunk?;
        let mut rest: &[u8] = &chunk;
        while let Some(event) = decoder.next_of(&chunk, &mut rest)? {
            let is_message = sink.take(event, &chunk).await?;
            if is_message {
                check(&sink.received, sink.receiving.body_log)?;
            }
        }
    }
    match decoder.finish() {
        // Nothing was cut: all parts are missing, and that is for the caller to say (wire.md 7.5, case
        // ServerProxyProcessingError).
        Err(TransportError::Truncated) if sink.is_empty() => {}
        finished => finished?,
    }
    sink.finish().await
}

struct Sink<'a> {
    receiving: Receiving<'a>,
    received: Received,
    spool: Spool,
    current: Option<Current>,
    hash_chain_result: Option<Bytes>,
    hash_chain: Option<Bytes>,
}

/// The body that is being received.
struct Current {
    number: usize,
    headers: PartHeaders,
    length: u64,
    hasher: Hasher,
}

impl<'a> Sink<'a> {
    fn new(receiving: Receiving<'a>) -> Self {
        let spool = receiving.spools.spool();
        Self {
            receiving,
            received: Received::default(),
            spool,
            current: None,
            hash_chain_result: None,
            hash_chain: None,
        }
    }

    /// Whether no part came whole.
    const fn is_empty(&self) -> bool {
        self.received.ocsp_responses.is_empty() && self.received.message.is_none()
    }

    /// Takes one event; whether it was the message itself.
    async fn take(&mut self, event: Event<'_>, chunk: &Bytes) -> Result<bool, ExchangeError> {
        match event {
            Event::Small(part) => return Ok(self.small(part)),
            Event::BodyStart(part) => {
                let hasher = self.receiving.algorithm.hasher();
                self.current = Some(Current {
                    number: part.number,
                    headers: part.headers,
                    length: 0,
                    hasher,
                });
            }
            Event::Data(bytes) => self.data(bytes, chunk).await?,
            Event::BodyEnd => self.body_end(),
            Event::End => {}
        }
        Ok(false)
    }

    fn small(&mut self, part: SmallPart) -> bool {
        match part.kind {
            PartKind::OcspResponse => self.received.ocsp_responses.push(part.bytes),
            PartKind::HashChainResult => self.hash_chain_result = Some(part.bytes),
            PartKind::HashChain => self.hash_chain = Some(part.bytes),
            PartKind::Fault => self.received.fault = Some(part.bytes),
            PartKind::Signature => {
                self.received.signature = Some(SignatureParts {
                    document: part.bytes,
                    hash_chain_result: self.hash_chain_result.take(),
                    hash_chain: self.hash_chain.take(),
                });
            }
            PartKind::Soap | PartKind::RestRequest | PartKind::RestResponse => {
                let algorithm = self.receiving.algorithm;
                self.received
                    .digests
                    .message(algorithm, algorithm.digest(&part.bytes));
                self.received.message = Some(part);
                return true;
            }
        }
        false
    }

    async fn data(&mut self, bytes: &[u8], chunk: &Bytes) -> Result<(), ExchangeError> {
        let Some(current) = &mut self.current else {
            return Ok(());
        };
        current.hasher.update(bytes);
        current.length += bytes.len() as u64;
        let piece = kept(chunk, bytes);
        self.spool.write(piece.clone()).await?;
        self.receiving.body_log.append(piece).await
    }

    fn body_end(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let digest = current.hasher.finish();
        self.received
            .digests
            .attachment(current.number, self.receiving.algorithm, digest);
        self.received.attachments.push(Attachment {
            headers: current.headers,
            length: current.length,
        });
    }

    async fn finish(self) -> Result<Received, ExchangeError> {
        let mut received = self.received;
        if !received.attachments.is_empty() {
            received.content = Some(self.spool.finish().await?);
        }
        Ok(received)
    }
}

impl Received {
    /// The signature, which a message must have.
    ///
    /// # Errors
    /// [`ExchangeError::MissingSignature`] when there is none.
    pub fn require_signature(&self, whose: &'static str) -> Result<&SignatureParts, ExchangeError> {
        self.signature
            .as_ref()
            .ok_or(ExchangeError::MissingSignature(whose))
    }
}
