//! OCSP responses of the own certificates: a signer that has them, a responder that answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex};

use confclient::ocsp::{Refresher, file_name};
use confclient::settings::{FederationMode, Federations, OcspSettings, Settings};
use protocol_globalconf::Version;
use protocol_globalconf::shared_params::{ApprovedCa, CaInfo, OcspInfo};
use protocol_pki::certificate::{Certificate, KeyUsage as CertificateKeyUsage};
use protocol_pki::issue::{Extension, Template};
use protocol_pki::key::Signer as _;
use protocol_pki::name::DistinguishedName;
use protocol_pki::ocsp::{
    self, CertificateId, CertificateStatus as Told, ResponderId, Response, SingleStatus,
};
use signer_client::{
    CertificateInfo, CertificateSha256, CertificateStatus, KeyAlgorithm, KeyInfo, KeyUsage, Request,
    Response as Answer, Status, TokenInfo, TokenKind, TokenStatus,
};
use support::{Central, Key, Server, http, new_key, store};
use time::{Duration, OffsetDateTime};

/// A CA, the responder for it, and a certificate that it issued.
struct Pki {
    ca_key: Key,
    ca: Certificate,
    leaf: Certificate,
}

impl Pki {
    fn new() -> Self {
        let (ca_key, leaf_key) = (new_key(), new_key());
        let name = |cn| DistinguishedName::build(&[("CN", cn)]).unwrap();
        let (ca_name, leaf_name) = (name("Test CA"), name("leaf"));
        let extensions = vec![
            Extension::authority(None),
            Extension::key_usage(CertificateKeyUsage::KEY_CERT_SIGN),
        ];
        let ca = issue(&ca_name, &ca_name, ca_key.public_key_spki(), &ca_key, extensions);
        let leaf = issue(
            &ca_name,
            &leaf_name,
            leaf_key.public_key_spki(),
            &ca_key,
            Vec::new(),
        );
        Self { ca_key, ca, leaf }
    }
}

fn issue(
    issuer: &DistinguishedName,
    subject: &DistinguishedName,
    spki: &[u8],
    key: &Key,
    extensions: Vec<Extension>,
) -> Certificate {
    let now = OffsetDateTime::now_utc();
    let (not_before, not_after) = (now - Duration::hours(1), now + Duration::days(1));
    Template {
        serial: &[7],
        issuer,
        subject,
        not_before,
        not_after,
        spki,
        extensions,
    }
    .sign(key)
    .unwrap()
}

/// What the responder tells; may be changed.
#[derive(Clone)]
struct Behaviour {
    told: Told,
    status: u16,
    content_type: &'static str,
    this_update: OffsetDateTime,
}

fn responder(pki: Arc<Pki>, behaviour: Arc<Mutex<Behaviour>>) -> Server {
    Server::start(move |asked| {
        let behaviour = behaviour.lock().unwrap().clone();
        let request = ocsp::Request::from_der(&asked.body).unwrap();
        assert_eq!(asked.method, "POST");
        assert_eq!(request.certificates(), [CertificateId::new(&pki.leaf, &pki.ca)]);
        let single = SingleStatus {
            certificate: request.certificates()[0].clone(),
            status: behaviour.told,
            this_update: behaviour.this_update,
            next_update: None,
        };
        let bytes = ocsp::respond(
            &[single],
            behaviour.this_update,
            None,
            &pki.ca,
            ResponderId::ByName,
            &pki.ca_key,
        )
        .unwrap();
        (behaviour.status, behaviour.content_type, bytes)
    })
}

fn signer(certificate: &Certificate, status: CertificateStatus) -> signer_client::Client {
    let certificate = CertificateInfo {
        sha256: CertificateSha256(certificate.sha256().as_bytes().try_into().unwrap()),
        der: certificate.as_der().to_vec().into(),
        status,
        active: true,
        client: None,
    };
    let key = KeyInfo {
        id: "k".to_owned(),
        token: "0".to_owned(),
        label: String::new(),
        algorithm: KeyAlgorithm::EcP256,
        usage: KeyUsage::Signing,
        available: true,
        public_key: Vec::new().into(),
        certificates: vec![certificate],
        csrs: Vec::new(),
    };
    let token = TokenInfo {
        id: "0".to_owned(),
        name: String::new(),
        kind: TokenKind::Software,
        status: TokenStatus::LoggedIn,
        batch_signing: true,
        keys: vec![key],
        hardware: None,
    };
    let status = Status {
        tokens: vec![token],
        ..Status::default()
    };
    signer_client::fake::client(move |request| match request {
        Request::Status => Ok(Answer::Status(status.clone())),
        other => panic!("{other:?}"),
    })
}

/// A stored configuration with the CA and its responder, a refresher, and the responder's behaviour.
struct Scene {
    pki: Arc<Pki>,
    behaviour: Arc<Mutex<Behaviour>>,
    responder: Server,
    refresher: Refresher,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new(status: CertificateStatus) -> Self {
        let pki = Arc::new(Pki::new());
        let behaviour = Behaviour {
            told: Told::Good,
            status: 200,
            content_type: "application/ocsp-response",
            this_update: now(),
        };
        let behaviour = Arc::new(Mutex::new(behaviour));
        let responder = responder(Arc::clone(&pki), Arc::clone(&behaviour));
        let directory = tempfile::tempdir().unwrap();
        store_configuration(directory.path(), &pki.ca, &responder);
        let settings = OcspSettings {
            directory: directory.path().join("ocsp"),
            ..Settings::from_text("").unwrap().ocsp
        };
        let refresher = Refresher::new(
            signer(&pki.leaf, status),
            store(directory.path()),
            http(),
            settings,
        );
        Self {
            pki,
            behaviour,
            responder,
            refresher,
            directory,
        }
    }

    fn stored(&self) -> Option<Vec<u8>> {
        std::fs::read(self.directory.path().join("ocsp").join(file_name(&self.pki.leaf))).ok()
    }

    fn failure(&mut self, at: OffsetDateTime) -> String {
        let status = self.refresher.refresh(at);
        assert_eq!(status.last_error, None);
        status.certificates[0].last_error.clone().unwrap().code
    }
}

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc().replace_nanosecond(0).unwrap()
}

fn store_configuration(directory: &Path, ca: &Certificate, responder: &Server) {
    let mut central = Central::new("EE");
    let ocsp = OcspInfo {
        url: format!("http://{}/ocsp", responder.authority),
        ..OcspInfo::default()
    };
    central.shared.approved_cas = vec![ApprovedCa {
        name: "Test CA".to_owned(),
        top_ca: CaInfo {
            cert: ca.as_der().to_vec(),
            ocsp: vec![ocsp],
        },
        certificate_profile_info: "x.EjbcaCertificateProfileInfoProvider".to_owned(),
        ..ApprovedCa::default()
    }];
    central.publish(Version::V6, now() + Duration::hours(2));
    central
        .client(directory, Federations::Mode(FederationMode::None))
        .round(now())
        .unwrap();
}

#[test]
fn response_is_stored_and_requested_again_when_it_is_due() {
    let mut scene = Scene::new(CertificateStatus::Registered);
    let start = now();
    let status = scene.refresher.refresh(start);
    assert_eq!(status.last_error, None);
    let state = &status.certificates[0];
    assert_eq!(
        (state.last_error.as_ref(), state.sha1.as_str()),
        (None, scene.pki.leaf.sha1().to_hex().as_str())
    );
    assert_eq!(state.next_refresh, start + Duration::seconds(1200));
    let response = Response::from_der(&scene.stored().unwrap()).unwrap();
    assert!(response.applies_to(&scene.pki.leaf, &scene.pki.ca));
    assert_eq!(scene.responder.take_asked().len(), 1);

    scene.refresher.refresh(start + Duration::seconds(1199));
    assert!(scene.responder.take_asked().is_empty());
    scene.refresher.refresh(start + Duration::seconds(1200));
    assert_eq!(scene.responder.take_asked().len(), 1);
}

#[test]
fn only_registered_certificates_need_a_response() {
    let mut scene = Scene::new(CertificateStatus::Saved);
    assert!(scene.refresher.refresh(now()).certificates.is_empty());
    assert!(scene.stored().is_none());
}

#[test]
fn failures_are_told_and_retried_after_the_retry_delay() {
    let mut scene = Scene::new(CertificateStatus::Registered);
    scene.behaviour.lock().unwrap().status = 500;
    assert_eq!(scene.failure(now()), "ocsp_connection_error");
    scene.behaviour.lock().unwrap().status = 200;
    assert_eq!(
        scene.failure(now() + Duration::seconds(30)),
        "ocsp_connection_error"
    );
    let status = scene.refresher.refresh(now() + Duration::seconds(61));
    assert_eq!(status.certificates[0].last_error, None);
    assert!(scene.stored().is_some());
}

#[test]
fn wrong_content_type_is_refused() {
    let mut scene = Scene::new(CertificateStatus::Registered);
    scene.behaviour.lock().unwrap().content_type = "text/html";
    assert_eq!(scene.failure(now()), "ocsp_connection_error");
    assert!(scene.stored().is_none());
}

#[test]
fn stale_response_is_refused() {
    let mut scene = Scene::new(CertificateStatus::Registered);
    scene.behaviour.lock().unwrap().this_update = now() - Duration::seconds(3700);
    assert_eq!(scene.failure(now()), "ocsp_response_verification_failure");
    assert!(scene.stored().is_none());
}

#[test]
fn revocation_is_stored_and_told() {
    let mut scene = Scene::new(CertificateStatus::Registered);
    scene.behaviour.lock().unwrap().told = Told::Revoked {
        at: now() - Duration::minutes(5),
    };
    assert_eq!(scene.failure(now()), "cert_validation");
    assert!(scene.stored().is_some());
}

#[test]
fn expired_configuration_stops_the_refresher() {
    let mut scene = Scene::new(CertificateStatus::Registered);
    let status = scene.refresher.refresh(now() + Duration::hours(3));
    assert_eq!(status.last_error.unwrap().code, "global_conf_outdated");
    assert!(scene.responder.take_asked().is_empty());
}
