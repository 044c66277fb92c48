//! The software token as its callers see it.

use super::*;
use crate::versioned_file::VersionedFileError;
use signer_client::DigestAlgorithm;

const OPTIONS: Options = Options {
    kdf: SoftwareTokenSettings {
        kdf_memory_kib: 64,
        kdf_passes: 1,
    },
    enforce_pin_policy: false,
    batch_signing: true,
};

fn token(directory: &Path) -> SoftwareToken {
    SoftwareToken::load(directory, OPTIONS).unwrap()
}

fn sign(token: &SoftwareToken, key: &str) -> Result<Vec<u8>, SignerError> {
    token.sign_digest(key, SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256), &[7; 32])
}

#[test]
fn signs_only_while_logged_in() {
    let directory = tempfile::tempdir().unwrap();
    let token = token(directory.path());
    assert_eq!(token.status(), TokenStatus::NotInitialized);
    assert!(matches!(
        token.login(&Pin::new("1234")),
        Err(SignerError::TokenNotInitialized(_))
    ));
    token.initialize(&Pin::new("1234")).unwrap();
    let key = token
        .generate_key("k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    sign(&token, &key.id).unwrap();

    token.logout().unwrap();
    assert!(matches!(
        sign(&token, &key.id),
        Err(SignerError::TokenNotActive(_))
    ));
    assert!(matches!(
        token.generate_key("k", KeyAlgorithm::EcP256, KeyUsage::Signing),
        Err(SignerError::TokenNotActive(_))
    ));
    assert_eq!(token.login(&Pin::new("1235")), Err(SignerError::PinIncorrect));
    token.login(&Pin::new("1234")).unwrap();
    sign(&token, &key.id).unwrap();
    assert!(matches!(
        sign(&token, "other"),
        Err(SignerError::KeyNotAvailable(_))
    ));
    assert!(matches!(
        token.initialize(&Pin::new("1234")),
        Err(SignerError::TokenAlreadyInitialized(_))
    ));
}

#[test]
fn keys_survive_a_restart_and_a_new_pin() {
    let directory = tempfile::tempdir().unwrap();
    let key = {
        let token = token(directory.path());
        token.initialize(&Pin::new("old")).unwrap();
        token
            .generate_key("k", KeyAlgorithm::EcP384, KeyUsage::Authentication)
            .unwrap()
    };
    let token = token(directory.path());
    assert_eq!(token.keys(), std::slice::from_ref(&key));
    assert_eq!(
        token.change_pin(&Pin::new("wrong"), &Pin::new("new")),
        Err(SignerError::PinIncorrect)
    );
    token.change_pin(&Pin::new("old"), &Pin::new("new")).unwrap();
    assert_eq!(token.login(&Pin::new("old")), Err(SignerError::PinIncorrect));
    token.login(&Pin::new("new")).unwrap();
    sign(&token, &key.id).unwrap();
}

#[test]
fn a_deleted_key_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let token = token(directory.path());
    token.initialize(&Pin::new("1")).unwrap();
    let key = token
        .generate_key("k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let other = token
        .generate_key("k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    token.delete_key(&key.id).unwrap();
    token.delete_key(&key.id).unwrap();
    assert!(sign(&token, &key.id).is_err());
    sign(&token, &other.id).unwrap();
    assert_eq!(tests::token(directory.path()).keys(), [other]);
}

#[test]
fn no_private_key_is_readable_on_disk() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let token = token(directory.path());
    token.initialize(&Pin::new("1")).unwrap();
    let key = token
        .generate_key("k", KeyAlgorithm::EcP256, KeyUsage::Signing)
        .unwrap();
    let path = directory.path().join("keys").join(format!("{}.json", key.id));
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let mut file: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let sealed = file["sealed_private_key"].as_str().unwrap();
    let sealed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, sealed).unwrap();
    assert!(OpenKey::from_pkcs8(KeyUsage::Signing, &sealed).is_err());

    // A key that was changed on disk is left out, the others serve on.
    file["usage"] = "authentication".into();
    std::fs::write(&path, serde_json::to_vec(&file).unwrap()).unwrap();
    let token = tests::token(directory.path());
    token.login(&Pin::new("1")).unwrap();
    assert!(matches!(
        sign(&token, &key.id),
        Err(SignerError::KeyNotAvailable(_))
    ));
}

#[test]
fn files_of_unknown_formats_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    token(directory.path()).initialize(&Pin::new("1")).unwrap();
    let path = directory.path().join("token.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"version\": 1", "\"version\": 2")).unwrap();
    assert!(matches!(
        SoftwareToken::load(directory.path(), OPTIONS),
        Err(FileError::File(VersionedFileError::Format { version: 2, .. }))
    ));
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(matches!(
        SoftwareToken::load(directory.path(), OPTIONS),
        Err(FileError::File(VersionedFileError::Malformed { .. }))
    ));
    std::fs::write(&path, text).unwrap();
    SoftwareToken::load(directory.path(), OPTIONS).unwrap();
}
