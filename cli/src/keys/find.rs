//! What a person means by the beginning of an id.

use signer_client::{CertificateInfo, CsrInfo, KeyInfo, Status};

use super::Console;
use super::refusal::OrRefused;
use crate::failure::Failure;

impl Console {
    /// What the signer has.
    pub(super) fn status(&self) -> Result<Status, Failure> {
        self.signer
            .status()
            .or_refused(|| "ask the signer what it has".to_owned())
    }
}

/// The one key whose id begins with `which`.
pub(super) fn key<'a>(status: &'a Status, which: &str) -> Result<&'a KeyInfo, Failure> {
    only("key", which, status.keys(), |key| key.id.clone())
}

/// The one certificate whose SHA-256 begins with `which`, and its key.
pub(super) fn certificate<'a>(
    status: &'a Status,
    which: &str,
) -> Result<(&'a KeyInfo, &'a CertificateInfo), Failure> {
    let all = status
        .keys()
        .flat_map(|key| key.certificates.iter().map(move |found| (key, found)));
    only("certificate", which, all, |(_, found)| found.sha256.to_string())
}

/// The one signing request whose id begins with `which`, and its key.
pub(super) fn request<'a>(status: &'a Status, which: &str) -> Result<(&'a KeyInfo, &'a CsrInfo), Failure> {
    let all = status
        .keys()
        .flat_map(|key| key.csrs.iter().map(move |found| (key, found)));
    only("signing request", which, all, |(_, found)| found.id.clone())
}

fn only<T>(
    what: &str,
    which: &str,
    all: impl Iterator<Item = T>,
    id: impl Fn(&T) -> String,
) -> Result<T, Failure> {
    let begins = |id: &str| {
        let beginning = id.get(..which.len());
        !which.is_empty() && beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(which))
    };
    let mut matching = all.filter(|found| begins(&id(found)));
    match (matching.next(), matching.next()) {
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(Failure::unusable(format!(
            "several {what}s begin with {which}; expected more of the id"
        ))),
        (None, _) => Err(Failure::No(format!(
            "the signer has no {what} {which}; see `kiirtee keys list`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_is_enough_if_only_one_begins_so() {
        let find = |which: &str| {
            let all = ["AB01", "AB02", "CD03"].into_iter();
            only("key", which, all, |id| (*id).to_owned())
        };
        assert_eq!(find("ab01").unwrap(), "AB01");
        assert_eq!(find("c").unwrap(), "CD03");
        assert!(matches!(find("ab"), Err(Failure::Unusable { .. })));
        for unknown in ["", "e", "AB011"] {
            assert!(matches!(find(unknown), Err(Failure::No(_))), "{unknown}");
        }
    }
}
