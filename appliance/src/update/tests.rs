#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::*;

/// An appliance that runs 1.0.0, and whoever signs updates for it.
struct Appliance {
    folder: tempfile::TempDir,
    signer: Ed25519KeyPair,
}

impl Appliance {
    fn new() -> Self {
        let appliance = Self {
            folder: tempfile::tempdir().unwrap(),
            signer: Ed25519KeyPair::generate().unwrap(),
        };
        let spki = [
            &[
                0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
            ],
            appliance.signer.public_key().as_ref(),
        ]
        .concat();
        let pem = format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            BASE64_STANDARD.encode(spki)
        );
        appliance.write(paths::UPDATE_KEY, pem.as_bytes());
        appliance.runs("1.0.0");
        appliance.write(paths::UPDATE_STATE, b"{}");
        appliance.write(
            paths::UPDATE_MEMORY,
            b"{\"pending\":null,\"floor\":null,\"went_back\":[]}",
        );
        appliance
    }

    fn runs(&self, version: &str) {
        let text = format!("IMAGE_ID=kiirtee\nIMAGE_VERSION={version}\n");
        self.write("usr/lib/os-release", text.as_bytes());
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn medium(&self, name: &str, bytes: &[u8]) {
        self.write(&format!("{}/{name}", paths::UPDATE_MEDIUM), bytes);
    }

    /// Puts a signed update onto the medium.
    fn offer(&self, version: &str, floor: &str) -> Value {
        let name = format!("kiirtee_{version}.efi");
        self.medium(&name, b"kernel");
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"kernel");
        let sha256: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let manifest = json!({
            "format": 1, "image": "kiirtee", "version": version, "floor": floor,
            "files": [{"name": name, "size": 6, "sha256": sha256}],
        });
        self.sign(&manifest);
        manifest
    }

    fn sign(&self, manifest: &Value) {
        let text = serde_json::to_vec(manifest).unwrap();
        self.medium("manifest.sig", self.signer.sign(&text).as_ref());
        self.medium("manifest.json", &text);
    }

    /// Stands for systemd-sysupdate: keeps what it was told and what it found.
    fn sysupdate(&self) -> PathBuf {
        let program = self.path("sysupdate");
        let copied = self.path(paths::UPDATE_COPY);
        let text = format!(
            "#!/bin/sh\necho \"$@\" > {0}.log\nls {1} >> {0}.log\n",
            program.display(),
            copied.display()
        );
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        program
    }

    fn update(&self, settle: bool) -> Result<(), UpdateError> {
        self.update_with(settle, self.sysupdate())
    }

    fn update_with(&self, settle: bool, sysupdate: PathBuf) -> Result<(), UpdateError> {
        run(&Arguments {
            root: Root::new(self.folder.path()),
            settle,
            sysupdate,
            systemctl: "/bin/true".into(),
        })
    }

    fn state(&self) -> State {
        serde_json::from_slice(&fs::read(self.path(paths::UPDATE_STATE)).unwrap()).unwrap()
    }

    fn was_written(&self) -> Option<String> {
        fs::read_to_string(self.path("sysupdate.log")).ok()
    }

    /// The next update is refused with this text, and nothing was written.
    fn refuses(&self, text: &str) {
        let error = self.update(false).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
        assert_eq!(self.was_written(), None);
        assert_eq!(self.state().step, Step::Refused);
        assert!(self.state().reason.unwrap().contains(text));
        assert!(!self.path(paths::UPDATE_COPY).exists());
    }
}

#[test]
fn a_signed_newer_version_is_written_to_the_other_slot() {
    let appliance = Appliance::new();
    appliance.offer("1.1.0", "1.0.0");
    appliance.update(false).unwrap();
    assert_eq!(
        appliance.was_written().unwrap(),
        "update 1.1.0\nkiirtee_1.1.0.efi\n"
    );
    assert_eq!(appliance.state().step, Step::Installed);
    assert!(!appliance.path(paths::UPDATE_COPY).exists());
}

#[test]
fn a_manifest_that_was_changed_or_signed_by_another_is_refused() {
    let appliance = Appliance::new();
    let mut manifest = appliance.offer("1.1.0", "1.0.0");
    manifest["version"] = "1.2.0".into();
    appliance.medium("manifest.json", &serde_json::to_vec(&manifest).unwrap());
    appliance.refuses("not signed by the key of this image");
    let other = Appliance::new();
    appliance.medium(
        "manifest.sig",
        other
            .signer
            .sign(&serde_json::to_vec(&manifest).unwrap())
            .as_ref(),
    );
    appliance.refuses("not signed by the key of this image");
    fs::remove_file(appliance.path(paths::UPDATE_MEDIUM).join("manifest.sig")).unwrap();
    appliance.refuses("manifest.sig is missing");
}

#[test]
fn a_file_that_is_not_the_signed_one_is_refused() {
    let appliance = Appliance::new();
    appliance.offer("1.1.0", "1.0.0");
    for (content, text) in [
        (b"kernal".as_slice(), "another SHA-256"),
        (b"kern", "has 4 bytes, the manifest says 6"),
        (b"kernel and more", "has 7 bytes, the manifest says 6"),
    ] {
        appliance.medium("kiirtee_1.1.0.efi", content);
        appliance.refuses(text);
    }
}

#[test]
fn an_older_version_is_refused_and_so_is_one_below_the_floor() {
    let appliance = Appliance::new();
    appliance.offer("0.9.0", "0.1.0");
    appliance.refuses("is older than 1.0.0");
    appliance.write(
        paths::UPDATE_MEMORY,
        b"{\"pending\":null,\"floor\":\"1.5.0\",\"went_back\":[]}",
    );
    appliance.offer("1.4.0", "1.0.0");
    appliance.refuses("is below 1.5.0");
    appliance.offer("1.5.0", "1.0.0");
    appliance.update(false).unwrap();
}

#[test]
fn a_medium_that_stays_plugged_in_does_not_hide_that_its_version_is_good() {
    let appliance = Appliance::new();
    appliance.offer("1.1.0", "1.0.0");
    appliance.update(false).unwrap();
    appliance.runs("1.1.0");
    appliance.update(true).unwrap();
    fs::remove_file(appliance.path("sysupdate.log")).unwrap();
    appliance.update(false).unwrap();
    assert_eq!(appliance.state().step, Step::Good);
    assert_eq!(appliance.was_written(), None);
}

#[test]
fn a_version_that_was_good_raises_the_floor_for_good() {
    let appliance = Appliance::new();
    appliance.offer("1.1.0", "1.1.0");
    appliance.update(false).unwrap();
    appliance.runs("1.1.0");
    appliance.update(true).unwrap();
    assert_eq!(appliance.state().step, Step::Good);
    // Even where an older root was put back by other means.
    appliance.runs("0.5.0");
    appliance.offer("1.0.0", "0.1.0");
    fs::remove_file(appliance.path("sysupdate.log")).unwrap();
    appliance.refuses("is below 1.1.0");
}

#[test]
fn a_version_that_went_back_is_said_and_not_tried_again() {
    let appliance = Appliance::new();
    appliance.offer("1.1.0", "1.1.0");
    appliance.update(false).unwrap();
    // The loader gave up: the old version runs and is good.
    appliance.update(true).unwrap();
    let state = appliance.state();
    assert_eq!(
        (state.step, state.version.unwrap().to_string()),
        (Step::WentBack, "1.1.0".into())
    );
    fs::remove_file(appliance.path("sysupdate.log")).unwrap();
    appliance.refuses("was tried before");
    appliance.offer("1.1.1", "1.1.0");
    appliance.update(false).unwrap();
}

#[test]
fn a_version_that_could_not_be_written_was_not_tried() {
    let appliance = Appliance::new();
    appliance.offer("1.1.0", "1.1.0");
    appliance.update_with(false, "/bin/false".into()).unwrap_err();
    assert_eq!(appliance.state().step, Step::Refused);
    appliance.update(true).unwrap();
    assert_eq!(appliance.state().step, Step::None);
    appliance.update(false).unwrap();
    assert_eq!(appliance.state().step, Step::Installed);
}

#[test]
fn a_manifest_of_another_form_is_refused_by_what_is_wrong() {
    let appliance = Appliance::new();
    let good = appliance.offer("1.1.0", "1.0.0");
    let changes: [(&str, Value, &str); 7] = [
        ("/format", 2.into(), "format 2: expected 1"),
        (
            "/image",
            "other".into(),
            "expected a name that begins with other_1.1.0",
        ),
        ("/floor", "2.0.0".into(), "the floor 2.0.0 is above"),
        ("/files", json!([]), "0 files"),
        (
            "/files/0/name",
            "../kiirtee_1.1.0.efi".into(),
            "expected a name that begins with",
        ),
        ("/files/0/size", 0.into(), "with 0 bytes"),
        ("/files/0/sha256", "abc".into(), "is no SHA-256"),
    ];
    for (place, value, text) in changes {
        let mut manifest = good.clone();
        *manifest.pointer_mut(place).unwrap() = value;
        appliance.sign(&manifest);
        appliance.refuses(text);
    }
    let mut manifest = good;
    manifest["more"] = true.into();
    appliance.sign(&manifest);
    appliance.refuses("unknown field");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_manifest_panic(bytes: Vec<u8>) {
        let _ = Manifest::parse(&bytes);
        let _ = PublicKey::from_pem(&bytes);
    }
}
