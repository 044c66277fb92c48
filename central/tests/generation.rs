//! A generation signed through the signer's protocol: verified by our own reader and by openssl.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use central::generate::{Generation, Generator, anchor};
use central::keys::{Scope, SigningKeys};
use central::publish::Publication;
use central::registry::{Loaded, RegistryError};
use protocol_globalconf::directory::MemoryFiles;
use protocol_globalconf::metadata::Metadata;
use protocol_globalconf::{GlobalConf, SharedParams, Version, layout, signed_directory};
use protocol_message::identifier::{ClientId, GlobalGroupId, SecurityServerId};
use protocol_pki::certificate::Certificate;
use protocol_pki::digest::DigestAlgorithm;
use protocol_pki::key::{KeySpec, SoftwareKey};
use signer_client::{KeyInfo, KeySelector, Request, Response, Status, TokenInfo, TokenKind, TokenStatus};
use time::{Duration, OffsetDateTime};

const REGISTRY: &str = r#"
instance = "TEST"
address = "cs.example.org"
ocsp_fetch_interval = 300

[management_service]
address = "https://cs.example.org:4001/managementservice/"
provider = "TEST/GOV/1/MANAGEMENT"

[[member_class]]
code = "GOV"
description = "Government"

[[member]]
id = "TEST/GOV/1"
name = "First & only"
subsystem = [{ code = "MANAGEMENT", name = "Management services" }, { code = "a/b" }]

[[security_server]]
owner = "TEST/GOV/1"
code = "SS0"
address = "ss0.example.org"
auth_certificates = ["certificate.pem"]
clients = ["TEST/GOV/1/MANAGEMENT"]

[[security_server]]
owner = "TEST/GOV/1"
code = "SS1"
address = "ss1.example.org"
clients = ["TEST/GOV/1/a%2Fb"]
maintenance = "back at noon"

[[ca]]
name = "Test CA"
profile = "Ejbca"
certificate = "certificate.pem"
ocsp = [{ url = "http://ca.example.org/ocsp", certificate = "certificate.pem", cost = "free" }]

[[tsa]]
name = "Test TSA"
url = "http://tsa.example.org"
certificate = "certificate.pem"

[[global_group]]
code = "friends"
description = "Friends"
members = ["TEST/GOV/1", "OTHER/COM/2/x"]
"#;

/// A signer whose keys are in this process.
fn signer(spec: KeySpec) -> signer_client::Client {
    let mut keys: Vec<(KeyInfo, SoftwareKey)> = Vec::new();
    signer_client::fake::client(move |request| match request {
        Request::GenerateKey {
            token, label, usage, ..
        } => {
            let key = SoftwareKey::generate(spec).unwrap();
            let algorithm = match spec {
                KeySpec::P256 => signer_client::KeyAlgorithm::EcP256,
                _ => signer_client::KeyAlgorithm::Rsa2048,
            };
            let info = KeyInfo {
                id: format!("key{}", keys.len()),
                token,
                label,
                algorithm,
                usage,
                available: true,
                public_key: key.spki_der().to_vec().into(),
                certificates: Vec::new(),
                csrs: Vec::new(),
            };
            keys.push((info.clone(), key));
            Ok(Response::Key(info))
        }
        Request::Status => {
            let keys = keys.iter().map(|(info, _)| info.clone()).collect();
            let token = TokenInfo {
                id: "0".to_owned(),
                name: String::new(),
                kind: TokenKind::Software,
                status: TokenStatus::LoggedIn,
                batch_signing: true,
                keys,
                hardware: None,
            };
            Ok(Response::Status(Status {
                tokens: vec![token],
                ..Status::default()
            }))
        }
        Request::SignDigest {
            key: KeySelector::Key(id),
            digest,
            ..
        } => {
            let (_, key) = keys.iter().find(|(info, _)| info.id == id).unwrap();
            let signature = key
                .sign_digest(key.algorithm_with(DigestAlgorithm::Sha512), &digest)
                .unwrap();
            Ok(Response::Signature(signature.into()))
        }
        other => panic!("{other:?}"),
    })
}

struct Scene {
    directory: tempfile::TempDir,
    registry: Loaded,
    keys: SigningKeys,
    signer: signer_client::Client,
    now: OffsetDateTime,
}

impl Scene {
    fn new(spec: KeySpec) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let signer = signer(spec);
        let mut keys = SigningKeys::default();
        assert!(keys.complete(&signer, now).unwrap());
        assert!(!keys.complete(&signer, now).unwrap());
        // Any certificate will do for the services.
        std::fs::write(directory.path().join("certificate.pem"), &keys.key[0].certificate).unwrap();
        let registry = write_registry(directory.path(), REGISTRY).unwrap();
        Self {
            directory,
            registry,
            keys,
            signer,
            now,
        }
    }

    fn generate(&self) -> Generation {
        let validity = Duration::minutes(10);
        let generator = Generator {
            registry: &self.registry,
            keys: &self.keys,
            signer: &self.signer,
            validity,
        };
        generator.generate(&Version::NEWEST_FIRST, self.now).unwrap()
    }
}

fn write_registry(directory: &Path, text: &str) -> Result<Loaded, RegistryError> {
    let path = directory.join("registry.toml");
    std::fs::write(&path, text).unwrap();
    Loaded::read(&path)
}

/// The stored form of a generation, as a client would make it.
fn store(scene: &Scene, generation: &Generation, version: Version) -> MemoryFiles {
    let mut files = MemoryFiles::default();
    files
        .0
        .insert(layout::INSTANCE_IDENTIFIER_FILE.to_owned(), b"TEST".to_vec());
    let bytes = &generation.directories[&(version, Scope::Internal)];
    let certificates = scene.keys.certificates(Scope::Internal).unwrap();
    let directory = signed_directory::verify(bytes, &certificates, scene.now).unwrap();
    for part in &directory.parts {
        let file = &generation.files[&part.location];
        assert!(part.matches(file));
        let name = layout::file_name(&part.content_identifier, None, &part.location).unwrap();
        let metadata = Metadata {
            expiration_date: Some(directory.expires_at),
            configuration_version: directory.version.clone(),
            ..Metadata::default()
        };
        files
            .0
            .insert(layout::metadata_path("TEST", &name), metadata.write());
        files.0.insert(layout::path("TEST", &name), file.clone());
    }
    files
}

#[test]
fn all_versions_verify_and_answer_look_ups() {
    let scene = Scene::new(KeySpec::P256);
    let generation = scene.generate();
    let certificate = Certificate::from_der_or_pem(scene.keys.key[0].certificate.as_bytes()).unwrap();
    for version in Version::NEWEST_FIRST {
        let conf = GlobalConf::load(&store(&scene, &generation, version), scene.now).unwrap();
        assert!(conf.problems().is_empty(), "{:?}", conf.problems());
        assert_eq!(conf.version(), version);
        let management = ClientId::subsystem("TEST", "GOV", "1", "MANAGEMENT");
        let server = SecurityServerId::new("TEST", "GOV", "1", "SS0");
        assert_eq!(conf.addresses(&management), ["ss0.example.org"]);
        assert_eq!(conf.server_by_auth_cert(&certificate).unwrap().id, server);
        assert!(conf.is_server_client(&management, &server));
        assert_eq!(conf.optional_parts().ocsp_fetch_interval_seconds, 300);
        let owners = GlobalGroupId {
            instance: "TEST".to_owned(),
            group_code: "security-server-owners".to_owned(),
        };
        assert!(conf.global_group_contains(&owners, &management.member()));
        assert_eq!(conf.ca_certs("TEST").count(), 1);
        assert_eq!(
            conf.ocsp_responder_urls(&certificate),
            ["http://ca.example.org/ocsp"]
        );
        assert!(conf.ca_certs("TEST").all(|ca| ca.profile.is_some()));

        // A server in maintenance: told from version 5 on, without its subsystems before.
        let hidden = ClientId::subsystem("TEST", "GOV", "1", "a/b");
        let maintained = SecurityServerId::new("TEST", "GOV", "1", "SS1");
        assert_eq!(
            conf.maintenance_mode(&maintained).is_some(),
            version >= Version::V5
        );
        assert_eq!(
            conf.is_server_client(&hidden, &maintained),
            version >= Version::V5
        );
        assert_eq!(conf.sources("TEST").len(), usize::from(version >= Version::V3));
    }
}

#[test]
fn external_directory_has_shared_parameters_only_and_its_own_key() {
    let scene = Scene::new(KeySpec::P256);
    let generation = scene.generate();
    let bytes = &generation.directories[&(Version::V6, Scope::External)];
    let verify = |scope| signed_directory::verify(bytes, &scene.keys.certificates(scope).unwrap(), scene.now);
    let directory = verify(Scope::External).unwrap();
    assert_eq!(directory.parts.len(), 1);
    let shared = &generation.files[&directory.parts[0].location];
    assert_eq!(SharedParams::read(Version::V6, shared).unwrap().instance, "TEST");
    assert!(verify(Scope::Internal).is_err());
}

#[test]
fn anchors_verify_their_directories() {
    let scene = Scene::new(KeySpec::P256);
    let generation = scene.generate();
    for scope in Scope::ALL {
        let written = anchor(&scene.registry, &scene.keys, scope, scene.now)
            .unwrap()
            .write();
        let read = protocol_globalconf::anchor::Anchor::parse(&written).unwrap();
        assert_eq!(
            read.sources[0].download_url,
            format!("http://cs.example.org/{}", scope.directory())
        );
        let bytes = &generation.directories[&(Version::V6, scope)];
        signed_directory::verify(bytes, &read.sources[0].verification_certs, scene.now).unwrap();
    }
}

/// Somebody else's implementation agrees on which bytes are signed, and how.
#[test]
fn openssl_verifies_the_signature() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: no openssl");
        return;
    }
    for spec in [KeySpec::Rsa2048, KeySpec::P256] {
        let scene = Scene::new(spec);
        let bytes = scene.generate().directories[&(Version::V6, Scope::Internal)].clone();
        // The signed bytes by a rule of their own: between the empty line after the second Content-Type and the
        // line end before the delimiter that ends the first outer part.
        let text = String::from_utf8(bytes).unwrap();
        let boundary = text
            .split("boundary=")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        let first = text.split(&format!("--{boundary}\r\n")).nth(1).unwrap();
        let signed = first
            .split_once("\r\n\r\n")
            .unwrap()
            .1
            .strip_suffix("\r\n")
            .unwrap();
        let signature = text
            .split("\r\n\r\n")
            .last()
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        let path = |name: &str| scene.directory.path().join(name);
        std::fs::write(path("signed"), signed).unwrap();
        std::fs::write(path("signature.b64"), format!("{signature}\n")).unwrap();
        std::fs::write(
            path("certificate.pem"),
            &scene.keys.active(Scope::Internal).unwrap().certificate,
        )
        .unwrap();
        let openssl = |arguments: &[&str]| {
            let output = Command::new("openssl")
                .args(arguments)
                .current_dir(scene.directory.path())
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            String::from_utf8(output.stdout).unwrap()
        };
        openssl(&["base64", "-d", "-A", "-in", "signature.b64", "-out", "signature"]);
        openssl(&[
            "x509",
            "-in",
            "certificate.pem",
            "-pubkey",
            "-noout",
            "-out",
            "key.pem",
        ]);
        let verified = openssl(&[
            "dgst",
            "-sha512",
            "-verify",
            "key.pem",
            "-signature",
            "signature",
            "signed",
        ]);
        assert_eq!(verified.trim(), "Verified OK");
    }
}

#[test]
fn contradictions_in_the_registry_are_refused() {
    let scene = Scene::new(KeySpec::P256);
    let read = |from: &str, to: &str| {
        assert!(REGISTRY.contains(from), "{from}");
        write_registry(scene.directory.path(), &REGISTRY.replacen(from, to, 1))
    };
    assert!(read("SS1", "SS2").is_ok());
    for (from, to) in [
        ("code = \"SS1\"", "code = \"SS0\""),
        (
            "clients = [\"TEST/GOV/1/MANAGEMENT\"]",
            "clients = [\"TEST/GOV/1/UNKNOWN\"]",
        ),
        ("id = \"TEST/GOV/1\"", "id = \"OTHER/GOV/1\""),
        ("code = \"GOV\"", "code = \"COM\""),
        ("code = \"a/b\"", "code = \"MANAGEMENT\""),
        ("code = \"friends\"", "code = \"security-server-owners\""),
    ] {
        assert!(
            matches!(read(from, to), Err(RegistryError::Contradiction(_))),
            "{to}"
        );
    }
    assert!(matches!(
        read("name = \"Test TSA\"", "nam = \"Test TSA\""),
        Err(RegistryError::Malformed { .. })
    ));
    let lost = read(
        "certificate = \"certificate.pem\"",
        "certificate = \"nowhere.pem\"",
    )
    .unwrap();
    assert!(matches!(
        lost.shared_params(Version::V6),
        Err(RegistryError::Read { .. })
    ));
}

#[test]
fn keys_are_listed_in_a_file_and_read_again() {
    let scene = Scene::new(KeySpec::P256);
    scene.keys.write(scene.directory.path()).unwrap();
    assert_eq!(SigningKeys::read(scene.directory.path()).unwrap(), scene.keys);
    assert_eq!(
        SigningKeys::read(&scene.directory.path().join("elsewhere")).unwrap(),
        SigningKeys::default()
    );
    assert!(SigningKeys::default().active(Scope::Internal).is_err());
}

#[test]
fn files_of_older_generations_stay_until_they_expire() {
    let mut scene = Scene::new(KeySpec::P256);
    let publication = Arc::new(Publication::default());
    let validity = Duration::minutes(10);
    let first = scene.generate();
    let path = first.files.keys().next().unwrap().clone();
    publication.publish(first, validity);
    assert!(publication.file(&path).is_some());
    assert!(publication.directory(Version::V6, Scope::Internal).is_some());
    scene.now += Duration::minutes(5);
    publication.publish(scene.generate(), validity);
    assert!(publication.file(&path).is_some());
    scene.now += Duration::minutes(6);
    publication.publish(scene.generate(), validity);
    assert!(publication.file(&path).is_none());
}
