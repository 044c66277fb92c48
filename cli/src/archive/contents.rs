//! The containers in an archive, checked as `kiirtee verify` checks them.

use std::fs::File;

use protocol_globalconf::GlobalConf;
use storage::archive::for_each_container;

use crate::verify::{self, Verdict};

/// Size of a container that is checked; larger ones are told, not checked.
const MAX_CONTAINER: u64 = 2 << 30;

/// A container that is not valid evidence, and why.
#[derive(Debug)]
pub(super) struct Invalid {
    pub(super) container: String,
    pub(super) code: String,
    pub(super) reason: String,
}

/// How many containers are valid, and those that are not.
pub(super) fn check(file: &File, trust: &GlobalConf) -> (usize, Vec<Invalid>) {
    let mut valid = 0;
    let mut invalid = Vec::new();
    let inspected = for_each_container(file, MAX_CONTAINER, |name, bytes| {
        let wrong = |code: &str, reason: &str| Invalid {
            container: name.to_owned(),
            code: code.to_owned(),
            reason: reason.to_owned(),
        };
        match bytes.map(|bytes| verify::verify(bytes, trust)) {
            Some(Verdict::Valid(_)) => valid += 1,
            Some(Verdict::Invalid { code, reason }) => invalid.push(wrong(&code, &reason)),
            None => invalid.push(wrong(
                "too_large",
                "the container is too large to be checked here",
            )),
        }
    });
    if let Err(error) = inspected {
        invalid.push(Invalid {
            container: "-".into(),
            code: "unreadable".into(),
            reason: error.to_string(),
        });
    }
    (valid, invalid)
}
