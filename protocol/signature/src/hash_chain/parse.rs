//! Reads hash chains and hash chain results, in any XML, into their steps.

use std::borrow::Cow;

use protocol_pki::digest::DigestAlgorithm;
use uppsala::{Document, Element, NodeId};

use super::steps::{ChainResult, DigestValue, Entry, Steps, Value};
use super::{HashChainError, MAX_HASH_CHAIN_BYTES, MAX_STEPS, NAMESPACE, is_strong};
use crate::xml;

/// Reads a hash chain result.
pub(super) fn result(bytes: &[u8]) -> Result<ChainResult<'static>, HashChainError> {
    let document = xml::parse(bytes, MAX_HASH_CHAIN_BYTES)?;
    let (id, element) = xml::root(&document)?;
    expect(element, "HashChainResult")?;
    let algorithm =
        digest_method(&document, id)?.ok_or(HashChainError::Malformed("result without DigestMethod"))?;
    Ok(ChainResult {
        uri: uri(element)?,
        algorithm,
        digest: digest_value(&document, id)?,
    })
}

/// Reads a hash chain.
pub(super) fn chain(bytes: &[u8]) -> Result<Steps<'static>, HashChainError> {
    let document = xml::parse(bytes, MAX_HASH_CHAIN_BYTES)?;
    let (root, element) = xml::root(&document)?;
    expect(element, "HashChain")?;
    let mut default = None;
    let mut steps = Steps::with_room_for(0);
    for (id, element) in xml::children(&document, root) {
        if steps.len() >= MAX_STEPS {
            return Err(HashChainError::Malformed("too many steps"));
        }
        if xml::is(element, NAMESPACE, "HashStep") {
            steps.begin(xml::attribute(element, "id").map(|id| Cow::Owned(id.to_owned())));
            for (id, element) in xml::children(&document, id) {
                steps.push(entry(&document, id, element, default)?);
            }
        } else if steps.len() == 0 && default.is_none() && xml::is(element, NAMESPACE, "DefaultDigestMethod")
        {
            default = Some(algorithm(element)?);
        } else {
            return Err(HashChainError::Malformed("unexpected element in chain"));
        }
    }
    steps.check_ids()?;
    Ok(steps)
}

fn entry(
    document: &Document<'_>,
    id: NodeId,
    element: &Element<'_>,
    default: Option<DigestAlgorithm>,
) -> Result<Entry<'static>, HashChainError> {
    let algorithm = digest_method(document, id)?
        .or(default)
        .ok_or(HashChainError::Malformed("step without digest method"))?;
    // The schema allows transforms; nobody writes them, and a transformed part is not the part that was received.
    if xml::child(document, id, xml::DS, "Transforms").is_some() {
        return Err(HashChainError::Malformed("transforms in a hash chain"));
    }
    if element.name.namespace_uri.as_deref() != Some(NAMESPACE) {
        return Err(HashChainError::Malformed("unexpected element in step"));
    }
    let value = match element.name.local_name.as_ref() {
        "HashValue" => Value::Hash(digest_value(document, id)?),
        "StepRef" => Value::Step(uri(element)?),
        "DataRef" => Value::Data {
            uri: uri(element)?,
            digest: digest_value(document, id)?,
        },
        _ => return Err(HashChainError::Malformed("unexpected element in step")),
    };
    Ok(Entry { algorithm, value })
}

fn expect(element: &Element<'_>, local: &str) -> Result<(), HashChainError> {
    if xml::is(element, NAMESPACE, local) {
        Ok(())
    } else {
        Err(HashChainError::Malformed("unexpected root element"))
    }
}

fn uri(element: &Element<'_>) -> Result<Cow<'static, str>, HashChainError> {
    xml::attribute(element, "URI")
        .map(|uri| Cow::Owned(uri.to_owned()))
        .ok_or(HashChainError::Malformed("reference without URI"))
}

fn digest_method(document: &Document<'_>, parent: NodeId) -> Result<Option<DigestAlgorithm>, HashChainError> {
    xml::child(document, parent, xml::DS, "DigestMethod")
        .and_then(|id| document.element(id))
        .map(algorithm)
        .transpose()
}

fn algorithm(element: &Element<'_>) -> Result<DigestAlgorithm, HashChainError> {
    let uri = xml::attribute(element, "Algorithm")
        .ok_or(HashChainError::Malformed("digest method without algorithm"))?;
    DigestAlgorithm::from_uri(uri)
        .filter(|algorithm| is_strong(*algorithm))
        .ok_or_else(|| HashChainError::Algorithm(uri.to_owned()))
}

fn digest_value(document: &Document<'_>, parent: NodeId) -> Result<DigestValue, HashChainError> {
    let id = xml::child(document, parent, xml::DS, "DigestValue")
        .ok_or(HashChainError::Malformed("reference without digest value"))?;
    xml::decode_base64(&xml::text(document, id))
        .map(DigestValue::from)
        .ok_or(HashChainError::Malformed("digest value is not base64"))
}
