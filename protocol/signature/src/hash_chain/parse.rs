//! Reads hash chains and hash chain results into their steps.

use protocol_pki::digest::DigestAlgorithm;
use uppsala::{Document, Element, NodeId};

use super::{HashChainError, MAX_HASH_CHAIN_BYTES, MAX_STEPS, NAMESPACE, is_strong};
use crate::xml;

/// What a hash chain result says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChainResult {
    /// File and step of the root: `/sig-hashchain.xml#STEP0`.
    pub(super) uri: String,
    pub(super) algorithm: DigestAlgorithm,
    pub(super) digest: Vec<u8>,
}

/// The steps of a hash chain, in the document's order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) id: Option<String>,
    pub(super) entries: Vec<Entry>,
}

/// One digest that goes into a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) algorithm: DigestAlgorithm,
    pub(super) value: Value,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// The digest itself.
    Hash(Vec<u8>),
    /// The digest of another step: `#STEP1`.
    Step(String),
    /// The digest of a file, which the chain repeats.
    Data { uri: String, digest: Vec<u8> },
}

/// Reads a hash chain result.
pub(super) fn result(bytes: &[u8]) -> Result<ChainResult, HashChainError> {
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
pub(super) fn chain(bytes: &[u8]) -> Result<Steps, HashChainError> {
    let document = xml::parse(bytes, MAX_HASH_CHAIN_BYTES)?;
    let (root, element) = xml::root(&document)?;
    expect(element, "HashChain")?;
    let mut default = None;
    let mut steps = Vec::new();
    for (id, element) in xml::children(&document, root) {
        if steps.len() >= MAX_STEPS {
            return Err(HashChainError::Malformed("too many steps"));
        }
        if xml::is(element, NAMESPACE, "HashStep") {
            steps.push(step(&document, id, element, default)?);
        } else if steps.is_empty() && default.is_none() && xml::is(element, NAMESPACE, "DefaultDigestMethod")
        {
            default = Some(algorithm(element)?);
        } else {
            return Err(HashChainError::Malformed("unexpected element in chain"));
        }
    }
    let steps = Steps { steps };
    steps.check_ids()?;
    Ok(steps)
}

impl Steps {
    /// The step with this id.
    pub(super) fn find(&self, id: &str) -> Option<(usize, &Step)> {
        self.steps
            .iter()
            .enumerate()
            .find(|(_, step)| step.id.as_deref() == Some(id))
    }

    fn check_ids(&self) -> Result<(), HashChainError> {
        let mut ids: Vec<&str> = self.steps.iter().filter_map(|step| step.id.as_deref()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() == count {
            Ok(())
        } else {
            Err(HashChainError::Malformed("step id used twice"))
        }
    }
}

fn step(
    document: &Document<'_>,
    id: NodeId,
    element: &Element<'_>,
    default: Option<DigestAlgorithm>,
) -> Result<Step, HashChainError> {
    let entries = xml::children(document, id)
        .map(|(id, element)| entry(document, id, element, default))
        .collect::<Result<_, _>>()?;
    Ok(Step {
        id: xml::attribute(element, "id").map(str::to_owned),
        entries,
    })
}

fn entry(
    document: &Document<'_>,
    id: NodeId,
    element: &Element<'_>,
    default: Option<DigestAlgorithm>,
) -> Result<Entry, HashChainError> {
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

fn uri(element: &Element<'_>) -> Result<String, HashChainError> {
    xml::attribute(element, "URI")
        .map(str::to_owned)
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

fn digest_value(document: &Document<'_>, parent: NodeId) -> Result<Vec<u8>, HashChainError> {
    let id = xml::child(document, parent, xml::DS, "DigestValue")
        .ok_or(HashChainError::Malformed("reference without digest value"))?;
    xml::decode_base64(&xml::text(document, id))
        .ok_or(HashChainError::Malformed("digest value is not base64"))
}
