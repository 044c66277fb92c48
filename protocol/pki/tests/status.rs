//! OCSP: what is made here verifies, and each rule of wire.md 3.7 refuses what it should.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod common;

use common::{Identity, NOW, authority, has_program, signing, with_purpose};
use proptest::prelude::*;
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::issue::Purpose;
use protocol_pki::ocsp::{
    CertificateId, CertificateStatus, ConfiguredResponder, OcspError, Request, ResponderId, Response,
    ResponseStatus, SingleStatus, VerifyContext, error_response, request, respond,
};
use std::process::Command;
use time::{Duration, OffsetDateTime};

const FRESHNESS: Duration = Duration::seconds(3600);

struct Scene {
    root: Identity,
    member: Identity,
    responder: Identity,
}

fn scene() -> Scene {
    let root = authority(None, "Root", None);
    let member = signing(&root, "member", 77);
    let responder = with_purpose(&root, "OCSP", 3, Purpose::OcspSigning);
    Scene {
        root,
        member,
        responder,
    }
}

fn single(scene: &Scene, status: CertificateStatus, this_update: OffsetDateTime) -> SingleStatus {
    let certificate = CertificateId::new(&scene.member.certificate, &scene.root.certificate);
    SingleStatus {
        certificate,
        status,
        this_update,
        next_update: None,
    }
}

fn response(single: SingleStatus, by: &Identity, id: ResponderId) -> Response {
    let signer = by.key.signer(DigestAlgorithm::Sha256);
    let der = respond(&[single], NOW, None, &by.certificate, id, &signer).unwrap();
    Response::from_der(&der).unwrap()
}

fn verify(
    scene: &Scene,
    response: &Response,
    configured: &[ConfiguredResponder],
) -> Result<OffsetDateTime, OcspError> {
    let authorities = [scene.root.certificate.clone()];
    let context = VerifyContext::new(configured, &authorities, FRESHNESS);
    let verified = response.verify(&context, &scene.member.certificate, &scene.root.certificate, NOW);
    verified.map(|verified| verified.good_until)
}

#[test]
fn empowered_configured_and_issuing_responders_are_heard_and_others_not() {
    let scene = scene();
    let good = single(&scene, CertificateStatus::Good, NOW);
    for id in [ResponderId::ByName, ResponderId::ByKeyHash] {
        let empowered = response(good.clone(), &scene.responder, id);
        assert_eq!(verify(&scene, &empowered, &[]), Ok(NOW + FRESHNESS));
        let by_issuer = response(good.clone(), &scene.root, id);
        assert_eq!(verify(&scene, &by_issuer, &[]), Ok(NOW + FRESHNESS));

        let member = signing(&scene.root, "not a responder", 5);
        let unauthorized = response(good.clone(), &member, id);
        assert_eq!(verify(&scene, &unauthorized, &[]), Err(OcspError::NotAuthorized));
        let authority = scene.root.certificate.clone();
        let configured = [ConfiguredResponder {
            authority,
            responder: member.certificate.clone(),
        }];
        assert_eq!(verify(&scene, &unauthorized, &configured), Ok(NOW + FRESHNESS));

        let other_root = authority_named("Other");
        let configured = [ConfiguredResponder {
            authority: other_root,
            responder: member.certificate.clone(),
        }];
        assert_eq!(
            verify(&scene, &unauthorized, &configured),
            Err(OcspError::NotAuthorized)
        );
    }
}

fn authority_named(name: &str) -> Certificate {
    authority(None, name, None).certificate
}

#[test]
fn a_responder_with_a_stolen_name_is_not_heard() {
    let scene = scene();
    let impostor_root = authority(None, "Root", None);
    let impostor = with_purpose(&impostor_root, "OCSP", 3, Purpose::OcspSigning);
    let forged = response(
        single(&scene, CertificateStatus::Good, NOW),
        &impostor,
        ResponderId::ByName,
    );
    assert_eq!(verify(&scene, &forged, &[]), Err(OcspError::NotAuthorized));
    let authority = scene.root.certificate.clone();
    let configured = [ConfiguredResponder {
        authority,
        responder: scene.responder.certificate.clone(),
    }];
    assert_eq!(
        verify(&scene, &forged, &configured),
        Err(OcspError::NotAuthorized)
    );
}

#[test]
fn times_are_checked() {
    let scene = scene();
    let at = |this_update, next_update| {
        let status = CertificateStatus::Good;
        let single = SingleStatus {
            next_update,
            ..single(&scene, status, this_update)
        };
        verify(
            &scene,
            &response(single, &scene.responder, ResponderId::ByName),
            &[],
        )
    };
    let second = Duration::seconds(1);
    assert_eq!(at(NOW - FRESHNESS, None), Ok(NOW));
    assert_eq!(
        at(NOW - FRESHNESS - second, None),
        Err(OcspError::TooOld {
            this_update: NOW - FRESHNESS - second
        })
    );
    assert_eq!(at(NOW, Some(NOW)), Ok(NOW));
    assert_eq!(
        at(NOW, Some(NOW - second)),
        Err(OcspError::NextUpdatePassed {
            at: NOW,
            next_update: NOW - second
        })
    );
    assert_eq!(at(NOW, Some(NOW + second)), Ok(NOW + second));
    assert_eq!(
        at(NOW + Duration::minutes(10), None),
        Ok(NOW + Duration::minutes(10) + FRESHNESS)
    );
    assert!(matches!(
        at(NOW + Duration::minutes(11), None),
        Err(OcspError::FromTheFuture { .. })
    ));
}

#[test]
fn the_toggles_do_what_they_say() {
    let scene = scene();
    let authorities = [scene.root.certificate.clone()];
    let single = SingleStatus {
        next_update: Some(NOW - Duration::days(1)),
        ..single(&scene, CertificateStatus::Good, NOW + Duration::days(300))
    };
    let response = response(single, &scene.responder, ResponderId::ByName);
    let lenient = VerifyContext {
        verify_next_update: false,
        future_tolerance: None,
        ..VerifyContext::new(&[], &authorities, FRESHNESS)
    };
    let verified = response
        .verify(&lenient, &scene.member.certificate, &scene.root.certificate, NOW)
        .unwrap();
    assert_eq!(verified.good_until, NOW + Duration::days(300) + FRESHNESS);
    let with_next = VerifyContext {
        verify_next_update: true,
        ..lenient
    };
    assert!(
        response
            .verify(
                &with_next,
                &scene.member.certificate,
                &scene.root.certificate,
                NOW
            )
            .is_err()
    );
}

#[test]
fn only_good_is_good() {
    let scene = scene();
    let revoked = CertificateStatus::Revoked {
        at: NOW - Duration::days(2),
    };
    for status in [revoked, CertificateStatus::Unknown] {
        let told = response(single(&scene, status, NOW), &scene.responder, ResponderId::ByName);
        let error = verify(&scene, &told, &[]).unwrap_err();
        assert_eq!(error, OcspError::NotGood(status));
        assert_eq!(error.fault_code(), "cert_validation");
    }
}

#[test]
fn only_the_first_single_response_counts() {
    let scene = scene();
    let good = single(&scene, CertificateStatus::Good, NOW);
    let other = CertificateId::new(&scene.responder.certificate, &scene.root.certificate);
    let other = SingleStatus {
        certificate: other,
        ..single(&scene, CertificateStatus::Good, NOW)
    };
    let make = |singles: &[SingleStatus]| {
        let signer = scene.responder.key.signer(DigestAlgorithm::Sha256);
        let der = respond(
            singles,
            NOW,
            None,
            &scene.responder.certificate,
            ResponderId::ByName,
            &signer,
        )
        .unwrap();
        Response::from_der(&der).unwrap()
    };
    assert!(verify(&scene, &make(&[good.clone(), other.clone()]), &[]).is_ok());
    let second = verify(&scene, &make(&[other, good]), &[]);
    assert!(matches!(second, Err(OcspError::OtherCertificate { .. })));
}

#[test]
fn every_changed_byte_is_noticed_until_the_certificates() {
    let scene = scene();
    let told = response(
        single(&scene, CertificateStatus::Good, NOW),
        &scene.responder,
        ResponderId::ByName,
    );
    let der = told.as_der();
    let certificate = scene.responder.certificate.as_der();
    let start = der
        .windows(certificate.len())
        .position(|window| window == certificate)
        .unwrap();
    for position in 0..start {
        let mut changed = der.to_vec();
        changed[position] ^= 1;
        let outcome = Response::from_der(&changed).and_then(|told| verify(&scene, &told, &[]));
        assert!(outcome.is_err(), "byte {position} changed unnoticed");
    }
}

#[test]
fn refusals_of_the_responder_are_told() {
    let refused = Response::from_der(&error_response(ResponseStatus::TryLater));
    assert_eq!(refused, Err(OcspError::NotSuccessful(ResponseStatus::TryLater)));
}

/// openssl compares responses with its own clock.
#[allow(clippy::disallowed_methods, reason = "openssl compares with the same clock")]
fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc()
}

#[test]
fn openssl_reads_our_requests_and_believes_our_responses() {
    if !has_program("openssl") {
        return;
    }
    let scene = scene();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let root = write("root.pem", scene.root.certificate.to_pem().as_bytes());
    let member = write("member.pem", scene.member.certificate.to_pem().as_bytes());
    let asked = write(
        "request.der",
        &request(&scene.member.certificate, &scene.root.certificate),
    );
    let text = Command::new("openssl")
        .args(["ocsp", "-req_text", "-reqin"])
        .arg(&asked)
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&text.stdout).contains("Serial Number: 4D"),
        "{text:?}"
    );

    let theirs = folder.path().join("theirs.der");
    let made = Command::new("openssl")
        .args(["ocsp", "-no_nonce", "-issuer"])
        .arg(&root)
        .arg("-cert")
        .arg(&member)
        .arg("-reqout")
        .arg(&theirs)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(std::fs::read(&theirs).unwrap(), std::fs::read(&asked).unwrap());
    let ours = Request::from_der(&std::fs::read(&theirs).unwrap()).unwrap();
    assert_eq!(
        ours.certificates(),
        [CertificateId::new(
            &scene.member.certificate,
            &scene.root.certificate
        )]
    );
    assert!(ours.certificates()[0].has_issuer(&scene.root.certificate));

    let now = now();
    let told = response(
        single(&scene, CertificateStatus::Good, now),
        &scene.responder,
        ResponderId::ByKeyHash,
    );
    let told = write("response.der", told.as_der());
    let output = Command::new("openssl")
        .args(["ocsp", "-no_nonce", "-respin"])
        .arg(&told)
        .arg("-issuer")
        .arg(&root)
        .arg("-cert")
        .arg(&member)
        .arg("-CAfile")
        .arg(&root)
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        said.contains("Response verify OK") && said.contains("member.pem: good"),
        "{said}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _response = Response::from_der(&bytes);
        let _request = Request::from_der(&bytes);
        let _certificate = Certificate::from_der_or_pem(&bytes);
    }
}
