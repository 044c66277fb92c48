//! Writing a verified SOAP message to an information system or a service (wire.md 1.7, 2.9).

use bytes::Bytes;
use protocol_message::transport::{ContentType, RelatedEncoder, SmallPart, TransportError, mime};

use super::{ExchangeError, Received, Verified};
use crate::http::BodyWriter;

/// `Content-Type` of a SOAP message without attachments (wire.md 1.7).
const TEXT_XML_UTF8: &str = "text/xml; charset=UTF-8";

/// A SOAP message in the form in which its sender made it: plain, or `multipart/related` with the original boundary.
#[derive(Debug)]
pub struct SoapContent {
    received: Verified<Received>,
    /// Present if the message is multipart.
    related: Option<ContentType>,
}

impl SoapContent {
    /// Takes a verified message and the content type that its sender gave it, `x-original-content-type`.
    ///
    /// # Errors
    /// When a message with attachments was no multipart one: what was signed would be forwarded without them.
    pub fn new(
        received: Verified<Received>,
        original_content_type: Option<&str>,
    ) -> Result<Self, ExchangeError> {
        let original = original_content_type.and_then(|value| ContentType::parse(value).ok());
        let related = original.filter(|content_type| content_type.is(mime::MULTIPART_RELATED));
        if related.is_none() && !received.get().attachments.is_empty() {
            let found = original_content_type.unwrap_or_default().to_owned();
            return Err(TransportError::InvalidContentType(found).into());
        }
        Ok(Self { received, related })
    }

    /// The message.
    #[must_use]
    pub const fn received(&self) -> &Received {
        self.received.get()
    }

    /// `Content-Type` of the whole.
    #[must_use]
    pub fn content_type(&self) -> &str {
        self.related.as_ref().map_or(TEXT_XML_UTF8, ContentType::as_str)
    }

    /// Length in bytes where it is known beforehand: of a message that is not multipart.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        let plain = self
            .received()
            .message
            .as_ref()
            .filter(|_| self.related.is_none());
        plain.map(|part| part.bytes.len() as u64)
    }

    /// Writes the whole.
    ///
    /// # Errors
    /// When the connection or the spool fails.
    pub async fn write(&self, out: &mut BodyWriter) -> Result<(), ExchangeError> {
        let Some(part) = &self.received().message else {
            return Ok(());
        };
        match &self.related {
            None => Ok(out.write(part.bytes.clone()).await?),
            Some(original) => {
                let has_attachments = !self.received().attachments.is_empty();
                let encoder = RelatedEncoder::new(original, has_attachments)?;
                self.write_related(encoder, part, out).await
            }
        }
    }

    async fn write_related(
        &self,
        mut encoder: RelatedEncoder,
        part: &SmallPart,
        out: &mut BodyWriter,
    ) -> Result<(), ExchangeError> {
        let mut buffer = Vec::new();
        encoder.start_part(&part.headers, &mut buffer)?;
        buffer.extend_from_slice(&part.bytes);
        let received = self.received();
        if let Some(content) = &received.content {
            let mut reader = content.reader();
            let mut chunk = Bytes::new();
            for attachment in &received.attachments {
                encoder.start_part(&attachment.headers, &mut buffer)?;
                out.write(std::mem::take(&mut buffer)).await?;
                let mut left = attachment.length;
                while left > 0 {
                    if chunk.is_empty() {
                        let Some(next) = reader.next().await? else { break };
                        chunk = next;
                    }
                    let count = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
                    left -= count as u64;
                    out.write(chunk.split_to(count)).await?;
                }
            }
        }
        encoder.finish(&mut buffer);
        Ok(out.write(buffer).await?)
    }
}
