//! The messages of the reference, as the sandbox's members would send them.

use std::path::PathBuf;

use super::ledger::{Case, Sent};

/// Where the reference's messages lie, if they do.
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/vectors/client-messages"
    ));
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} is absent", folder.display());
        return None;
    }
    Some(folder)
}

/// A message of a case; none is no bytes.
pub(crate) fn message(case: &Case, sent: &Sent) -> Vec<u8> {
    let bytes = sent.file.as_deref().map(read).unwrap_or_default();
    let changed = case.instead.iter().fold(bytes, |bytes, (from, to)| {
        replace(&bytes, from.as_bytes(), to.as_bytes())
    });
    if sent.byte_order_mark {
        return [b"\xef\xbb\xbf", &changed[..]].concat();
    }
    changed
}

/// A message of the reference, its identifiers replaced by those of the sandbox.
pub(crate) fn read(name: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(folder().unwrap().join(name)).unwrap();
    for (theirs, ours) in [
        (">EE<", ">SANDBOX<"),
        (">BUSINESS<", ">ORG<"),
        (">consumer<", ">1001<"),
        (">producer<", ">2002<"),
        (">subsys1<", ">client<"),
        (">subsys2<", ">provider<"),
    ] {
        bytes = replace(&bytes, theirs.as_bytes(), ours.as_bytes());
    }
    with_one_id(&bytes)
}

/// The reference gives a query and its answer the same fresh id.
fn with_one_id(bytes: &[u8]) -> Vec<u8> {
    let find = |tag: &[u8]| (0..bytes.len()).find(|at| bytes[*at..].starts_with(tag));
    match (find(b"<xroad:id>"), find(b"</xroad:id>")) {
        (Some(start), Some(end)) => [&bytes[..start], b"<xroad:id>message-1", &bytes[end..]].concat(),
        _ => bytes.to_vec(),
    }
}

pub(crate) fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    out
}
