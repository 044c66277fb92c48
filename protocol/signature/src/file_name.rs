//! Names of the parts of a message as signatures and hash chains write them (wire.md 3.1, 4.1).
//!
//! Container entries have the same names without the leading slash.

use std::borrow::Cow;

/// The SOAP message or the REST part. It has this name even for REST.
pub const MESSAGE: &str = "/message.xml";

/// The signature document, as the hash chain of a batch time-stamp names it.
pub const SIGNATURE: &str = "/META-INF/signatures.xml";

/// The hash chain result that a batch signature signs.
pub const SIG_HASH_CHAIN_RESULT: &str = "/sig-hashchainresult.xml";

/// The hash chain of one message in a batch signature.
pub const SIG_HASH_CHAIN: &str = "/sig-hashchain.xml";

/// The hash chain result that a batch time-stamp stamps.
pub const TS_HASH_CHAIN_RESULT: &str = "/ts-hashchainresult.xml";

/// The hash chain of one signature document in a batch time-stamp.
pub const TS_HASH_CHAIN: &str = "/ts-hashchain.xml";

const ATTACHMENT: &str = "/attachment";

/// The first attachment: the only one of a REST message, its body.
const FIRST_ATTACHMENT: &str = "/attachment1";

/// Name of attachment `number`, counted from 1. The body of a REST message is attachment 1.
#[must_use]
pub fn attachment(number: usize) -> Cow<'static, str> {
    match number {
        1 => FIRST_ATTACHMENT.into(),
        number => format!("{ATTACHMENT}{number}").into(),
    }
}

/// Name of part `number` of a message, counted from 0: the message itself, then its attachments.
#[must_use]
pub fn part(number: usize) -> Cow<'static, str> {
    match number {
        0 => MESSAGE.into(),
        number => attachment(number),
    }
}

/// Whether `name` is that of an attachment: `/attachment` and a decimal number.
#[must_use]
pub fn is_attachment(name: &str) -> bool {
    name.strip_prefix(ATTACHMENT)
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The name of the container entry that holds the part `name`: without the leading slash.
#[must_use]
pub fn entry(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_are_numbered_from_one() {
        assert_eq!(attachment(1), "/attachment1");
        assert_eq!(attachment(2), "/attachment2");
        assert_eq!((part(0), part(1)), (MESSAGE.into(), attachment(1)));
        assert!(is_attachment("/attachment12"));
        for other in ["/attachment", "attachment1", "/attachment1x", "/message.xml"] {
            assert!(!is_attachment(other), "{other}");
        }
    }
}
