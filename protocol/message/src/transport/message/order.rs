//! The order of parts: OCSP responses, then SOAP or REST, then attachments or body, then hash chain, then signature
//! or fault (wire.md 2.2). Optional parts may be missing; nothing may come twice or late.

use super::PartKind;
use crate::rest::{BODY_CONTENT_TYPE, REQUEST_CONTENT_TYPE, RESPONSE_CONTENT_TYPE};
use crate::transport::multipart::PartHeaders;
use crate::transport::{ContentType, TransportError, essence_of, mime};

/// What may come next; whatever stands further down may come as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Ocsp,
    RestBody,
    Attachments,
    HashChainResult,
    HashChain,
    Signature,
    Nothing,
}

/// What a part is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Placement {
    Small(PartKind),
    RestBody,
    /// The nested part, with its boundary.
    Attachments(String),
}

impl Expected {
    /// Says what the part with these headers is, and what may come after it.
    pub(super) fn place(self, headers: &PartHeaders) -> Result<(Placement, Self), TransportError> {
        let value = headers.content_type.as_deref().unwrap_or("text/plain");
        let essence = &*essence_of(value)?;
        match self {
            Self::Ocsp => first(essence),
            Self::RestBody if essence == BODY_CONTENT_TYPE => {
                Ok((Placement::RestBody, Self::HashChainResult))
            }
            Self::Attachments if essence == mime::MULTIPART_MIXED => {
                let boundary = ContentType::parse(value)?.boundary()?.into_owned();
                Ok((Placement::Attachments(boundary), Self::HashChainResult))
            }
            Self::RestBody | Self::Attachments | Self::HashChainResult
                if essence == mime::HASH_CHAIN_RESULT =>
            {
                Ok((Placement::Small(PartKind::HashChainResult), Self::HashChain))
            }
            Self::Nothing => Err(TransportError::ExtraContent(essence.to_owned())),
            _ if self != Self::Signature && essence == mime::HASH_CHAIN => {
                Ok((Placement::Small(PartKind::HashChain), Self::Signature))
            }
            _ => last(essence),
        }
    }
}

fn first(essence: &str) -> Result<(Placement, Expected), TransportError> {
    let (kind, next) = match essence {
        mime::OCSP_RESPONSE => (PartKind::OcspResponse, Expected::Ocsp),
        REQUEST_CONTENT_TYPE => (PartKind::RestRequest, Expected::RestBody),
        RESPONSE_CONTENT_TYPE => (PartKind::RestResponse, Expected::RestBody),
        mime::TEXT_XML | mime::XOP_XML => (PartKind::Soap, Expected::Attachments),
        _ => return Err(TransportError::InvalidContentType(essence.to_owned())),
    };
    Ok((Placement::Small(kind), next))
}

fn last(essence: &str) -> Result<(Placement, Expected), TransportError> {
    let kind = match essence {
        mime::SIGNATURE => PartKind::Signature,
        mime::TEXT_XML => PartKind::Fault,
        _ => return Err(TransportError::NotASignature(essence.to_owned())),
    };
    Ok((Placement::Small(kind), Expected::Nothing))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = "multipart/mixed; boundary=xatt";

    /// Reads the essences in order; true if all of them have their place.
    fn accepted(essences: &[&'static str]) -> Result<(), TransportError> {
        let mut expected = Expected::Ocsp;
        for essence in essences {
            (_, expected) = expected.place(&PartHeaders::with_content_type(*essence))?;
        }
        Ok(())
    }

    #[test]
    fn optional_parts_may_be_missing() {
        let (ocsp, result, chain, signature) = (
            mime::OCSP_RESPONSE,
            mime::HASH_CHAIN_RESULT,
            mime::HASH_CHAIN,
            mime::SIGNATURE,
        );
        for order in [
            &[ocsp, ocsp, mime::TEXT_XML, NESTED, result, chain, signature][..],
            &["Text/XML; charset=utf-8", signature],
            &[mime::XOP_XML, result, chain, signature],
            &[mime::TEXT_XML, chain, signature],
            &[mime::TEXT_XML, NESTED, mime::TEXT_XML],
            &[
                ocsp,
                REQUEST_CONTENT_TYPE,
                BODY_CONTENT_TYPE,
                result,
                chain,
                signature,
            ],
            &[RESPONSE_CONTENT_TYPE, signature],
            &[RESPONSE_CONTENT_TYPE, "text/xml;charset=UTF-8"],
        ] {
            assert_eq!(accepted(order), Ok(()), "{order:?}");
        }
    }

    #[test]
    fn nothing_comes_twice_or_late() {
        let (result, chain, signature) = (mime::HASH_CHAIN_RESULT, mime::HASH_CHAIN, mime::SIGNATURE);
        for (order, code) in [
            (&[signature][..], "invalid_content_type"),
            (&[mime::TEXT_XML, mime::OCSP_RESPONSE], "invalid_content_type"),
            (&[mime::TEXT_XML, BODY_CONTENT_TYPE], "invalid_content_type"),
            (&[mime::TEXT_XML, NESTED, NESTED], "invalid_content_type"),
            (&[REQUEST_CONTENT_TYPE, NESTED], "invalid_content_type"),
            (
                &[REQUEST_CONTENT_TYPE, BODY_CONTENT_TYPE, BODY_CONTENT_TYPE],
                "invalid_content_type",
            ),
            (&[mime::TEXT_XML, result, result], "invalid_content_type"),
            (&[mime::TEXT_XML, chain, chain], "invalid_content_type"),
            (&[mime::TEXT_XML, chain, result], "invalid_content_type"),
            (&[mime::TEXT_XML, "multipart/mixed"], "invalid_content_type"),
            (&[mime::TEXT_XML, signature, signature], "invalid_message"),
            (&[mime::TEXT_XML, mime::TEXT_XML, signature], "invalid_message"),
        ] {
            assert_eq!(accepted(order).unwrap_err().fault_code(), code, "{order:?}");
        }
        let untyped = Expected::Ocsp.place(&PartHeaders::default());
        assert_eq!(
            untyped.unwrap_err(),
            TransportError::InvalidContentType("text/plain".into())
        );
    }
}
