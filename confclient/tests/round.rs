//! Rounds against a source in this process: what is stored, what is refused, and with which fault code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use confclient::error::DownloadError;
use confclient::settings::{FederationMode, Federations};
use protocol_globalconf::signed_directory::{FilePart, UnsignedDirectory};
use protocol_globalconf::{Files as _, GlobalConf, Version};
use support::{Central, self_signed, store};
use time::{Duration, OffsetDateTime};

fn now() -> OffsetDateTime {
    OffsetDateTime::now_utc().replace_nanosecond(0).unwrap()
}

fn all() -> Federations {
    Federations::Mode(FederationMode::All)
}

fn none() -> Federations {
    Federations::Mode(FederationMode::None)
}

fn soon() -> OffsetDateTime {
    now() + Duration::minutes(10)
}

fn code<T: std::fmt::Debug>(result: Result<T, DownloadError>) -> &'static str {
    result.unwrap_err().fault_code()
}

#[test]
fn newest_version_is_stored_and_unchanged_files_are_not_fetched_again() {
    let (central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    let expires_at = soon();
    central.publish(Version::V3, expires_at);
    central.publish(Version::V6, expires_at);
    let mut client = central.client(directory.path(), none());
    let round = client.round(now()).unwrap();
    assert_eq!((round.own.version, round.own.changed_files()), (Version::V6, 2));
    assert!(
        central
            .server
            .take_asked()
            .contains(&"/V6/1/shared-params.xml".to_owned())
    );
    let stored = GlobalConf::load(&store(directory.path()), now()).unwrap();
    assert_eq!((stored.instance(), stored.version()), ("EE", Version::V6));
    assert_eq!(stored.expires_at(), Some(expires_at));

    let later = soon() + Duration::minutes(1);
    central.publish(Version::V6, later);
    let round = client.round(now()).unwrap();
    assert_eq!(round.own.changed_files(), 0);
    assert_eq!(central.server.take_asked(), ["/internalconf?version=6"]);
    assert_eq!(round.loaded.expires_at(), Some(later));
}

#[test]
fn older_versions_are_tried_when_newer_ones_are_not_found() {
    let (central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    central.publish(Version::V4, soon());
    let mut client = central.client(directory.path(), none());
    assert_eq!(client.round(now()).unwrap().own.version, Version::V4);
    central.files.lock().unwrap().clear();
    assert_eq!(code(client.round(now())), "global_conf_get_version_failed");
}

#[test]
fn what_is_signed_by_others_is_refused_and_the_stored_configuration_stays() {
    let (mut central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    central.publish(Version::V6, soon());
    let mut client = central.client(directory.path(), none());
    client.round(now()).unwrap();
    let before = store(directory.path()).read("EE/shared-params.xml").unwrap();

    // Another key under the same certificate.
    central.key = support::new_key();
    central.publish(Version::V6, soon());
    assert_eq!(
        code(client.round(now())),
        "global_conf_signature_verification_failure"
    );
    // Another certificate.
    central.certificate = self_signed(&central.key);
    central.publish(Version::V6, soon());
    assert_eq!(code(client.round(now())), "global_conf_missing_verification_cert");
    assert_eq!(
        store(directory.path()).read("EE/shared-params.xml").unwrap(),
        before
    );
}

#[test]
fn exchanged_file_is_refused() {
    let (central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    central.publish(Version::V6, soon());
    central.put("/V6/1/private-params.xml", b"<exchanged/>".to_vec());
    let mut client = central.client(directory.path(), none());
    assert_eq!(
        code(client.round(now())),
        "global_conf_part_downloaded_file_integrity_failure"
    );
    assert_eq!(
        store(directory.path()).read("EE/shared-params.xml").unwrap(),
        None
    );
    central.files.lock().unwrap().remove("/V6/1/private-params.xml");
    assert_eq!(code(client.round(now())), "global_conf_part_download_failure");
}

#[test]
fn expired_configuration_is_refused() {
    let (central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    central.publish(Version::V6, soon());
    let failed = central
        .client(directory.path(), none())
        .round(soon() + Duration::SECOND * 2)
        .unwrap_err();
    assert_eq!(
        (failed.fault_code(), failed.exit_code()),
        ("global_conf_outdated", 123)
    );
}

#[test]
fn file_of_another_instance_is_refused() {
    let (mut central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    central.private.instance = "FI".to_owned();
    central.publish(Version::V6, soon());
    let failed = code(central.client(directory.path(), none()).round(now()));
    assert_eq!(failed, "global_conf_part_invalid_instance_identifier");
}

#[test]
fn source_without_private_parameters_is_refused() {
    let (central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    let shared = central.shared.write(Version::V6).unwrap();
    let parts = [("SHARED-PARAMETERS", "shared-params.xml", shared)];
    central.publish_parts("internalconf", Version::V6, soon(), &parts);
    let failed = central.client(directory.path(), none()).round(now()).unwrap_err();
    assert_eq!(failed.exit_code(), 121);
}

#[test]
fn optional_parts_are_stored_and_removed_with_the_directory() {
    let (central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    let shared = (
        "SHARED-PARAMETERS",
        "shared-params.xml",
        central.shared.write(Version::V6).unwrap(),
    );
    let private = (
        "PRIVATE-PARAMETERS",
        "private-params.xml",
        central.private.write(Version::V6),
    );
    let interval = protocol_globalconf::optional_parts::write_ocsp_fetch_interval(77);
    let interval = ("FETCHINTERVAL", "fetchinterval-params.xml", interval);
    central.publish_parts(
        "internalconf",
        Version::V6,
        soon(),
        &[shared.clone(), interval, private.clone()],
    );
    let mut client = central.client(directory.path(), none());
    let round = client.round(now()).unwrap();
    assert_eq!(round.loaded.optional_parts().ocsp_fetch_interval_seconds, 77);
    central.publish_parts("internalconf", Version::V6, soon(), &[shared, private]);
    let round = client.round(now()).unwrap();
    assert_eq!(round.loaded.optional_parts().ocsp_fetch_interval_seconds, 1200);
    assert_eq!(
        store(directory.path())
            .read("EE/fetchinterval-params.xml.metadata")
            .unwrap(),
        None
    );
}

/// Two parts that would be stored under one name.
#[test]
fn repeated_file_names_are_refused() {
    let (central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    let shared = (
        "SHARED-PARAMETERS",
        "shared-params.xml",
        central.shared.write(Version::V6).unwrap(),
    );
    let private = (
        "PRIVATE-PARAMETERS",
        "private-params.xml",
        central.private.write(Version::V6),
    );
    let parts = [shared.clone(), private, shared];
    central.publish_parts("internalconf", Version::V6, soon(), &parts);
    let failed = code(central.client(directory.path(), none()).round(now()));
    assert_eq!(failed, "global_conf_parsing_downloaded_conf_directory_failure");
}

fn federation() -> (Central, Central, tempfile::TempDir) {
    let (mut own, foreign) = (Central::new("EE"), Central::new("FI"));
    foreign.publish(Version::V5, soon());
    own.private.anchors = vec![foreign.anchor("externalconf")];
    own.publish(Version::V6, soon());
    (own, foreign, tempfile::tempdir().unwrap())
}

#[test]
fn federated_instances_are_downloaded_if_allowed_and_removed_when_gone() {
    let (mut own, _foreign, directory) = federation();
    assert!(
        own.client(directory.path(), none())
            .round(now())
            .unwrap()
            .federated
            .is_empty()
    );
    let mut client = own.client(directory.path(), all());
    let round = client.round(now()).unwrap();
    assert!(round.federated[0].1.is_ok());
    assert!(round.loaded.instances().any(|instance| instance == "FI"));
    assert_eq!(
        store(directory.path()).read("FI/private-params.xml").unwrap(),
        None
    );

    own.private.anchors.clear();
    own.publish(Version::V6, soon());
    let round = client.round(now()).unwrap();
    assert!(!round.loaded.instances().any(|instance| instance == "FI"));
    assert_eq!(
        store(directory.path()).read("FI/shared-params.xml").unwrap(),
        None
    );
}

#[test]
fn failing_federated_instance_does_not_fail_the_round() {
    let (own, foreign, directory) = federation();
    foreign.files.lock().unwrap().clear();
    let round = own.client(directory.path(), all()).round(now()).unwrap();
    assert_eq!(
        round.federated[0].1.as_ref().unwrap_err().fault_code(),
        "global_conf_get_version_failed"
    );
    assert_eq!(round.loaded.instance(), "EE");
}

/// A federated source offers parameters of our instance, rightly signed with its own key (features.md 0.4).
#[test]
fn federated_source_cannot_speak_for_the_own_instance() {
    let (own, mut foreign, directory) = federation();
    let before = own.shared.write(Version::V6).unwrap();
    foreign.shared.instance = "EE".to_owned();
    foreign.publish(Version::V5, soon());
    let round = own.client(directory.path(), all()).round(now()).unwrap();
    assert!(matches!(round.federated[0].1, Err(DownloadError::MissingPart(_))));
    assert_eq!(
        store(directory.path())
            .read("EE/shared-params.xml")
            .unwrap()
            .unwrap(),
        before
    );
    assert!(!round.loaded.instances().any(|instance| instance == "FI"));
}

/// The key of a federated instance must not verify our own directory, though it is trusted for another.
#[test]
fn key_of_a_federated_instance_does_not_sign_the_own_configuration() {
    let (mut own, foreign, directory) = federation();
    let mut client = own.client(directory.path(), all());
    client.round(now()).unwrap();
    own.key = foreign.key;
    own.certificate = foreign.certificate;
    own.publish(Version::V6, soon());
    assert_eq!(code(client.round(now())), "global_conf_missing_verification_cert");
}

/// Configuration proxies put the shared parameters of federated instances into the own directory.
#[test]
fn passed_on_parameters_are_used_when_the_source_itself_cannot_be_reached() {
    let (own, foreign, directory) = federation();
    foreign.files.lock().unwrap().clear();
    let expires_at = soon();
    let files = [
        (
            "SHARED-PARAMETERS",
            "EE",
            "/1/a.xml",
            own.shared.write(Version::V6).unwrap(),
        ),
        (
            "PRIVATE-PARAMETERS",
            "EE",
            "/1/b.xml",
            own.private.write(Version::V6),
        ),
        (
            "SHARED-PARAMETERS",
            "FI",
            "/1/c.xml",
            foreign.shared.write(Version::V6).unwrap(),
        ),
    ];
    // Our writer writes one instance, so the second one's name goes in through the identifier.
    let identifiers: Vec<String> = files
        .iter()
        .map(|(identifier, instance, ..)| format!("{identifier}; instance=\"{instance}\"; x=y"))
        .collect();
    let parts: Vec<FilePart<'_>> = files
        .iter()
        .zip(&identifiers)
        .map(|((_, _, location, bytes), content_identifier)| FilePart {
            content_identifier,
            location,
            bytes,
        })
        .collect();
    let unsigned = UnsignedDirectory::new("EE", Version::V6, expires_at, &parts, "inner".to_owned());
    own.put("/internalconf?version=6", own.sign(&unsigned));
    files
        .iter()
        .for_each(|(_, _, location, bytes)| own.put(location, bytes.clone()));

    let round = own.client(directory.path(), all()).round(now()).unwrap();
    assert!(round.federated[0].1.is_ok(), "{:?}", round.federated);
    assert!(round.loaded.instances().any(|instance| instance == "FI"));
    let round = own.client(directory.path(), none()).round(now()).unwrap();
    assert!(!round.loaded.instances().any(|instance| instance == "FI"));
}

/// Nodes and certificates of the stored shared parameters are used when the anchor's key was replaced.
#[test]
fn rotated_key_is_known_from_the_shared_parameters() {
    let (mut central, directory) = (Central::new("EE"), tempfile::tempdir().unwrap());
    let next = support::new_key();
    let next_certificate = self_signed(&next);
    central.shared.sources[0]
        .internal_verification_certs
        .push(next_certificate.clone());
    central.publish(Version::V6, soon());
    let mut client = central.client(directory.path(), none());
    client.round(now()).unwrap();
    (central.key, central.certificate) = (next, next_certificate);
    central.publish(Version::V6, soon());
    client.round(now()).unwrap();
}

#[test]
fn unreachable_source_and_missing_anchor_have_their_codes() {
    let directory = tempfile::tempdir().unwrap();
    let mut central = Central::new("EE");
    central.server.authority = "127.0.0.1:1".to_owned();
    let failed = central.client(directory.path(), none()).round(now()).unwrap_err();
    assert_eq!(
        (failed.fault_code(), failed.exit_code()),
        ("global_conf_download_url_connection_failure", 122)
    );
    let mut client = central.client(directory.path(), none());
    std::fs::remove_file(directory.path().join("anchor.xml")).unwrap();
    assert_eq!(client.round(now()).unwrap_err().exit_code(), 115);
    std::fs::write(directory.path().join("anchor.xml"), "<x/>").unwrap();
    assert_eq!(client.round(now()).unwrap_err().exit_code(), 116);
}
