//! What a file says, and what it must not say.

use std::time::Duration;

use cryptoki::mechanism::MechanismType;

use super::*;

fn read(text: &str) -> Result<DeviceFile, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    DeviceFile::read(file.path()).map_err(|error| error.to_string())
}

#[test]
fn what_devices_ini_says_means_the_same_here() {
    let file = read(
        "[hsm_fips]\nlibrary = '/usr/local/lib/libcs_pkcs11_R2.so'\ntoken_id_format = '{moduleType}{label}'\n\
         sign_mechanism = 'CKM_RSA_PKCS_PSS'\npub_key_attribute_encrypt = false\n\
         priv_key_attribute_allowed_mechanisms = 'CKM_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS'\n\
         slot_ids = '1123, 2342'\nread_only = true\nsign_verify_pin = true\nbatch_signing_enabled = false\n\
         [off]\nenabled = false\n[softToken]\nenabled = false\n",
    )
    .unwrap();
    assert!(!file.software_token);
    let [device] = file.devices.as_slice() else {
        panic!("{file:?}")
    };
    assert!(device.pss && device.read_only && device.sign_verify_pin && !device.batch_signing_enabled);
    assert_eq!(device.slot_ids, [1123, 2342]);
    assert_eq!(device.public_key.encrypt, Some(false));
    assert_eq!(
        device.private_key.allowed_mechanisms,
        [MechanismType::RSA_PKCS_PSS, MechanismType::SHA512_RSA_PKCS_PSS]
    );
    // As the reference makes ids: "hsm_fipssign" in hexadecimal digits.
    assert_eq!(device.token_id(7, "123 ", "sign  "), "68736d5f666970737369676e");
}

#[test]
fn a_library_is_enough_and_dashes_do_as_well_as_underscores() {
    let file =
        read("[a]\nlibrary = 'a.so'\n[b]\nlibrary = 'b.so'\nslot-ids = [3]\nsign-timeout = 5\n").unwrap();
    let [a, b] = file.devices.as_slice() else {
        panic!("{file:?}")
    };
    assert!(file.software_token && a.os_locking_ok && a.batch_signing_enabled && !a.pss);
    assert_eq!((a.sessions, a.sign_timeout), (1, Duration::from_secs(20)));
    assert_eq!(
        (a.public_key.encrypt, a.private_key.sensitive),
        (Some(true), Some(true))
    );
    assert_eq!(
        (b.slot_ids.as_slice(), b.sign_timeout),
        ([3].as_slice(), Duration::from_secs(5))
    );
    assert!(
        DeviceFile::read(Path::new("/nonexistent/devices.toml"))
            .unwrap()
            .devices
            .is_empty()
    );
}

#[test]
fn what_is_wrong_is_said_with_the_device_and_what_was_expected() {
    for (text, said) in [
        ("library = 'a.so'", "expected a map"),
        ("[a]\n", "[a]: library is missing"),
        (
            "[a]\nlibrary = 'a.so'\nlibary = 'b'",
            "unknown field `libary`, expected one of",
        ),
        ("[a]\nlibrary = 'a.so'\nread_only = 'yes'", "expected a boolean"),
        (
            "[a]\nlibrary = 'a.so'\nsign_mechanism = 'CKM_MD5'",
            "expected CKM_RSA_PKCS or",
        ),
        (
            "[a]\nlibrary = 'a.so'\nec_sign_mechanism = 'CKM_RSA_PKCS'",
            "expected CKM_ECDSA",
        ),
        (
            "[a]\nlibrary = 'a.so'\nslot_ids = '1, two'",
            "two is not what is expected",
        ),
        (
            "[a]\nlibrary = 'a.so'\npub_key_attribute_allowed_mechanisms = 'CKM_RC4'",
            "CKM_RC4",
        ),
        ("[a]\nlibrary = 'a.so'\nsessions = 0", "expected 1 to 64"),
        (
            "[a]\nlibrary = 'a.so'\nsessions = 2\nsign_verify_pin = true",
            "ends them all",
        ),
        (
            "[a]\nlibrary = 'a.so'\nsessions = 2\nos_locking_ok = false",
            "one call at a time",
        ),
        ("[a]\nlibrary = 'a.so'\nsign_timeout = 0", "expected 1 to 600 s"),
        (
            "[a]\nlibrary = 'a.so'\n[b]\nlibrary = 'a.so'",
            "[b]: has the library of [a]",
        ),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}
