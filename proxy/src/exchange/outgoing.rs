//! Sending a message: parts stream onto the wire and through the digest at once (wire.md 2.2, 2.3).

use bytes::Bytes;
use protocol_message::fault::Fault;
use protocol_message::transport::{Encoder, PartHeaders, RANDOM_LENGTH, Signature};
use protocol_pki::digest::Hasher;

use super::{DIGEST, ExchangeError, PartDigests};
use crate::http::BodyWriter;
use crate::sealing::Sealed;

/// A message on its way out. Dropping it before [`Self::finish`] leaves the message cut, which no receiver accepts.
#[derive(Debug)]
pub struct Outgoing {
    encoder: Encoder,
    digests: PartDigests,
    attachments: usize,
    body: Option<Hasher>,
    /// What is written at the moment, kept for its room.
    buffer: Vec<u8>,
}

/// Room that the parts begin with, in bytes: for a signature document with its hash chain.
const USUAL_ROOM: usize = 12 * 1024;

impl Outgoing {
    /// A message with fresh boundaries.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self, ExchangeError> {
        let mut random = [0; RANDOM_LENGTH];
        aws_lc_rs::rand::fill(&mut random).map_err(|_unspecified| ExchangeError::Randomness)?;
        Ok(Self {
            encoder: Encoder::new(&random),
            digests: PartDigests::default(),
            attachments: 0,
            body: None,
            buffer: Vec::with_capacity(USUAL_ROOM),
        })
    }

    /// `Content-Type` of the message.
    #[must_use]
    pub fn content_type(&self) -> String {
        self.encoder.content_type()
    }

    /// Digests of the parts written so far.
    #[must_use]
    pub const fn digests(&self) -> &PartDigests {
        &self.digests
    }

    /// Sends the OCSP responses of the authentication certificate's chain; requests begin with them.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn ocsp_responses(
        &mut self,
        out: &mut BodyWriter,
        responses: &[Bytes],
    ) -> Result<(), ExchangeError> {
        for response in responses {
            self.encoder.ocsp_response(response, &mut self.buffer);
        }
        send(&mut self.buffer, out).await
    }

    /// Sends a REST request part.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn rest_request(&mut self, out: &mut BodyWriter, part: &[u8]) -> Result<(), ExchangeError> {
        self.encoder.rest_request(part, &mut self.buffer);
        self.message(out, part).await
    }

    /// Sends a REST response part.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn rest_response(&mut self, out: &mut BodyWriter, part: &[u8]) -> Result<(), ExchangeError> {
        self.encoder.rest_response(part, &mut self.buffer);
        self.message(out, part).await
    }

    /// Sends a SOAP part with its headers.
    ///
    /// # Errors
    /// When a header can't be written or the connection fails.
    pub async fn soap(
        &mut self,
        out: &mut BodyWriter,
        headers: &PartHeaders,
        part: &[u8],
    ) -> Result<(), ExchangeError> {
        self.encoder.soap(headers, part, &mut self.buffer)?;
        self.message(out, part).await
    }

    async fn message(&mut self, out: &mut BodyWriter, part: &[u8]) -> Result<(), ExchangeError> {
        self.digests.message(DIGEST, DIGEST.digest(part));
        send(&mut self.buffer, out).await
    }

    /// Opens the body of a REST message.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn start_rest_body(&mut self, out: &mut BodyWriter) -> Result<(), ExchangeError> {
        self.encoder.start_rest_body(&mut self.buffer);
        self.start_body(out).await
    }

    /// Opens the next attachment of a SOAP message.
    ///
    /// # Errors
    /// When a header can't be written or the connection fails.
    pub async fn start_attachment(
        &mut self,
        out: &mut BodyWriter,
        headers: &PartHeaders,
    ) -> Result<(), ExchangeError> {
        self.encoder.start_attachment(headers, &mut self.buffer)?;
        self.start_body(out).await
    }

    async fn start_body(&mut self, out: &mut BodyWriter) -> Result<(), ExchangeError> {
        self.attachments += 1;
        self.body = Some(DIGEST.hasher());
        send(&mut self.buffer, out).await
    }

    /// Sends bytes of the body or attachment that was opened last.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn body(&mut self, out: &mut BodyWriter, bytes: Bytes) -> Result<(), ExchangeError> {
        if let Some(hasher) = &mut self.body {
            hasher.update(&bytes);
        }
        Ok(out.write(bytes).await?)
    }

    /// Ends the body or attachment that was opened last.
    pub fn end_body(&mut self) {
        if let Some(hasher) = self.body.take() {
            self.digests.attachment(self.attachments, DIGEST, hasher.finish());
        }
    }

    /// Sends the signature and ends the message. With the signature comes the receipt, the proof that the message is in
    /// the log: without it nothing leaves that a receiver would accept.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn finish(
        mut self,
        out: &mut BodyWriter,
        Sealed { signature, logged }: Sealed,
    ) -> Result<(), ExchangeError> {
        tracing::trace!(record = %logged.id(), "signature sent");
        let hash_chain = signature
            .hash_chain_result
            .as_deref()
            .zip(signature.hash_chain.as_deref());
        self.encoder.signature(
            Signature {
                hash_chain,
                document: &signature.document,
            },
            &mut self.buffer,
        );
        self.encoder.finish(&mut self.buffer);
        send(&mut self.buffer, out).await?;
        Ok(out.finish().await?)
    }

    /// Ends the message with a fault where its signature would stand (wire.md 2.4).
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn fail(mut self, out: &mut BodyWriter, fault: &Fault) -> Result<(), ExchangeError> {
        self.encoder.fault(&fault.to_soap_xml(), &mut self.buffer);
        self.encoder.finish(&mut self.buffer);
        send(&mut self.buffer, out).await?;
        Ok(out.finish().await?)
    }
}

/// Sends what is in the buffer.
async fn send(buffer: &mut Vec<u8>, out: &mut BodyWriter) -> Result<(), ExchangeError> {
    if buffer.len() > USUAL_ROOM {
        return Ok(out.write(std::mem::take(buffer)).await?);
    }
    out.write_lent(buffer).await?;
    buffer.clear();
    Ok(())
}
