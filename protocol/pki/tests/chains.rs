//! Certificate paths.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use common::{Identity, NOT_AFTER, NOT_BEFORE, NOW, authority, issue, name, signing};
use protocol_pki::certificate::Certificate;
use protocol_pki::chain::{self, ChainError};
use protocol_pki::issue::Extension;
use time::Duration;

fn certificates(identities: &[&Identity]) -> Vec<Certificate> {
    identities
        .iter()
        .map(|identity| identity.certificate.clone())
        .collect()
}

#[test]
fn a_path_goes_through_intermediates_in_any_order() {
    let root = authority(None, "Root", None);
    let upper = authority(Some(&root), "Upper", Some(1));
    let lower = authority(Some(&upper), "Lower", Some(0));
    let leaf = signing(&lower, "leaf", 9);
    let anchors = certificates(&[&root]);
    let path = chain::build(&leaf.certificate, &certificates(&[&upper, &lower]), &anchors, NOW).unwrap();
    assert_eq!(path.certificates(), certificates(&[&leaf, &lower, &upper, &root]));
    assert_eq!(path.without_anchor().len(), 3);
    assert_eq!(path.with_issuers().count(), 3);
    assert_eq!(path.good_until(), Some(NOT_AFTER));

    let error = chain::build(&leaf.certificate, &certificates(&[&lower]), &anchors, NOW).unwrap_err();
    assert!(matches!(&error, ChainError::NoIssuer { issuer, .. } if *issuer == name("Upper")));
    assert_eq!(error.fault_code(), "cannot_create_cert_path");
}

#[test]
fn path_lengths_bound_the_intermediates() {
    let root = authority(None, "Root", Some(0));
    let upper = authority(Some(&root), "Upper", None);
    let direct = signing(&root, "direct", 3);
    let below = signing(&upper, "below", 4);
    let anchors = certificates(&[&root]);
    assert!(chain::build(&direct.certificate, &[], &anchors, NOW).is_ok());
    let error = chain::build(&below.certificate, &certificates(&[&upper]), &anchors, NOW).unwrap_err();
    assert_eq!(error, ChainError::PathLength { issuer: name("Root") });
}

#[test]
fn of_several_authorities_of_one_name_the_right_one_is_found() {
    let old = authority(None, "Root", None);
    let renewed = authority(None, "Root", None);
    let leaf = signing(&renewed, "leaf", 5);
    let path = chain::build(&leaf.certificate, &[], &certificates(&[&old, &renewed]), NOW).unwrap();
    assert_eq!(path.anchor(), Some(&renewed.certificate));
    let error = chain::build(&leaf.certificate, &[], &certificates(&[&old]), NOW).unwrap_err();
    assert_eq!(
        error,
        ChainError::Signature {
            subject: name("leaf")
        }
    );
    assert!(error.fault_code().starts_with("invalid_cert_path"));
}

#[test]
fn validity_is_that_of_the_instant_and_anchors_do_not_expire() {
    let root = authority(None, "Root", None);
    let until = NOW + Duration::days(1);
    let leaf = issue(Some(&root), "leaf", 7, vec![], (NOT_BEFORE, until));
    let anchors = certificates(&[&root]);
    assert!(chain::build(&leaf.certificate, &[], &anchors, until).is_ok());
    let late = chain::build(&leaf.certificate, &[], &anchors, until + Duration::seconds(1)).unwrap_err();
    assert_eq!(late.fault_code(), "invalid_cert_path.cert_validity_time");
    assert!(
        chain::build(
            &leaf.certificate,
            &[],
            &anchors,
            NOT_BEFORE - Duration::seconds(1)
        )
        .is_err()
    );

    let outliving = issue(
        Some(&root),
        "outliving",
        8,
        vec![],
        (NOT_BEFORE, NOT_AFTER + Duration::days(9)),
    );
    assert!(
        chain::build(
            &outliving.certificate,
            &[],
            &anchors,
            NOT_AFTER + Duration::days(1)
        )
        .is_ok()
    );
}

#[test]
fn only_authorities_issue() {
    let root = authority(None, "Root", None);
    let member = signing(&root, "member", 2);
    let forged = signing(&member, "forged", 3);
    let anchors = certificates(&[&root]);
    let error = chain::build(&forged.certificate, &certificates(&[&member]), &anchors, NOW).unwrap_err();
    assert_eq!(
        error,
        ChainError::NotAnAuthority {
            issuer: name("member")
        }
    );
}

#[test]
fn circles_and_crowds_end() {
    let one = authority(None, "One", None);
    let two = authority(Some(&one), "Two", None);
    let crossed = Identity {
        certificate: issue(
            Some(&two),
            "One",
            44,
            vec![Extension::authority(None)],
            (NOT_BEFORE, NOT_AFTER),
        )
        .certificate,
        key: authority(None, "unused", None).key,
    };
    let leaf = signing(&two, "leaf", 6);
    let stranger = authority(None, "Stranger", None);
    let circle = certificates(&[&one, &two, &crossed]);
    assert!(chain::build(&leaf.certificate, &circle, &certificates(&[&stranger]), NOW).is_err());

    let crowd: Vec<Certificate> = (0..100).map(|_| two.certificate.clone()).collect();
    assert!(chain::build(&leaf.certificate, &crowd, &certificates(&[&stranger]), NOW).is_err());
}

#[test]
fn a_leaf_that_is_an_anchor_is_a_path() {
    let root = authority(None, "Root", None);
    let path = chain::build(&root.certificate, &[], &certificates(&[&root]), NOW).unwrap();
    assert_eq!(path.certificates().len(), 1);
    assert!(path.without_anchor().is_empty());
}
