//! Reads hash chains and results in the one shape that security servers write, without a document tree.
//!
//! Every message has a chain, so this is on the path of every message. What is not exactly in the shape (another prefix, a
//! comment, a character reference, ...) is left to the reader of any XML ([`super::parse`]). Whatever is read here, it reads the
//! same: tests and the fuzz target `hash_chain` compare the two.
//!
//! White space between elements is free, values are plain characters of ASCII: nothing that XML would replace or refuse.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol_pki::digest::{Digest, DigestAlgorithm, MAX_DIGEST_BYTES};

use super::steps::{ChainResult, DigestValue, Entry, Steps, Value};
use super::{MAX_HASH_CHAIN_BYTES, MAX_STEPS, is_strong};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
const DEFAULT_NAMESPACE: &str = "xmlns=\"http://www.w3.org/2000/09/xmldsig#\"";
const NS2_NAMESPACE: &str = "xmlns:ns2=\"http://cyber.ee/hashchain\"";

/// Longest base64 of a digest.
const MAX_DIGEST_TEXT: usize = MAX_DIGEST_BYTES.div_ceil(3) * 4;

/// Steps that there is room for from the beginning: a batch of 128.
const USUAL_STEPS: usize = 8;

/// Reads a hash chain result, if it is in the shape.
pub(super) fn result(bytes: &[u8]) -> Option<ChainResult<'_>> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.next("<ns2:HashChainResult")?;
    let uri = scanner.root_attributes(true)?;
    scanner.next("<DigestMethod Algorithm=\"")?;
    let algorithm = scanner.algorithm()?;
    let digest = scanner.digest()?;
    scanner.next("</ns2:HashChainResult>")?;
    scanner.end()?;
    Some(ChainResult {
        uri: Cow::Borrowed(uri),
        algorithm,
        digest,
    })
}

/// Reads a hash chain, if it is in the shape and within the bounds.
pub(super) fn chain(bytes: &[u8]) -> Option<Steps<'_>> {
    let mut scanner = Scanner::new(bytes)?;
    scanner.next("<ns2:HashChain")?;
    scanner.root_attributes(false)?;
    scanner.next("<ns2:DefaultDigestMethod Algorithm=\"")?;
    let algorithm = scanner.algorithm()?;
    let mut steps = Steps::with_room_for(USUAL_STEPS);
    while scanner.next("<ns2:HashStep id=\"").is_some() {
        if steps.len() >= MAX_STEPS {
            return None;
        }
        steps.begin(Some(Cow::Borrowed(scanner.value("\">")?)));
        while scanner.next("</ns2:HashStep>").is_none() {
            let value = scanner.entry()?;
            steps.push(Entry { algorithm, value });
        }
    }
    scanner.next("</ns2:HashChain>")?;
    scanner.end()?;
    steps.check_ids().ok()?;
    Some(steps)
}

/// What was not read yet.
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_HASH_CHAIN_BYTES {
            return None;
        }
        let text = std::str::from_utf8(bytes).ok()?;
        Some(Self {
            rest: text.strip_prefix(DECLARATION)?,
        })
    }

    /// Passes `literal`, and white space before it.
    fn next(&mut self, literal: &str) -> Option<()> {
        self.rest = self.rest.trim_start_matches(is_space);
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    /// Passes the attributes of the root and its `>`: the namespaces and, with `uri`, an URI, in any order, each once.
    /// Gives the URI, empty without.
    fn root_attributes(&mut self, uri: bool) -> Option<&'a str> {
        let (mut default, mut ns2, mut found) = (false, false, None);
        loop {
            if self.rest.starts_with('>') {
                break;
            }
            self.rest.strip_prefix(is_space)?;
            if !default && self.next(DEFAULT_NAMESPACE).is_some() {
                default = true;
            } else if !ns2 && self.next(NS2_NAMESPACE).is_some() {
                ns2 = true;
            } else if uri && found.is_none() && self.next("URI=\"").is_some() {
                found = Some(self.value("\"")?);
            } else {
                return None;
            }
        }
        self.next(">")?;
        let complete = default && ns2 && (found.is_some() || !uri);
        complete.then(|| found.unwrap_or_default())
    }

    /// The rest of an attribute's value, and `end` after it, which begins with the quote.
    fn value(&mut self, end: &str) -> Option<&'a str> {
        let length = self.rest.bytes().position(|byte| !is_plain(byte))?;
        let (value, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest.strip_prefix(end)?;
        Some(value)
    }

    /// The rest of an empty element whose last attribute is an algorithm.
    fn algorithm(&mut self) -> Option<DigestAlgorithm> {
        DigestAlgorithm::from_uri(self.value("\"/>")?).filter(|algorithm| is_strong(*algorithm))
    }

    fn entry(&mut self) -> Option<Value<'a>> {
        if self.next("<ns2:HashValue>").is_some() {
            let digest = self.digest()?;
            self.next("</ns2:HashValue>")?;
            return Some(Value::Hash(digest));
        }
        if self.next("<ns2:StepRef URI=\"").is_some() {
            return Some(Value::Step(Cow::Borrowed(self.value("\"/>")?)));
        }
        self.next("<ns2:DataRef URI=\"")?;
        let uri = Cow::Borrowed(self.value("\">")?);
        let digest = self.digest()?;
        self.next("</ns2:DataRef>")?;
        Some(Value::Data { uri, digest })
    }

    fn digest(&mut self) -> Option<DigestValue> {
        self.next("<DigestValue>")?;
        let (text, rest) = self.rest.split_once('<')?;
        self.rest = rest.strip_prefix("/DigestValue>")?;
        if text.len() > MAX_DIGEST_TEXT {
            return None;
        }
        let mut room = [0; MAX_DIGEST_TEXT];
        let length = STANDARD.decode_slice(text, &mut room).ok()?;
        Digest::from_slice(room.get(..length)?).map(DigestValue::InPlace)
    }

    /// Nothing but white space may follow.
    fn end(&self) -> Option<()> {
        self.rest.chars().all(is_space).then_some(())
    }
}

/// White space of XML.
const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

/// Whether a byte stands for itself in an attribute's value.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'<' | b'&')
}
