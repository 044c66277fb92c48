//! Reading SOAP as information systems and services speak it: the envelope first, attachments as they come (wire.md 1.6).

use bytes::{Buf, Bytes};
use protocol_message::transport::{
    BodyPart, ContentType, Event, Limits, PartHeaders, RelatedDecoder, TransportError, kept, mime,
};

use super::{ExchangeError, Outgoing};
use crate::http::{Body, BodyWriter};

/// The SOAP part of a message.
#[derive(Debug)]
pub struct SoapPart {
    /// Its headers; `Content-Type` is set.
    pub headers: PartHeaders,
    /// Its content type.
    pub content_type: ContentType,
    /// Its bytes as they came.
    pub bytes: Bytes,
}

/// A message whose SOAP part was read and whose attachments, if any, are still to come.
#[derive(Debug)]
pub struct SoapSource<'b>(Attachments<'b>);

#[derive(Debug)]
enum Attachments<'b> {
    /// There are none, in a message that was made here.
    None,
    /// There are none, in a message that was received from here.
    Ended(&'b mut Body),
    /// They are being received.
    Received {
        body: &'b mut Body,
        decoder: Box<RelatedDecoder>,
        /// What was received behind the SOAP part.
        rest: Bytes,
    },
    /// There is one, made here.
    Own(PartHeaders, Bytes),
}

impl SoapSource<'static> {
    /// A message that was made here, with this attachment or with none.
    #[must_use]
    pub fn own(attachment: Option<(PartHeaders, Bytes)>) -> Self {
        Self(attachment.map_or(Attachments::None, |(headers, bytes)| {
            Attachments::Own(headers, bytes)
        }))
    }
}

impl<'b> SoapSource<'b> {
    /// Reads the SOAP part.
    ///
    /// # Errors
    /// When the content type is none of SOAP's, or the message is malformed, too large or cut;
    /// [`TransportError::MissingSoap`] where a multipart message has no part at all.
    pub async fn open(body: &'b mut Body, content_type: &str) -> Result<(SoapPart, Self), ExchangeError> {
        let content_type = ContentType::parse(content_type)?;
        if content_type.is(mime::MULTIPART_RELATED) {
            return Self::open_related(body, &content_type).await;
        }
        if !content_type.is(mime::TEXT_XML) && !content_type.is(mime::XOP_XML) {
            return Err(TransportError::InvalidContentType(content_type.essence().to_owned()).into());
        }
        let bytes = body.read_to_end(Limits::DEFAULT.soap).await?;
        let headers = PartHeaders::with_content_type(content_type.as_str().to_owned());
        Ok((
            SoapPart {
                headers,
                content_type,
                bytes,
            },
            Self(Attachments::Ended(body)),
        ))
    }

    async fn open_related(
        body: &'b mut Body,
        content_type: &ContentType,
    ) -> Result<(SoapPart, Self), ExchangeError> {
        let mut decoder = RelatedDecoder::new(content_type, Limits::DEFAULT)?;
        while let Some(chunk) = body.next_chunk().await {
            let mut chunk = chunk?;
            let mut rest: &[u8] = &chunk;
            let event = decoder.next(&mut rest)?;
            let left = rest.len();
            if let Some(Event::Small(part)) = event {
                chunk.advance(chunk.len() - left);
                let part = soap_part(part.headers, part.bytes)?;
                let attachments = Attachments::Received {
                    body,
                    decoder: Box::new(decoder),
                    rest: chunk,
                };
                return Ok((part, Self(attachments)));
            }
        }
        match decoder.finish()? {
            Some(Event::Small(part)) => {
                let part = soap_part(part.headers, part.bytes)?;
                Ok((part, Self(Attachments::Ended(body))))
            }
            _ => Err(TransportError::MissingSoap.into()),
        }
    }

    /// Streams the attachments into an outgoing message. `fault` marks what is wrong with this source; a failure of the
    /// outgoing message keeps its own name. Gives back what the source was received from, now at its end.
    ///
    /// # Errors
    /// When this message is malformed or cut, or the outgoing one fails.
    pub async fn stream_attachments(
        self,
        outgoing: &mut Outgoing,
        out: &mut BodyWriter,
        fault: fn(ExchangeError) -> ExchangeError,
    ) -> Result<Option<&'b mut Body>, ExchangeError> {
        let (body, mut decoder, rest) = match self.0 {
            Attachments::None => return Ok(None),
            Attachments::Ended(body) => return Ok(Some(body)),
            Attachments::Received { body, decoder, rest } => (body, decoder, rest),
            Attachments::Own(headers, bytes) => {
                outgoing.start_attachment(out, &headers).await?;
                outgoing.body(out, bytes).await?;
                outgoing.end_body();
                return Ok(None);
            }
        };
        forward(&mut decoder, &rest, outgoing, out, fault).await?;
        while let Some(chunk) = body.next_chunk().await {
            let chunk = chunk.map_err(|error| fault(error.into()))?;
            forward(&mut decoder, &chunk, outgoing, out, fault).await?;
        }
        if let Some(Event::BodyEnd) = decoder.finish().map_err(|error| fault(error.into()))? {
            outgoing.end_body();
        }
        Ok(Some(body))
    }
}

/// Everything that one chunk holds of the attachments.
async fn forward(
    decoder: &mut RelatedDecoder,
    chunk: &Bytes,
    outgoing: &mut Outgoing,
    out: &mut BodyWriter,
    fault: fn(ExchangeError) -> ExchangeError,
) -> Result<(), ExchangeError> {
    let mut rest: &[u8] = chunk;
    while let Some(event) = decoder.next(&mut rest).map_err(|error| fault(error.into()))? {
        match event {
            Event::BodyStart(BodyPart { headers, .. }) => outgoing.start_attachment(out, &headers).await?,
            Event::Data(bytes) => outgoing.body(out, kept(chunk, bytes)).await?,
            Event::BodyEnd => outgoing.end_body(),
            Event::Small(_) | Event::End => {}
        }
    }
    Ok(())
}

fn soap_part(headers: PartHeaders, bytes: Bytes) -> Result<SoapPart, ExchangeError> {
    let content_type = ContentType::parse(headers.content_type.as_deref().unwrap_or_default())?;
    Ok(SoapPart {
        headers,
        content_type,
        bytes,
    })
}
