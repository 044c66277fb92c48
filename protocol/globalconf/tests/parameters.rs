//! Parameters of the reference implementation, all versions: read, looked up, written, read again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use std::fs;

use protocol_globalconf::directory::{GlobalConf, GlobalConfError, MemoryFiles};
use protocol_globalconf::layout;
use protocol_globalconf::metadata::Metadata;
use protocol_globalconf::shared_params::{CostType, CsrFormat};
use protocol_globalconf::{Files, PrivateParams, SharedParams, Version};
use protocol_message::identifier::{ClientId, GlobalGroupId, SecurityServerId};
use support::{DiskFiles, vectors};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

const GOOD: [(&str, Version); 5] = [
    ("globalconf_good_v2", Version::V2),
    ("globalconf_good_v3", Version::V3),
    ("globalconf_good_v4", Version::V4),
    ("globalconf_good_v5", Version::V5),
    ("globalconf_good_v6", Version::V6),
];

fn load(folder: &str) -> Option<GlobalConf> {
    let vectors = vectors("globalconf")?;
    Some(GlobalConf::load(&DiskFiles(vectors.join(folder)), NOW).unwrap())
}

/// A configuration directory in memory, to be changed.
fn in_memory(folder: &str) -> Option<MemoryFiles> {
    let disk = DiskFiles(vectors("globalconf")?.join(folder));
    let mut files = MemoryFiles::default();
    for directory in disk.directories().unwrap() {
        for entry in fs::read_dir(disk.0.join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{directory}/{}", entry.file_name().into_string().unwrap());
            files.0.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    let own = disk.read(layout::INSTANCE_IDENTIFIER_FILE).unwrap().unwrap();
    files.0.insert(layout::INSTANCE_IDENTIFIER_FILE.to_owned(), own);
    Some(files)
}

fn member(code: &str) -> ClientId {
    ClientId::for_member("EE", "BUSINESS", code)
}

fn server(owner: &str, code: &str) -> SecurityServerId {
    SecurityServerId::new("EE", "BUSINESS", owner, code)
}

#[test]
fn every_version_loads_with_its_federated_instances_of_older_versions() {
    for (folder, version) in GOOD {
        let Some(conf) = load(folder) else { return };
        assert_eq!(conf.instance(), "EE");
        assert_eq!(conf.version(), version);
        assert!(conf.problems().is_empty(), "{folder}: {:?}", conf.problems());
        assert!(conf.instances().count() >= 3, "{folder}");
        assert!(conf.is_valid_at(NOW));
        assert_eq!(conf.ocsp_freshness_seconds(), 42);
        assert_eq!(conf.time_stamping_interval_seconds(), 123);
        assert_eq!(conf.management_service().provider, member("servicemember2"));
    }
}

#[test]
fn clients_and_servers_are_found() {
    for (folder, version) in GOOD {
        let Some(conf) = load(folder) else { return };
        assert_eq!(conf.addresses(&member("producer")), ["127.0.0.1"], "{folder}");
        let subsystem = ClientId::subsystem("EE", "BUSINESS", "foo", "foosubsystem");
        assert_eq!(conf.addresses(&subsystem), ["127.0.0.1"]);
        assert!(conf.addresses(&member("nobody")).is_empty());
        assert!(
            conf.addresses(&ClientId::for_member("XX", "BUSINESS", "producer"))
                .is_empty()
        );
        assert!(conf.is_server_client(&subsystem, &server("producer", "producerServerCode")));
        assert!(conf.is_server_client(&member("producer"), &server("producer", "producerServerCode")));
        assert!(!conf.is_server_client(&subsystem, &server("consumer", "consumerServerCode")));
        assert_eq!(conf.member_name(&subsystem), Some("Org with no address"));
        assert_eq!(
            conf.subsystem_name(&subsystem),
            (version >= Version::V5).then_some("FOO Subsystem")
        );
        assert!(conf.is_known_address("127.0.0.1") && !conf.is_known_address("127.0.0.2"));
        assert!(
            conf.maintenance_mode(&server("producer", "producerServerCode"))
                .is_none()
        );
    }
}

#[test]
fn groups_contain_exactly_their_members() {
    let Some(conf) = load("globalconf_good_v6") else {
        return;
    };
    let group = GlobalGroupId {
        instance: "EE".to_owned(),
        group_code: "Test group".to_owned(),
    };
    assert!(conf.global_group_contains(&group, &member("member2")));
    assert!(conf.global_group_contains(
        &group,
        &ClientId::subsystem("EE", "BUSINESS", "member1", "subsys")
    ));
    assert!(!conf.global_group_contains(&group, &member("member1")));
    assert!(!conf.global_group_contains(&group, &ClientId::subsystem("EE", "BUSINESS", "member2", "any")));
    let foreign = GlobalGroupId {
        instance: "XX".to_owned(),
        ..group.clone()
    };
    assert!(!conf.global_group_contains(&foreign, &member("member2")));
    assert_eq!(conf.global_group_description(&group), Some("Description"));
}

#[test]
fn maintenance_mode_is_known_from_version_5_on() {
    let Some(conf) = load("globalconf_good_v6") else {
        return;
    };
    let mode = conf.maintenance_mode(&server("foo", "FooBarServerCode")).unwrap();
    assert_eq!(mode.message.as_deref(), Some("Test maintenance mode"));
    let Some(conf) = load("globalconf_good_v4") else {
        return;
    };
    assert!(
        conf.maintenance_mode(&server("foo", "FooBarServerCode"))
            .is_none()
    );
}

#[test]
fn services_have_what_their_version_has() {
    let Some(conf) = load("globalconf_good_v6") else {
        return;
    };
    let ca = conf.ca_certs("EE").next().unwrap();
    assert_eq!(
        (ca.service_name.as_str(), ca.is_top, ca.authentication_only),
        ("pki1", true, false)
    );
    assert_eq!(ca.ocsp_responders.len(), 5);
    assert_eq!(ca.ocsp_responders[0].cost_type, Some(CostType::Free));
    assert_eq!(ca.ocsp_responders[3].cost_type, None);
    assert!(conf.ocsp_responder_certs(&ca.certificate).count() >= 5);
    assert_eq!(
        conf.shared_params("EE").unwrap().approved_cas[0].default_csr_format,
        Some(CsrFormat::Pem)
    );
    assert_eq!(conf.tsas("EE")[0].cost_type, Some(CostType::Paid));
    assert!(conf.signing_ca_certs("EE").all(|ca| ca.service_name == "pki1"));
    assert_eq!(conf.ca_certs("EE").filter(|ca| ca.authentication_only).count(), 4);

    let intermediate = conf.ca_certs("EE").find(|ca| !ca.is_top).unwrap();
    let issuer = conf
        .issuer_candidates(&intermediate.certificate, "EE")
        .next()
        .unwrap();
    assert!(issuer.is_top);
    assert_eq!(
        conf.issuer_candidates(&intermediate.certificate, "nowhere")
            .count(),
        0
    );
    assert_eq!(
        conf.approved_ca(&ca.certificate, "EE").unwrap().service_name,
        "pki1"
    );
}

#[test]
fn certificates_in_pem_text_are_read() {
    let Some(vectors) = vectors("globalconf") else {
        return;
    };
    let bytes = fs::read(vectors.join("globalconf_good2_v3/DEV/shared-params.xml")).unwrap();
    let params = SharedParams::read(Version::V3, &bytes).unwrap();
    assert!(params.approved_cas[0].top_ca.cert.starts_with(b"-----BEGIN"));
    let Some(mut files) = in_memory("globalconf_good2_v3") else {
        return;
    };
    // This directory has neither private parameters nor full metadata.
    assert!(matches!(
        GlobalConf::load(&files, NOW),
        Err(GlobalConfError::Missing(_))
    ));
    let private = fs::read(vectors.join("globalconf_good_v3/EE/private-params.xml")).unwrap();
    let private = String::from_utf8(private).unwrap().replace(">EE<", ">DEV<");
    files
        .0
        .insert("DEV/private-params.xml".to_owned(), private.into_bytes());
    files
        .0
        .insert("DEV/private-params.xml.metadata".to_owned(), b"{}".to_vec());
    let conf = GlobalConf::load(&files, NOW).unwrap();
    assert!(conf.problems().is_empty(), "{:?}", conf.problems());
    assert_eq!(conf.ca_certs("DEV").count(), 1);
    assert_eq!(conf.tsa_certs().count(), 1);
    assert_eq!(conf.all_ocsp_responder_certs().count(), 1);
    assert_eq!(conf.expires_at(), None);
}

#[test]
fn auth_certificates_are_found_by_the_hash_of_their_instance() {
    let Some(mut files) = in_memory("globalconf_good_v6") else {
        return;
    };
    let conf = GlobalConf::load(&files, NOW).unwrap();
    // Any certificate will do: give the producer's server the hash of one that we have.
    let certificate = conf.ca_certs("EE").next().unwrap().certificate.clone();
    assert!(conf.server_by_auth_cert(&certificate).is_none());
    let sha256 = base64(&certificate.sha256());
    let path = "EE/shared-params.xml";
    let shared = String::from_utf8(files.0[path].clone()).unwrap();
    let shared = shared.replace("xcuWTrx4uFeP5mNBXIhYITy+gUM72CJfL63MsWXffXM=", &sha256);
    files.0.insert(path.to_owned(), shared.into_bytes());
    let conf = conf.reload(&files, NOW).unwrap();
    let found = conf.server_by_auth_cert(&certificate).unwrap();
    assert_eq!(found.id, server("producer", "producerServerCode"));
    assert_eq!(
        conf.server_id_by_auth_cert_hash(&certificate.sha256()),
        Some(&found.id)
    );
    assert!(conf.auth_cert_matches_member(&certificate, &member("producer")));
    assert!(conf.auth_cert_matches_member(&certificate, &member("consumer")));
    assert!(!conf.auth_cert_matches_member(&certificate, &member("servicemember2")));
}

#[test]
fn sha1_hashes_count_in_version_2_only() {
    let Some(mut files) = in_memory("globalconf_good_v6") else {
        return;
    };
    let conf = GlobalConf::load(&files, NOW).unwrap();
    let certificate = conf.ca_certs("EE").next().unwrap().certificate.clone();
    for (instance, expected) in [("foo_v2", true), ("qux_v4", false)] {
        let path = format!("{instance}/shared-params.xml");
        let original = files.0[&path].clone();
        let shared = String::from_utf8(original.clone()).unwrap();
        let start = shared.find("<authCertHash>").unwrap() + "<authCertHash>".len();
        let end = start + shared[start..].find('<').unwrap();
        let shared = format!(
            "{}{}{}",
            &shared[..start],
            base64(&certificate.sha1()),
            &shared[end..]
        );
        files.0.insert(path.clone(), shared.into_bytes());
        let changed = conf.reload(&files, NOW).unwrap();
        let found = changed.server_by_auth_cert(&certificate);
        assert_eq!(
            found.map(|server| server.id.instance.as_str()),
            expected.then_some(instance)
        );
        files.0.insert(path, original);
    }
}

#[test]
fn own_instance_expires_and_foreign_ones_vanish() {
    let Some(conf) = load("globalconf_good_v6") else {
        return;
    };
    let expires_at = conf.expires_at().unwrap();
    assert_eq!(expires_at, datetime!(2124-05-20 17:42:55 UTC));
    assert!(conf.verify_validity(expires_at).is_ok());
    let failed = conf
        .verify_validity(expires_at + time::Duration::SECOND)
        .unwrap_err();
    assert_eq!(failed.fault_code(), "global_conf_outdated");

    let Some(mut files) = in_memory("globalconf_good_v6") else {
        return;
    };
    let metadata = Metadata {
        expiration_date: Some(NOW - time::Duration::SECOND),
        configuration_version: Some("4".to_owned()),
        ..Metadata::default()
    };
    files
        .0
        .insert("qux_v4/shared-params.xml.metadata".to_owned(), metadata.write());
    let reloaded = conf.reload(&files, NOW).unwrap();
    assert!(conf.instances().any(|instance| instance == "qux_v4"));
    assert!(!reloaded.instances().any(|instance| instance == "qux_v4"));
    assert_eq!(reloaded.problems()[0].error.fault_code(), "global_conf_outdated");
}

#[test]
fn malformed_own_instance_is_refused_and_a_malformed_foreign_one_is_left_out() {
    let Some(mut files) = in_memory("globalconf_good_v6") else {
        return;
    };
    files
        .0
        .insert("bar/shared-params.xml".to_owned(), b"xxx".to_vec());
    let conf = GlobalConf::load(&files, NOW).unwrap();
    assert_eq!(conf.problems()[0].instance, "bar");
    assert_eq!(conf.problems()[0].error.fault_code(), "malformed_global_conf");

    files.0.insert("EE/shared-params.xml".to_owned(), b"xxx".to_vec());
    let failed = GlobalConf::load(&files, NOW).unwrap_err();
    assert_eq!(failed.fault_code(), "malformed_global_conf");

    let Some(vectors) = vectors("globalconf") else {
        return;
    };
    assert!(GlobalConf::load(&DiskFiles(vectors.join("globalconf_malformed")), NOW).is_err());
}

/// Nobody may describe another instance than that of the directory (features.md 0.4).
#[test]
fn instance_in_another_instances_directory_is_left_out() {
    let Some(mut files) = in_memory("globalconf_good_v6") else {
        return;
    };
    let own = files.0["EE/shared-params.xml"].clone();
    files.0.insert("bar/shared-params.xml".to_owned(), own);
    let conf = GlobalConf::load(&files, NOW).unwrap();
    assert!(
        matches!(&conf.problems()[0].error, GlobalConfError::WrongInstance { found, .. } if found == "EE")
    );
}

#[test]
fn what_is_written_is_read_again() {
    let Some(vectors) = vectors("globalconf") else {
        return;
    };
    for (folder, version) in GOOD {
        let own = vectors.join(folder).join("EE");
        let shared = SharedParams::read(version, &fs::read(own.join("shared-params.xml")).unwrap()).unwrap();
        let written = shared.write(version).unwrap();
        assert_eq!(SharedParams::read(version, &written).unwrap(), shared, "{folder}");
        let private =
            PrivateParams::read(version, &fs::read(own.join("private-params.xml")).unwrap()).unwrap();
        assert_eq!(
            PrivateParams::read(version, &private.write(version)).unwrap(),
            private,
            "{folder}"
        );
    }
}

/// The reference's central server wrote these files: ours are the same, byte for byte. (The file of version 3 was
/// written before that version was fixed: it has elements that came with version 4.)
#[test]
fn writing_gives_the_bytes_of_the_reference() {
    let Some(vectors) = vectors("signed-directory") else {
        return;
    };
    for version in [Version::V4, Version::V5, Version::V6] {
        for entry in fs::read_dir(vectors.join(format!("V{version}"))).unwrap() {
            let folder = entry.unwrap().path();
            if !folder.is_dir() {
                continue;
            }
            let original = fs::read(folder.join("shared-params.xml")).unwrap();
            let shared = SharedParams::read(version, &original).unwrap();
            assert_same(&shared.write(version).unwrap(), &original);
            let original = fs::read(folder.join("private-params.xml")).unwrap();
            let private = PrivateParams::read(version, &original).unwrap();
            assert_same(&private.write(version), &original);
        }
    }
}

fn assert_same(written: &[u8], original: &[u8]) {
    assert_eq!(
        std::str::from_utf8(written).unwrap(),
        std::str::from_utf8(original).unwrap()
    );
}

/// Versions before 5 know no maintenance mode: the server loses its subsystems, so that nobody calls it.
#[test]
fn older_versions_hide_the_subsystems_of_a_server_in_maintenance() {
    let Some(conf) = load("globalconf_good_v6") else {
        return;
    };
    let mut params = conf.shared_params("EE").unwrap().clone();
    let subsystem = ClientId::subsystem("EE", "BUSINESS", "foo", "foosubsystem");
    params.security_servers[3].clients.push(subsystem.clone());
    let clients = |version| {
        let read = SharedParams::read(version, &params.write(version).unwrap()).unwrap();
        read.security_servers[3].clients.clone()
    };
    assert!(clients(Version::V5).contains(&subsystem));
    assert!(!clients(Version::V4).contains(&subsystem));
    assert!(clients(Version::V4).contains(&member("foo")));
}

#[test]
fn directory_names_are_unambiguous_and_stay_inside() {
    for (instance, name) in [
        ("EE", "EE"),
        ("a b/c", "a+b%2Fc"),
        ("..", "%2E%2E"),
        ("tere*õ", "tere*%C3%B5"),
    ] {
        assert_eq!(layout::directory_name(instance), name);
        assert_eq!(layout::instance_of_directory(name).as_deref(), Some(instance));
    }
    for name in ["", "%", "%2", "%zz", "a b", "%41", "a%2f"] {
        assert_eq!(layout::instance_of_directory(name), None, "{name}");
    }
    assert_eq!(
        layout::file_name("SHARED-PARAMETERS", Some("x"), "/y/z").unwrap(),
        "shared-params.xml"
    );
    assert_eq!(
        layout::file_name("OTHER", Some("../../x.xml"), "/y/z").unwrap(),
        "x.xml"
    );
    assert_eq!(layout::file_name("OTHER", None, "/y/z.xml").unwrap(), "z.xml");
    for bad in ["..", "shared-params.xml", "x.metadata", ".hidden", "a\0b", ""] {
        assert_eq!(layout::file_name("OTHER", Some(bad), bad), None, "{bad}");
    }
}

#[test]
fn metadata_are_the_reference_json() {
    let json = br#"{"contentIdentifier":"SHARED-PARAMETERS","instanceIdentifier":"DEV","expirationDate":"2124-05-20T17:42:55Z","contentLocation":"/V6/1/shared-params.xml","configurationVersion":"6"}"#;
    let metadata = Metadata::parse(json).unwrap();
    assert_eq!(metadata.version().unwrap(), Version::V6);
    assert_eq!(metadata.write(), json);
    assert_eq!(Metadata::parse(b"{}").unwrap().version().unwrap(), Version::V2);
    assert!(
        Metadata {
            configuration_version: Some("7".to_owned()),
            ..Metadata::default()
        }
        .version()
        .is_err()
    );
}

#[test]
fn hostile_xml_is_refused() {
    let conf = |inside: &str| {
        let xml = format!("<t:conf xmlns:t=\"http://x-road.eu/xsd/xroad.xsd\">{inside}</t:conf>");
        SharedParams::read(Version::V6, xml.as_bytes())
    };
    let settings = "<globalSettings><ocspFreshnessSeconds>1</ocspFreshnessSeconds></globalSettings>";
    assert!(
        conf(&format!(
            "<instanceIdentifier>&lt;&#65;</instanceIdentifier>{settings}"
        ))
        .unwrap()
        .instance
            == "<A"
    );
    assert!(conf(&format!("<instanceIdentifier>&x;</instanceIdentifier>{settings}")).is_err());
    assert!(conf(settings).is_err());
    assert!(
        conf(&format!(
            "<instanceIdentifier>A</instanceIdentifier><instanceIdentifier>B</instanceIdentifier>{settings}"
        ))
        .is_err()
    );
    let server = "<securityServer><owner>nobody</owner><serverCode>1</serverCode></securityServer>";
    assert!(
        conf(&format!(
            "<instanceIdentifier>A</instanceIdentifier>{server}{settings}"
        ))
        .is_err()
    );
    assert!(conf(&"<x>".repeat(100_000)).is_err());
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><t:conf xmlns:t=\"http://x-road.eu/xsd/xroad.xsd\"/>";
    assert!(SharedParams::read(Version::V6, bomb.as_bytes()).is_err());
    assert!(SharedParams::read(Version::V6, b"<conf/>").is_err());
    assert!(SharedParams::read(Version::V6, b"\xff").is_err());
}

proptest::proptest! {
    #[test]
    fn hostile_bytes_never_panic(text in "(<[a-z/!?&;:=\"' ]{0,12}>?|&[a-z#0-9]{0,4};|[ -~]{0,8}){0,30}") {
        let _ = SharedParams::read(Version::V6, text.as_bytes());
        let _ = PrivateParams::read(Version::V3, text.as_bytes());
        let _ = Metadata::parse(text.as_bytes());
        let _ = protocol_globalconf::anchor::Anchor::parse(text.as_bytes());
        let _ = layout::instance_of_directory(&text);
    }

    #[test]
    fn directory_names_round_trip(instance in "\\PC{1,20}") {
        let name = layout::directory_name(&instance);
        proptest::prop_assert!(!name.contains('/') && name != "." && name != "..");
        let back = layout::instance_of_directory(&name);
        proptest::prop_assert_eq!(back.as_deref(), Some(instance.as_str()));
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(bytes)
}
