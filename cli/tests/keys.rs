//! `kiirtee keys` as an operator uses it: the way of a key, PINs that nobody sees, answers for programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

mod instance;
mod keys_parts;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use keys_parts::{PIN, Signer, has, openssl};
use serde_json::{Value, json};

#[test]
fn a_key_goes_all_the_way_from_its_making_to_its_end() {
    let Some(signer) = Signer::start() else { return };
    assert_eq!(signer.json(&["tokens"], "")[0]["status"], "not_initialized");
    let token = signer.json(&["init"], PIN);
    assert_eq!(
        (&token["id"], &token["status"]),
        (&json!("0"), &json!("logged_in"))
    );

    let key = signer.json(
        &["generate", "signing", "--label", "first", "--algorithm", "p-256"],
        "",
    );
    let id = key["id"].as_str().unwrap();
    assert_eq!(
        key,
        json!({"id": id, "label": "first", "token": "0", "algorithm": "ec_p256", "usage": "signing",
               "available": true})
    );
    let start = &id[..8];
    assert_eq!(
        signer.json(&["name", "key", start, "second"], "")["label"],
        "second"
    );
    assert_eq!(
        signer.json(&["name", "token", "0", "Kõrvits"], "")["name"],
        "Kõrvits"
    );

    let file = signer.file("sign.csr");
    let subject = [
        "--subject",
        "C=EE",
        "--subject",
        "O=GOV",
        "--subject",
        "CN=1",
        "--client",
        "EE/GOV/1",
    ];
    let made = signer.json(&[&["csr", start, "--out", &file], &subject[..]].concat(), "");
    assert_eq!((&made["key"], &made["file"]), (&key["id"], &json!(file)));
    let superfluous = signer.json(
        &[&["csr", start, "--out", &signer.file("b")], &subject[..]].concat(),
        "",
    );
    let gone = signer.json(&["withdraw", superfluous["id"].as_str().unwrap()], "");
    assert_eq!(
        gone,
        json!({"deleted": "signing_request", "id": superfluous["id"]})
    );
    let waiting = signer.json(&["certificates", "--client", "EE/GOV/1"], "");
    assert_eq!(waiting["signing_requests"].as_array().unwrap().len(), 1);
    assert_eq!(waiting["signing_requests"][0]["id"], made["id"]);

    if !has("openssl") {
        return;
    }
    let certificate = signer.certify(&file);
    let kept = signer.json(&["import", &certificate, "--client", "EE/GOV/1"], "");
    assert_eq!((&kept["status"], &kept["key"]), (&json!("saved"), &key["id"]));
    let hash = &kept["sha256"].as_str().unwrap()[..10];
    assert_eq!(signer.json(&["register", hash], "")["status"], "registered");
    assert_eq!(signer.json(&["activate", hash], "")["active"], true);
    assert_eq!(signer.json(&["deactivate", hash], "")["active"], false);
    signer.json(&["activate", hash], "");
    let shown = signer.json(&["show", hash], "");
    assert!(
        shown["pem"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN CERTIFICATE"),
        "{shown}"
    );
    assert_eq!(shown["subject"], "CN=1,O=GOV,C=EE");
    let found = |client: &str| {
        let all = signer.json(&["certificates", "--client", client], "");
        all["certificates"].as_array().unwrap().len()
    };
    assert_eq!((found("EE/GOV/1"), found("EE/GOV/2")), (1, 0));

    let bench = signer.json(
        &["bench", start, "--seconds", "1", "--in-flight", "8", "--messages"],
        "",
    );
    assert!(bench["signed"].as_u64().unwrap() > 10, "{bench}");
    let figures = signer.json(&["figures"], "");
    assert_eq!(figures["keys"][0]["messages"], bench["signed"], "{figures}");
    assert!(
        figures["keys"][0]["largest_batch"].as_u64().unwrap() > 1,
        "{figures}"
    );

    assert_eq!(signer.json(&["forget", hash], "")["deleted"], "certificate");
    assert_eq!(signer.json(&["delete", start], "")["deleted"], "key");
    assert_eq!(signer.json(&["list"], "")[0]["keys"], json!([]));
    assert_eq!(signer.json(&["logout"], "")["status"], "logged_out");
    assert_eq!(signer.json(&["devices"], ""), json!([]));
    assert_eq!(signer.json(&["refresh"], ""), json!([]));
}

#[test]
fn openssl_verifies_what_a_key_signed() {
    let Some(signer) = Signer::start() else { return };
    if !has("openssl") {
        return;
    }
    signer.json(&["init"], PIN);
    let data = signer.file("data");
    fs::write(&data, vec![7_u8; 200_000]).unwrap();
    // Signing keys of the software token do not sign with PSS: messages are never signed so.
    for (algorithm, usage, options) in [
        ("p-384", "signing", &[][..]),
        ("rsa-2048", "signing", &[]),
        ("rsa-2048", "authentication", &["--pss"]),
    ] {
        let key = signer.json(&["generate", usage, "--label", "k", "--algorithm", algorithm], "");
        let id = key["id"].as_str().unwrap();
        let (csr, out) = (signer.file("k.csr"), signer.file("signature"));
        signer.json(&["csr", id, "--subject", "CN=k", "--out", &csr], "");
        let public = openssl(&["req", "-in", &csr, "-noout", "-pubkey"]);
        let public_file = signer.file("k.pub");
        fs::write(&public_file, public).unwrap();
        let arguments = ["sign", id, "--digest", "sha-256", "--file", &data, "--out", &out];
        signer.json(&[&arguments[..], options].concat(), "");
        let mut verify = vec!["dgst", "-sha256", "-verify", &public_file, "-signature", &out];
        if !options.is_empty() {
            verify.extend([
                "-sigopt",
                "rsa_padding_mode:pss",
                "-sigopt",
                "rsa_pss_saltlen:digest",
            ]);
        }
        verify.push(&data);
        assert!(
            openssl(&verify).contains("Verified OK"),
            "{algorithm} {options:?}"
        );
        fs::write(&out, vec![1; 64]).unwrap();
    }
}

#[test]
fn pins_come_from_a_file_or_standard_input_and_a_wrong_one_ends_with_exit_code_1() {
    let Some(signer) = Signer::start() else { return };
    signer.json(&["init"], PIN);
    signer.json(&["change-pin"], &format!("{PIN}\nNew-pin-1\n"));
    let refused = signer.run(&["login"], PIN);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("log in to token 0") && told.contains("(pin_incorrect)"),
        "{told}"
    );
    assert!(!told.contains(PIN), "{told}");

    let file = signer.file("pin");
    fs::write(&file, "New-pin-1\n").unwrap();
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let refused = signer.run(&["login", "--pin-file", &file], "");
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("expected mode 0600"),
        "{refused:?}"
    );
    mode(0o600);
    assert_eq!(
        signer.json(&["login", "--pin-file", &file], "")["status"],
        "logged_in"
    );
    assert_eq!(
        signer.json(&["login", "--pin-file", "-"], "New-pin-1")["status"],
        "logged_in"
    );
    let none = signer.run(&["login"], "");
    assert_eq!(none.status.code(), Some(2), "{none:?}");
}

#[test]
fn a_pin_that_is_typed_is_not_shown_and_a_new_one_must_be_typed_twice() {
    let Some(signer) = Signer::start() else { return };
    if !has("script") {
        return;
    }
    let shown = signer.on_a_terminal("init", &[PIN, PIN]);
    assert!(
        shown.contains("new PIN: ") && shown.contains("new PIN again: "),
        "{shown}"
    );
    assert!(shown.contains("logged in") && !shown.contains(PIN), "{shown}");
    signer.json(&["logout"], "");
    let shown = signer.on_a_terminal("login", &[PIN]);
    assert!(
        shown.contains("PIN: ") && shown.contains("logged in") && !shown.contains(PIN),
        "{shown}"
    );
    let shown = signer.on_a_terminal("change-pin", &[PIN, "one", "another"]);
    assert!(shown.contains("not the same twice"), "{shown}");
    assert_eq!(signer.json(&["login"], PIN)["status"], "logged_in");
}

#[test]
fn what_cannot_be_done_is_told_with_the_place_and_what_was_expected() {
    let Some(signer) = Signer::start() else { return };
    signer.json(&["init"], PIN);
    let csr = signer.file("csr");
    let cases: [(&[&str], i32, &str); 7] = [
        (&["delete", "00"], 1, "the signer has no key 00"),
        (&["activate", "00"], 1, "the signer has no certificate 00"),
        (&["withdraw", "00"], 1, "the signer has no signing request 00"),
        (
            &["logout", "7"],
            1,
            "(token_not_found); see `kiirtee keys tokens`",
        ),
        (
            &["generate", "signing", "--label", "k", "--token", "7"],
            1,
            "make a key in token 7",
        ),
        (
            &["import", "/dev/null"],
            2,
            "expected a certificate in PEM or DER",
        ),
        (&["sign", "00"], 2, "--file"),
    ];
    for (arguments, code, told) in cases {
        let ended = signer.run(arguments, "");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    signer.json(&["logout"], "");
    let closed = signer.run(&["generate", "signing", "--label", "k"], "");
    let said = String::from_utf8_lossy(&closed.stderr).into_owned();
    assert!(
        said.contains("(token_not_active)") && said.contains("kiirtee keys login"),
        "{said}"
    );
    assert!(!std::path::Path::new(&csr).exists());
    let away = instance::kiirtee()
        .args(["keys", "list", "--socket", &signer.file("nothing.sock")])
        .output()
        .unwrap();
    assert_eq!(away.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&away.stderr).contains("expected a running kiirtee-signer"));
    let figures: Value = signer.json(&["figures"], "");
    assert_eq!(figures["messages"], 0);
}
